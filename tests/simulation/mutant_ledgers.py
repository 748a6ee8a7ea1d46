"""Ledgers, and a sender of callbacks, with a part taken out: the mutants are made of them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from cobrowse.callbacks import Callback, Delivery
from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Acquired, Checkpoint, Claim, ClaimResult, InitiationRecord, Lease, Ledger
from cobrowse.model import Outcome
from cobrowse.waiting import MIN_READ_SECONDS
from integrations.callbacks.sender import CallbackSender
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.rows import Row
from tests.simulation.scheduler import Scheduler
from tests.simulation.stored import StoredLedger


class AnyHolder(SimulatedLedger):
    """No lease check: any former owner of a row may write to it."""

    def _held(self, lease: Lease) -> Row | None:
        return self.by_id.get(lease.id)


class NoUniqueKey(SimulatedLedger):
    """A key may be claimed by everybody."""

    def _holding(self, lock_key: str) -> Row | None:
        return None


class NoCommitBeforeCall(SimulatedLedger):
    """Only the end of an attempt is put on record."""

    def _claim(self, claim: Claim) -> ClaimResult:
        return super()._claim(replace(claim, checkpoint=Checkpoint()))

    def _begin(self, lease: Lease, checkpoint: Checkpoint) -> bool:
        return self._held(lease) is not None


class NeverOnDisk(SimulatedLedger):
    """No commit waits for the disk, not even the one that an invitation waits for."""

    def committing(self, effect: Callable[[], object], *, durable: bool) -> Callable[[], object]:
        return super().committing(effect, durable=False)


class NoHistory(SimulatedLedger):
    """What happened to a conversation before is nobody's business."""

    def _claim(self, claim: Claim) -> ClaimResult:
        claimed = super()._claim(claim)
        return replace(claimed, ahead=(), history=()) if isinstance(claimed, Acquired) else claimed


class NoHistoryWithAKey(NoHistory):
    """A key says enough: what happened to its conversation under another is nobody's business."""

    def _claim(self, claim: Claim) -> ClaimResult:
        return super()._claim(claim) if claim.command.key else SimulatedLedger._claim(self, claim)


class BlindTakeOver(SimulatedLedger):
    """Who is at work is known by the order of first claims, in which a take-over comes before whom it should see."""

    def _others(self, row: Row) -> tuple[list[Row], list[Row]]:
        ahead, history = super()._others(row)
        return [other for other in ahead if other.number < row.number], history


class BlindPerson(SimulatedLedger):
    """A person's retry does not see who is at work on the conversation."""

    def _reclaim(self, lease: Lease, lease_seconds: float, correlation: str) -> ClaimResult | None:
        claimed = super()._reclaim(lease, lease_seconds, correlation)
        return replace(claimed, ahead=(), history=()) if isinstance(claimed, Acquired) else claimed


class NoOffers(SimulatedLedger):
    """Nobody hears until when the customer can accept an offer."""

    def entry(self, row: Row) -> InitiationRecord:
        entry = super().entry(row)
        session = entry.checkpoint.session._replace(offer_ends="")
        return replace(entry, checkpoint=entry.checkpoint._replace(session=session))


class NoUnseen(SimulatedLedger):
    """What nothing shows stands nowhere: an invitation that Genesys took and nobody has seen is not heard of."""

    def _won(self, row: Row) -> Acquired:
        won = super()._won(row)
        return replace(won, history=tuple(replace(entry, outcome=None) for entry in won.history))


class NoQueue(SimulatedLedger):
    """Nobody waits for who is at work on the conversation."""

    def _won(self, row: Row) -> Acquired:
        won = super()._won(row)
        return replace(won, ahead=())


class LinksForAll(SimulatedLedger):
    """Every initiation counts as started by the caller that requests its session."""

    def _claim(self, claim: Claim) -> ClaimResult:
        claimed = super()._claim(claim)
        if not isinstance(claimed, Acquired):
            return claimed
        owned = [replace(entry.command, credential=claim.command.credential) for entry in claimed.history]
        history = tuple(replace(entry, command=of) for entry, of in zip(claimed.history, owned, strict=True))
        return replace(claimed, history=history)


class ShortLease(SimulatedLedger):
    """A lease ends before its holder's deadline does."""

    def _claim(self, claim: Claim) -> ClaimResult:
        return super()._claim(replace(claim, lease_seconds=claim.command.deadline_seconds / 4))


class Forgetful(SimulatedLedger):
    """The answer is not kept as it was given."""

    def _settle(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome) -> bool:
        return super()._settle(lease, checkpoint, replace(outcome, upstream_calls=0))


class HidesEnds:
    """A ledger that does not say of those leases that their sessions were ended."""

    def __init__(self, ledger: Ledger, leases: tuple[Lease, ...]) -> None:
        self._of = {lease.id for lease in leases}
        self._ledger = ledger
        self.wait, self.save_checkpoint, self.mark_ended = ledger.wait, ledger.save_checkpoint, ledger.mark_ended

    def read(self, initiation_id: str, *, seconds: float | None = None) -> InitiationRecord | None:
        entry = self._ledger.read(initiation_id, seconds=seconds)
        return replace(entry, ended=None) if entry is not None and entry.id in self._of else entry


class TellsOwnersOnly(SimulatedLedger):
    """Only who has a claim hears that a session was ended, not who waits for another's."""

    def read(self, initiation_id: str, *, seconds: float | None = None) -> InitiationRecord | None:
        entry, who = super().read(initiation_id, seconds=seconds), self._who_asks()
        hears = any(win.correlation == who for win in self.wins)
        return entry if hears or entry is None else replace(entry, ended=None)


class NewestFirst(SimulatedLedger):
    """Running initiations are waited for in the order of the rows, not the ends first."""

    def _others(self, row: Row) -> tuple[list[Row], list[Row]]:
        ahead, history = super()._others(row)
        return sorted(ahead, key=lambda other: -other.number), history


class ReadsUntilTheDeadline(SimulatedLedger):
    """The read after a wait has no more time than the wait has left."""

    def read(self, initiation_id: str, *, seconds: float | None = None) -> InitiationRecord | None:
        return super().read(initiation_id, seconds=0.0 if seconds == MIN_READ_SECONDS else seconds)


class EventBeside(StoredLedger):
    """The event of an outcome is written by a commit of its own, which may not come."""

    def _settle(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome) -> bool:
        self.store._adds_callbacks = self.world.random.random() < 0.9
        return super()._settle(lease, checkpoint, outcome)


class NotOnDisk(StoredLedger):
    """What is due is sent whether or not it is on disk."""

    def as_synced(self, effect: Callable[[], object]) -> Callable[[], object]:
        def unsynced() -> object:
            answer = effect()
            self.store._database.synced = False
            return answer

        return super().as_synced(unsynced)


class MarksFirst(CallbackSender):
    """A callback counts as delivered before it is."""

    def _send(self, callback: Callback) -> None:
        with suppress(LedgerUnavailable):
            self._outbox.mark(callback, Delivery.DELIVERED, 0.0, "")
        super()._send(callback)


class AnyOrder(StoredLedger):
    """Every event that is due is sent, whatever came before it."""

    def __init__(self, world: Scheduler, legs: tuple[float, float]) -> None:
        super().__init__(world, legs)
        table = self.store.callbacks
        table.due = lambda limit: [event for event in self.events() if event.state is Delivery.PENDING][::-1][:limit]
