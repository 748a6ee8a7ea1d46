"""Group commit: under gevent one transaction has the works of all that are ready in a turn of the loop.

SQLite lets one writer in at a time. With a transaction a request, requests would spend their time on beginning and
committing, and on waiting for each other's. So a request leaves its work and waits; the loop itself runs what has
come together, commits it, and wakes each request once: after the commit, or after the sync if its work must last.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

from cobrowse.clock import Clock, Deadline
from integrations.event_loop import call_on_loop, is_patched, new_native_lock, new_waiter, wait_for
from integrations.ledger.database import Run
from integrations.ledger.group_sync import GroupSync

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
    """A work, what came of it, and the greenlet that waits for that."""

    __slots__ = ("durable", "error", "result", "waiter", "work")

    def __init__(self, work: Callable[[Run], Any], *, durable: bool) -> None:
        self.work = work
        self.durable = durable
        self.result: Any = None
        self.error: Exception | None = None
        self.waiter: Any = None

    @property
    def must_be_durable(self) -> bool:
        """Whether it was committed and must reach the disk."""
        return self.durable and self.error is None

    def wake(self, error: Exception | None) -> None:
        """Let its greenlet go on. On the loop only."""
        self.error = self.error or error
        self.waiter.switch(None)


class Batches:
    """Runs works on one connection in the order they come, and returns each one's result once it is committed.

    For any threads, or under gevent for the greenlets of one thread. `check` is made before each transaction and each
    read; what it raises is raised there.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        run: Run,
        sync: GroupSync,
        clock: Clock,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._run = run
        self._sync = sync
        self._clock = clock
        self._check = check
        # Held from BEGIN to COMMIT, so that a read by another thread sees nothing that may be rolled back.
        self._in_use = new_native_lock()
        self._waiting: dict[_Job, None] = {}
        self._is_due = False
        self._is_locked = False
        self._closed = False
        self.commits = 0

    def write(self, work: Callable[[Run], T], deadline: Deadline, *, durable: bool) -> T:
        """The work's result, committed, and with `durable` on the disk. What it raises is raised here.

        TimedOut at the deadline, Locked if another process kept the file from it until then, SyncFailed.
        """
        job = _Job(work, durable=durable)
        if is_patched():
            self._enqueue(job, deadline)
        else:
            self._commit_alone(job, deadline)
        if job.error is not None:
            raise job.error
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

    def _commit_alone(self, job: _Job, deadline: Deadline) -> None:
        """For threads, which take turns: the work in a transaction of its own."""
        while not self._commit((job,)):
            if not deadline.allows(RETRY_INTERVAL):
                raise Locked
            self._clock.sleep(RETRY_INTERVAL)
        if job.must_be_durable:
            self._sync.run()

    def _enqueue(self, job: _Job, deadline: Deadline) -> None:
        """Queue the work for the loop, and wait for its result."""
        job.waiter = new_waiter()
        self._waiting[job] = None
        if not self._is_due:
            self._is_due = True
            call_on_loop(self._commit_waiting)
        try:
            wait_for(job.waiter, deadline.remaining())
        except TimeoutError:
            raise (Locked if self._is_locked and job in self._waiting else TimedOut) from None
        finally:
            self._waiting.pop(job, None)  # the work of a greenlet that gave up, or was ended

    def _commit_waiting(self) -> None:
        """On the loop: commit what has come together, and come again for what could not be or has come too late."""
        self._is_due = False
        batch = tuple(islice(self._waiting, MAX_BATCH))
        self._is_locked = bool(batch) and not self._commit(batch)
        ended = () if self._is_locked else batch
        for job in ended:
            del self._waiting[job]
        self._is_due = bool(self._waiting)
        if self._is_due:
            call_on_loop(self._commit_waiting, RETRY_INTERVAL if self._is_locked else 0.0)
        self._sync.request([job.wake for job in ended if job.must_be_durable])
        for job in ended:
            if not job.must_be_durable:
                job.wake(None)

    def _commit(self, batch: tuple[_Job, ...]) -> bool:
        """Run these in one transaction. False if another process writes just now; an error of it is each job's.

        A work that fails has written nothing, or what is right by itself (`Database.write`).
        """
        with self._in_use:
            try:
                if not self._begin():
                    return False
                for job in batch:
                    try:
                        job.result = job.work(self._run)
                    except Exception as error:
                        if not self._connection.in_transaction:
                            raise  # SQLite has rolled everything back: a full disk, an I/O error
                        job.error = error  # for the request that asked for this work, not for the others
                self._connection.execute("COMMIT")
                self.commits += 1
            except BaseException as error:
                if not self._closed and self._connection.in_transaction:
                    with suppress(sqlite3.Error):  # then the next BEGIN is refused, and the file opened anew
                        self._connection.rollback()
                if not isinstance(error, Exception):
                    raise
                for job in batch:
                    job.error = job.error or error
        return True

    def _begin(self) -> bool:
        if self._closed:
            raise Closed
        self._check()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if is_busy(error):
                return False
            raise
        return True


def retry_while_busy(do: Callable[[], T], deadline: Deadline) -> T:
    """Run it, retrying while another process holds the lock. Raises Locked at the deadline."""
    while True:
        try:
            return do()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            if not deadline.allows(RETRY_INTERVAL):
                raise Locked from error
            deadline.clock.sleep(RETRY_INTERVAL)


def is_busy(error: BaseException) -> bool:
    """Whether another process holds the lock, so that a retry can succeed."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
