"""Leases by name: one process of all that share the ledger does the work of that name."""

from collections.abc import Callable

from integrations.ledger import queries
from integrations.ledger.database import Database


class LeaseTable:
    """Every method raises LedgerUnavailable as the ledger's do. Times are the database's clock's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, owner: str, lease_seconds: float, *, seconds: float | None = None) -> bool:
        """Acquire the lease or renew one's own; whether `owner` has it now for `lease_seconds`.

        `seconds` is how long to wait for the database.
        """
        params = {"name": name, "lease_owner": owner, "lease_seconds": lease_seconds}
        return bool(self._database.execute(queries.ACQUIRE_LEASE, params, durable=False, seconds=seconds))

    def acquire_if(self, name: str, owner: str, lease_seconds: float, needed: Callable[[], bool]) -> bool:
        """Acquire the lease if the work is still `needed` once it is this owner's; otherwise release it."""
        if not self.acquire(name, owner, lease_seconds):
            return False
        if needed():
            return True
        self.release(name, owner)
        return False

    def read(self, name: str) -> tuple[str, float] | None:
        """Who has the lease, and for how many seconds yet; None while nobody does."""
        rows = self._database.read(queries.LEASE, {"name": name})
        return (rows[0][0], rows[0][1]) if rows else None

    def release(self, name: str, owner: str) -> None:
        """Release it if it is this owner's."""
        self._database.execute(queries.RELEASE_LEASE, {"name": name, "lease_owner": owner}, durable=False)
