"""One commit for many: what has queued up in this process while a commit was on its way goes into the next one.

SQLite lets one writer in at a time and waits for the disk at each commit. With a commit a request, 64 threads spend
their time waiting for each other's; so, a commit carries as many requests as there are waiting. The first of those who
wait does it for all: a thread of its own would cost each request two more hand-overs.
"""

import sqlite3
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cobrowse.clock import Clock, Deadline
from integrations.ledger.engine import Run

T = TypeVar("T")
# Opens the file to commit what must have reached the disk (True), or what need not.
Open = Callable[[bool], tuple[sqlite3.Connection, Run]]

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
    """A work and its way back. A bare lock is the lightest thing to wait on. Without a work: let go of the file."""

    __slots__ = ("durable", "fault", "leads", "result", "single", "turn", "work")

    def __init__(self, work: Callable[[Run], Any] | None, *, durable: bool = False, single: bool = False) -> None:
        self.work = work
        self.durable = durable
        self.single = single
        self.turn: LockType = allocate_lock()
        self.turn.acquire()
        self.leads = False
        self.result: Any = None
        self.fault: Exception | None = None


class Writer:
    """Does works in the order they come and answers each once it is committed. `patience`: seconds one may wait."""

    def __init__(self, connect: Open, patience: float, clock: Clock) -> None:
        self._connect = connect
        self._patience = patience
        self._clock = clock
        self._guard: LockType = allocate_lock()
        self._waiting: deque[_Job] = deque()
        self._led = False
        # SQLite settles with each connection whether its commits wait for the disk; so there may be one of either kind.
        self._opened: dict[bool, tuple[sqlite3.Connection, Run]] = {}

    def write(self, work: Callable[[Run], T], durable: bool = True, *, single: bool = False) -> T:
        """The work's result, committed. What it raises is raised here. `single`: it is one statement and no more."""
        job = _Job(work, durable=durable, single=single)
        self._put(job)
        if job.fault is not None:
            raise job.fault
        result: T = job.result
        return result

    def close(self) -> None:
        """Do what is waiting, then let go of the file."""
        self._put(_Job(None))

    def _put(self, job: _Job) -> None:
        with self._guard:
            self._waiting.append(job)
            job.leads, self._led = not self._led, True
        if not job.leads:
            self._wait(job)
        if job.leads:
            self._lead(job)

    def _wait(self, job: _Job) -> None:
        """Return once the work is done, or once it falls to this thread to lead."""
        if job.turn.acquire(timeout=self._patience):
            return
        with self._guard:
            if not job.turn.acquire(blocking=False):
                if job in self._waiting:
                    self._waiting.remove(job)
                raise WriterBusy

    def _lead(self, own: _Job) -> None:
        """Commit what is waiting, its own work first, and hand the lead to whoever has come since."""
        with self._guard:
            batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        try:
            self._do(batch)
        finally:
            with self._guard:
                self._led = bool(self._waiting)
                if self._led:
                    self._waiting[0].leads = True
                    self._waiting[0].turn.release()
            for job in batch:
                if job is not own:
                    job.turn.release()

    def _do(self, batch: Sequence[_Job]) -> None:
        jobs = [job for job in batch if job.work is not None]
        durable = any(job.durable for job in jobs)
        try:
            if jobs:
                if durable not in self._opened:
                    self._opened[durable] = self._connect(durable)
                _commit(*self._opened[durable], jobs, self._clock)
        except Exception as fault:  # noqa: BLE001 - each who waits gets the fault as its own
            for job in jobs:
                job.fault = job.fault or fault
            if durable in self._opened and (self._opened[durable][0].in_transaction or not _is_busy(fault)):
                self._let_go()
        if len(jobs) < len(batch):
            self._let_go()

    def _let_go(self) -> None:
        while self._opened:
            connection, _ = self._opened.popitem()[1]
            connection.close()


def _commit(connection: sqlite3.Connection, run: Run, jobs: Sequence[_Job], clock: Clock) -> None:
    """All in one transaction. A work writes by one statement at most, so one that fails has written nothing."""
    if len(jobs) == 1 and jobs[0].single:
        jobs[0].result = patiently(lambda: _done(jobs[0], run), clock)  # a transaction by itself, to SQLite
        return
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"), clock)
    for job in jobs:
        try:
            job.result = _done(job, run)
        except Exception as fault:
            if not connection.in_transaction:
                raise  # SQLite has rolled everything back: a full disk, a fault of it
            job.fault = fault  # for whoever asked for this work, not for the others
    connection.execute("COMMIT")


def _done(job: _Job, run: Run) -> object:
    return job.work(run) if job.work is not None else None


def patiently(do: Callable[[], T], clock: Clock) -> T:
    """Do it, and again while another process is in its way."""
    deadline = Deadline.after(LOCK_PATIENCE, clock)
    while True:
        try:
            return do()
        except sqlite3.OperationalError as fault:
            if not _is_busy(fault) or not deadline.holds(AGAIN):
                raise
            clock.sleep(AGAIN)


def _is_busy(fault: Exception) -> bool:
    return isinstance(fault, sqlite3.OperationalError) and fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
