"""A circuit breaker for each operation: after many failures in a row calls are refused, until a trial succeeds.

Not for a host: where `create` alone fails, each check of a conversation before it would close the circuit again.
The breakers on PyPI hold a lock around the call itself, so that calls would wait for each other; this one only counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from cobrowse.clock import Clock
from cobrowse.errors import GenesysUnavailable

# Consecutive failures, of any caller, after which an operation is taken to be down.
FAIL_MAX = 20
# Seconds in which calls are refused before a single trial call is allowed.
RESET_TIMEOUT = 5.0
# A call that timed out says something about Genesys only if it waited at least this many seconds. A shorter one shows
# that its caller's deadline was nearly over.
MIN_TIMEOUT_SECONDS = 2.0


@dataclass(slots=True)
class _State:
    """What is known of one operation. `next_attempt`: when a trial is allowed, in the clock's monotonic seconds.

    `trial` is the initiation that may make it until then; "" if none is known.
    """

    failures: int = 0
    next_attempt: float = 0.0
    trial: str = ""


class CircuitBreaker:
    """Counts the results of each operation. `on_change` gets its name and whether its circuit is open now."""

    def __init__(
        self,
        clock: Clock,
        fail_max: int = FAIL_MAX,
        reset_timeout: float = RESET_TIMEOUT,
        on_change: Callable[[str, bool], None] = lambda _operation, _open: None,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._fail_max = fail_max
        self._reset_timeout = reset_timeout
        self._states: dict[str, _State] = {}
        self._lock = Lock()

    def before_call(self, operation: str, initiation_id: str = "") -> None:
        """Allow a call of this operation. An initiation that is allowed the trial may ask again before it calls.

        Raises:
            GenesysUnavailable: The circuit is open; `retry_after` is the seconds until the next trial.
        """
        state = self._states.get(operation)
        if state is None or state.failures < self._fail_max:
            return
        with self._lock:
            now = self._clock.monotonic()
            left = state.next_attempt - now
            if left <= 0 or (initiation_id and initiation_id == state.trial):
                # This call is the trial; the next comes after another timeout, should this one never report back.
                state.trial, state.next_attempt = initiation_id, now + self._reset_timeout
                return
        raise GenesysUnavailable(
            f"circuit breaker open for {operation} after {state.failures} consecutive failures; "
            f"next attempt in {max(left, 1.0):.0f} s",
            retry_after=max(left, 1.0),
        )

    def record_result(self, operation: str, *, ok: bool) -> None:
        """Record a result. `ok` means any HTTP status below 500."""
        state = self._states.get(operation)
        if ok and (state is None or state.failures == 0):
            return
        with self._lock:
            state = self._states.setdefault(operation, _State())
            was_open = state.failures >= self._fail_max
            state.failures, state.trial = (0 if ok else state.failures + 1), ""
            is_open = state.failures >= self._fail_max
            if is_open:
                state.next_attempt = self._clock.monotonic() + self._reset_timeout
        if is_open != was_open:
            self._on_change(operation, is_open)

    def record_timeout(self, operation: str, seconds: float) -> None:
        """Record a call that timed out after `seconds`; it counts as a failure from `MIN_TIMEOUT_SECONDS` on."""
        if seconds >= MIN_TIMEOUT_SECONDS:
            self.record_result(operation, ok=False)

    def open_circuits(self) -> tuple[str, ...]:
        """The operations whose calls are refused just now. Where the trial is due, the next call is let through."""
        now = self._clock.monotonic()
        states = self._states.items()
        return tuple(name for name, state in states if state.failures >= self._fail_max and state.next_attempt > now)
