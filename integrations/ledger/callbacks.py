"""The outbox: callbacks that are due, and the results of those that were sent."""

from datetime import UTC, datetime
from typing import Any

from cobrowse.callbacks import Callback, Delivery, EventType
from integrations.ledger import queries
from integrations.ledger.database import Database
from integrations.ledger.record_columns import readable_outcome

# Callbacks that are made due in one transaction.
BATCH = 1_000


class CallbackTable:
    """Reads and marks callbacks; LedgerStore adds them. Every method raises LedgerUnavailable as the ledger's do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, limit: int) -> list[Callback]:
        """Those to be sent now, the longest due first; of each initiation the earliest event that is pending.

        They are on disk: no power cut undoes an outcome that the receiver has.
        """
        # A scan: after a long outage of the receiver many wait for an earlier one, and each is looked at.
        found = self._database.scan(queries.DUE_CALLBACKS, {"limit": limit}, _callback)
        if not found:
            return []
        # The commits of their outcomes did not wait for the disk. One that does takes all before it along.
        statements = [(queries.CONFIRM_CALLBACK, _key(each)) for each in found]
        confirmed = self._database.write(lambda run: run.atomic(statements), durable=True)
        return [each for each, rows in zip(found, confirmed, strict=True) if rows]

    def mark(self, callback: Callback, state: Delivery, wait: float, answer: str) -> None:
        """Record a try. A pending one is due again after `wait` seconds; one that is delivered stays so."""
        marked = {"state": state.value, "wait": wait, "answer": answer}
        self._database.execute(queries.MARK_CALLBACK, _key(callback) | marked, durable=False)

    def for_initiation(self, initiation_id: str) -> list[Callback]:
        """An initiation's callbacks in their order."""
        return self._database.scan(queries.CALLBACKS_OF, {"initiation_id": initiation_id}, _callback)

    def undelivered(self, limit: int) -> list[Callback]:
        """Those that are pending or were given up, by when they are due or were given up: the latest first."""
        return self._database.scan(queries.UNDELIVERED_CALLBACKS, {"limit": limit}, _callback)

    def resend(self, callback: Callback) -> None:
        """Make it due now, whatever came of it, with all its tries before it."""
        self._database.execute(queries.RESEND_CALLBACK, _key(callback), durable=False)

    def resend_all(self) -> int:
        """Make all due now that wait for a later time or were given up: how many. Others write in between."""
        total, done = 0, BATCH
        while done == BATCH:
            done = len(self._database.execute(queries.RESEND_CALLBACKS, {"batch": BATCH}, durable=False))
            total += done
        return total

    def backlog(self) -> tuple[int, float]:
        """How many are pending, and the age of the oldest in seconds."""
        return self._database.scan(queries.CALLBACK_BACKLOG, {}, lambda row: (row[0], row[1]))[0]


def _key(callback: Callback) -> dict[str, object]:
    return {"initiation_id": callback.initiation_id, "attempt": callback.attempt, "type": callback.type.value}


def _callback(row: tuple[Any, ...]) -> Callback:
    initiation_id, attempt, kind, sender, action, key, outcome, created, state, at, tries, answer = row
    return Callback(
        initiation_id,
        attempt,
        EventType(kind),
        sender,
        action,
        key,
        readable_outcome(outcome),
        datetime.fromtimestamp(created, UTC),
        Delivery(state),
        datetime.fromtimestamp(at, UTC),
        tries,
        answer,
    )
