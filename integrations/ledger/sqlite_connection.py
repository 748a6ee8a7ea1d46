"""One process's open SQLite ledger: the connection it writes on, its file and its log."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from cobrowse.clock import Deadline
from cobrowse.errors import LedgerUnavailable
from integrations.event_loop import run_off_loop
from integrations.ledger import migrations
from integrations.ledger.batches import Batches, TimedOut, retry_while_busy
from integrations.ledger.checkpoints import Checkpoints, empty_log
from integrations.ledger.database import PING_TIMEOUT, Dialect, Params, Rows, Run, SequentialRun, Statement
from integrations.ledger.group_sync import GroupSync
from integrations.ledger.ledger_file import LedgerFile

# A parameter like any other: SQLite would call a function of ours a dozen times for an initiation.
NOW = "now"
DIALECT = Dialect(
    f":{NOW}",
    "INTEGER PRIMARY KEY AUTOINCREMENT",
    "TEXT",
    "",
    "WHERE true",  # all write one by one; without it, ON CONFLICT would be read as the ON of a join
)

# The wall clock may have gone back since the last process ended: what a dead one held would be held for as long. No
# deadline with its margin is longer than 60 seconds.
CAP_LEASES = (
    """UPDATE initiations SET lease_until = {now} + 60
    WHERE created > {now} - 3600 AND state = 'running' AND lease_until > {now} + 60""",
    "UPDATE leases SET lease_until = 0 WHERE lease_until > {now} + 60",
)

HIGHEST_SEQ = "SELECT seq FROM sqlite_sequence WHERE name = 'initiations'"


@dataclass(slots=True)
class OpenLedger:
    """What belongs to one process: connections don't survive a fork. `versions`: of the tables, before and after."""

    pid: int
    location: str
    file: LedgerFile
    run: Run
    batches: Batches
    checkpoints: Checkpoints
    versions: tuple[int, int]
    ledger_id: str
    next_check: float = 0.0
    highest_seq: int = 0

    def check_content(self) -> None:
        """LedgerUnavailable if the tables don't fit this service any more, or are not what it has written so far."""
        self.batches.read(self._compare)

    def close(self) -> None:
        """Close the connection and take part in the file's use no longer."""
        self.batches.close()
        self.file.unregister()

    def _compare(self) -> None:
        migrations.check_schema(migrations.read_schema(self.run), self.location, self.ledger_id)
        rows = self.run(HIGHEST_SEQ)
        highest = rows[0][0] if rows else 0
        if highest < self.highest_seq:
            what = "holds an older copy of the ledger than this process has written"
            raise LedgerUnavailable(f"{self.location} {what}", hint=migrations.REPLACED_HINT)
        self.highest_seq = highest


def open_ledger(
    path: Path,
    location: str,
    deadline: Deadline,
    *,
    fdatasync: Callable[[int], None],
    checkpoint_interval: int,
    sync_failed: bool,
) -> OpenLedger:
    """Open the file, make or upgrade its tables. `sync_failed`: the disk has reported an error since it was opened.

    LedgerUnavailable, Locked, SyncFailed, OSError or sqlite3.Error if that can't be.
    """
    file = LedgerFile(path, deadline.clock)
    try:
        file.register(deadline)
        connection = connect(path, "rw", 0)
    except BaseException:
        file.unregister()
        raise
    try:
        retry_while_busy(lambda: connection.execute("PRAGMA journal_mode = WAL"), deadline)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        run = SequentialRun(lambda sql, params: _execute(connection, sql, params, file.now))
        versions = _upgrade(connection, run, deadline)
        found = migrations.check_schema(migrations.read_schema(run), location)
        for statement in CAP_LEASES if file.alone else ():
            retry_while_busy(partial(run, statement), deadline)
        log = file.track()
        if sync_failed:
            # What a failed sync lost would cut the log short there; so it is emptied into the database file first.
            run_off_loop(lambda: empty_log(connect(path, "rw", PING_TIMEOUT)))
        sync = GroupSync(lambda: fdatasync(log.handle))
        _sync_in_time(sync, deadline)
    except BaseException:
        connection.close()
        file.unregister()
        raise
    batches = Batches(connection, run, sync, deadline.clock, file.check)
    checkpoints = Checkpoints(lambda: connect(path, "rw", PING_TIMEOUT), checkpoint_interval)
    return OpenLedger(os.getpid(), location, file, run, batches, checkpoints, versions, found.ledger_id)


def _sync_in_time(sync: GroupSync, deadline: Deadline) -> None:
    """Sync off the loop. SyncFailed, or TimedOut at the deadline."""
    try:
        run_off_loop(sync.run, deadline.remaining())
    except TimeoutError:
        raise TimedOut from None


def connect(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    """A connection to an existing file, `rw` or `ro`; SQLite itself waits so many seconds for others, off the loop."""
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", timeout, isolation_level=None, check_same_thread=False, uri=True
    )


@cache
def statement_of(sql: str) -> Statement:
    """The statement in SQLite's words."""
    return Statement.of(DIALECT.render(sql), "?")


def values_of(statement: Statement, params: Params, now: Callable[[], float]) -> list[object]:
    """The statement's parameters in their order, and the ledger's time where it asks for that."""
    return [now() if name == NOW else params[name] for name in statement.names]


def _execute(connection: sqlite3.Connection, sql: str, params: Params, now: Callable[[], float]) -> Rows:
    statement = statement_of(sql)
    cursor = connection.execute(statement.sql, values_of(statement, params, now))
    return cursor.fetchall() if cursor.description else [()] * cursor.rowcount


def _upgrade(connection: sqlite3.Connection, run: Run, deadline: Deadline) -> tuple[int, int]:
    tables = run("SELECT name FROM sqlite_master WHERE name = 'ledger_schema'")
    found = migrations.read_schema(run) if tables else None
    if found is not None and found.version >= migrations.VERSION:
        return found.version, found.version
    retry_while_busy(lambda: connection.execute("BEGIN IMMEDIATE"), deadline)
    versions = migrations.upgrade(run)
    connection.execute("COMMIT")
    return versions
