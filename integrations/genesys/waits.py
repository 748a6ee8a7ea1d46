"""Parses how long Genesys asks to wait, and how much of a token's budget is used up."""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol

from cobrowse.clock import Clock

# Longest wait that is honoured, in seconds: a day. A longer one is treated as the sender's error.
_MAX_WAIT = 86_400.0
# "Retry the request in [42] seconds". "within [60] seconds", the length of a window, is no wait.
_IN_SECONDS = re.compile(
    r"\b(?:in|after|for)\s+\[?(\d{1,9}(?:\.\d{1,3})?)\]?\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?)\b",
    re.IGNORECASE,
)


class Fields(Protocol):
    """A response's headers."""

    def get(self, name: str, default: str, /) -> str:
        """The value of the header of this name, given in lower case."""


@dataclass(frozen=True, slots=True)
class BudgetHeaders:
    """A token's calls in the current window: `count` of `allowed`, and `reset` seconds until the next window."""

    count: float
    allowed: float
    reset: float

    @property
    def used_up(self) -> bool:
        """Whether the next call would be refused."""
        return self.count >= self.allowed > 0


def retry_after(value: str, clock: Clock) -> float | None:
    """The seconds a Retry-After header means, as a number or an HTTP date; None when it says nothing usable.

    A proxy that adds one of its own writes both into one line: of two numbers the last one counts.
    """
    try:
        seconds = float(value.rpartition(",")[2])
    except ValueError:
        try:
            seconds = max(0.0, (parsedate_to_datetime(value) - clock.now()).total_seconds())
        except (ValueError, TypeError):
            return None
    # "nan" and "-5" are floats too, and no waits.
    return min(seconds, _MAX_WAIT) if seconds >= 0 else None


def parse_wait(status: int, headers: Fields, message: str, clock: Clock) -> float | None:
    """The seconds to wait: Retry-After's, and of a 429 else the window's reset, else those in the message.

    These headers count whole seconds, so that the 0 of a 429 may be nearly a second.
    """
    named = retry_after(headers.get("retry-after", ""), clock)
    if status != 429:
        return named
    if named is None:
        named = _number(headers, "inin-ratelimit-reset")
    if named is not None:
        return min(max(named, 1.0), _MAX_WAIT)
    found = _IN_SECONDS.search(message)
    if found is None:
        return None
    unit = found[2].lower()
    factor = 0.001 if unit.startswith(("ms", "milli")) else 60.0 if unit.startswith("m") else 1.0
    return min(float(found[1]) * factor, _MAX_WAIT)


def parse_budget(headers: Fields) -> BudgetHeaders | None:
    """The budget that a response states, whatever its status; None without one, or if it is not in numbers."""
    count = _number(headers, "inin-ratelimit-count")
    if count is None:
        return None
    allowed = _number(headers, "inin-ratelimit-allowed")
    reset = _number(headers, "inin-ratelimit-reset")
    if allowed is None or reset is None:
        return None
    return BudgetHeaders(count, allowed, min(reset, _MAX_WAIT))


def _number(headers: Fields, name: str) -> float | None:
    try:
        number = float(headers.get(name, ""))
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
