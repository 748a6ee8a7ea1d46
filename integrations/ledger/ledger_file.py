"""Which file the ledger is: made so that only the service reads it, the same one for all processes while they run.

Processes with different copies of the ledger would each invite the customer. So, each process compares the file that
it has open with the one that lies in its place, and all that run name the same one in a lock file next to it: a process
that starts while others run refuses a file that is not theirs.

Leases stand in the database as times. Were they the wall clock's, a step of it by hours would end all leases at once,
or let a dead owner's last for as long. So the ledger's clock is the wall's when the first process opens it, and from
then on the machine's monotonic one, with an offset that stands in the lock file for the others.
"""

import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path

from cobrowse.clock import Clock, Deadline
from cobrowse.errors import LedgerUnavailable
from integrations.ledger.batches import RETRY_INTERVAL
from integrations.ledger.migrations import REPLACED_HINT

_File = tuple[int, int]
_NONE: _File = (0, 0)


class LedgerFile:
    """The file at `path` as this process uses it: `register` before it is opened, `track` after, `check` at each use.

    From `register` on, `alone` says whether no other process runs on it. `clock` is the machine's.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = os.fspath(path)
        self._wal = f"{path}-wal"
        self._clock = clock
        self._clock_offset = 0.0
        self._lock = -1
        self.alone = False
        self._opened = (_NONE, _NONE)

    def register(self, deadline: Deadline) -> None:
        """Take part in using the file, and make an empty one if there is none and no other process runs.

        LedgerUnavailable if others run on another file; OSError if the directory can't be used.
        """
        self._lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while not self._take_lock():
            if not deadline.allows(RETRY_INTERVAL):
                raise TimeoutError(0, "another process that starts keeps its lock file")
            deadline.clock.sleep(RETRY_INTERVAL)
        if self.alone:
            self._make()
            self._clock_offset = self._clock.now().timestamp() - self._clock.monotonic()
            return
        theirs, self._clock_offset = _read(os.pread(self._lock, 100, 0))
        if theirs != _identity(self._path):
            raise _replaced_error(self._path, "is not the one that the service's other processes use")

    def now(self) -> float:
        """The ledger's clock, once it was entered: seconds since 1970, to the millisecond."""
        return round(self._clock.monotonic() + self._clock_offset, 3)

    def track(self) -> "Log":
        """Note what SQLite has opened: the file and its write-ahead log, which stays as long as a process uses it.

        Returns the log.
        """
        # SQLite's locks belong to the database file and -shm: closing a handle of ours on those would release them.
        log = Log(self._wal)
        found = os.fstat(log.handle)
        # Only now: in a container's layers a file may become another one when it is first opened to be written.
        entered = _identity(self._path)
        if self.alone:
            os.truncate(self._lock, 0)
            os.pwrite(self._lock, b"%d %d %.6f\n" % (*entered, self._clock_offset), 0)
            flock(self._lock, LOCK_SH)
        self._opened = (entered, (found.st_dev, found.st_ino))
        self.check()
        return log

    def check(self) -> None:
        """LedgerUnavailable if another file lies where the open one or its log did."""
        found = (_identity(self._path), _identity(self._wal))
        if found != self._opened:
            of_log = found[0] == self._opened[0]
            where = self._wal if of_log else self._path
            gone = found[1 if of_log else 0] == _NONE
            what = "was moved or deleted" if gone else "was replaced"
            raise _replaced_error(where, f"{what} while the service runs")

    def unregister(self) -> None:
        """Take part no longer."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def _take_lock(self) -> bool:
        """Whether it is held now: by this process alone until `track`, or shared with those that run."""
        for how, self.alone in ((LOCK_EX, True), (LOCK_SH, False)):
            with suppress(BlockingIOError):
                flock(self._lock, how | LOCK_NB)
                return True
        return False

    def _make(self) -> None:
        with suppress(FileExistsError):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(handle, 0o600)  # SQLite gives the other files the same mode
            finally:
                os.close(handle)


class Log:
    """The write-ahead log, open to be synced. Closed with the last reference: never while a sync of it runs."""

    def __init__(self, path: str) -> None:
        self.handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        """Close it; there is nothing to close where it could not be opened."""
        if hasattr(self, "handle"):
            os.close(self.handle)


def _identity(path: str) -> _File:
    try:
        found = os.stat(path)  # noqa: PTH116 - at each claim, and a Path costs more than the call
    except FileNotFoundError:
        return _NONE
    return found.st_dev, found.st_ino


def _read(text: bytes) -> tuple[_File, float]:
    try:
        device, inode, offset = text.split()
        return (int(device), int(inode)), float(offset)
    except ValueError:
        return _NONE, 0.0


def _replaced_error(path: str, what: str) -> LedgerUnavailable:
    return LedgerUnavailable(f"the SQLite file {path} {what}", hint=REPLACED_HINT)
