"""The clock, and the deadline of a request that every part of it observes."""

import time
from datetime import UTC, datetime
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """Source of time. Code reads the time from nowhere else."""

    def monotonic(self) -> float:
        """Seconds since some fixed point, never going back."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""


class SystemClock:
    """The machine's clock."""

    # Itself, since an initiation asks some sixty times: a function around it would cost more than it does.
    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""
        time.sleep(seconds)


def parse_time(text: str) -> datetime | None:
    """The time that a text in ISO 8601 names, aware, in UTC unless it names a zone; None for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Deadline(NamedTuple):
    """The time by which the caller must have its response. Every call is limited to what remains of it."""

    clock: Clock
    ends: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> "Deadline":
        """The deadline this many seconds from now."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; 0 once it has passed."""
        return max(0.0, self.ends - self.clock.monotonic())

    def allows(self, seconds: float) -> bool:
        """Whether a wait of this many seconds ends before it."""
        return self.clock.monotonic() + seconds < self.ends
