"""The product with a part taken out of what makes it once: each must break a promise, or the simulation is weak."""

from collections.abc import Callable
from dataclasses import replace

from cobrowse.errors import ConversationNotActive, GenesysBadResponse, SessionNotIdentified
from cobrowse.flow import Attempt, Flow
from cobrowse.initiation import Initiation
from cobrowse.ledger import Acquired, Checkpoint, Lease, Ledger, lock_key_for
from cobrowse.model import Command, Outcome, Sessions, SessionState, SessionView, Status
from cobrowse.outcomes import outcome_of
from tests.simulation import mutant_ledgers
from tests.simulation.scenario import Mutant, run
from tests.simulation.stored import StoredLedger


class _Rowwise:
    """Flows whose steps are rewritten."""

    def __init__(self, flows) -> None:
        self._flows = flows
        self.newest_webchat = flows.newest_webchat
        self.sessions = flows.sessions
        self.ending, self.find_live, self.view = flows.ending, flows.find_live, flows.view

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


class _Assumes(_Rowwise):
    """What was started is there."""

    def __init__(self, flows) -> None:
        super().__init__(flows)
        self.view = lambda _attempt, _session: SessionView(SessionState.OFFERED)


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


class _JoinsWhatHasEnded(Initiation):
    """Who waited for a start and its end does not look whether the end has ended what it joins."""

    def _perform(self, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
        return super()._perform(mutant_ledgers.HidesEnds(ledger, acquired.ahead), attempt, acquired)


class _Unchecked(Initiation):
    """A session is made before anybody has checked what for."""

    def _perform(self, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
        attempt.command = replace(attempt.command, check_before_create=False)
        return super()._perform(ledger, attempt, acquired)


class _DoesItDry(Initiation):
    """A dry run is a run."""

    def preview(self, command: Command) -> Outcome:
        return self(command)


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


MUTANTS = (
    Mutant("no look before a repeat", "invited again", disguise=_Blind, shown_by=24),
    Mutant("a lost answer is a failure", "invited again", disguise=_Hasty, shown_by=24),
    Mutant("a session without a name is made again", "though it had", disguise=_Prolific, shown_by=2839),
    Mutant("no lease check", "another answer than", mutant_ledgers.AnyHolder, shown_by=24),
    Mutant("no unique key", "invited again", mutant_ledgers.NoUniqueKey, shown_by=888),
    Mutant("no commit before the call", "invited again", mutant_ledgers.NoCommitBeforeCall, shown_by=106),
    Mutant("no wait for the disk", "invited again", mutant_ledgers.NeverOnDisk, shown_by=209),
    Mutant("no look at the conversation", "was live", disguise=_Unmindful, shown_by=1),
    Mutant("no history", "was live", mutant_ledgers.NoHistory),
    Mutant("no history for who has a key", "was live", mutant_ledgers.NoHistoryWithAKey, shown_by=1),
    Mutant("a take-over that does not see whom it came after", "was live", mutant_ledgers.BlindTakeOver, shown_by=106),
    Mutant("a person who does not see who is at work", "was live", mutant_ledgers.BlindPerson, shown_by=79),
    Mutant("an open offer that is not heard of", "was live", mutant_ledgers.NoOffers, shown_by=5),
    Mutant("an invitation that is not seen stands nowhere", "was live", mutant_ledgers.NoUnseen, shown_by=6),
    Mutant("nobody waits for who is at work", "was live", mutant_ledgers.NoQueue, shown_by=6),
    Mutant("an agent who rings counts", "before an agent answered", disguise=_AnyAgent, shown_by=76),
    Mutant("a customer who has left counts", "who had left", disguise=_GoneOrNot, shown_by=18),
    Mutant("no check before a session is made", "that was over", initiation=_Unchecked, shown_by=342),
    Mutant("no limit to what is under way", "at once in", initiation=_NoLimit, shown_by=12),
    Mutant("a limit that comes after the claim", "after it had begun", initiation=_LimitAfterTheClaim, shown_by=12),
    Mutant("a start that joins what an end has ended", "known as ended", initiation=_JoinsWhatHasEnded, shown_by=1),
    Mutant(
        "a repeat that joins what an end has ended", "known as ended", mutant_ledgers.TellsOwnersOnly, shown_by=2165
    ),
    Mutant("an end that is not waited for first", "known as ended", mutant_ledgers.NewestFirst, shown_by=2308),
    Mutant("no time for the read after a wait", "which it was not", mutant_ledgers.ReadsUntilTheDeadline, shown_by=11),
    Mutant("a dry run that is a run", "a dry run that was none", initiation=_DoesItDry, shown_by=29),
    Mutant("a status that does not look", "which had ended", disguise=_Assumes, shown_by=201),
    Mutant("an ignored delivery that takes its key", "was ignored", initiation=_IgnoredOnRecord, shown_by=1),
    Mutant("links for who did not start it", "shown to", mutant_ledgers.LinksForAll, shown_by=4),
    Mutant("a lease shorter than the deadline", "though it had", mutant_ledgers.ShortLease, shown_by=118),
    Mutant("an answer kept otherwise than it was given", "another answer than", mutant_ledgers.Forgetful, shown_by=1),
    Mutant("an event beside its outcome", "without its event", mutant_ledgers.EventBeside),
    Mutant(
        "an event that is sent before it is on disk",
        "was received and is not on record",
        mutant_ledgers.NotOnDisk,
        shown_by=27,
    ),
    Mutant(
        "a callback that is marked before it is sent",
        "was never received",
        StoredLedger,
        sender=mutant_ledgers.MarksFirst,
        shown_by=2,
    ),
    Mutant("callbacks in any order", "out of order", mutant_ledgers.AnyOrder, shown_by=1),
)


# Seeds within which each mutant must be caught; the rarest is by one in some thousands.
ENOUGH = 6_000


def shows(mutant: Mutant, seed: int) -> bool:
    """Whether this seed leads to what the mutant must break."""
    return any(mutant.breaks in line for line in run(seed, mutant).violations)


def first_seed(mutant: Mutant) -> int | None:
    """The first seed that shows it."""
    return next((seed for seed in range(ENOUGH) if shows(mutant, seed)), None)
