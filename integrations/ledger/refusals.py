"""The refused requests of all workers: one row a minute for each sender, code and address."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cobrowse.clock import Clock
from integrations.ledger import queries
from integrations.ledger.database import Database
from integrations.ledger.listings import conditions, search_params
from integrations.ledger.record_columns import plain
from integrations.refusals import Refusal

# Rows that are kept of each code: a flood of one kind must not push the others out.
MAX_ROWS_PER_CODE = 500
# Seconds between two looks for rows to delete.
PRUNE_SECONDS = 60.0

_TEXTS = ("sender", "code", "address", "message", "hint", "correlation_id")


class RefusalTable:
    """Keeps what was refused, as long as what has ended. Every method raises LedgerUnavailable as the ledger's do."""

    def __init__(self, database: Database, retention_seconds: float, clock: Clock) -> None:
        self._database = database
        self._retention = retention_seconds
        self._clock = clock
        self._next_prune = 0.0

    def add(self, refusals: Sequence[Refusal]) -> None:
        """Add to the rows of their minutes, and now and then delete what is old or too much."""
        for each in refusals:
            self._database.execute(queries.ADD_REFUSAL, _params(each), durable=False)
        if self._clock.monotonic() >= self._next_prune:
            self._next_prune = self._clock.monotonic() + PRUNE_SECONDS
            limits = {"retention": self._retention, "most": MAX_ROWS_PER_CODE}
            self._database.execute(queries.PRUNE_REFUSALS, limits, durable=False)

    def newest(self, limit: int, *, sender: str | None = None, search: str | None = None) -> tuple[Refusal, ...]:
        """The newest first. `search` is the start of a sender, a code, an address or a correlation id."""
        found = {"refused_sender": plain(sender or ""), "refused_search": plain(search or "")}
        given = {name: value for name, value in found.items() if value}
        sql = queries.REFUSALS.replace("{conditions}", conditions(given, queries.REFUSAL_CONDITIONS))
        return tuple(self._database.scan(sql, {**given, **search_params(search), "limit": limit}, _refusal))

    def last_of_senders(self) -> dict[str, tuple[int, Refusal]]:
        """By sender, how many refused requests are stored, and the last of them."""
        rows = self._database.scan(queries.LAST_REFUSALS, {}, lambda values: (values[-1], _refusal(values[:-1])))
        return {refusal.sender: (total, refusal) for total, refusal in rows}


def _params(refusal: Refusal) -> dict[str, object]:
    texts = {name: plain(getattr(refusal, name)) for name in _TEXTS}
    return texts | {
        "minute": refusal.minute,
        "status": refusal.status,
        "count": refusal.count,
        "first": refusal.first.timestamp(),
        "last": refusal.last.timestamp(),
    }


def _refusal(values: tuple[Any, ...]) -> Refusal:
    first, last, *others = values
    return Refusal(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC), *others)
