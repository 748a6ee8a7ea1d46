"""One disk sync shared by all tasks that wait for it."""

from collections.abc import Callable, Sequence
from functools import partial

from integrations.event_loop import start_off_loop


class SyncFailed(Exception):
    """The disk reported an error, so nothing that was written since the last success may be relied on."""


_Then = Callable[[SyncFailed | None], None]


class GroupSync:
    """Runs `sync` so that everything written before a `request` is on the disk when that is answered.

    A sync that has begun may have missed what was written since; so one that comes later waits for the next, and with
    it all that come until that begins. `start` runs a sync in the background.
    """

    def __init__(
        self, sync: Callable[[], None], start: Callable[[Callable[[], SyncFailed | None], _Then], None] = start_off_loop
    ) -> None:
        self._sync = sync
        self._start = start
        self._next: list[_Then] = []
        self._running = False
        self._failed: SyncFailed | None = None

    def run(self) -> None:
        """Sync in the calling thread. SyncFailed if the disk can't or once could not."""
        error = self._attempt()
        if error is not None:
            raise error

    def request(self, then: Sequence[_Then]) -> None:
        """Call these on the loop once the disk has it, with what `run` would raise."""
        self._next += then
        if not self._running:
            self._begin_round()

    def _begin_round(self) -> None:
        current, self._next = self._next, []
        self._running = bool(current)
        if current:
            self._start(self._attempt, partial(self._end_round, current))

    def _end_round(self, current: list[_Then], error: SyncFailed | None) -> None:
        self._begin_round()
        for then in current:
            then(error)

    def _attempt(self) -> SyncFailed | None:
        # The kernel reports an error once and drops what it could not write: a later success says nothing of that.
        if self._failed is None:
            try:
                self._sync()
            except Exception as error:  # noqa: BLE001 - whatever it is, the disk may not have it
                self._failed = SyncFailed(getattr(error, "strerror", None) or str(error))
                self._failed.__cause__ = error
        return self._failed
