"""Group commit: the first waiting task becomes leader and commits everything queued.

SQLite lets one writer in at a time. With a transaction a request, requests would spend their time on beginning and
committing, and on waiting for each other's. The first of those who wait runs the works of all: a thread of its own
would cost each request two more switches.
"""

import sqlite3
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cobrowse.clock import Clock, Deadline
from integrations.event_loop import is_patched, new_brief_lock
from integrations.ledger.database import Run

T = TypeVar("T")

# Seconds between retries while another process writes, which takes milliseconds. SQLite's own waiting would block the
# loop, and grows to 0.1 s between retries, so that of two busy processes one would hardly ever get in.
RETRY_INTERVAL = 0.001
# Works in one transaction at most, so that the first of them is not kept waiting for long.
MAX_BATCH = 128


class TimedOut(Exception):
    """The work was not done in time. It will not be started any more, but may have been running just now."""


class Locked(Exception):
    """Another process held the lock until the deadline; the work was not started."""


class Closed(Exception):
    """The connection was closed meanwhile; the work was not done."""


class _Job:
    """A work and its way back. A bare lock is the lightest thing to wait on: it is released once `leads` or done."""

    __slots__ = ("fault", "leads", "released", "result", "work")

    def __init__(self, work: Callable[[Run], Any], *, leads: bool) -> None:
        self.work = work
        self.leads = leads
        self.released: LockType | None = None
        if not leads:  # else nobody waits for it
            self.released = allocate_lock()
            self.released.acquire()
        self.result: Any = None
        self.fault: Exception | None = None


class Batches:
    """Runs works on one connection in the order they come, and returns each one's result once it is committed.

    `check` is made before each transaction and each read; what it raises is raised there.
    """

    def __init__(
        self, connection: sqlite3.Connection, run: Run, clock: Clock, check: Callable[[], None] = lambda: None
    ) -> None:
        self._connection = connection
        self._run = run
        self._clock = clock
        self._check = check
        self._guard = new_brief_lock()
        # Held from BEGIN to COMMIT, so that a read by another thread sees nothing that may be rolled back.
        self._in_use = new_brief_lock()
        self._waiting: deque[_Job] = deque()
        self._has_leader = False
        self._closed = False
        self.commits = 0

    def write(self, work: Callable[[Run], T], deadline: Deadline) -> T:
        """The work's result, committed but not yet on the disk. What it raises is raised here.

        TimedOut at the deadline, Locked if another process kept the file from it until then.
        """
        with self._guard:
            job = _Job(work, leads=not self._has_leader)
            self._has_leader = True
            self._waiting.append(job)
        if job.released is not None:
            self._wait(job, job.released, deadline)
        if job.leads:
            self._lead(job, deadline)
        if job.fault is not None:
            raise job.fault
        result: T = job.result
        return result

    def read(self, read: Callable[[], T]) -> T:
        """What this read of the connection gives, between two transactions."""
        with self._in_use:
            if self._closed:
                raise Closed
            self._check()
            return read()

    def close(self) -> None:
        """Close the connection; works that are still waiting are refused with Closed."""
        with self._in_use:
            self._closed = True
            self._connection.close()

    def _wait(self, job: _Job, released: LockType, deadline: Deadline) -> None:
        """Return once the work is done, or once this thread is to lead."""
        if released.acquire(timeout=deadline.remaining()):
            return
        with self._guard:
            if not released.acquire(blocking=False):
                if job in self._waiting:
                    self._waiting.remove(job)
                raise TimedOut

    def _lead(self, own: _Job, deadline: Deadline) -> None:
        """Commit everything queued, its own work first, then make the first task queued since the leader."""
        batch: Sequence[_Job] = ()
        try:
            if is_patched():
                self._clock.sleep(0)  # those that are ready in this turn of the loop join
            self._begin(deadline)
            try:
                batch = self._take()
                self._run_batch(batch)
            finally:
                self._in_use.release()
        except Exception as fault:  # noqa: BLE001 - each that waits gets the fault as its own
            for job in batch or (own,):
                job.fault = job.fault or fault
        finally:
            with self._guard:
                if own in self._waiting:
                    self._waiting.remove(own)
                self._has_leader = bool(self._waiting)
                if self._has_leader:
                    self._waiting[0].leads = True
                    _release(self._waiting[0])
            for job in batch:
                if job is not own:
                    _release(job)

    def _begin(self, deadline: Deadline) -> None:
        """Begin a transaction, and with it the connection's use; wait for other processes until the deadline."""
        while not self._begun():
            if not deadline.allows(RETRY_INTERVAL):
                raise Locked
            self._clock.sleep(RETRY_INTERVAL)

    def _begun(self) -> bool:
        self._in_use.acquire()
        try:
            if not self._closed:
                self._check()
                self._connection.execute("BEGIN IMMEDIATE")
                return True
        except BaseException as fault:
            self._in_use.release()
            if is_busy(fault):
                return False
            raise
        self._in_use.release()
        raise Closed

    def _take(self) -> Sequence[_Job]:
        with self._guard:
            return [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]

    def _run_batch(self, batch: Sequence[_Job]) -> None:
        """All in one transaction. A work writes at once or not at all, so one that fails has written nothing."""
        try:
            for job in batch:
                try:
                    job.result = job.work(self._run)
                except Exception as fault:
                    if not self._connection.in_transaction:
                        raise  # SQLite has rolled everything back: a full disk, a fault of it
                    job.fault = fault  # for the request that asked for this work, not for the others
            self._connection.execute("COMMIT")
            self.commits += 1
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise


def _release(job: _Job) -> None:
    if job.released is not None:
        job.released.release()


def retry_while_busy(do: Callable[[], T], deadline: Deadline) -> T:
    """Run it, retrying while another process holds the lock. Raises Locked at the deadline."""
    while True:
        try:
            return do()
        except sqlite3.OperationalError as fault:
            if not is_busy(fault):
                raise
            if not deadline.allows(RETRY_INTERVAL):
                raise Locked from fault
            deadline.clock.sleep(RETRY_INTERVAL)


def is_busy(fault: BaseException) -> bool:
    """Whether another process holds the lock, so that a retry can succeed."""
    return isinstance(fault, sqlite3.OperationalError) and fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
