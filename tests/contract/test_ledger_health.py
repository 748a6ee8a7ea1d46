"""The health check does what a claim does, and nothing waits for the ledger longer than it may."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Lease
from integrations.ledger.database import CHECK_INTERVAL
from integrations.ledger.migrations import VERSION
from tests.clocks import ManualClock
from tests.contract.ledgers import ATTACHED, CREATED, execute, keyed, lease_of, ledger, opened, outcome, url, won

__all__ = ["ledger", "opened", "url"]

ROOT = Path(__file__).resolve().parents[2]
# Far more than any of the bounds below, for a machine that is busy; without bounds, these would wait for ever.
FOR_EVER = 60


def ends(work):
    """What the work raises, in the time that it may take."""
    raised = []

    def run():
        try:
            work()
        except Exception as fault:  # noqa: BLE001 - it is the result
            raised.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(FOR_EVER)
    assert not thread.is_alive(), "it waits without a limit"
    return raised[0] if raised else None


@contextmanager
def locked(url):
    """Another process that keeps everybody from writing and does not end."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE initiations, health IN ACCESS EXCLUSIVE MODE")
            yield
            other.rollback()


def uses(ledger, claim, seconds):
    """Every way to write, each waiting so many seconds at most."""
    return {
        "claim": lambda: ledger.claim(keyed(), seconds=seconds),
        "reclaim": lambda: ledger.reclaim(Lease(claim.id, "another"), 10.0, seconds=seconds),
        "save_checkpoint": lambda: ledger.save_checkpoint(lease_of(claim), CREATED, seconds=seconds),
        "complete": lambda: ledger.complete(lease_of(claim), ATTACHED, outcome(claim.id), seconds=seconds),
    }


def test_a_lock_is_waited_for_no_longer_than_asked_and_the_ledger_works_again_after(ledger, url):
    claim = keyed()
    won(ledger, claim)
    with locked(url):
        for name, use in uses(ledger, claim, 0.2).items():
            assert isinstance(ends(use), LedgerUnavailable), name
        assert isinstance(ends(ledger.ping), LedgerUnavailable)
        if url.startswith("sqlite"):
            assert ledger.read(claim.id).has_live_lease, "readers go on"
    assert ends(lambda: ledger.claim(keyed(key="after"), seconds=10.0)) is None
    assert ends(ledger.ping) is None


def test_the_bound_is_the_requests_own(tmp_path, opened):
    """On a clock that only waiting moves: what is asked for is what is waited."""
    clock = ManualClock()
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    ledger = opened(url, clock=clock)
    ledger.ping()
    with locked(url):
        for seconds in (0.5, 1.5):
            before = clock.time
            with pytest.raises(LedgerUnavailable, match="is locked by another process"):
                ledger.claim(keyed(), seconds=seconds)
            assert clock.time - before == pytest.approx(seconds, abs=0.01)


@contextmanager
def stopped(server, url):
    """The database server with everything it runs, stopped where it stands."""
    rows = execute(url, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")[0]
    pids = [server.get_pid(), *(pid for (pid,) in rows)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_server_that_hangs_is_waited_for_no_longer_than_asked_and_used_again_after(server, url, ledger):
    claim = keyed()
    won(ledger, claim)
    ledger.save_checkpoint(lease_of(claim), CREATED)
    with stopped(server, url):
        for name, use in uses(ledger, claim, 0.2).items():
            assert isinstance(ends(use), LedgerUnavailable), name
        for use in (lambda: ledger.read(claim.id, seconds=0.2), lambda: ledger.find("any", seconds=0.2), ledger.ping):
            assert isinstance(ends(use), LedgerUnavailable)
    assert ends(lambda: ledger.claim(keyed(key="after"), seconds=10.0)) is None


def test_a_lock_key_is_found_by_one_read(ledger):
    claim = keyed()
    won(ledger, claim)
    assert ledger.find(claim.lock_key).id == claim.id
    assert ledger.find("key:data-action:another") is None


# What keeps a claim from being written shows in the health check


def test_a_server_that_turned_read_only_is_named_and_used_again_at_once(database, opened):
    ledger = opened(database)
    ledger.upgrade()
    won(ledger, keyed(key="before"))
    name = database.partition("?")[0].rpartition("/")[2]
    writable, read_only = (
        f"ALTER DATABASE {name} SET default_transaction_read_only = {word}" for word in ("off", "on")
    )
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cobrowse-bridge'"
    execute(database, read_only, cut)

    for use in (ledger.ping, lambda: ledger.claim(keyed(key="during"))):
        with pytest.raises(LedgerUnavailable, match="is read-only"):
            use()

    execute(database, "SET default_transaction_read_only = off", writable)
    ledger.ping()
    won(ledger, keyed(key="after"))


TAKES_NO_MORE = """
import resource, sys
from cobrowse.errors import LedgerUnavailable
from tests.contract.ledgers import KEY, RETENTION, connect, keyed, won

ledger = connect(f"sqlite:///{sys.argv[1]}", keys=[KEY], retention_seconds=RETENTION)
won(ledger, keyed(key="before"))
ledger.ping()
before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
refused = []
for use in (lambda: ledger.claim(keyed(key="during")), ledger.ping):
    try:
        use()
    except LedgerUnavailable as fault:
        refused.append(fault.message)
resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
ledger.ping()
won(ledger, keyed(key="after"))
print(len(refused))
"""


def test_a_disk_that_takes_no_more_shows_and_the_ledger_works_again_after(tmp_path):
    file = tmp_path / "ledger.sqlite3"
    ended = subprocess.run(
        [sys.executable, "-c", TAKES_NO_MORE, str(file)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout == "2\n", ended.stderr


def test_damage_that_a_claim_would_meet_shows(tmp_path, opened):
    file = tmp_path / "ledger.sqlite3"
    ledger = opened(f"sqlite:///{file}")
    won(ledger, keyed())
    ledger.close()
    with closing(sqlite3.connect(file)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'initiations'").fetchone()[0]
    with file.open("r+b") as content:
        content.seek((page - 1) * 4096)
        content.write(b"\xa5" * 4096)

    for use in (ledger.ping, lambda: ledger.claim(keyed(key="another"))):
        with pytest.raises(LedgerUnavailable, match="is damaged") as why:
            use()
        assert "Stop the service" in why.value.hint


# Another release that upgrades the tables meanwhile


def test_tables_that_no_longer_let_this_service_work_are_noticed_while_it_runs(url, opened):
    clock = ManualClock()
    ledger = opened(url, clock=clock)
    won(ledger, keyed(key="before"))
    execute(url, f"UPDATE ledger_schema SET version = {VERSION + 1}, min_reader = {VERSION + 1}")
    try:
        clock.time += CHECK_INTERVAL
        for use in (lambda: ledger.claim(keyed(key="during")), ledger.ping):
            with pytest.raises(LedgerUnavailable, match="this one knows version"):
                use()
    finally:
        execute(url, f"UPDATE ledger_schema SET version = {VERSION}, min_reader = {VERSION}")
    won(ledger, keyed(key="after"))
