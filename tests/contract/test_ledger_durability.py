"""What waits for the disk: exactly what an invitation must not go out without."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Checkpoint, InitiationRecord, State
from integrations.ledger import LedgerStore
from integrations.ledger.encryption import SecretBox
from integrations.ledger.postgresql import PostgreSQL
from integrations.ledger.sqlite import SQLite
from tests.contract.ledgers import CREATED, INVITING, KEY, RETENTION, again, keyed, lease_of, settle, won

QUICK = Checkpoint("media", pending_step="create")
ROOT = Path(__file__).resolve().parents[2]


def store_on(database):
    return LedgerStore(database, SecretBox([KEY]), retention_seconds=RETENTION)


class Disk:
    """What a power cut leaves of a ledger: its files as they were at the last sync of the log."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "here" / "ledger.sqlite3"
        self.file.parent.mkdir()
        self.syncs = 0
        self.before_sync = lambda: None
        self.stores = []
        self.ledger = self.opened(SQLite(self.file, fdatasync=self.sync))

    def sync(self, handle):
        self.before_sync()
        os.fdatasync(handle)
        self.syncs += 1
        shutil.copytree(self.file.parent, self.folder / f"sync-{self.syncs}")

    def after_a_power_cut(self):
        """A ledger on what the disk holds by now."""
        left = self.folder / f"cut-{len(self.stores)}"
        shutil.copytree(self.folder / f"sync-{self.syncs}", left)
        (left / "ledger.sqlite3-shm").unlink()  # it lies in memory
        return self.opened(SQLite(left / "ledger.sqlite3"))

    def opened(self, database):
        self.stores.append(store_on(database))
        return self.stores[-1]


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path)
    made.ledger.ping()
    yield made
    for store in made.stores:
        store.close()


@pytest.mark.parametrize(("checkpoint", "lasts"), [(QUICK, False), (INVITING, True)])
def test_a_claim_is_on_the_disk_if_its_first_call_invites(disk, checkpoint, lasts):
    claim = replace(keyed(), checkpoint=checkpoint)
    won(disk.ledger, claim)
    assert (disk.after_a_power_cut().read(claim.id) is not None) is lasts


@pytest.mark.parametrize("invited", [False, True])
def test_a_begin_is_on_the_disk_if_its_call_invites(disk, invited):
    claim = replace(keyed(), checkpoint=INVITING)
    won(disk.ledger, claim)
    checkpoint = CREATED._replace(may_have_notified=invited)
    disk.ledger.save_checkpoint(lease_of(claim), checkpoint)
    assert disk.after_a_power_cut().read(claim.id).checkpoint == (checkpoint if invited else INVITING)


def test_what_was_committed_before_is_on_the_disk_as_well(disk):
    quick, ended, inviting = keyed(key="quick"), keyed(key="ended"), replace(keyed(key="inviting"), checkpoint=INVITING)
    won(disk.ledger, quick)
    won(disk.ledger, ended)
    settle(disk.ledger, ended)
    won(disk.ledger, inviting)
    left = disk.after_a_power_cut()
    assert [left.read(claim.id).state for claim in (quick, ended, inviting)] == [
        State.RUNNING,
        State.SUCCEEDED,
        State.RUNNING,
    ]


def test_an_end_waits_for_nothing_since_a_repeat_would_look(disk):
    claim = replace(keyed(), checkpoint=INVITING)
    won(disk.ledger, claim)
    syncs = disk.syncs
    settle(disk.ledger, claim, CREATED)
    assert disk.syncs == syncs
    assert disk.ledger.read(claim.id).state is State.SUCCEEDED
    assert disk.after_a_power_cut().read(claim.id).state is State.RUNNING


