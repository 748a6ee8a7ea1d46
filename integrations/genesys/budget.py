"""A token's budget of calls, as Genesys's headers state it: while it is known to be used up, no call is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cobrowse.clock import Clock
from integrations.genesys.waits import BudgetHeaders
from integrations.ledger.budgets import BudgetTable

# Seconds between two that are passed on for the metrics: each count would cost each call.
REPORT_INTERVAL = 1.0
# Seconds that one answer's reset may differ from another's about the same window.
SAME_WINDOW = 2.0

OnBudget = Callable[[str, float, float, float], None]
"""Gets the budget's name, its calls, how many are allowed, and the seconds until the next window."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget in its present window, which ends at `reset`. `allowed` is 0 where only others know how many it has."""

    name: str
    count: float
    allowed: float
    reset: datetime


class Budgets:
    """The budgets of this service's own tokens by name. A user's own token has a budget that is not tracked here."""

    def __init__(
        self,
        clock: Clock,
        on_budget: OnBudget = lambda _name, _count, _allowed, _reset: None,
        shared: BudgetTable | None = None,
    ) -> None:
        self._clock = clock
        self._on_budget = on_budget
        self._shared = shared
        # By name: until when no call goes out, in the clock's monotonic seconds.
        self._closed_until: dict[str, float] = {}
        self._reported: dict[str, tuple[BudgetHeaders, float]] = {}
        self._next_report: dict[str, float] = {}

    def seconds_left(self, name: str) -> float:
        """Seconds until a call may go out; 0 if it may now."""
        now = self._clock.monotonic()
        own = self._closed_until.get(name, now) - now
        return max(own, self._shared.seconds_left(name) if self._shared else 0.0)

    def record(self, name: str, reported: BudgetHeaders) -> None:
        """Record the budget that a response's headers state; one that is used up is passed on, once a window."""
        now = self._clock.monotonic()
        if reported.used_up or now >= self._next_report.get(name, now):
            self._next_report[name] = now + REPORT_INTERVAL
            self._on_budget(name, reported.count, reported.allowed, reported.reset)
        self._reported[name] = reported, now + reported.reset
        if not reported.used_up or not reported.reset:
            return
        known = self.seconds_left(name)
        self._closed_until[name] = now + reported.reset
        if self._shared and abs(known - reported.reset) > SAME_WINDOW:
            self._shared.close(name, reported.reset)

    def states(self) -> Sequence[BudgetState]:
        """The budgets whose window is not over, by the last answer to this process; else those that others used up."""
        now, at = self._clock.monotonic(), self._clock.now()
        found = {
            name: BudgetState(name, reported.count, reported.allowed, at + timedelta(seconds=until - now))
            for name, (reported, until) in self._reported.items()
            if until > now
        }
        for name in ("api", "token", "user"):
            left = self.seconds_left(name)
            if left and name not in found:
                found[name] = BudgetState(name, 0.0, 0.0, at + timedelta(seconds=left))
        return tuple(found.values())
