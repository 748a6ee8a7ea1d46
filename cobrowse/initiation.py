"""The use case: claim a request, run its flow, settle it; a repeat is answered, joined or taken over, never doubled."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from cobrowse.clock import Clock
from cobrowse.errors import CobrowseError, InProgress, InternalError, KeyReused, LedgerUnavailable
from cobrowse.flow import PATIENCE, Attempt, Flow, FlowUnavailable, Observer, looked, run
from cobrowse.ledger import (
    Claim,
    Differs,
    Entry,
    LeaseLost,
    Ledger,
    NoLedger,
    Progress,
    State,
    Won,
    released_slot,
    slot_of,
)
from cobrowse.model import Command, Outcome, Session, Status
from cobrowse.outcomes import failed, outcome_of, repeated, state_of

# Seconds a lease outlives its holder's deadline: a call that the deadline cut has ended by then, its answer is written.
LEASE_MARGIN = 5.0

_BUG = "a fault inside the service"
_REUSED = "this Idempotency-Key came before with a different request"


class Genesys(Protocol):
    """What the heart asks of Genesys Cloud."""

    def flow(self, name: str = "") -> Flow:
        """The flow of that name, else the one in force for this org."""

    def live_sessions(self, attempt: Attempt) -> tuple[Session, ...]:
        """The conversation's live cobrowse sessions. ConversationError if it can't have one."""

    def newest_webchat(self, attempt: Attempt) -> str:
        """The id of the newest active webchat. NoActiveConversation if there is none."""


@dataclass(frozen=True, slots=True)
class Initiation:
    """Starts one session for a command: call it. What goes wrong on the way is part of the Outcome.

    `repeat_window` (seconds): how long a keyless repeat for a conversation is answered with the session it has.
    """

    genesys: Genesys
    ledger: Ledger
    clock: Clock
    new_id: Callable[[], str]
    holder: str
    repeat_window: float = 600.0
    ledger_required: bool = True
    observers: tuple[Observer, ...] = ()

    def __call__(self, command: Command, *observers: Observer) -> Outcome:
        """Start the session or say why not. Raises KeyReused and InternalError; every other failure is an Outcome."""
        attempt = self._attempt(command, observers)
        return self._observed(attempt, lambda: self._answered(attempt))

    def ignore(self, command: Command, reason: str) -> Outcome:
        """Put on record that this delivery starts nothing, and why. Raises KeyReused."""
        attempt = self._attempt(command, ())
        return self._observed(attempt, lambda: self._ignored(attempt, reason))

    def run_again(self, entry: Entry, deadline_seconds: float, correlation_id: str) -> Outcome:
        """A new attempt on a failed initiation's own row, asked for by a person; an ended one's answer otherwise.

        The conversation is looked at first: the sender's own retry may have started a session by now.
        """
        command = replace(
            entry.command, deadline_seconds=deadline_seconds, correlation_id=correlation_id, check_first=True
        )
        attempt = self._attempt(command, ())
        return self._observed(attempt, lambda: self._reclaimed(attempt, entry))

    def _attempt(self, command: Command, observers: tuple[Observer, ...]) -> Attempt:
        # A lease belongs to one attempt, not to one process: a slow thread must see that another took over from it.
        initiation_id = self.new_id()
        holder = f"{self.holder}/{initiation_id}"
        return Attempt(command, initiation_id, holder, self.clock, (*self.observers, *observers))

    def _observed(self, attempt: Attempt, work: Callable[[], Outcome]) -> Outcome:
        try:
            outcome = work()
        except (KeyReused, InternalError):
            raise
        except CobrowseError as error:
            outcome = failed(attempt, error)
        attempt.finished(outcome)
        return outcome

    def _answered(self, attempt: Attempt) -> Outcome:
        if attempt.command.latest and not attempt.command.key:
            self._find_on_record(attempt)
        ledger, claimed = self._claimed(attempt)
        if isinstance(claimed, Outcome):
            return claimed
        return self._worked(ledger, attempt, claimed)

    def _ignored(self, attempt: Attempt, reason: str) -> Outcome:
        keyed = attempt.command.key
        slot = slot_of(attempt.command, attempt.initiation_id) if keyed else released_slot(attempt.initiation_id)
        outcome = replace(outcome_of(attempt, Status.IGNORED), note=reason)
        try:
            claimed = self.ledger.claim(self._claim(attempt, slot, Progress()))
            if isinstance(claimed, Differs):
                raise KeyReused(_REUSED)
            entry = claimed.entry
            outcome = replace(outcome, initiation_id=entry.id, attempts=entry.attempts)
            if isinstance(claimed, Won):
                self.ledger.settle(entry.id, attempt.holder, State.IGNORED, Progress(), outcome)
            elif entry.outcome is not None and entry.state is not State.RUNNING:
                return repeated(entry, attempt)
        except (LedgerUnavailable, LeaseLost):
            pass  # nothing was started, so nothing can be doubled by not remembering it
        return outcome

    def _reclaimed(self, attempt: Attempt, entry: Entry) -> Outcome:
        claimed = self.ledger.reclaim(entry.id, attempt.holder, attempt.command.deadline_seconds + LEASE_MARGIN)
        if isinstance(claimed, Won):
            return self._worked(self.ledger, attempt, claimed)
        settled = self._awaited(self.ledger, claimed.entry, attempt) if claimed is not None else None
        if settled is None:
            raise InProgress("this initiation is being worked on", retry_after=1)
        return repeated(settled, attempt)

    def _claim(self, attempt: Attempt, slot: str, progress: Progress) -> Claim:
        command = attempt.command
        lease = command.deadline_seconds + LEASE_MARGIN
        window = self.repeat_window if not command.key or command.check_first else 0.0
        return Claim(attempt.initiation_id, slot, attempt.holder, command, lease, progress, window)

    def _claimed(self, attempt: Attempt) -> tuple[Ledger, Won | Outcome]:
        """Ours to do, or the answer that somebody else's run gives."""
        while True:
            slot = slot_of(attempt.command, attempt.initiation_id)
            claim = self._claim(attempt, slot, self.genesys.flow().first_effect(attempt.command.conversation_id))
            try:
                claimed = self.ledger.claim(claim)
            except LedgerUnavailable:
                if self.ledger_required:
                    raise
                ledger = NoLedger()
                return ledger, ledger.claim(claim)
            if isinstance(claimed, Won):
                return self.ledger, claimed
            if isinstance(claimed, Differs):
                raise KeyReused(_REUSED)
            try:
                settled = self._awaited(self.ledger, claimed.entry, attempt)
            except InProgress:
                attempt.initiation_id = claimed.entry.id
                raise
            if settled is not None:
                return self.ledger, repeated(settled, attempt)

    def _awaited(self, ledger: Ledger, entry: Entry, attempt: Attempt) -> Entry | None:
        """The entry once it has ended; None when its holder died or it is gone, so that it can be claimed."""
        current: Entry | None = entry
        while current is not None and current.held:
            left = attempt.deadline.remaining()
            if left <= 0:
                raise InProgress("the first delivery of this request is still running", retry_after=current.lease_left)
            ledger.wait(current.id, min(left, current.lease_left))
            current = ledger.read(current.id)
        return current if current is not None and current.outcome and current.state is not State.RUNNING else None

    def _worked(self, ledger: Ledger, attempt: Attempt, won: Won) -> Outcome:
        """Run what was won and settle it, whatever comes."""
        attempt.initiation_id = won.entry.id
        attempt.number = won.entry.attempts
        if attempt.number > 1:
            attempt.progress = won.entry.progress
            # `latest` may mean another conversation by now.
            known = attempt.session.conversation_id or won.entry.command.conversation_id
            attempt.command = replace(attempt.command, conversation_id=known)
        bug: Exception | None = None
        try:
            try:
                outcome = self._ran(ledger, attempt, won)
            except CobrowseError as error:
                outcome = failed(attempt, error)
            except LeaseLost:
                raise
            except Exception as fault:  # noqa: BLE001 - the row must not stay running for a bug: a repeat goes on from it
                bug = fault
                outcome = failed(attempt, InternalError(_BUG))
            self._settle(ledger, attempt, outcome)
        except LeaseLost:
            # Somebody took it over while we were slow; theirs is the answer, if they have one by now.
            theirs = ledger.read(won.entry.id)
            if theirs is None:
                # No invitation can have gone out: what one stands on is not lost.
                raise LedgerUnavailable("the ledger came back from a crash without this request") from None
            settled = self._awaited(ledger, theirs, attempt)
            if settled is None:
                raise InProgress("another worker has taken this request over", retry_after=1) from None
            return repeated(settled, attempt)
        if bug is not None:
            raise InternalError(_BUG) from bug
        return outcome

    def _settle(self, ledger: Ledger, attempt: Attempt, outcome: Outcome) -> None:
        try:
            ledger.settle(attempt.initiation_id, attempt.holder, state_of(outcome), attempt.progress, outcome)
        except LedgerUnavailable:
            # It happened all the same, and the caller must know. The row's lease runs out; a repeat looks and finds it.
            return

    def _ran(self, ledger: Ledger, attempt: Attempt, won: Won) -> Outcome:
        if not attempt.command.conversation_id:
            self._find(attempt)
        earlier = won.previous
        if earlier is not None and earlier.held:
            settled = self._awaited(ledger, earlier, attempt)
            if settled is not None:
                joined = replace(repeated(settled, attempt), initiation_id=attempt.initiation_id)
                if joined.success:
                    attempt.progress = replace(attempt.progress, flow=joined.flow, session=settled.progress.session)
                return joined
        # An earlier one that was at work and has not ended died, and may have invited the customer before that.
        if earlier is not None or (attempt.command.check_first and not attempt.progress.invited):
            active = self._already_active(attempt, won)
            if active is not None:
                return active
        # What continues an earlier attempt puts its own call on record even where the row already tells of one: a claim
        # that a power cut took back must not send anything out.
        self._flowed(ledger, attempt, won.entry.progress if attempt.number == 1 else Progress())
        return outcome_of(attempt, Status.INITIATED if attempt.session.verified else Status.UNVERIFIED)

    def _already_active(self, attempt: Attempt, won: Won) -> Outcome | None:
        """The answer for a conversation that has what was asked for. Starts nothing.

        Any live session will do: the earlier one is only the newest of those that may be behind it. This initiation's
        own is left to the flow, which knows more of it than the conversation shows.
        """
        with attempt.step("check"):
            if _may_show_yet(won):
                live = looked(attempt, lambda: self.genesys.live_sessions(attempt) or None, "the earlier session") or ()
            else:
                live = self.genesys.live_sessions(attempt)
        mine = attempt.session
        if not live or (mine.cobrowse_session_id and any(_same(session, mine) for session in live)):
            return None
        known = won.previous.progress.session if won.previous is not None else None
        ours = next((session for session in live if _same(session, known)), live[0])
        if known is not None and known.cobrowse_session_id and _same(ours, known):
            ours = replace(known, state=ours.state, viewer_url=known.viewer_url or ours.viewer_url)
        session = replace(ours, conversation_id=attempt.command.conversation_id, verified=True)
        attempt.progress = replace(attempt.progress, session=session)
        return outcome_of(attempt, Status.ALREADY_ACTIVE)

    def _flowed(self, ledger: Ledger, attempt: Attempt, recorded: Progress) -> None:
        """Run the flow in force; once the org turns out not to have its endpoint, the other one."""

        def begin(progress: Progress) -> None:
            ledger.begin(attempt.initiation_id, attempt.holder, progress)

        attempt.learn({"conversation_id": attempt.command.conversation_id})
        while True:
            flow = self.genesys.flow(attempt.progress.flow)
            attempt.progress = replace(attempt.progress, flow=flow.name)
            try:
                return run(flow, attempt, recorded, begin)
            except FlowUnavailable:
                attempt.progress = Progress(session=Session(conversation_id=attempt.command.conversation_id))

    def _find_on_record(self, attempt: Attempt) -> None:
        """Find the conversation before claiming it; a request that finds none still gets its row."""
        try:
            self._find(attempt)
        except CobrowseError as error:
            claimed = self.ledger.claim(self._claim(attempt, released_slot(attempt.initiation_id), Progress()))
            if isinstance(claimed, Won):
                with suppress(LeaseLost):  # nothing was started, so nothing is lost with the note of it
                    self._settle(self.ledger, attempt, failed(attempt, error))
            raise

    def _find(self, attempt: Attempt) -> None:
        with attempt.step("find"):
            found = self.genesys.newest_webchat(attempt)
        attempt.command = replace(attempt.command, conversation_id=found)


def _may_show_yet(won: Won) -> bool:
    """Whether the earlier initiation is so young, by the ledger's clock, that its session may have yet to show."""
    earlier = won.previous
    if earlier is None or earlier.progress.session.verified:
        return False
    if earlier.updated is None or won.entry.updated is None:
        return True
    return (won.entry.updated - earlier.updated).total_seconds() < sum(PATIENCE)


def _same(live: Session, known: Session | None) -> bool:
    """Whether a live session is the known one; one whose answer was lost has no id, and any live one may be it."""
    if known is None:
        return False
    return not known.cobrowse_session_id or known.cobrowse_session_id in (live.cobrowse_session_id, live.media_id)
