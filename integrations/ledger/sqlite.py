"""The ledger in a SQLite file: for one machine, however many worker processes it runs."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TypeVar

from cobrowse.clock import Clock, SystemClock
from cobrowse.errors import LedgerUnavailable
from integrations.ledger import schema
from integrations.ledger.engine import Dialect, Params, Rows, Run
from integrations.ledger.schema import VERSION
from integrations.ledger.writer import LOCK_PATIENCE, Writer, WriterBusy, patiently

T = TypeVar("T")

DIALECT = Dialect(
    "((julianday('now') - 2440587.5) * 86400.0)",
    "INTEGER PRIMARY KEY AUTOINCREMENT",
    "TEXT",
    "WHERE true",  # all write one by one; without it, ON CONFLICT would be read as the ON of a join
)

# The first with RETURNING.
OLDEST = (3, 35, 0)
# Seconds that a write may take in all, waiting for others included: more than one wait for another process's lock.
PATIENCE = 3.0
# Read connections kept open: each is two file handles and a cache.
READERS = 8

# What is wrong and what helps, by the first words of SQLite's own name for the fault.
FAULTS = {
    "SQLITE_BUSY": ("is locked by another process", "End whatever holds a transaction open on it, a backup say."),
    "SQLITE_LOCKED": ("is locked by another process", "End whatever holds a transaction open on it, a backup say."),
    "SQLITE_FULL": ("can't grow: the disk is full", "Free some space on the disk that holds LEDGER_URL."),
    "SQLITE_READONLY": ("can't be written", "Let the service's user write the file and the directory it is in."),
    "SQLITE_CANTOPEN": (
        "can't be opened",
        "Check that LEDGER_URL's directory exists and that the service's user may write there.",
    ),
    "SQLITE_NOTADB": ("is not a SQLite database", "Point LEDGER_URL at another file, or move this one away."),
    "SQLITE_CORRUPT": ("is damaged", "Put a backup in its place; with none, move it away and a new one is made."),
    "SQLITE_IOERR": ("can't be read or written: disk I/O error", "Check the disk that holds LEDGER_URL."),
}


@dataclass(slots=True)
class _Mine:
    """What belongs to one process: connections don't survive a fork."""

    pid: int
    writer: Writer
    readers: list[sqlite3.Connection] = field(default_factory=list)
    prepared: bool = False


class SQLite:
    """The engine on a file. What is durable is committed with synchronous=FULL, which waits for the disk."""

    def __init__(self, file: Path, *, clock: Clock | None = None) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise ValueError(f"SQLite {sqlite3.sqlite_version} is too old for the ledger: 3.35 or newer is needed")
        self.place = f"the SQLite file {file}"
        self._file = file
        self._clock = clock or SystemClock()
        self._said: dict[str, str] = {}
        self._lock = Lock()
        self._mine: _Mine | None = None
        self._of_parents: list[_Mine] = []

    def write(self, work: Callable[[Run], T], *, durable: bool = True) -> T:
        """Do the work in the process's writer, together with whatever else is waiting."""
        with self._told():
            return self._here().writer.write(work, durable)

    def execute(self, sql: str, params: Params, *, durable: bool = True) -> Rows:
        """Do it in the writer as well; if nothing else is waiting, as a transaction of its own."""
        with self._told():
            return self._here().writer.write(lambda run: run(sql, params), durable, single=True)

    def read(self, sql: str, params: Params | None = None) -> Rows:
        """Read on a connection of its own: readers and the writer don't wait for each other."""
        with self._told():
            mine = self._here()
            if not mine.prepared:
                self.upgrade()
                mine.prepared = True
            try:
                connection = mine.readers.pop()
            except IndexError:
                connection = self._connected(mode="ro", timeout=LOCK_PATIENCE)
            try:
                rows = connection.execute(self._say(sql), params or {}).fetchall()
            except BaseException:
                connection.close()
                raise
            if len(mine.readers) < READERS:
                mine.readers.append(connection)
            else:
                connection.close()
            return rows

    def upgrade(self) -> tuple[int, int]:
        """The writer does so by itself whenever it opens the file."""
        with self._told():
            connection, versions = self._opened(durable=True)
            connection.close()
            return versions

    def close(self) -> None:
        """End this process's writer and its read connections."""
        with self._lock:
            mine, self._mine = self._mine, None
        if mine is not None and mine.pid == os.getpid():
            mine.writer.close()
            while mine.readers:
                mine.readers.pop().close()

    def _here(self) -> _Mine:
        mine = self._mine
        if mine is not None and mine.pid == os.getpid():
            return mine
        with self._lock:
            mine = self._mine
            if mine is not None and mine.pid != os.getpid():
                # Closing a parent's connection would drop the parent's file locks; so it is kept, and never touched.
                self._of_parents.append(mine)
                mine = None
            if mine is None:
                mine = self._mine = _Mine(os.getpid(), Writer(self._connect, PATIENCE, self._clock))
            return mine

    def _connect(self, durable: bool) -> tuple[sqlite3.Connection, Run]:
        connection, _ = self._opened(durable=durable)
        return connection, self._runner(connection)

    def _runner(self, connection: sqlite3.Connection) -> Run:
        def run(sql: str, params: Params | None = None, /) -> Rows:
            cursor = connection.execute(self._say(sql), params or {})
            return cursor.fetchall() if cursor.description else [()] * cursor.rowcount

        return run

    def _opened(self, *, durable: bool) -> tuple[sqlite3.Connection, tuple[int, int]]:
        """A connection that may write, to tables that fit, with the versions they had and have."""
        connection = self._connected(mode="rwc", timeout=0)
        try:
            patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"), self._clock)
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            versions = self._upgraded(connection)
        except BaseException:
            connection.close()
            raise
        return connection, versions

    def _upgraded(self, connection: sqlite3.Connection) -> tuple[int, int]:
        run = self._runner(connection)
        tables = run("SELECT name FROM sqlite_master WHERE name = 'ledger_schema'")
        found = schema.version(run) if tables else None
        if found is not None and found[0] >= VERSION:
            schema.check(found, self.place)
            return found[0], found[0]
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"), self._clock)
        versions = schema.upgrade(run)
        connection.execute("COMMIT")
        return versions

    def _connected(self, *, mode: str, timeout: float) -> sqlite3.Connection:
        name = f"{self._file.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(name, timeout, isolation_level=None, check_same_thread=False, uri=True)

    def _say(self, sql: str) -> str:
        said = self._said.get(sql)
        if said is None:
            said = self._said[sql] = DIALECT.say(sql)
        return said

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what keeps the file from being used; a fault that is our own bug stays what it is."""
        try:
            yield
        except WriterBusy as fault:
            raise LedgerUnavailable(f"{self.place} took longer than {PATIENCE:g} s") from fault
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError):
            raise
        except sqlite3.Error as fault:
            name = getattr(fault, "sqlite_errorname", "")
            known = (told for start, told in FAULTS.items() if name.startswith(start))
            what, hint = next(known, (f"can't be used: {fault}", None))
            raise LedgerUnavailable(f"{self.place} {what}", hint=hint) from fault
