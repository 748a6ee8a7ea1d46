"""The clock, and the deadline of a request that every part of it observes."""

import time
from datetime import UTC, datetime
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """Source of time. Code reads time through it only."""

    def monotonic(self) -> float:
        """Seconds since some fixed point, never going back."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""


class SystemClock:
    """The machine's own clock."""

    # Itself, since an initiation asks some sixty times: a function around it would cost more than it does.
    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        time.sleep(seconds)


def parse_time(text: str) -> datetime | None:
    """The time that a text in ISO 8601 names, aware, in UTC unless it names a zone; None for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Deadline(NamedTuple):
    """The time by which the caller must have its response. Every call gets what is left of it."""

    clock: Clock
    ends: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> "Deadline":
        """The deadline that lies so many seconds ahead."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, 0 when it is over."""
        return max(0.0, self.ends - self.clock.monotonic())

    def allows(self, seconds: float) -> bool:
        """Whether a wait of so many seconds still ends before it."""
        return self.clock.monotonic() + seconds < self.ends
