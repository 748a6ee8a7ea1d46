"""Rate limits of senders: the row's `rate_limit`, counted by the `limits` library in memory or in Redis."""

import math
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from threading import Thread
from typing import TYPE_CHECKING, Any

from cobrowse.clock import Clock, SystemClock
from cobrowse.errors import RateLimitStorageUnavailable, SenderRateLimited
from integrations.senders.sender import Sender

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import MovingWindowRateLimiter

# Seconds after which to ask again when the counter itself can't be reached.
_RETRY_AFTER = 5.0
# Seconds that a counter elsewhere gets: to connect, for each part of an answer, and for a count in all.
_CONNECT_SECONDS, _READ_SECONDS, _TOTAL_SECONDS = 0.5, 0.5, 1.0


class RateLimiter:
    """The counters of all senders. ValueError, which never repeats the URL's password, if they can't be set up."""

    def __init__(self, storage_url: str = "memory://", clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._windows: MovingWindowRateLimiter | None = None
        # Counters in memory start a timer thread, and that must not be before the fork: they are made at the first hit.
        self.is_remote = storage_url != "memory://"
        self._scheme = storage_url.partition(":")[0]
        if self.is_remote:
            self._windows = _open(storage_url)

    def check(self, sender: Sender, events: int = 1) -> None:
        """Count this sender's events. Raises SenderRateLimited if they exceed its rate.

        While the counters can't be reached RateLimitStorageUnavailable, or nothing where the sender fails open.

        Events beyond the whole rate count as the whole: a batch larger than that passes when nothing else has come.
        """
        if not sender.rate_limit:
            return
        if self._windows is None:
            self._windows = _open("memory://")
        item, windows = parse_rate(sender.rate_limit), self._windows
        # One less than the whole rate, since a batch's first event is counted before the batch is read.
        cost = min(events, max(1, item.amount - 1))

        def count() -> float | None:
            """None if there is room for them, else when there will be."""
            if windows.hit(item, sender.name, cost=cost):
                return None
            return float(windows.get_window_stats(item, sender.name).reset_time)

        try:
            resets = _in_time(count, windows.storage) if self.is_remote else count()
        except Exception:  # noqa: BLE001 - whatever answers there may say anything, and the library reads it
            if sender.rate_limit_fail_open:
                return
            raise self._unavailable() from None
        if resets is None:
            return
        wait = min(max(1.0, resets - self._clock.now().timestamp()), float(item.get_expiry()))
        raise SenderRateLimited(f"this sender's rate of {sender.rate_limit} is used up", retry_after=math.ceil(wait))

    def ping(self) -> None:
        """Raises RateLimitStorageUnavailable unless the counters can be reached. Those in memory always can."""
        if not self.is_remote or self._windows is None:
            return
        storage: Any = self._windows.storage
        try:
            reached = _in_time(lambda: None if storage.check() else 0.0, storage) is None
        except Exception:  # noqa: BLE001 - as above
            reached = False
        if not reached:
            raise self._unavailable()

    def _unavailable(self) -> RateLimitStorageUnavailable:
        return RateLimitStorageUnavailable(f"the counters in {self._scheme} can't be reached", retry_after=_RETRY_AFTER)


def _in_time(count: Callable[[], float | None], storage: Any) -> float | None:  # noqa: ANN401 - any of the library's
    """The count's result. TimeoutError after _TOTAL_SECONDS: a server may send for ever and never finish."""
    answer: Future[float | None] = Future()

    def run() -> None:
        try:
            answer.set_result(count())
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(error)

    Thread(target=run, name="rates", daemon=True).start()
    try:
        return answer.result(_TOTAL_SECONDS)
    except TimeoutError:
        with suppress(Exception):
            storage.storage.connection_pool.disconnect()  # ends the count that is still being read
        raise


def _open(storage_url: str) -> "MovingWindowRateLimiter":
    # More than a megabyte a worker, for senders with a rate only.
    from limits.errors import ConfigurationError  # noqa: PLC0415
    from limits.storage import Storage, storage_from_string  # noqa: PLC0415
    from limits.strategies import MovingWindowRateLimiter  # noqa: PLC0415

    is_redis = storage_url.startswith(("redis", "valkey"))
    options = {"socket_connect_timeout": _CONNECT_SECONDS, "socket_timeout": _READ_SECONDS} if is_redis else {}
    with suppress(ConfigurationError, ValueError):
        storage = storage_from_string(storage_url, **options)
        if isinstance(storage, Storage):
            return MovingWindowRateLimiter(storage)
    # Not the library's own words: they hold the URL, and that may hold a password.
    scheme = storage_url.partition(":")[0]
    raise ValueError(
        f"RATE_LIMIT_STORAGE: {scheme[:20]!r} can't be used: not a known storage, or its client library "
        "is not installed; use memory:// or redis://host:6379"
    )


@lru_cache(maxsize=1024)
def parse_rate(text: str) -> "RateLimitItem":
    """The rate in a text such as 60/minute. Raises ValueError."""
    from limits import parse_many  # noqa: PLC0415 - as above

    items = parse_many(text)
    if len(items) != 1 or items[0].amount < 1:
        raise ValueError("not one rate that allows something")
    return items[0]
