"""The deliveries of all workers' senders: one row an hour for each sender."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cobrowse.clock import Clock
from integrations.ledger import queries
from integrations.ledger.database import Database
from integrations.ledger.record_columns import plain
from integrations.senders.activity import Delivery

# Seconds between two looks for rows to delete.
PRUNE_SECONDS = 3_600.0


class DeliveryTable:
    """Counts what senders have delivered, as long as what has ended is kept. Raises LedgerUnavailable as the ledger."""

    def __init__(self, database: Database, retention_seconds: float, clock: Clock) -> None:
        self._database = database
        self._retention = retention_seconds
        self._clock = clock
        self._next_prune = 0.0

    def add(self, deliveries: Sequence[Delivery]) -> None:
        """Add to the rows of their hours, and now and then delete what is old."""
        for each in deliveries:
            texts = {"sender": plain(each.sender), "outcome": plain(each.outcome)}
            params = {"hour": each.hour, "last": each.at.timestamp(), "count": each.count, **texts}
            self._database.execute(queries.ADD_DELIVERIES, params, durable=False)
        if deliveries and self._clock.monotonic() >= self._next_prune:
            self._next_prune = self._clock.monotonic() + PRUNE_SECONDS
            self._database.execute(queries.PRUNE_DELIVERIES, {"retention": self._retention}, durable=False)

    def by_sender(self) -> dict[str, Delivery]:
        """By sender its last delivery, with the count of all that are stored."""
        rows = self._database.scan(
            queries.LAST_DELIVERIES, {}, lambda row: Delivery(datetime.fromtimestamp(row[0], UTC), *row[1:])
        )
        return {each.sender: each for each in rows}
