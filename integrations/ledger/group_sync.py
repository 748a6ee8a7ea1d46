"""One disk sync shared by all tasks that wait for it."""

from collections.abc import Callable
from functools import partial
from threading import Event

from integrations.event_loop import is_patched, new_brief_lock, start_off_loop


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
    """Runs `sync` so that everything written before a `wait` is on the disk when it returns.

    A sync that has begun may have missed what was written since; so one that comes later waits for the next, and with
    it all that come until that begins. Under gevent `sync` runs in the hub's thread pool, else in the first caller.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._lock = new_brief_lock()
        self._next: _Round | None = None
        self._running = False
        self._failed: OSError | None = None

    def wait(self, seconds: float) -> None:
        """Return once the disk has it. SyncFailed if it can't or once could not, SyncTimedOut after so many seconds."""
        with self._lock:
            mine = self._next = self._next or _Round()
            starts, self._running = not self._running, True
        if starts:
            self._run_rounds()
        if not mine.ended.wait(seconds):
            raise SyncTimedOut
        if mine.fault is not None:
            raise SyncFailed(mine.fault.strerror or str(mine.fault)) from mine.fault

    def _run_rounds(self) -> None:
        """Sync for those that wait, round after round, until none does."""
        while (current := self._begin_round()) is not None:
            if is_patched():
                start_off_loop(self._attempt, partial(self._end_in_pool, current))
                return
            self._end_round(current, self._attempt())

    def _begin_round(self) -> _Round | None:
        with self._lock:
            current, self._next = self._next, None
            self._running = current is not None
            return current

    def _end_in_pool(self, current: _Round, fault: OSError | None) -> None:
        self._end_round(current, fault)
        self._run_rounds()

    def _attempt(self) -> OSError | None:
        # The kernel reports an error once and drops what it could not write: a later success says nothing of that.
        if self._failed is None:
            try:
                self._sync()
            except OSError as fault:
                self._failed = fault
        return self._failed

    @staticmethod
    def _end_round(current: _Round, fault: OSError | None) -> None:
        current.fault = fault
        current.ended.set()
