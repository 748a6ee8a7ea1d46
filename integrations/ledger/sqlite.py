"""The ledger in a SQLite file: for one machine, however many worker processes it runs.

What must last is committed to the write-ahead log without waiting (synchronous=NORMAL), and then waits for one
fdatasync of the log, which serves all processes' commits so far: the log is one file. A checkpoint in between takes
nothing away: SQLite syncs the log before it copies pages to the database file, and that file before it lets the log
begin anew. So a commit is, at any moment after its fdatasync, in a part of the log that is on the disk or in a
database file that is.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any, TypeVar

from cobrowse.clock import Clock, Deadline, SystemClock
from cobrowse.errors import LedgerUnavailable
from integrations.ledger import migrations, queries
from integrations.ledger.batches import Batches, Closed, Locked, TimedOut, retry_while_busy
from integrations.ledger.checkpoints import CHECKPOINT_INTERVAL, Checkpoints, empty_log
from integrations.ledger.database import (
    CHECK_INTERVAL,
    DEFAULT_TIMEOUT,
    PING_TIMEOUT,
    Dialect,
    Params,
    Rows,
    Run,
    SequentialRun,
)
from integrations.ledger.event_loop import run_off_loop
from integrations.ledger.group_sync import GroupSync, SyncFailed, SyncTimedOut
from integrations.ledger.ledger_file import LedgerFile
from integrations.ledger.sqlite_faults import FAULTS, breaks_connection, unavailable

T = TypeVar("T")

DIALECT = Dialect(
    "((julianday('now') - 2440587.5) * 86400.0)",
    "INTEGER PRIMARY KEY AUTOINCREMENT",
    "TEXT",
    "",
    "WHERE true",  # all write one by one; without it, ON CONFLICT would be read as the ON of a join
)

# The first with RETURNING.
OLDEST = (3, 35, 0)
HIGHEST_SEQ = "SELECT seq FROM sqlite_sequence WHERE name = 'initiations'"


@dataclass(slots=True)
class _ProcessState:
    """What belongs to one process: connections don't survive a fork."""

    pid: int
    file: LedgerFile
    run: Run
    batches: Batches
    sync: GroupSync
    checkpoints: Checkpoints
    versions: tuple[int, int]
    ledger_id: str
    next_check: float = 0.0
    highest_seq: int = 0

    def close(self) -> None:
        self.batches.close()
        self.file.leave()


