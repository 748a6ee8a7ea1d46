"""The simulated world on the service's own statements: its LedgerStore over SQLite in memory, on the world's time."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace

from cryptography.fernet import Fernet

from cobrowse.callbacks import Callback
from cobrowse.ledger import Acquired, Checkpoint, Claim, ClaimResult, InitiationRecord, Lease, LeaseLost
from cobrowse.model import Outcome
from integrations.ledger import LedgerStore, migrations
from integrations.ledger.database import Params, Rows, Run, SequentialRun
from integrations.ledger.encryption import SecretBox
from integrations.ledger.sqlite_connection import DIALECT
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.scenario import Mutant
from tests.simulation.scheduler import Scheduler

_BOX = SecretBox((Fernet.generate_key().decode(),))
_DIALECT = replace(DIALECT, now="world_now()")


class InMemory:
    """An engine on one connection: every work is a transaction of its own, as the writer's are.

    `synced`: a commit has waited for the disk since this was last set to false.
    """

    location = "memory"

    def __init__(self, now: Callable[[], float]) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.create_function("world_now", 0, now)
        self._said: dict[str, str] = {}
        self.synced = False
        migrations.upgrade(self.read)

    def write(self, work: Callable[[Run], object], *, durable: bool = True, seconds: float | None = None) -> object:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            done = work(SequentialRun(self.read))
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self.synced = self.synced or durable
        return done

    def execute(self, sql: str, params: Params, *, durable: bool = True, seconds: float | None = None) -> Rows:
        return self.write(lambda run: run(sql, params), durable=durable)

    def picture(self) -> bytes:
        return self._connection.serialize()

    def restore(self, picture: bytes) -> None:
        self._connection.deserialize(picture)

    def read(self, sql: str, params: Params | None = None, *, seconds: float | None = None) -> Rows:
        said = self._said.get(sql) or self._said.setdefault(sql, _DIALECT.render(sql))
        cursor = self._connection.execute(said, params or {})
        return cursor.fetchall() if cursor.description else [()] * cursor.rowcount

    def scan(self, sql: str, params: Params, make: Callable[[tuple[object, ...]], object]) -> list[object]:
        return list(map(make, self.read(sql, params)))

    def upgrade(self) -> tuple[int, int]:
        return migrations.VERSION, migrations.VERSION

    def close(self) -> None:
        self._connection.close()


class StoredLedger(SimulatedLedger):
    """What the statements do is the store's; the rows of the simulated one shadow it, for the invariants."""

    def __init__(self, world: Scheduler, legs: tuple[float, float]) -> None:
        super().__init__(world, legs)
        self.store = LedgerStore(InMemory(lambda: self.now() + 1.7e9), _BOX, retention_seconds=1e9, adds_callbacks=True)

    def close(self) -> None:
        self.store.close()

    def events(self) -> list[Callback]:
        return [event for row in self.rows for event in self.store.callbacks.for_initiation(row.id)]

    def as_synced(self, effect: Callable[[], object]) -> Callable[[], object]:
        """The effect, of whose commits a power cut takes those back after which nothing was synced."""
        if not self.may_lose_power:
            return effect

        def commit() -> object:
            self._on_disk = self._on_disk or self.picture()
            self.store._database.synced = False
            answer = effect()
            if self.store._database.synced:
                self._on_disk = None
            return answer

        return commit

    def picture(self) -> object:
        return self.store._database.picture(), super().picture()

    def restore(self, picture: object) -> None:
        stored, shadow = picture
        self.store._database.restore(stored)
        super().restore(shadow)

    def _claim(self, claim: Claim) -> ClaimResult:
        claimed = self.store.claim(claim)
        if isinstance(claimed, Acquired):
            row = self.by_id.get(claimed.entry.id)
            if row is None:
                self._new(claim)
            else:
                self._take(row, claim.lease_owner, claim.lease_seconds, claim.command.correlation_id)
        return claimed

    def _find(self, lock_key: str) -> InitiationRecord | None:
        return self.store.find(lock_key)

    def _reclaim(self, lease: Lease, lease_seconds: float, correlation: str) -> ClaimResult | None:
        claimed = self.store.reclaim(lease, lease_seconds)
        if isinstance(claimed, Acquired):
            self._take(self.by_id[lease.id], lease.lease_owner, lease_seconds, correlation)
        return claimed

    def _begin(self, lease: Lease, checkpoint: Checkpoint) -> bool:
        try:
            self.store.save_checkpoint(lease, checkpoint)
        except LeaseLost:
            return False
        return super()._begin(lease, checkpoint)

    def _settle(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome) -> bool:
        try:
            self.store.complete(lease, checkpoint, outcome)
        except LeaseLost:
            return False
        return super()._settle(lease, checkpoint, outcome)

    def _mark_ended(self, entry: InitiationRecord, correlation: str) -> None:
        self.store.mark_ended(entry)
        super()._mark_ended(entry, correlation)

    def _read(self, initiation_id: str) -> InitiationRecord | None:
        return self.store.read(initiation_id)


STORED = Mutant("on the service's own statements", ledger=StoredLedger)
