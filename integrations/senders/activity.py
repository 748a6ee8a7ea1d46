"""What each sender has sent of late and what became of it, for those who run the service: this worker's, in memory.

What was refused is in the ledger (integrations/refusals.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime


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


@dataclass(frozen=True, slots=True)
class SenderActivities:
    """The activity of every sender that has a row; no stranger's name takes any memory."""

    _kept: dict[str, SenderActivity] = field(default_factory=dict)

    def delivered(self, sender: str, at: datetime, outcome: str) -> None:
        """Note a delivery, and what it came to: a status, or a few of them."""
        kept = self.of(sender)
        self._kept[sender] = replace(kept, deliveries=kept.deliveries + 1, last_delivery=at, last_outcome=outcome)

    def noted(self, sender: str, note: str) -> None:
        """Keep what a person is asked to do."""
        self._kept[sender] = replace(self.of(sender), note=note)

    def of(self, sender: str) -> SenderActivity:
        """One sender's; empty if nothing has come."""
        return self._kept.get(sender) or SenderActivity(sender)

    def of_all(self, senders: Iterable[str]) -> tuple[SenderActivity, ...]:
        """Each of these senders', in their order."""
        return tuple(self.of(sender) for sender in senders)
