"""A token's budget of calls, as Genesys's headers state it: while it is known to be used up, no call is made.

Each process knows its own calls' headers only. Nothing is shared through the ledger: that would cost every call a read
of the database, and save each worker one call a window, which Genesys refuses without any effect.
"""

from collections.abc import Callable

from cobrowse.clock import Clock
from integrations.genesys.waits import BudgetHeaders

OnBudget = Callable[[str, float, float, float], None]
"""Gets the budget's name, its calls, how many are allowed, and the seconds until the next window."""


class Budgets:
    """The budgets of this service's own tokens by name. A user's own token has its own, which is not kept."""

    def __init__(self, clock: Clock, on_budget: OnBudget = lambda _name, _count, _allowed, _reset: None) -> None:
        self._clock = clock
        self._on_budget = on_budget
        # By name: until when no call goes out, in the clock's monotonic seconds.
        self._closed_until: dict[str, float] = {}

    def seconds_left(self, name: str) -> float:
        """Seconds until a call may go out; 0 if it may now."""
        return max(0.0, self._closed_until.get(name, 0.0) - self._clock.monotonic())

    def record(self, name: str, told: BudgetHeaders) -> None:
        """Record the budget that a response's headers state."""
        self._on_budget(name, told.count, told.allowed, told.reset)
        if told.used_up:
            self._closed_until[name] = self._clock.monotonic() + told.reset
