"""The events that started nothing, for those who run it: the newest of this worker, in memory."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

# Events kept. They leave no row behind, so the list is what says why a delivery had no effect.
MAX_EVENTS = 50


@dataclass(frozen=True, slots=True)
class IgnoredEvent:
    """A delivery's event that started nothing. `kind` is one of the few reasons there are, `reason` the words."""

    at: datetime
    sender: str
    kind: str
    reason: str
    conversation_id: str = ""


@dataclass(frozen=True, slots=True)
class IgnoredEvents:
    """The newest ignored events; `count` is called with the sender and the kind of each."""

    count: Callable[[str, str], None]
    _newest: deque[IgnoredEvent] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS))

    def add(self, event: IgnoredEvent) -> None:
        """Count an event and keep it until MAX_EVENTS newer ones have come."""
        self.count(event.sender, event.kind)
        self._newest.appendleft(event)

    def newest(self) -> tuple[IgnoredEvent, ...]:
        """Those that are kept, the newest first."""
        return tuple(self._newest)
