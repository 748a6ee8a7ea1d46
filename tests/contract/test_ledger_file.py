"""Processes never work on different copies of the ledger: what was moved, replaced, restored or re-keyed is refused."""

import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from cryptography.fernet import Fernet

from cobrowse.errors import LedgerUnavailable
from integrations.ledger import connect
from tests.contract.ledgers import RETENTION, again, execute, keyed, opened, settle, url, won

__all__ = ["opened", "url"]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(file, opened):
    """A ledger in use, whose first key has been answered."""
    store = opened(f"sqlite:///{file}")
    first = keyed(key="first", number="first")
    won(store, first)
    settle(store, first)
    return store


def backup(file):
    """A copy of the ledger, made while it is in use."""
    copy = file.with_name("backup.sqlite3")
    with closing(sqlite3.connect(file)) as here, closing(sqlite3.connect(copy)) as there:
        here.backup(there)
    return copy


def refused(ledger, what):
    """Every use is refused for this reason, with what helps."""
    for use in (ledger.ping, lambda: ledger.claim(keyed(key="first")), lambda: ledger.read("first")):
        with pytest.raises(LedgerUnavailable, match=what) as why:
            use()
        assert "Stop the service on every machine first" in why.value.hint


def test_a_file_that_was_moved_away_is_refused_until_it_is_back(ledger, file):
    file.rename(file.with_name("elsewhere"))
    refused(ledger, "ledger.sqlite3 was moved or deleted while the service runs")
    assert not file.exists(), "an empty one in its place would invite every customer again"

    file.with_name("elsewhere").rename(file)
    won(ledger, keyed(key="second"))


def test_a_backup_put_in_its_place_while_the_service_runs_is_refused(ledger, file):
    copy = backup(file)
    won(ledger, keyed(key="second"))
    copy.replace(file)
    refused(ledger, "ledger.sqlite3 was replaced while the service runs")


def test_a_process_that_starts_while_others_use_a_moved_file_makes_no_new_one(ledger, file, opened):
    file.rename(file.with_name("elsewhere"))
    refused(opened(f"sqlite:///{file}"), "is not the one that the service's other processes use")
    assert not file.exists()


def test_a_process_that_starts_on_a_backup_while_others_run_is_refused(ledger, file, opened):
    backup(file).replace(file)
    refused(opened(f"sqlite:///{file}"), "is not the one that the service's other processes use")


def test_once_the_service_has_stopped_a_backup_may_take_its_place(ledger, file, opened):
    copy = backup(file)
    ledger.close()
    copy.replace(file)

    started = opened(f"sqlite:///{file}")

    assert started.read("first").outcome
    won(started, keyed(key="second"))


def test_a_log_that_was_deleted_is_refused(ledger, file):
    file.with_name("ledger.sqlite3-wal").unlink()
    refused(ledger, "ledger.sqlite3-wal was moved or deleted")


def test_content_that_is_older_than_what_this_process_wrote_is_noticed_by_the_health_check(ledger, file):
    won(ledger, keyed(key="second"))
    ledger.ping()
    execute(f"sqlite:///{file}", "DELETE FROM initiations WHERE key = 'second'", "UPDATE sqlite_sequence SET seq = 1")
    refused(ledger, "holds an older copy of the ledger")


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_an_older_copy_of_a_server_is_noticed_while_the_service_runs(url, opened):
    """As a restored backup has it, or a standby that a failover made the primary without the last commits."""
    ledger, other = opened(url), opened(url)
    ledger.ping()
    ((copied,),) = execute(url, "SELECT checked FROM health")[0]
    other.ping()  # any process's check will do
    ledger.ping()
    ((newest,),) = execute(url, "SELECT checked FROM health")[0]
    execute(url, f"UPDATE health SET checked = {copied!r}")
    try:
        refused(ledger, "holds an older copy of the ledger than this process has seen")
    finally:
        execute(url, f"UPDATE health SET checked = {newest!r}")
    won(ledger, keyed())


def test_the_databases_clock_may_jump_back_between_two_checks(url, opened):
    ledger = opened(url)
    ledger.ping()
    execute(url, "UPDATE health SET checked = checked + 86400")
    ledger.ping()
    ledger.ping()
    won(ledger, keyed())


def test_another_ledger_at_the_same_place_is_noticed_by_the_health_check(url, opened):
    ledger = opened(url)
    ledger.ping()
    before = execute(url, "SELECT ledger_id FROM ledger_schema")[0][0][0]
    execute(url, "UPDATE ledger_schema SET ledger_id = 'another'")
    try:
        with pytest.raises(LedgerUnavailable, match="holds another ledger than before"):
            ledger.ping()
        with pytest.raises(LedgerUnavailable, match="holds another ledger than before"):
            ledger.claim(keyed())
    finally:
        execute(url, f"UPDATE ledger_schema SET ledger_id = '{before}'")
    won(ledger, keyed())


def test_each_ledger_has_an_id_of_its_own(tmp_path, opened):
    ids = set()
    for name in "ab":
        opened(f"sqlite:///{tmp_path}/{name}.sqlite3").ping()
        ids |= set(execute(f"sqlite:///{tmp_path}/{name}.sqlite3", "SELECT ledger_id FROM ledger_schema")[0])
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda key: key.unlink(), "is gone"),
        (lambda key: key.write_bytes(Fernet.generate_key()), "holds another key than this process uses"),
        (lambda key: key.write_bytes(b"\xff"), "can't be read"),
    ],
    ids=["removed", "changed", "damaged"],
)
def test_a_key_file_that_is_not_the_one_in_use_is_noticed_by_the_health_check(file, opened, change, what):
    ledger = opened(f"sqlite:///{file}", keys=())
    won(ledger, keyed(session_settings={"a": 1}))
    key = file.with_name("ledger.sqlite3.key")
    before = key.read_bytes()
    change(key)

    with pytest.raises(LedgerUnavailable, match=what) as why:
        ledger.ping()
    assert "stop the service first" in why.value.hint

    key.write_bytes(before)
    ledger.ping()


@pytest.fixture
def no_mask():
    """A process that masks nothing of a new file's mode."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_only_the_service_may_read_the_files_whatever_the_umask(no_mask, tmp_path):
    store = connect(f"sqlite:///{tmp_path}/ledger.sqlite3", keys=[], retention_seconds=RETENTION)
    won(store, keyed(session_settings={"a": 1}))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    store.close()
    names = ("", "-wal", "-shm", ".key", ".lock")
    assert modes == {f"ledger.sqlite3{end}": 0o600 for end in names}


def test_a_copy_of_the_whole_folder_is_a_ledger_of_its_own(ledger, file, tmp_path, opened):
    copy = tmp_path / "copy"
    ledger.close()
    shutil.copytree(tmp_path, copy, ignore=lambda *_: ["copy"])
    first = keyed(key="first")
    assert opened(f"sqlite:///{copy}/ledger.sqlite3").claim(again(first)).id == "first"