def test_a_checkpoint_of_another_process_before_the_sync_takes_nothing_away(disk):
    """It lets the log begin anew, so that the sync that comes then finds the claim only in the database file."""

    def restart():
        with closing(sqlite3.connect(disk.file)) as other, other:
            assert other.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0
            other.execute("UPDATE health SET checked = checked")

    claims = [replace(keyed(key=f"{number}"), checkpoint=INVITING) for number in range(3)]
    won(disk.ledger, claims[0])
    disk.before_sync = restart
    won(disk.ledger, claims[1])
    disk.before_sync = lambda: None
    won(disk.ledger, claims[2])

    left = disk.after_a_power_cut()
    assert all(left.read(claim.id) for claim in claims)


def test_own_checkpoints_take_nothing_away_and_keep_the_log_short(tmp_path):
    ledger = store_on(SQLite(tmp_path / "ledger.sqlite3", checkpoint_interval=50))
    claims = [replace(keyed(key=f"{number}"), checkpoint=INVITING) for number in range(300)]
    for claim in claims:
        won(ledger, claim)
    log = (tmp_path / "ledger.sqlite3-wal").stat().st_size
    assert all(ledger.read(claim.id) for claim in claims)
    ledger.close()
    assert log < 60 * 15 * 4096


def test_an_error_of_the_disk_is_unavailable_and_nothing_is_believed_until_the_log_is_empty(disk):
    lost, later = (replace(keyed(key=key), checkpoint=INVITING) for key in ("lost", "later"))

    def broken():
        raise OSError(errno.EIO, "Input/output error")

    disk.before_sync = broken
    for _ in range(2):
        with pytest.raises(LedgerUnavailable, match="disk I/O error: Input/output error") as why:
            disk.ledger.claim(again(lost))
    assert "Check the disk" in why.value.hint

    disk.before_sync = lambda: None
    won(disk.ledger, later)
    assert disk.after_a_power_cut().read(later.id).has_live_lease


DIES = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from integrations.ledger.sqlite import SQLite
from tests.contract.ledgers import INVITING, keyed, won
from tests.contract.test_ledger_durability import store_on

dying = False

def sync(handle):
    if dying:
        os.kill(os.getpid(), signal.SIGKILL)

ledger = store_on(SQLite(Path(sys.argv[1]), fdatasync=sync))
ledger.ping()
dying = True
won(ledger, replace(keyed(key="dying", number="dying"), checkpoint=INVITING))
print("won")
"""


def test_a_process_killed_between_write_and_sync_has_told_nobody_and_its_claim_is_on_record(tmp_path, opened):
    file = tmp_path / "ledger.sqlite3"
    ended = subprocess.run(
        [sys.executable, "-c", DIES, str(file)], check=False, cwd=ROOT, capture_output=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, b""), ended.stderr

    claimed = opened(f"sqlite:///{file}").claim(keyed(key="dying"))

    assert isinstance(claimed, InitiationRecord)
    assert (claimed.id, claimed.checkpoint) == ("dying", INVITING)


class Asking:
    """PostgreSQL that notes of each write whether its commit waits for the server's disk."""

    def __init__(self, database):
        self._database = database
        self.waited = []

    def write(self, work, **how):
        def asked(run):
            self.waited.append(run("SHOW synchronous_commit")[0][0] == "on")
            return work(run)

        return self._database.write(asked, **how)

    def execute(self, sql, params, **how):
        return self.write(lambda run: run(sql, params), **how)

    def __getattr__(self, name):
        return getattr(self._database, name)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_on_postgresql_what_invites_waits_for_the_servers_disk_and_nothing_else(url):
    asking = Asking(PostgreSQL(url))
    ledger = store_on(asking)
    quick, inviting = keyed(key="quick"), replace(keyed(key="inviting"), checkpoint=INVITING)
    won(ledger, quick)
    won(ledger, inviting)
    ledger.save_checkpoint(lease_of(quick), CREATED)
    ledger.save_checkpoint(lease_of(inviting), CREATED._replace(may_have_notified=False))
    settle(ledger, quick)
    ledger.close()
    assert asking.waited == [False, True, True, False, False]
