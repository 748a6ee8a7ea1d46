"""Each sender's recent deliveries and their outcomes, and the events that started nothing, for operators.

Counts are this worker's, in memory. A note is everybody's, as it may have come to another worker; so is what was
refused, which is in the ledger (integrations/refusals.py).
"""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from cobrowse.errors import LedgerUnavailable

# Ignored events kept. They leave no row behind, so the list is what says why a delivery had no effect.
MAX_EVENTS = 50


@dataclass(frozen=True, slots=True)
class SenderActivity:
    """One sender's deliveries since this worker started: what was authenticated and read.

    `note` is what a person is asked to do, as a handshake has it.
    """

    sender: str
    deliveries: int = 0
    last_delivery: datetime | None = None
    last_outcome: str = ""
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

    `note_senders`: those about which other workers may have kept a note.
    """

    notes: Notes | None = None
    note_senders: frozenset[str] = frozenset()
    _by_sender: dict[str, SenderActivity] = field(default_factory=dict)

    def record_delivery(self, sender: str, at: datetime, outcome: str) -> None:
        """Record a delivery and its result: a status, or a few of them."""
        activity = self.of(sender)
        self._by_sender[sender] = replace(
            activity, deliveries=activity.deliveries + 1, last_delivery=at, last_outcome=outcome
        )

    def record_note(self, sender: str, note: str) -> None:
        """Record what an operator has to do."""
        self._by_sender[sender] = replace(self.of(sender), note=note)
        if self.notes is not None:
            self.notes.save(sender, note)

    def of(self, sender: str) -> SenderActivity:
        """One sender's; empty if nothing has come."""
        return self._by_sender.get(sender) or SenderActivity(sender)

    def of_all(self, senders: Iterable[str]) -> tuple[SenderActivity, ...]:
        """Each of these senders', in their order, with the notes of all workers."""
        return tuple(replace(self.of(sender), note=self._note(sender)) for sender in senders)

    def _note(self, sender: str) -> str:
        if self.notes is not None and sender in self.note_senders:
            with suppress(LedgerUnavailable):
                return self.notes.read(sender)
        return self.of(sender).note


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
