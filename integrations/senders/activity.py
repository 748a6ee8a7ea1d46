"""Each sender's recent deliveries and their outcomes, and the events that started nothing, for operators.

Deliveries, notes and refusals (integrations/refusals.py) are those of all workers, by way of the ledger; the events
that started nothing are this worker's, in memory.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, Self

from cobrowse.errors import LedgerUnavailable

# Ignored events kept. They leave no row behind, so the list is what says why a delivery had no effect.
MAX_EVENTS = 50


@dataclass(frozen=True, slots=True)
class Delivery:
    """Deliveries of one sender that were authenticated and read.

    `at` and `outcome` are the last one's; the outcome is a status, or a few of them.
    """

    at: datetime
    sender: str
    outcome: str
    count: int = 1

    @property
    def hour(self) -> int:
        """The hour it belongs to, since 1970."""
        return int(self.at.timestamp() // 3_600)

    @property
    def key(self) -> tuple[int, str]:
        """Which of them are counted as one."""
        return self.hour, self.sender

    def added_to(self, earlier: Self) -> Self:
        """Both as one."""
        return replace(self, count=earlier.count + self.count)

    def reduced(self) -> Self:
        """Itself: its sender has a row, so none of it is invented."""
        return self


@dataclass(frozen=True, slots=True)
class SenderActivity:
    """One sender's deliveries, as long as the ledger keeps them.

    `note` is what a person is asked to do, as a handshake has it.
    """

    sender: str
    deliveries: int = 0
    last: Delivery | None = None
    note: str = ""


class Notes(Protocol):
    """Where all workers keep their notes."""

    def save(self, sender: str, note: str, /) -> None:
        """Keep the note about a sender."""

    def read(self, sender: str, /) -> str:
        """The note about a sender, "" if there is none. Raises LedgerUnavailable."""


@dataclass(frozen=True, slots=True)
class SenderActivities:
    """The activity of every sender that has a row; no stranger's name takes any memory.

    `record` takes a delivery, and `recorded` has those of all workers by sender. `note_senders`: those about which
    other workers may have kept a note.
    """

    notes: Notes | None = None
    note_senders: frozenset[str] = frozenset()
    record: Callable[[Delivery], object] = lambda _delivery: None
    recorded: Callable[[], Mapping[str, Delivery]] = dict
    _notes: dict[str, str] = field(default_factory=dict)

    def record_note(self, sender: str, note: str) -> None:
        """Record what an operator has to do."""
        self._notes[sender] = note
        if self.notes is not None:
            self.notes.save(sender, note)

    def of_all(self, senders: Iterable[str]) -> tuple[SenderActivity, ...]:
        """Each of these senders', in their order, as all workers have recorded it. Raises LedgerUnavailable."""
        last = self.recorded()
        return tuple(
            SenderActivity(sender, last[sender].count if sender in last else 0, last.get(sender), self.note(sender))
            for sender in senders
        )

    def note(self, sender: str) -> str:
        """The note about a sender, as far as the ledger is there that of all workers; "" if there is none."""
        if self.notes is not None and sender in self.note_senders:
            with suppress(LedgerUnavailable):
                return self.notes.read(sender)
        return self._notes.get(sender, "")


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
