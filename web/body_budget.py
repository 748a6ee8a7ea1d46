"""How many bytes of bodies that are still arriving a process holds at once: half-sent ones must not fill its memory."""

from cobrowse.errors import Overloaded
from integrations.event_loop import new_brief_lock

# In all. A connection holds PIECE at most beyond what its client has sent, so opening many reserves little.
MOST = 67_108_864
PIECE = 8_192


class BodyBudget:
    """Bytes that may be held, shared by all requests of a process."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = new_brief_lock()
        self.bytes_held = 0

    def take(self, size: int) -> None:
        """Reserve so many bytes more. Overloaded if they are not there."""
        with self._lock:
            if self.bytes_held + size > self._most:
                raise Overloaded("too many bodies are arriving at once", retry_after=1.0)
            self.bytes_held += size

    def give_back(self, size: int) -> None:
        """Release so many bytes."""
        with self._lock:
            self.bytes_held -= size


SHARED = BodyBudget()
