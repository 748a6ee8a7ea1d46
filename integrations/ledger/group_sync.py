"""One wait for the disk, shared by all that need it."""

from collections.abc import Callable
from threading import Event, Lock

from integrations.ledger.event_loop import run_off_loop, start_beside


class SyncTimedOut(Exception):
    """The disk has not taken it in time; it may do so later."""


class SyncFailed(Exception):
    """The disk reported an error, so nothing that was written since the last success may be relied on."""


class _Round:
    """A sync that has not begun, and those that wait for it."""

    def __init__(self) -> None:
        self.ended = Event()
        self.fault: OSError | None = None


class GroupSync:
    """Runs `sync` so that whatever was written before a `wait` is on the disk when that returns.

    A sync that has begun may have missed what was written since; so one that comes later waits for the next, and with
    it all that come until that begins. Under gevent `sync` runs in the hub's thread pool, else in the first caller.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._lock = Lock()
        self._next: _Round | None = None
        self._running = False

    def wait(self, seconds: float) -> None:
        """Return once the disk has it. SyncFailed if the disk can't, SyncTimedOut after so many seconds."""
        with self._lock:
            mine = self._next = self._next or _Round()
            starts, self._running = not self._running, True
        if starts:
            start_beside(self._run_rounds)
        if not mine.ended.wait(seconds):
            raise SyncTimedOut
        if mine.fault is not None:
            raise SyncFailed(mine.fault.strerror or str(mine.fault)) from mine.fault

    def _run_rounds(self) -> None:
        """Sync for those that wait, round after round, until nobody does."""
        while True:
            with self._lock:
                current, self._next = self._next, None
                if current is None:
                    self._running = False
                    return
            try:
                run_off_loop(self._sync)
            except OSError as fault:
                current.fault = fault
            finally:
                current.ended.set()
