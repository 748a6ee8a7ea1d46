"""Until when Genesys's budgets of calls are used up, shared by all workers of a ledger.

A worker writes it once it learns so, which is rare; every claim reads it in its own statement, with no round trip more.
What calls Genesys long after a claim or without one (`latest`, a person's retry, readiness) reads it for itself.
"""

from collections.abc import Mapping
from contextlib import suppress

from cobrowse.clock import Clock
from cobrowse.errors import LedgerUnavailable
from integrations.ledger import queries
from integrations.ledger.database import Database

# Seconds that a note of it may wait for the database: a request stands behind it, and other workers learn it anyhow.
NOTE_SECONDS = 0.5
# Seconds for which what was read holds: windows last a minute.
CACHE_SECONDS = 2.0


class BudgetTable:
    """The budgets by name, as they were CACHE_SECONDS ago at most, as long as the database can be read."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # In the clock's monotonic seconds.
        self._closed_until: dict[str, float] = {}
        self._known_until = 0.0

    def seconds_left(self, name: str) -> float:
        """Seconds until calls are allowed again, as far as any worker knew lately; 0 if they are."""
        now = self._clock.monotonic()
        if now >= self._known_until:
            # Before the read: an unreachable database is not asked again by each call.
            self._known_until = now + CACHE_SECONDS
            with suppress(LedgerUnavailable):
                self.update(dict(self._database.read(queries.BUDGETS, {}, seconds=NOTE_SECONDS)))
        # By the clock after the read, which may have taken a moment.
        return max(0.0, self._closed_until.get(name, 0.0) - self._clock.monotonic())

    def close(self, name: str, seconds: float) -> None:
        """Let each worker know that the budget is used up for so long. Others learn it from Genesys."""
        with suppress(LedgerUnavailable):
            params = {"name": name, "seconds": seconds}
            self._database.execute(queries.CLOSE_BUDGET, params, durable=False, seconds=NOTE_SECONDS)

    def update(self, left: Mapping[str, float | None]) -> None:
        """Take in what was read: seconds by name, None or below 0 for one that is open."""
        now = self._clock.monotonic()
        self._known_until = now + CACHE_SECONDS
        for name, seconds in left.items():
            self._closed_until[name] = now + (seconds or 0.0)
