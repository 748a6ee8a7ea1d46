"""Limits the initiations running in a process; further requests are refused before anything is started."""

from contextlib import AbstractContextManager
from threading import Lock

from cobrowse.errors import Overloaded

# Enough to keep a worker's core busy while Genesys takes its time, few enough that each still has its answer in time.
LIMIT = 256
# Seconds until a rejected caller may retry: most initiations have ended by then, and refusing costs the machine little.
RETRY_AFTER = 2.0


class Admission:
    """Limits how many `with` blocks run at once; 0 is no limit.

    A request that waits for another's run counts: it holds memory and polls the ledger. `lock` guards the count, and
    nothing waits while it is held.
    """

    def __init__(self, limit: int = LIMIT, lock: AbstractContextManager[object] | None = None) -> None:
        self._limit = limit
        self._lock = lock or Lock()
        self._running = 0

    @property
    def running(self) -> int:
        """How many are running."""
        return self._running

    def __enter__(self) -> None:
        """Start one. Raises Overloaded at once if the limit is reached."""
        with self._lock:
            if self._limit and self._running >= self._limit:
                message = f"{self._limit} initiations are running in this process"
                raise Overloaded(message, retry_after=RETRY_AFTER)
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
