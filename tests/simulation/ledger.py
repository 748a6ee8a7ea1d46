"""A simulated ledger: the protocol's contract in memory, behind a line to it that can fail, and its power."""

from collections.abc import Callable
from random import Random

from cobrowse.callbacks import Callback
from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Checkpoint, Claim, ClaimResult, InitiationRecord, Lease, LeaseLost, State
from cobrowse.model import Outcome
from cobrowse.outcomes import state_of
from tests.simulation import mischief
from tests.simulation.rows import PowerCut
from tests.simulation.scheduler import Call, Scheduler
from tests.simulation.statements import Statements


class SimulatedLedger(Statements):
    """Survives every worker, and a power cut as far as the protocol says. `cuts` counts the power cuts.

    `failed`: it was once out of reach, or its answer was lost.

    A mutant overrides what one of its statements does.
    """

    def __init__(self, world: Scheduler, legs: tuple[float, float]) -> None:
        super().__init__(world)
        self.legs = legs
        self.cuts = 0
        self.failed = False
        self.lose_workers: Callable[[], None] = lambda: None
        self._power = PowerCut(world.seed)
        # Else who waits finds out by reading again after a moment, as across processes.
        self._notifies = Random(f"notifies {world.seed}").random() < 0.7
        self._commits = 0
        # What a power cut leaves; None as long as that is everything.
        self._on_disk: object = None

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
        correlation = self._who_asks()

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
        correlation = self._who_asks()
        effect = self.committing(lambda: self._mark_ended(entry, correlation), durable=False)
        self.reached("mark ended", entry.id, effect)

    def read(self, initiation_id: str, *, seconds: float | None = None) -> InitiationRecord | None:
        entry = self.reached("read", initiation_id, lambda: self._read(initiation_id), seconds)
        if entry is not None and entry.ended is not None:
            self.told_ended.append((self.world.now, self._who_asks(), entry.id))
        return entry

    def wait(self, initiation_id: str, seconds: float) -> None:
        row, world = self.by_id.get(initiation_id), self.world
        # At least a millisecond: what is left of a lease can be less than what the clock can count.
        moment = max(min(seconds, world.between(0.05, 2.0)), 0.001)
        world.tempt(moment)
        actor = world.alive()
        if row is not None and row.state is State.RUNNING and self._notifies:
            row.waiting.append(actor)
        world.park(moment)
        if row is not None and actor in row.waiting:
            row.waiting.remove(actor)

    def _who_asks(self) -> str:
        """The correlation id of the delivery that the current actor is at work on: a worker's actors are named so."""
        return self.world.alive().name.rpartition("/")[2]

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

    def reached(self, name: str, what: str, effect: Callable[[], object], seconds: float | None = None) -> object:
        """The effect's value, from behind the line. One that may take so many `seconds` is not sent with less time."""
        world = self.world
        there, back = world.between(*self.legs), world.between(*self.legs)
        fate = world.mischief.operation(name)
        if seconds is not None and there + back >= seconds:
            world.note("ledger", name, what, "too late")
            raise LedgerUnavailable(f"{name}: no time is left")
        world.note("ledger", name, what, fate)
        world.tempt(there + back)
        call = Call(effect)
        if fate == mischief.DOWN:
            world.pause(there)
        else:
            world.send(call, there, back)
            world.park()
        if fate:
            self.failed = True
            world.troubled()
            raise LedgerUnavailable(f"{name}: {fate}")
        return call.answer
