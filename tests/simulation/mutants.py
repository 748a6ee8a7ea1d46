"""The product with a part taken out of what makes it once: each must break a promise, or the simulation is weak."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from cobrowse.callbacks import Callback, Delivery
from cobrowse.errors import ConversationNotActive, GenesysBadResponse, LedgerUnavailable, SessionNotIdentified
from cobrowse.flow import Attempt, Flow
from cobrowse.initiation import Initiation
from cobrowse.ledger import (
    Acquired,
    Checkpoint,
    Claim,
    ClaimResult,
    InitiationRecord,
    Lease,
    Ledger,
    lock_key_for,
)
from cobrowse.model import Command, Outcome, Sessions, Status
from cobrowse.outcomes import outcome_of
from integrations.callbacks.sender import CallbackSender
from tests.simulation.ledger import Row, SimulatedLedger
from tests.simulation.scenario import Mutant
from tests.simulation.scheduler import Scheduler
from tests.simulation.stored import StoredLedger


class _Rowwise:
    """Flows whose steps are rewritten."""

    def __init__(self, flows) -> None:
        self._flows = flows
        self.newest_webchat = flows.newest_webchat
        self.sessions = flows.sessions
        self.ending, self.find_live = flows.ending, flows.find_live

    def flow(self, name: str = "") -> Flow:
        flow = self._flows.flow(name)
        return replace(flow, steps=tuple(self.rewritten(step) for step in flow.steps))

    def rewritten(self, step):
        return step


class _Blind(_Rowwise):
    """No look before a repeat: the probe says that nothing has happened."""

    def rewritten(self, step):
        return replace(step, probe=lambda _attempt: None) if step.probe else step


class _Hasty(_Rowwise):
    """A lost answer is taken for a failure that is certain, and whatever may have been begun is just done again."""

    def rewritten(self, step):
        return replace(step, probe=None)


class _Prolific(_Rowwise):
    """A created session that has no name is a failure like any other, and another one is made."""

    def rewritten(self, step):
        def run(attempt: Attempt):
            try:
                return step.run(attempt)
            except SessionNotIdentified as error:
                raise GenesysBadResponse(error.message) from None

        return replace(step, run=run) if step.name == "create" else step


class _Unmindful(_Rowwise):
    """Nobody looks at the conversation first."""

    def __init__(self, flows) -> None:
        super().__init__(flows)
        self.sessions = lambda _attempt: Sessions()


class _AnyHolder(SimulatedLedger):
    """No lease check: whoever once held a row may write to it."""

    def _held(self, lease: Lease) -> Row | None:
        return self.by_id.get(lease.id)


class _NoUniqueKey(SimulatedLedger):
    """A key may be claimed by everybody."""

    def _holding(self, lock_key: str) -> Row | None:
        return None


class _NoCommitBeforeCall(SimulatedLedger):
    """Only the end of an attempt is put on record."""

    def _claim(self, claim: Claim) -> ClaimResult:
        return super()._claim(replace(claim, checkpoint=Checkpoint()))

    def _begin(self, lease: Lease, checkpoint: Checkpoint) -> bool:
        return self._held(lease) is not None


class _NeverOnDisk(SimulatedLedger):
    """No commit waits for the disk, not even the one that an invitation waits for."""

    def committing(self, effect: Callable[[], object], *, durable: bool) -> Callable[[], object]:
        return super().committing(effect, durable=False)


class _NoHistory(SimulatedLedger):
    """What happened to a conversation before is nobody's business."""

    def _claim(self, claim: Claim) -> ClaimResult:
        claimed = super()._claim(claim)
        return replace(claimed, ahead=(), history=()) if isinstance(claimed, Acquired) else claimed


class _NoHistoryWithAKey(_NoHistory):
    """A key says enough: what happened to its conversation under another is nobody's business."""

    def _claim(self, claim: Claim) -> ClaimResult:
        return super()._claim(claim) if claim.command.key else SimulatedLedger._claim(self, claim)