class SQLite:
    """The database in a file. `fdatasync` makes what was written to a file handle last; OSError if it can't.

    `checkpoint_interval` is in commits of this process.
    """

    def __init__(
        self,
        file: Path,
        *,
        clock: Clock | None = None,
        fdatasync: Callable[[int], None] = os.fdatasync,
        checkpoint_interval: int = CHECKPOINT_INTERVAL,
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise ValueError(f"SQLite {sqlite3.sqlite_version} is too old for the ledger: 3.35 or newer is needed")
        self.location = f"the SQLite file {file}"
        self._file = file
        self._clock = clock or SystemClock()
        self._fdatasync = fdatasync
        self._checkpoint_interval = checkpoint_interval
        self._rendered: dict[str, str] = {}
        self._opening = Lock()
        self._state: _ProcessState | None = None
        self._inherited: list[_ProcessState] = []
        self._sync_failed = False

    def write(self, work: Callable[[Run], T], *, durable: bool = True, seconds: float | None = None) -> T:
        """Do the work together with whatever else is waiting, then wait for the disk if it must last."""
        with self._in_use(seconds) as (state, deadline):
            done = state.batches.write(work, deadline)
            if durable:
                state.sync.wait(deadline.remaining())
            state.checkpoints.committed(state.batches.commits)
            return done

    def execute(self, sql: str, params: Params, *, durable: bool = True, seconds: float | None = None) -> Rows:
        """Do it as a work of its own."""
        return self.write(lambda run: run(sql, params), durable=durable, seconds=seconds)

    def read(self, sql: str, params: Params | None = None, *, seconds: float | None = None) -> Rows:
        """Read what is committed, between two transactions of this process."""
        with self._in_use(seconds) as (state, _):
            return state.batches.read(lambda: state.run(sql, params or {}))

    def scan(self, sql: str, params: Params, make: Callable[[tuple[Any, ...]], T]) -> list[T]:
        """Read on a connection of its own, off the loop."""
        rendered = self._render(sql)

        def read() -> list[T]:
            with closing(self._connect("ro", DEFAULT_TIMEOUT)) as connection:
                return [make(row) for row in connection.execute(rendered, params)]

        with self._in_use(None):
            return run_off_loop(read)

    def ping(self) -> None:
        """Write a row of its own, through to the disk."""
        filler = token_hex(1000)

        def work(run: Run) -> None:
            run(queries.PING, {"filler": filler})
            run(queries.PING_LOOK, {"filler": filler})

        if self._state is not None:
            self._state.next_check = 0.0
        self.write(work, seconds=PING_TIMEOUT)

    def upgrade(self) -> tuple[int, int]:
        """Opening the file does so by itself."""
        was_open = self._state is not None
        with self._in_use(None) as (state, _):
            if not was_open:
                return state.versions
            found = state.batches.read(lambda: migrations.read_schema(state.run))
            version = migrations.check_schema(found, self.location).version
            return version, version

    def close(self) -> None:
        """Close this process's connection."""
        with self._opening:
            state, self._state = self._state, None
        if state is not None and state.pid == os.getpid():
            state.close()

    @contextmanager
    def _in_use(self, seconds: float | None) -> Iterator[tuple[_ProcessState, Deadline]]:
        deadline = Deadline.after(DEFAULT_TIMEOUT if seconds is None else seconds, self._clock)
        with self._translate_errors():
            state = self._checked(deadline)
            try:
                yield state, deadline
            except (SyncFailed, sqlite3.Error) as fault:
                self._give_up(state, fault)
                raise

    def _checked(self, deadline: Deadline) -> _ProcessState:
        """The open file, if it is still the one in its place; from time to time, if it still fits this service too."""
        state = self._state
        if state is None or state.pid != os.getpid():
            state = self._for_this_process(deadline)
        state.file.check()
        if self._clock.monotonic() >= state.next_check:
            state.batches.read(lambda: self._check_content(state))
            state.next_check = self._clock.monotonic() + CHECK_INTERVAL
        return state

    def _check_content(self, state: _ProcessState) -> None:
        migrations.check_schema(migrations.read_schema(state.run), self.location, state.ledger_id)
        rows = state.run(HIGHEST_SEQ)
        highest = rows[0][0] if rows else 0
        if highest < state.highest_seq:
            what = "holds an older copy of the ledger than this process has written"
            raise LedgerUnavailable(f"{self.location} {what}", hint=migrations.REPLACED_HINT)
        state.highest_seq = highest

    def _for_this_process(self, deadline: Deadline) -> _ProcessState:
        if not self._opening.acquire(timeout=deadline.remaining()):
            raise TimedOut
        try:
            state = self._state
            if state is not None and state.pid != os.getpid():
                # Closing a parent's connection would drop the parent's file locks; so it is kept, and never touched.
                self._inherited.append(state)
                state = None
            if state is None:
                state = self._state = self._open(deadline)
            return state
        finally:
            self._opening.release()

    def _open(self, deadline: Deadline) -> _ProcessState:
        file = LedgerFile(self._file.absolute())
        try:
            file.enter(deadline)
            connection = self._connect("rw", 0)
        except BaseException:
            file.leave()
            raise
        try:
            retry_while_busy(lambda: connection.execute("PRAGMA journal_mode = WAL"), deadline)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            run = self._runner(connection)
            versions = self._upgrade(connection, run, deadline)
            found = migrations.check_schema(migrations.read_schema(run), self.location)
            log = file.watch()
            if self._sync_failed:
                # What a failed sync lost would cut the log short there; so it is emptied into the database file first.
                run_off_loop(lambda: empty_log(self._connect("rw", PING_TIMEOUT)))
            sync = GroupSync(lambda: self._fdatasync(log.handle))
            sync.wait(deadline.remaining())
            self._sync_failed = False
        except BaseException:
            connection.close()
            file.leave()
            raise
        return _ProcessState(
            os.getpid(),
            file,
            run,
            Batches(connection, run, self._clock),
            sync,
            Checkpoints(lambda: self._connect("rw", PING_TIMEOUT), self._checkpoint_interval),
            versions,
            found.ledger_id,
        )

    def _upgrade(self, connection: sqlite3.Connection, run: Run, deadline: Deadline) -> tuple[int, int]:
        tables = run("SELECT name FROM sqlite_master WHERE name = 'ledger_schema'")
        found = migrations.read_schema(run) if tables else None
        if found is not None and found.version >= migrations.VERSION:
            return found.version, found.version
        retry_while_busy(lambda: connection.execute("BEGIN IMMEDIATE"), deadline)
        versions = migrations.upgrade(run)
        connection.execute("COMMIT")
        return versions

    def _give_up(self, state: _ProcessState, fault: Exception) -> None:
        """Open the file anew at the next use if this connection may not know any more what is in it."""
        if isinstance(fault, sqlite3.Error) and not breaks_connection(fault):
            return
        if self._state is state:
            self._state = None
            with suppress(sqlite3.Error):
                state.close()

    def _connect(self, mode: str, timeout: float) -> sqlite3.Connection:
        name = f"{self._file.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(name, timeout, isolation_level=None, check_same_thread=False, uri=True)

    def _runner(self, connection: sqlite3.Connection) -> Run:
        def run(sql: str, params: Params | None = None, /) -> Rows:
            cursor = connection.execute(self._render(sql), params or {})
            return cursor.fetchall() if cursor.description else [()] * cursor.rowcount

        return SequentialRun(run)

    def _render(self, sql: str) -> str:
        rendered = self._rendered.get(sql)
        if rendered is None:
            rendered = self._rendered[sql] = DIALECT.render(sql)
        return rendered

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Say what keeps the file from being used; a fault that is our own bug stays what it is."""
        try:
            yield
        except (TimedOut, SyncTimedOut) as fault:
            raise LedgerUnavailable(f"{self.location} was not written in time") from fault
        except Locked as fault:
            what, hint = FAULTS["SQLITE_BUSY"]
            raise LedgerUnavailable(f"{self.location} {what}", hint=hint) from fault
        except Closed as fault:
            raise LedgerUnavailable(f"{self.location} failed just now and is opened anew") from fault
        except SyncFailed as fault:
            self._sync_failed = True
            what, hint = FAULTS["SQLITE_IOERR"]
            raise LedgerUnavailable(f"{self.location} {what}: {fault}", hint=hint) from fault
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError):
            raise
        except OSError as fault:
            what, hint = FAULTS["SQLITE_CANTOPEN"]
            raise LedgerUnavailable(f"{self.location} {what}: {fault.strerror}", hint=hint) from fault
        except sqlite3.Error as fault:
            raise unavailable(self.location, fault) from fault
