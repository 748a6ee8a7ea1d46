"""Keeps the write-ahead log short, off the loop: a checkpoint waits for the disk three times."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress

from integrations.event_loop import start_off_loop

# Commits of this process between two checkpoints: each writes some eight pages of 4 kB, so the log stays below some
# 30 MB a process. SQLite's own count of its pages lies where only SQLite may read it.
CHECKPOINT_INTERVAL = 1_000


class Checkpoints:
    """Runs a checkpoint every `interval` commits: under gevent in the hub's thread pool, else in the calling thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], interval: int) -> None:
        self._connect = connect
        self._interval = interval
        self._next = interval
        self._running = False

    def record_commits(self, commits: int) -> None:
        """Record this process's total number of commits."""
        if commits < self._next or self._running:
            return
        self._running = True
        self._next = commits + self._interval
        start_off_loop(self._run, self._on_end)

    def _run(self) -> None:
        # Requests meet the same error and report it; the log is longer until the next time.
        with suppress(sqlite3.Error), closing(self._connect()) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            # Most of the work is done without blocking writers, the rest while they wait.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
            # The first that writes to a log which begins anew waits for the disk: so it is done here.
            connection.execute("UPDATE health SET checked = checked")

    def _on_end(self, _: None) -> None:
        self._running = False


def empty_log(connection: sqlite3.Connection) -> None:
    """Bring all of the log into the database file and on the disk. sqlite3.OperationalError if that can't be."""
    with closing(connection):
        connection.execute("PRAGMA synchronous = FULL")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("the log could not be emptied after an error of the disk")