class _BlindTakeOver(SimulatedLedger):
    """Who is at work is known by the order of first claims, in which a take-over comes before whom it should see."""

    def _others(self, row: Row) -> tuple[list[Row], list[Row]]:
        ahead, history = super()._others(row)
        return [other for other in ahead if other.number < row.number], history


class _BlindPerson(SimulatedLedger):
    """A person's retry does not see who is at work on the conversation."""

    def _reclaim(self, lease: Lease, lease_seconds: float, correlation: str) -> ClaimResult | None:
        claimed = super()._reclaim(lease, lease_seconds, correlation)
        return replace(claimed, ahead=(), history=()) if isinstance(claimed, Acquired) else claimed


class _NoOffers(SimulatedLedger):
    """Nobody hears until when the customer can accept an offer."""

    def entry(self, row: Row) -> InitiationRecord:
        entry = super().entry(row)
        session = entry.checkpoint.session._replace(offer_ends="")
        return replace(entry, checkpoint=entry.checkpoint._replace(session=session))


class _NoUnseen(SimulatedLedger):
    """What nothing shows stands nowhere: an invitation that Genesys took and nobody has seen is not heard of."""

    def _won(self, row: Row) -> Acquired:
        won = super()._won(row)
        return replace(won, history=tuple(replace(entry, outcome=None) for entry in won.history))


class _NoQueue(SimulatedLedger):
    """Nobody waits for who is at work on the conversation."""

    def _won(self, row: Row) -> Acquired:
        won = super()._won(row)
        return replace(won, ahead=())


class _AnyAgent(_Rowwise):
    """An agent whose telephone rings has answered."""

    def __init__(self, flows) -> None:
        super().__init__(flows)
        self.sessions = lambda attempt: replace(flows.sessions(attempt), unanswered="")


class _GoneOrNot(_Rowwise):
    """A conversation that can't have a session is one that has none."""

    def __init__(self, flows) -> None:
        super().__init__(flows)

        def sessions(attempt) -> Sessions:
            try:
                return flows.sessions(attempt)
            except ConversationNotActive:
                return Sessions()

        self.sessions = sessions


