"""One thread writes for the whole process: what has queued up while a commit was on its way goes into the next one.

SQLite lets one writer in at a time and waits for the disk at each commit. With a commit a request, 64 threads spend
their time waiting for each other's; so, a commit carries as many requests as there are waiting.
"""

import sqlite3
from _thread import LockType, allocate_lock
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from cobrowse.clock import Clock, Deadline
from integrations.ledger.engine import Run

T = TypeVar("T")
Open = Callable[[], tuple[sqlite3.Connection, Run]]

# Seconds to wait for another process's transaction, which takes milliseconds; and between tries. SQLite's own waiting
# grows to 0.1 s between tries, so that of two busy processes one would hardly ever get in, and it does not wait at all
# where another process changes the file to WAL.
LOCK_PATIENCE = 2.0
AGAIN = 0.001
# Works in one commit at most, so that the first of them is not kept waiting for long.
MOST = 128


class WriterBusy(Exception):
    """The work was not done in time; it is not begun any more unless it was being done just now."""


class _Job:
    """A work and its way back. A bare lock is the lightest thing to wait on."""

    __slots__ = ("abandoned", "done", "fault", "result", "work")

    def __init__(self, work: Callable[[Run], Any]) -> None:
        self.work = work
        self.done: LockType = allocate_lock()
        self.done.acquire()
        self.result: Any = None
        self.fault: Exception | None = None
        self.abandoned = False


class Writer:
    """Does works in the order they come and answers each once it is committed. `patience`: seconds one may take."""

    def __init__(self, connect: Open, patience: float, clock: Clock) -> None:
        self._connect = connect
        self._patience = patience
        self._clock = clock
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="ledger-writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Run], T]) -> T:
        """The work's result, committed. What it raises is raised here."""
        job = _Job(work)
        self._jobs.put(job)
        if not job.done.acquire(timeout=self._patience):
            job.abandoned = True
            raise WriterBusy
        if job.fault is not None:
            raise job.fault
        result: T = job.result
        return result

    def close(self) -> None:
        """Do what is queued, then let go of the file."""
        self._jobs.put(None)
        self._thread.join()

    def _serve(self) -> None:
        opened: tuple[sqlite3.Connection, Run] | None = None
        serving = True
        while serving:
            batch = self._next_batch()
            jobs = [job for job in batch if job is not None and not job.abandoned]
            serving = None not in batch
            try:
                opened = opened or self._connect()
                _commit(*opened, jobs, self._clock)
            except Exception as fault:  # noqa: BLE001 - the thread's outermost edge: each who waits gets the fault
                for job in jobs:
                    job.fault = job.fault or fault
                if opened is not None and (opened[0].in_transaction or not _is_busy(fault)):
                    opened[0].close()
                    opened = None
            for job in jobs:
                job.done.release()
        if opened is not None:
            opened[0].close()

    def _next_batch(self) -> list[_Job | None]:
        batch = [self._jobs.get()]
        while len(batch) < MOST and not self._jobs.empty():
            batch.append(self._jobs.get())
        return batch


def _commit(connection: sqlite3.Connection, run: Run, jobs: Sequence[_Job], clock: Clock) -> None:
    """All in one transaction. A work writes by one statement at most, so one that fails has written nothing."""
    if not jobs:
        return
    patiently(connection, "BEGIN IMMEDIATE", clock)
    for job in jobs:
        try:
            job.result = job.work(run)
        except Exception as fault:
            if not connection.in_transaction:
                raise  # SQLite has rolled everything back: a full disk, a fault of it
            job.fault = fault  # for whoever asked for this work, not for the others
    connection.execute("COMMIT")


def patiently(connection: sqlite3.Connection, statement: str, clock: Clock) -> None:
    """Run it, and again while another process is in its way."""
    deadline = Deadline.after(LOCK_PATIENCE, clock)
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as fault:
            if not _is_busy(fault) or not deadline.holds(AGAIN):
                raise
            clock.sleep(AGAIN)
        else:
            return


def _is_busy(fault: Exception) -> bool:
    return isinstance(fault, sqlite3.OperationalError) and fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
