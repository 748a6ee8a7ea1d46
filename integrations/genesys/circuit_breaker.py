"""A circuit breaker for each host: after many consecutive failures calls are refused at once, until a trial succeeds.

The breakers on PyPI hold a lock around the call itself, which would make every call wait for every other; this one
only counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from cobrowse.clock import Clock
from cobrowse.errors import GenesysUnavailable

# Consecutive failures, of any caller, after which a host is taken to be down.
FAIL_MAX = 20
# Seconds in which calls are refused before a single trial call is allowed.
RESET_TIMEOUT = 5.0
# A call that timed out says something about the host only if it waited at least this many seconds. A shorter one shows
# that its caller's deadline was nearly over.
MIN_TIMEOUT_SECONDS = 2.0


@dataclass(slots=True)
class _HostState:
    """What is known of one host. `next_attempt`: when a trial is allowed, in the clock's monotonic seconds."""

    failures: int = 0
    next_attempt: float = 0.0


class CircuitBreaker:
    """Counts the results of the calls to each host. `on_change` gets the host and whether its circuit is open now."""

    def __init__(
        self,
        clock: Clock,
        fail_max: int = FAIL_MAX,
        reset_timeout: float = RESET_TIMEOUT,
        on_change: Callable[[str, bool], None] = lambda _host, _open: None,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._fail_max = fail_max
        self._reset_timeout = reset_timeout
        self._hosts: dict[str, _HostState] = {}
        self._lock = Lock()

    def before_call(self, host: str) -> None:
        """Allow a call to this host.

        Raises:
            GenesysUnavailable: The circuit is open; `retry_after` is the seconds until the next trial.
        """
        state = self._hosts.get(host)
        if state is None or state.failures < self._fail_max:
            return
        with self._lock:
            now = self._clock.monotonic()
            left = state.next_attempt - now
            if left <= 0:
                # This call is the trial; the next comes after another timeout, should this one never report back.
                state.next_attempt = now + self._reset_timeout
                return
        raise GenesysUnavailable(
            f"circuit breaker open for {host} after {state.failures} consecutive failures; "
            f"next attempt in {max(left, 1.0):.0f} s",
            retry_after=max(left, 1.0),
        )

    def record_result(self, host: str, *, ok: bool) -> None:
        """Record a result. `ok` means any HTTP status below 500."""
        state = self._hosts.get(host)
        if ok and (state is None or state.failures == 0):
            return
        with self._lock:
            state = self._hosts.setdefault(host, _HostState())
            was_open = state.failures >= self._fail_max
            state.failures = 0 if ok else state.failures + 1
            is_open = state.failures >= self._fail_max
            if is_open:
                state.next_attempt = self._clock.monotonic() + self._reset_timeout
        if is_open != was_open:
            self._on_change(host, is_open)

    def record_timeout(self, host: str, seconds: float) -> None:
        """Record a call that timed out after so many seconds: a failure from `MIN_TIMEOUT_SECONDS` on, else nothing."""
        if seconds >= MIN_TIMEOUT_SECONDS:
            self.record_result(host, ok=False)

    def open_circuits(self) -> tuple[str, ...]:
        """The hosts whose circuit is open."""
        return tuple(host for host, state in self._hosts.items() if state.failures >= self._fail_max)
