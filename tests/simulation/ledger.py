"""A simulated ledger: the protocol's contract in memory, its own clock, and a line to it that can fail."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cobrowse.callbacks import Callback
from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import (
    Acquired,
    Checkpoint,
    Claim,
    ClaimResult,
    InitiationRecord,
    Lease,
    LeaseLost,
    State,
    released_lock_key,
)
from cobrowse.model import Outcome
from cobrowse.outcomes import state_of
from tests.simulation import mischief
from tests.simulation.rows import PowerCut, Row, Settled, Win
from tests.simulation.scheduler import Call, Scheduler

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_AGAIN = (State.FAILED_RETRYABLE, State.RUNNING)


class SimulatedLedger:
    """Survives every worker, and a power cut as far as the protocol says.

    `wins`, `settled` and `ends` are for the invariants: what was committed, in order; an end as its row and attempt.
    `cuts` counts the power cuts.
    """

    def __init__(self, world: Scheduler, legs: tuple[float, float]) -> None:
        self.world = world
        self.legs = legs
        self.rows: list[Row] = []
        self.slots: dict[str, Row] = {}
        self.by_id: dict[str, Row] = {}
        self.wins: list[Win] = []
        self.settled: list[Settled] = []
        self.ends: list[tuple[Row, int]] = []
        self.cuts = 0
        self.lose_workers: Callable[[], None] = lambda: None
        self._power = PowerCut(world.seed)
        self._commits = 0
        # What a power cut leaves; None as long as that is everything.
        self._on_disk: object = None
        random = world.random
        self._rate = random.choice((1.0, 1.0, 0.99, 1.01))
        self._offset = random.choice((0.0, 3600.0, 1e6))

    def close(self) -> None:
        """The run is over."""

    def events(self) -> list[Callback] | None:
        """The callbacks in the outbox, initiation by initiation; None where there is none."""

    # The protocol: each method is one statement on the way there, a commit, and an answer on the way back.

    def claim(self, claim: Claim, *, seconds: float | None = None) -> ClaimResult:
        effect = self.committing(lambda: self._claim(claim), durable=claim.checkpoint.may_have_notified)
        return self.reached("claim", claim.command.correlation_id, effect)

    def find(self, lock_key: str, *, seconds: float | None = None) -> InitiationRecord | None:
        return self.reached("find", lock_key, lambda: self._find(lock_key))

    def reclaim(self, lease: Lease, lease_seconds: float, *, seconds: float | None = None) -> ClaimResult | None:
        # A worker's actors are named after what was delivered to it.
        correlation = self.world.alive().name.rpartition("/")[2]

        def effect() -> ClaimResult | None:
            return self._reclaim(lease, lease_seconds, correlation)

        return self.reached("reclaim", lease.id, self.committing(effect, durable=True))

    def save_checkpoint(self, lease: Lease, checkpoint: Checkpoint, *, seconds: float | None = None) -> None:
        effect = self.committing(lambda: self._begin(lease, checkpoint), durable=checkpoint.may_have_notified)
        if not self.reached("begin", checkpoint.pending_step, effect):
            raise LeaseLost

    def complete(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome, *, seconds: float | None = None) -> None:
        def effect() -> bool:
            return self._settle(lease, checkpoint, outcome)

        if not self.reached("settle", state_of(outcome).value, self.committing(effect, durable=False)):
            raise LeaseLost

    def mark_ended(self, entry: InitiationRecord, *, seconds: float | None = None) -> None:
        self.reached("mark ended", entry.id, self.committing(lambda: self._mark_ended(entry), durable=False))

    def read(self, initiation_id: str, *, seconds: float | None = None) -> InitiationRecord | None:
        return self.reached("read", initiation_id, lambda: self._read(initiation_id))

    def wait(self, initiation_id: str, seconds: float) -> None:
        row, world = self.by_id.get(initiation_id), self.world
        # At least a millisecond: what is left of a lease can be less than what the clock can count.
        moment = max(min(seconds, world.between(0.05, 2.0)), 0.001)
        world.tempt(moment)
        actor = world.alive()
        if row is not None and row.state is State.RUNNING:
            row.waiting.append(actor)
        world.park(moment)
        if row is not None and actor in row.waiting:
            row.waiting.remove(actor)

    # What the statements do. A mutant overrides one of these.

    def _claim(self, claim: Claim) -> ClaimResult:
        row = self._holding(claim.lock_key)
        if row is None:
            row = self._new(claim)
            return self._won(row)
        is_others = claim.command.key and row.command.fingerprint != claim.command.fingerprint
        if is_others or row.state not in _AGAIN or self._left(row) > 0:
            return self.entry(row)
        self._take(row, claim.lease_owner, claim.lease_seconds, claim.command.correlation_id)
        return self._won(row)

    def _find(self, lock_key: str) -> InitiationRecord | None:
        row = self.slots.get(lock_key)
        return self.entry(row) if row is not None else None

    def _reclaim(self, lease: Lease, lease_seconds: float, correlation: str) -> ClaimResult | None:
        row = self.by_id.get(lease.id)
        if row is None:
            return None
        if row.state not in (State.FAILED_FINAL, State.FAILED_RETRYABLE) and (
            row.state is not State.RUNNING or self._left(row) > 0
        ):
            return self.entry(row)
        self._take(row, lease.lease_owner, lease_seconds, correlation)
        return self._won(row)

    def _begin(self, lease: Lease, checkpoint: Checkpoint) -> bool:
        row = self._held(lease)
        if row is None:
            return False
        row.checkpoint, row.updated, row.ended = checkpoint, self.now(), 0.0
        return True

    def _settle(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome) -> bool:
        row, state = self._held(lease), state_of(outcome)
        if row is None:
            return False
        row.late = self._left(row) <= 0
        row.state, row.checkpoint, row.updated, row.until = state, checkpoint, self.now(), 0.0
        row.outcome = replace(outcome, spans=(), replayed=False)
        if not row.command.key and self.slots.get(row.lock_key) is row:
            del self.slots[row.lock_key]
            row.lock_key = released_lock_key(row.id)
            self.slots[row.lock_key] = row
        self.settled.append(Settled(self.world.now, row, lease.lease_owner, state, row.outcome, row.attempts))
        for actor in row.waiting:
            if not actor.dead:
                self.world.wake(actor)
        row.waiting.clear()
        return True

    def _mark_ended(self, entry: InitiationRecord) -> None:
        row = self.by_id.get(entry.id)
        if row is not None and not row.ended:
            row.ended = self.now()
            self.ends.append((row, entry.attempts))

    def _read(self, initiation_id: str) -> InitiationRecord | None:
        row = self.by_id.get(initiation_id)
        return self.entry(row) if row is not None else None

    def _holding(self, lock_key: str) -> Row | None:
        return self.slots.get(lock_key)

    def _held(self, lease: Lease) -> Row | None:
        row = self.by_id.get(lease.id)
        return row if row is not None and row.state is State.RUNNING and row.lease_owner == lease.lease_owner else None

    def _new(self, claim: Claim) -> Row:
        row = Row(
            claim.id,
            len(self.rows),
            claim.lock_key,
            claim.command,
            claim.checkpoint,
            claim.lease_owner,
            self.now() + claim.lease_seconds,
            self.now(),
        )
        self.rows.append(row)
        self.slots[claim.lock_key] = row
        self.by_id[row.id] = row
        self.wins.append(Win(self.world.now, row, claim.command.correlation_id, 1))
        return row

    def _take(self, row: Row, lease_owner: str, lease_seconds: float, correlation: str) -> None:
        row.state, row.lease_owner, row.attempts = State.RUNNING, lease_owner, row.attempts + 1
        row.updated = self.now()
        row.until = row.updated + lease_seconds
        self.wins.append(Win(self.world.now, row, correlation, row.attempts))

    def _won(self, row: Row) -> Acquired:
        if not row.conversation:
            return Acquired(self.entry(row))
        ahead, history = self._others(row)
        holds = tuple(Lease(other.id, other.lease_owner) for other in ahead)
        return Acquired(self.entry(row), holds, tuple(map(self.entry, history)))

    def _others(self, row: Row) -> tuple[list[Row], list[Row]]:
        """Who else is at work on the conversation, and who may have invited; the newest first."""
        others = [other for other in reversed(self.rows) if other is not row and other.conversation == row.conversation]
        ahead = [other for other in others if self._left(other) > 0]
        invited = [other for other in others if other.checkpoint.may_have_notified and not other.ended]
        return ahead, [other for other in invited if not self._left(other)]

    # The power.

    def committing(self, effect: Callable[[], object], *, durable: bool) -> Callable[[], object]:
        """The effect as a commit; a power cut takes it back unless it is durable or comes before one that is."""
        power = self._power
        if not power.after_commits:
            return effect

        def commit() -> object:
            if not durable and self._on_disk is None:
                self._on_disk = self.picture()
            answer = effect()
            if durable:
                self._on_disk = None
            self._commits += 1
            if self._commits == power.after_commits:
                self.world.at(power.moment * self.world.random.random(), self.cut_power)
            return answer

        return commit

    def cut_power(self) -> None:
        """Take back what is not on disk, and stop the workers if the power was theirs as well."""
        self.world.note("power cut", "workers too" if self._power.takes_workers else "database")
        self.cuts += 1
        if self._on_disk is not None:
            self.restore(self._on_disk)
            self._on_disk = None
        if self._power.takes_workers:
            self.lose_workers()

    @property
    def may_lose_power(self) -> bool:
        """Whether this run has a power cut."""
        return self._power.after_commits > 0

    def picture(self) -> object:
        """All that is committed."""
        return [(row, dict(vars(row))) for row in self.rows], dict(self.slots), len(self.settled), len(self.ends)

    def restore(self, picture: object) -> None:
        """Make it what it was. Who waits for a row waits on."""
        rows, slots, settled, ends = picture
        for row, values in rows:
            vars(row).update(values | {"waiting": row.waiting})
        self.rows[:] = [row for row, _ in rows]
        self.slots, self.by_id = slots, {row.id: row for row, _ in rows}
        del self.settled[settled:], self.ends[ends:]

    def now(self) -> float:
        """The ledger's own clock, in seconds."""
        return self._offset + self.world.now * self._rate

    def _left(self, row: Row) -> float:
        return max(0.0, row.until - self.now()) if row.state is State.RUNNING else 0.0

    def at_work(self, row: Row) -> bool:
        """Whether somebody is: its lease has not run out."""
        return self._left(row) > 0

    def entry(self, row: Row) -> InitiationRecord:
        updated = _EPOCH + timedelta(seconds=row.updated)
        left, outcome = self._left(row), row.outcome
        return InitiationRecord(
            row.id,
            row.command,
            row.state,
            row.attempts,
            row.checkpoint,
            row.lease_owner,
            left,
            0,
            outcome,
            None,
            updated,
            _EPOCH + timedelta(seconds=row.ended) if row.ended else None,
        )

    def reached(self, name: str, what: str, effect: Callable[[], object]) -> object:
        world = self.world
        there, back = world.between(*self.legs), world.between(*self.legs)
        fate = world.mischief.operation(name)
        world.note("ledger", name, what, fate)
        world.tempt(there + back)
        call = Call(effect)
        if fate == mischief.DOWN:
            world.pause(there)
        else:
            world.send(call, there, back)
            world.park()
        if fate:
            world.troubled()
            raise LedgerUnavailable(f"{name}: {fate}")
        return call.answer