class _Unchecked(Initiation):
    """A session is made before anybody has checked what for."""

    def _perform(self, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
        attempt.command = replace(attempt.command, check_before_create=False)
        return super()._perform(ledger, attempt, acquired)


class _NoLimit(Initiation):
    """Whoever comes is let in."""

    def _within_limit(self, attempt: Attempt, work: Callable[[Attempt], Outcome]) -> Outcome:
        return work(attempt)


class _LimitAfterTheClaim(_NoLimit):
    """Who is one too many is refused once it has its row."""

    def _run_and_complete(self, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
        with self.admission:
            return super()._run_and_complete(ledger, attempt, acquired)


class _IgnoredOnRecord(Initiation):
    """An ignored delivery takes its key."""

    def ignore(self, command: Command, reason: str) -> Outcome:
        attempt = self._attempt(command, ())
        outcome = replace(outcome_of(attempt, Status.IGNORED), reason=reason)
        claimed = self.ledger.claim(self._claim(attempt, lock_key_for(command, attempt.initiation_id), Checkpoint()))
        if isinstance(claimed, Acquired):
            self.ledger.complete(Lease(claimed.entry.id, attempt.lease_owner), Checkpoint(), outcome)
        return outcome


class _LinksForAll(SimulatedLedger):
    """Every initiation counts as started by whoever asks for its session."""

    def _claim(self, claim: Claim) -> ClaimResult:
        claimed = super()._claim(claim)
        if not isinstance(claimed, Acquired):
            return claimed
        owned = [replace(entry.command, credential=claim.command.credential) for entry in claimed.history]
        history = tuple(replace(entry, command=of) for entry, of in zip(claimed.history, owned, strict=True))
        return replace(claimed, history=history)


class _ShortLease(SimulatedLedger):
    """A lease ends before its holder's deadline does."""

    def _claim(self, claim: Claim) -> ClaimResult:
        return super()._claim(replace(claim, lease_seconds=claim.command.deadline_seconds / 4))


class _Forgetful(SimulatedLedger):
    """The answer is not kept as it was given."""

    def _settle(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome) -> bool:
        return super()._settle(lease, checkpoint, replace(outcome, upstream_calls=0))


class _EventBeside(StoredLedger):
    """The event of an outcome is written by a commit of its own, which may not come."""

    def _settle(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome) -> bool:
        self.store._adds_callbacks = self.world.random.random() < 0.9
        return super()._settle(lease, checkpoint, outcome)


class _NotOnDisk(StoredLedger):
    """What is due is sent whether or not it is on disk."""

    def as_synced(self, effect: Callable[[], object]) -> Callable[[], object]:
        def unsynced() -> object:
            answer = effect()
            self.store._database.synced = False
            return answer

        return super().as_synced(unsynced)


class _MarksFirst(CallbackSender):
    """A callback counts as delivered before it is."""

    def _send(self, callback: Callback) -> None:
        with suppress(LedgerUnavailable):
            self._outbox.mark(callback, Delivery.DELIVERED, 0.0, "")
        super()._send(callback)


class _AnyOrder(StoredLedger):
    """Every event that is due is sent, whatever came before it."""

    def __init__(self, world: Scheduler, legs: tuple[float, float]) -> None:
        super().__init__(world, legs)
        table = self.store.callbacks
        table.due = lambda limit: [event for event in self.events() if event.state is Delivery.PENDING][::-1][:limit]


MUTANTS = (
    Mutant("no look before a repeat", "invited again", disguise=_Blind),
    Mutant("a lost answer is a failure", "invited again", disguise=_Hasty),
    Mutant("a session without a name is made again", "though it had", disguise=_Prolific, shown_by=902),
    Mutant("no lease check", "another answer than", _AnyHolder),
    Mutant("no unique key", "invited again", _NoUniqueKey, shown_by=888),
    Mutant("no commit before the call", "invited again", _NoCommitBeforeCall, shown_by=200),
    Mutant("no wait for the disk", "invited again", _NeverOnDisk, shown_by=173),
    Mutant("no look at the conversation", "was live", disguise=_Unmindful),
    Mutant("no history", "was live", _NoHistory),
    Mutant("no history for who has a key", "was live", _NoHistoryWithAKey),
    Mutant("a take-over that does not see whom it came after", "was live", _BlindTakeOver, shown_by=483),
    Mutant("a person who does not see who is at work", "was live", _BlindPerson, shown_by=642),
    Mutant("an open offer that is not heard of", "was live", _NoOffers),
    Mutant("an invitation that is not seen stands nowhere", "was live", _NoUnseen),
    Mutant("nobody waits for who is at work", "was live", _NoQueue),
    Mutant("an agent who rings counts", "before an agent answered", disguise=_AnyAgent),
    Mutant("a customer who has left counts", "who had left", disguise=_GoneOrNot),
    Mutant("no check before a session is made", "that was over", initiation=_Unchecked),
    Mutant("no limit to what is under way", "at once in", initiation=_NoLimit),
    Mutant("a limit that comes after the claim", "after it had begun", initiation=_LimitAfterTheClaim),
    Mutant("an ignored delivery that takes its key", "was ignored", initiation=_IgnoredOnRecord),
    Mutant("links for who did not start it", "shown to", _LinksForAll),
    Mutant("a lease shorter than the deadline", "though it had", _ShortLease, shown_by=118),
    Mutant("an answer kept otherwise than it was given", "another answer than", _Forgetful),
    Mutant("an event beside its outcome", "without its event", _EventBeside),
    Mutant("an event that is sent before it is on disk", "was received and is not on record", _NotOnDisk),
    Mutant("a callback that is marked before it is sent", "was never received", StoredLedger, sender=_MarksFirst),
    Mutant("callbacks in any order", "out of order", _AnyOrder),
)
