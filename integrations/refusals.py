"""Refused requests on record, counted by minute (integrations/recorder.py)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Requests of one sender and address that were refused alike within a minute; the last one's message is kept.

    Neither the message nor the hint holds a secret or a body. `correlation_id` is the last one's.
    """

    first: datetime
    last: datetime
    sender: str
    code: str
    status: int
    address: str
    message: str
    hint: str
    correlation_id: str
    count: int = 1

    @property
    def minute(self) -> int:
        """The minute it belongs to, since 1970."""
        return int(self.first.timestamp() // 60)

    @property
    def key(self) -> tuple[int, str, str, str]:
        """What makes requests refused alike."""
        return self.minute, self.sender, self.code, self.address

    def added_to(self, earlier: Self) -> Self:
        """Both as one, with this one's words."""
        return replace(self, first=earlier.first, count=earlier.count + self.count)

    def reduced(self) -> Self:
        """The code alone: the name and the address may be invented."""
        return replace(self, sender=OTHERS, address="")
