"""The ledger in a SQLite file: for one machine, however many worker processes it runs.

What must last is committed to the write-ahead log without waiting (synchronous=NORMAL), and then waits for one
fdatasync of the log, which serves all processes' commits so far: the log is one file. A checkpoint in between takes
nothing away: SQLite syncs the log before it copies pages to the database file, and that file before it lets the log
begin anew. So a commit is, at any moment after its fdatasync, in a part of the log that is on the disk or in a
database file that is.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any, TypeVar

from cobrowse.clock import Clock, Deadline, SystemClock
from cobrowse.errors import LedgerUnavailable
from integrations.event_loop import run_off_loop
from integrations.ledger import migrations, queries
from integrations.ledger.batches import Closed, Locked, TimedOut
from integrations.ledger.checkpoints import CHECKPOINT_INTERVAL
from integrations.ledger.database import CHECK_INTERVAL, DEFAULT_TIMEOUT, NO_PARAMS, PING_TIMEOUT, Params, Rows, Run
from integrations.ledger.group_sync import SyncFailed
from integrations.ledger.sqlite_connection import OpenLedger, connect, open_ledger, statement_of, values_of
from integrations.ledger.sqlite_errors import MESSAGES, breaks_connection, unavailable

T = TypeVar("T")

# Makes what was written to a file last; macOS has no fdatasync.
FDATASYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
# Scans at once in a process, and seconds between looks whether another may begin.
MAX_SCANS, SCAN_INTERVAL = 4, 0.02
# The first with RETURNING.
OLDEST = (3, 35, 0)


class SQLite:
    """The database in a file. `fdatasync` makes what was written to a file handle last; OSError if it can't.

    `checkpoint_interval` is in commits of this process.
    """

    def __init__(
        self,
        file: Path,
        *,
        clock: Clock | None = None,
        fdatasync: Callable[[int], None] = FDATASYNC,
        checkpoint_interval: int = CHECKPOINT_INTERVAL,
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise ValueError(f"SQLite {sqlite3.sqlite_version} is too old for the ledger: 3.35 or newer is needed")
        self.location = f"the SQLite file {file}"
        self._file = file
        self._clock = clock or SystemClock()
        self._fdatasync = fdatasync
        self._checkpoint_interval = checkpoint_interval
        self._opening = Lock()
        self._state: OpenLedger | None = None
        self._inherited: list[OpenLedger] = []
        self._sync_failed = False
        self._scans: list[None] = []

    def write(self, work: Callable[[Run], T], *, durable: bool = True, seconds: float | None = None) -> T:
        """Do the work together with whatever else is waiting, then wait for the disk if it must last."""

        def write(state: OpenLedger, deadline: Deadline) -> T:
            done = state.batches.write(work, deadline, durable=durable)
            state.checkpoints.record_commits(state.batches.commits)
            return done

        return self._use(write, seconds)

    def execute(self, sql: str, params: Params, *, durable: bool = True, seconds: float | None = None) -> Rows:
        """Do it as a work of its own."""
        return self.write(lambda run: run(sql, params), durable=durable, seconds=seconds)

    def read(self, sql: str, params: Params = NO_PARAMS, *, seconds: float | None = None) -> Rows:
        """Read what is committed, between two transactions of this process."""
        return self._use(lambda state, _: state.batches.read(lambda: state.run(sql, params)), seconds)

    def scan(self, sql: str, params: Params, make: Callable[[tuple[Any, ...]], T]) -> list[T]:
        """Read on a connection of its own, off the loop."""

        def read(state: OpenLedger, deadline: Deadline) -> list[T]:
            state.file.check()
            now, statement = state.file.now, statement_of(sql)

            def make_all() -> list[T]:
                self._scans.append(None)
                try:
                    with closing(connect(self._file.absolute(), "ro", DEFAULT_TIMEOUT)) as connection:
                        values = values_of(statement, params, now)
                        return [make(row) for row in connection.execute(statement.sql, values)]
                finally:
                    self._scans.pop()

            # Those that a disk keeps hanging must leave threads for the syncs that requests wait for.
            while len(self._scans) >= MAX_SCANS:
                if not deadline.allows(SCAN_INTERVAL):
                    raise TimedOut
                self._clock.sleep(SCAN_INTERVAL)
            try:
                return run_off_loop(make_all, deadline.remaining())
            except TimeoutError:
                raise TimedOut from None

        return self._use(read, None)

    def ping(self) -> None:
        """Write a row of its own, through to the disk."""
        filler = token_hex(1000)

        def work(run: Run) -> None:
            run(queries.PING, {"filler": filler})
            run(queries.PING_READ, {"filler": filler})

        if self._state is not None:
            self._state.next_check = 0.0
        self.write(work, seconds=PING_TIMEOUT)

    def upgrade(self) -> tuple[int, int]:
        """Opening the file does so by itself."""
        was_open = self._state is not None

        def read_versions(state: OpenLedger, _: Deadline) -> tuple[int, int]:
            if not was_open:
                return state.versions
            found = state.batches.read(lambda: migrations.read_schema(state.run))
            version = migrations.check_schema(found, self.location).version
            return version, version

        return self._use(read_versions, None)

    def close(self) -> None:
        """Close this process's connection."""
        with self._opening:
            state, self._state = self._state, None
        if state is not None and state.pid == os.getpid():
            state.close()

    def _use(self, work: Callable[[OpenLedger, Deadline], T], seconds: float | None) -> T:
        """The work's result on the open file."""
        deadline = Deadline.after(DEFAULT_TIMEOUT if seconds is None else seconds, self._clock)
        state: OpenLedger | None = None
        try:
            state = self._open_checked(deadline)
            return work(state, deadline)
        except Exception as error:
            if state is not None and isinstance(error, SyncFailed | sqlite3.Error):
                self._give_up(state, error)
            what = self._translate_error(error)
            if what is None:
                raise
            raise what from error

    def _open_checked(self, deadline: Deadline) -> OpenLedger:
        """The open file, if it still fits this service, from time to time. Each use sees whether it is in its place."""
        state = self._state
        if state is None or state.pid != os.getpid():
            state = self._for_this_process(deadline)
        if self._clock.monotonic() >= state.next_check:
            state.check_content()
            state.next_check = self._clock.monotonic() + CHECK_INTERVAL
        return state

    def _for_this_process(self, deadline: Deadline) -> OpenLedger:
        if not self._opening.acquire(timeout=deadline.remaining()):
            raise TimedOut
        try:
            state = self._state
            if state is not None and state.pid != os.getpid():
                # Closing a parent's connection would drop the parent's file locks; so it is kept, and never touched.
                self._inherited.append(state)
                state = None
            if state is None:
                state = self._state = open_ledger(
                    self._file.absolute(),
                    self.location,
                    deadline,
                    fdatasync=self._fdatasync,
                    checkpoint_interval=self._checkpoint_interval,
                    sync_failed=self._sync_failed,
                )
                self._sync_failed = False
            return state
        finally:
            self._opening.release()

    def _give_up(self, state: OpenLedger, error: Exception) -> None:
        """Open the file anew at the next use if this connection may not know any more what is in it."""
        if isinstance(error, sqlite3.Error) and not breaks_connection(error):
            return
        if self._state is state:
            self._state = None
            with suppress(sqlite3.Error):
                state.close()

    def _translate_error(self, error: Exception) -> LedgerUnavailable | None:
        """What keeps the file from being used, in words; None for a bug of ours or a LedgerUnavailable."""
        if isinstance(error, TimedOut):
            return LedgerUnavailable(f"{self.location} was not read or written in time")
        if isinstance(error, Locked):
            what, hint = MESSAGES["SQLITE_BUSY"]
            return LedgerUnavailable(f"{self.location} {what}", hint=hint)
        if isinstance(error, Closed):
            return LedgerUnavailable(f"{self.location} failed just now and is opened anew")
        if isinstance(error, SyncFailed):
            self._sync_failed = True
            what, hint = MESSAGES["SQLITE_IOERR"]
            return LedgerUnavailable(f"{self.location} {what}: {error}", hint=hint)
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError):
            return None
        if isinstance(error, OSError):
            what, hint = MESSAGES["SQLITE_CANTOPEN"]
            return LedgerUnavailable(f"{self.location} {what}: {error.strerror}", hint=hint)
        return unavailable(self.location, error) if isinstance(error, sqlite3.Error) else None
