"""Whether the ledger can be used at all, on each engine: its schema, its place, its URL and keys."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from cobrowse.errors import LedgerUnavailable
from integrations.ledger import connect, migrations
from integrations.ledger.migrations import VERSION
from tests.contract.ledgers import (
    CREATED,
    KEY,
    RETENTION,
    TABLES,
    execute,
    keyed,
    lease_of,
    outcome,
    settle,
    together,
    won,
)

ROOT = Path(__file__).parents[2]

# The schema


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(ledger):
    ledger.ping()

    assert ledger.upgrade() == (VERSION, VERSION)


def test_postgresql_is_not_upgraded_by_a_service_and_it_says_what_to_run(database, opened):
    ledger = opened(database)

    with pytest.raises(LedgerUnavailable, match=r"has no ledger tables yet .* run cobrowse-bridge ledger upgrade"):
        ledger.ping()
    with pytest.raises(LedgerUnavailable, match="no ledger tables"):
        ledger.claim(keyed())

    assert ledger.upgrade() == (0, VERSION)
    won(ledger, keyed())


def test_two_machines_can_upgrade_at_once(database, opened):
    stores = [opened(database) for _ in range(4)]

    versions = together(4, lambda number: stores[number].upgrade())

    assert sorted(versions) == [(0, VERSION)] + [(VERSION, VERSION)] * 3
    won(stores[0], keyed())


def test_sqlite_is_upgraded_once_by_however_many_start(tmp_path, opened):
    stores = [opened(f"sqlite:///{tmp_path}/new.sqlite3") for _ in range(8)]

    together(8, lambda number: won(stores[number], keyed(key=f"{number}")))

    assert len(stores[0].recent(10)) == 8


def test_tables_older_than_the_service_are_upgraded_on_sqlite_and_asked_for_on_postgresql(ledger, url, opened):
    ledger.ping()
    execute(url, "UPDATE ledger_schema SET version = 0", *(f"DROP TABLE {name}" for name in TABLES))
    newer = opened(url)

    if url.startswith("postgresql"):
        expected = rf"version 0 .* needs version {VERSION}: run cobrowse-bridge ledger upgrade"
        with pytest.raises(LedgerUnavailable, match=expected):
            newer.ping()
        assert newer.upgrade() == (0, VERSION)
    won(newer, keyed())


@pytest.fixture
def newer(ledger, url):
    """A way to let a newer service have upgraded the tables; taken back in the end."""

    def upgrade(min_reader):
        ledger.ping()
        execute(
            url,
            "ALTER TABLE initiations ADD COLUMN news TEXT NOT NULL DEFAULT ''",
            f"UPDATE ledger_schema SET version = {VERSION + 3}, min_reader = {min_reader}",
        )

    yield upgrade
    execute(
        url,
        f"UPDATE ledger_schema SET version = {VERSION}, min_reader = {VERSION}",
        "ALTER TABLE initiations DROP COLUMN news",
    )


def test_an_older_service_works_on_beside_tables_that_still_let_it(newer, url, opened):
    newer(min_reader=VERSION)
    older = opened(url)

    claim = keyed()
    won(older, claim)
    older.save_checkpoint(lease_of(claim), CREATED)
    settle(older, claim)

    assert older.read(claim.id).outcome == outcome(claim.id)
    assert older.upgrade() == (VERSION + 3, VERSION + 3)


def test_tables_that_are_not_for_this_service_are_refused_whichever_release_made_them(newer, url, opened):
    newer(min_reader=VERSION + 1)

    told = f"for services of version {VERSION + 1} and newer; this one knows version {VERSION}"
    with pytest.raises(LedgerUnavailable, match=told) as why:
        opened(url).claim(keyed())
    with pytest.raises(LedgerUnavailable, match=told):
        opened(url).upgrade()
    assert why.value.hint == (
        "Another release of this service has made or upgraded the ledger: deploy that release here. To go on without "
        "what the ledger knows, stop the service on every machine first, then point LEDGER_URL at a new one."
    )


def test_each_migration_is_the_next_number_and_none_demands_a_newer_service_than_itself():
    assert [migration.version for migration in migrations.MIGRATIONS] == list(range(1, VERSION + 1))
    assert all(migration.min_reader <= migration.version for migration in migrations.MIGRATIONS)


# Where it can't be reached


def refused(ledger):
    """The error of a claim that found no ledger."""
    with pytest.raises(LedgerUnavailable) as why:
        ledger.claim(keyed(session_settings={"a": 1}))
    return why.value


def test_a_directory_that_is_none_is_named(tmp_path, opened):
    (tmp_path / "file").write_text("")
    ledger = opened(f"sqlite:///{tmp_path}/file/ledger.sqlite3")
    fault = refused(ledger)

    for use in (lambda: ledger.read("any"), ledger.ping, ledger.purge, lambda: ledger.tokens.read("any")):
        with pytest.raises(LedgerUnavailable, match="can't be opened"):
            use()
    assert fault.message == f"the SQLite file {tmp_path}/file/ledger.sqlite3 can't be opened: Not a directory"
    assert "directory exists" in fault.hint


def test_a_key_file_where_none_can_be_made_is_named(tmp_path, opened):
    fault = refused(opened(f"sqlite:///{tmp_path}/absent/ledger.sqlite3", keys=()))

    assert f"{tmp_path}/absent/ledger.sqlite3.key can't be used: No such file" in fault.message


def test_a_directory_in_the_files_place_is_named(tmp_path, opened):
    assert "can't be opened" in refused(opened(f"sqlite:///{tmp_path}")).message


def test_a_file_of_something_else_is_named(tmp_path, opened):
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database, but a text that is long enough " * 50)

    assert "is not a SQLite database" in refused(opened(f"sqlite:///{tmp_path}/ledger.sqlite3")).message


def test_a_full_disk_is_named_and_the_ledger_works_again_after(tmp_path, opened):
    ledger = opened(f"sqlite:///{tmp_path}/ledger.sqlite3")
    limit = "PRAGMA max_page_count = {}"
    ledger._database.write(lambda run: run(limit.format(1)), durable=False)  # SQLite takes as little as there is

    def fill():
        for number in range(50):
            ledger.claim(keyed(key=f"{number}", requested_by="x" * 4000))

    with pytest.raises(LedgerUnavailable, match="the disk is full"):
        fill()

    ledger._database.write(lambda run: run(limit.format(100_000)), durable=False)
    won(ledger, keyed())


def test_a_server_that_is_not_there_is_named_without_its_password(opened):
    url = "postgresql+psycopg://ada:hunter2@127.0.0.1:1/bridge"
    fault = refused(opened(url))

    assert fault.message.startswith("the PostgreSQL database bridge at 127.0.0.1:1 can't be reached: connection")
    assert "refused" in fault.message
    assert "hunter2" not in fault.message


def test_a_database_that_is_not_there_is_named(server, opened):
    assert 'database "absent" does not exist' in refused(opened(server.get_uri(database="absent"))).message


def test_connections_that_were_cut_are_made_anew(url, opened):
    if url.startswith("sqlite"):
        pytest.skip("a file has no connections that could be cut")
    ledger = opened(url)
    claim = keyed()
    together(6, lambda _: ledger.read("any"))
    won(ledger, claim)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cobrowse-bridge'"
    execute(url, cut)
    time.sleep(0.1)

    ledger.save_checkpoint(lease_of(claim), CREATED)
    execute(url, cut)
    settle(ledger, claim)
    assert ledger.read(claim.id).outcome


# URLs and keys


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ledger.sqlite3",
        "mysql://ada:hunter2@host/bridge",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://ledger.sqlite3",
        "sqlite:///ledger.sqlite3?mode=ro",
        "postgresql://ada:hunter2@host:port:more/bridge?hunter2",
        "postgresql+psycopg://ada:hunter2@host/bridge?nonsense=hunter2",
        "postgresql+asyncpg://ada:hunter2@host/bridge",
    ],
)
def test_a_url_that_is_none_of_ours_is_refused_and_not_retried(url):
    with pytest.raises(ValueError, match="LEDGER_URL") as why:
        connect(url, keys=[KEY], retention_seconds=RETENTION)
    assert "hunter2" not in str(why.value)
    assert why.value.__suppress_context__ or why.value.__context__ is None


HERE = """
from integrations.ledger import connect
ledger = connect("sqlite:///here%20it%20is.sqlite3", keys=[], retention_seconds=60.0)
ledger.ping()
print(ledger.location)
ledger.close()
"""


def test_a_relative_file_lies_where_the_service_was_started(tmp_path):
    words, environment = [sys.executable, "-c", HERE], {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)

    assert (tmp_path / "here it is.sqlite3").exists()
    assert ended.stdout == "the SQLite file here it is.sqlite3\n"


def test_postgresql_needs_keys_and_says_how_to_make_one():
    with pytest.raises(ValueError, match=r"LEDGER_KEYS is needed .*generate_key"):
        connect("postgresql://ada@host/bridge", keys=[], retention_seconds=RETENTION)


@pytest.mark.parametrize("url", ["sqlite:///ledger.sqlite3", "postgresql://ada@host/bridge"])
def test_a_key_that_is_none_is_refused_by_its_number_and_not_retried(url):
    with pytest.raises(ValueError, match="LEDGER_KEYS: key 2 is not a Fernet key") as why:
        connect(url, keys=[KEY, "hunter2"], retention_seconds=RETENTION)
    assert "hunter2" not in str(why.value)


def test_connecting_opens_nothing(tmp_path):
    store = connect(f"sqlite:///{tmp_path}/ledger.sqlite3", keys=[], retention_seconds=RETENTION)
    store.close()

    assert list(tmp_path.iterdir()) == []


def test_a_closed_ledger_opens_again_when_it_must(ledger):
    claim = keyed()
    won(ledger, claim)
    ledger.close()

    assert ledger.read(claim.id).has_live_lease
