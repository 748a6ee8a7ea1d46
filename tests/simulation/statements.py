"""What the ledger's statements do, in memory: rows, who holds a key, and what was committed in which order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cobrowse.ledger import (
    Acquired,
    Checkpoint,
    Claim,
    ClaimResult,
    InitiationRecord,
    Lease,
    State,
    released_lock_key,
)
from cobrowse.model import Outcome
from cobrowse.outcomes import state_of
from tests.simulation.rows import Noted, Row, Settled, Win
from tests.simulation.scheduler import Scheduler

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_AGAIN = (State.FAILED_RETRYABLE, State.RUNNING)


class Statements:
    """Each does all of its work in one moment, by the ledger's clock, which has an offset and a rate of its own.

    `wins`, `settled` and `ends` are for the invariants: what was committed, in order. `told_ended`: when and to which
    delivery it said that a session is over, and of which row.
    """

    def __init__(self, world: Scheduler) -> None:
        self.world = world
        self.rows: list[Row] = []
        self.slots: dict[str, Row] = {}
        self.by_id: dict[str, Row] = {}
        self.wins: list[Win] = []
        self.settled: list[Settled] = []
        self.ends: list[Noted] = []
        self.told_ended: list[tuple[float, str, str]] = []
        random = world.random
        self._rate = random.choice((1.0, 1.0, 0.99, 1.01))
        self._offset = random.choice((0.0, 3600.0, 1e6))

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
        row.checkpoint, row.updated, row.ended = checkpoint, self.now(), None
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

    def _mark_ended(self, entry: InitiationRecord, correlation: str) -> None:
        row, world = self.by_id.get(entry.id), self.world
        if row is not None and row.ended is None:
            row.ended = self.now()
            win = next((win for win in reversed(self.wins) if win.correlation == correlation), None)
            awaited = win is not None and self.at_work(win.row) and win.row.attempts == win.attempt
            self.ends.append(Noted(world.now, row, entry.attempts, correlation, world.events, awaited))

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
        self.wins.append(Win(self.world.now, row, claim.command.correlation_id, 1, self.world.events))
        return row

    def _take(self, row: Row, lease_owner: str, lease_seconds: float, correlation: str) -> None:
        row.state, row.lease_owner, row.attempts = State.RUNNING, lease_owner, row.attempts + 1
        row.updated = self.now()
        row.until = row.updated + lease_seconds
        self.wins.append(Win(self.world.now, row, correlation, row.attempts, self.world.events))

    def _won(self, row: Row) -> Acquired:
        if not row.conversation:
            return Acquired(self.entry(row))
        ahead, history = self._others(row)
        holds = tuple(Lease(other.id, other.lease_owner) for other in ahead)
        return Acquired(self.entry(row), holds, tuple(map(self.entry, history)))

    def _others(self, row: Row) -> tuple[list[Row], list[Row]]:
        """Who else is at work on the conversation, ends first, and who may have invited; of each the newest first."""
        others = [other for other in reversed(self.rows) if other is not row and other.conversation == row.conversation]
        ahead = [other for other in others if self._left(other) > 0]
        invited = [other for other in others if other.checkpoint.may_have_notified and other.ended is None]
        ahead.sort(key=lambda other: other.command.action != "end")
        return ahead, [other for other in invited if not self._left(other)]

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
            _EPOCH + timedelta(seconds=row.ended) if row.ended is not None else None,
        )
