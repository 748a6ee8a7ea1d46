"""Rate limits of senders: the row's `rate_limit`, counted by the `limits` library in memory or in Redis."""

import math
from typing import Protocol

from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from cobrowse.clock import Clock, SystemClock
from cobrowse.errors import SenderRateLimited

# Seconds after which to ask again when the counter itself can't be reached.
_COUNTER_AWAY = 5.0


class RateStorageError(ValueError):
    """RATE_LIMIT_STORAGE can't be used. `errors` has the line that says why; it never repeats the URL's password."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.errors = [fault]


class RateLimited(Protocol):
    """A sender, as far as its rate goes."""

    @property
    def name(self) -> str:
        """Whose hits are counted together."""

    @property
    def rate_limit(self) -> str:
        """Its rate, "" for none."""


class RateLimiter:
    """The counters of all senders. Raises RateStorageError if they can't be set up."""

    def __init__(self, storage_url: str = "memory://", clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._windows: MovingWindowRateLimiter | None = None
        # Counters in memory start a timer thread, and that must not be before the fork: they are made at the first hit.
        if storage_url != "memory://":
            self._windows = _open(storage_url)

    def check(self, sender: RateLimited, events: int = 1) -> None:
        """Count so many events of this sender. Raises SenderRateLimited when its rate is used up.

        Events beyond the whole rate count as the whole: a batch larger than that passes when nothing else has come.
        """
        if not sender.rate_limit:
            return
        if self._windows is None:
            self._windows = _open("memory://")
        item = parse_rate(sender.rate_limit)
        try:
            # One less than the whole rate, since a batch's first event is counted before the batch is read.
            if self._windows.hit(item, sender.name, cost=min(events, max(1, item.amount - 1))):
                return
            resets = self._windows.get_window_stats(item, sender.name).reset_time
        except StorageError:
            raise SenderRateLimited(
                "this sender has a rate and it can't be counted",
                hint="The counters in RATE_LIMIT_STORAGE can't be reached, and a sender with a rate waits for them.",
                retry_after=_COUNTER_AWAY,
            ) from None
        wait = min(max(1.0, resets - self._clock.now().timestamp()), float(item.get_expiry()))
        raise SenderRateLimited(f"this sender's rate of {sender.rate_limit} is used up", retry_after=math.ceil(wait))


def _open(storage_url: str) -> MovingWindowRateLimiter:
    try:
        # A storage's own errors, Redis's for instance, then all arrive as StorageError.
        storage = storage_from_string(storage_url, wrap_exceptions=True)
    except (ConfigurationError, ValueError):
        # Not the library's own words: they hold the URL, and that may hold a password.
        scheme = storage_url.partition(":")[0]
        raise RateStorageError(
            f"RATE_LIMIT_STORAGE: {scheme[:20]!r} can't be used: not a known storage, or its client library "
            "is not installed; use memory:// or redis://host:6379"
        ) from None
    if not isinstance(storage, Storage):
        raise RateStorageError("RATE_LIMIT_STORAGE: use memory:// or redis://host:6379")
    return MovingWindowRateLimiter(storage)


def parse_rate(text: str) -> RateLimitItem:
    """The rate in a text such as 60/minute. Raises ValueError."""
    items = parse_many(text)
    if len(items) != 1 or items[0].amount < 1:
        raise ValueError("not one rate that allows something")
    return items[0]
