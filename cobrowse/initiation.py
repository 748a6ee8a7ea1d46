"""The use case: claim a request, run its flow, settle it; a repeat is answered, joined or taken over, never doubled."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from cobrowse.admission import Admission
from cobrowse.clock import Clock
from cobrowse.errors import AgentNotConnected, CobrowseError, InProgress, InternalError, KeyReused, LedgerUnavailable
from cobrowse.flow import Attempt, Flow, FlowUnavailable, Observer, run
from cobrowse.ledger import (
    Claim,
    Differs,
    Entry,
    LeaseLost,
    Ledger,
    NoLedger,
    Progress,
    Won,
    released_slot,
    slot_of,
)
from cobrowse.model import Command, Outcome, Session, Sessions, Status
from cobrowse.outcomes import answer_of, failed, joined, outcome_of, repeated, shown_to, state_of
from cobrowse.standing import already_active
from cobrowse.waiting import ahead_of, awaited, is_for_all

# Seconds a lease outlives its holder's deadline: a call that the deadline cut has ended by then, its answer is written.
LEASE_MARGIN = 5.0
# Seconds that the end of an attempt may wait for the ledger at least: the customer may have been invited.
SETTLE_AT_LEAST = 1.0
# Seconds: whoever is at work is asked for in every claim, also where REPEAT_WINDOW is 0.
SHORTEST_WINDOW = 0.001

_BUG = "a fault inside the service"
_REUSED = "this Idempotency-Key came before with a different request"


class Genesys(Protocol):
    """What the heart asks of Genesys Cloud."""

    def flow(self, name: str = "") -> Flow:
        """The flow of that name, else the one in force for this org."""

    def sessions(self, attempt: Attempt) -> Sessions:
        """The conversation's cobrowse sessions. ConversationError if it can't have one."""

    def newest_webchat(self, attempt: Attempt) -> str:
        """The id of the newest active webchat. NoActiveConversation if there is none."""


@dataclass(frozen=True, slots=True)
class Initiation:
    """Starts one session for a command: call it. What goes wrong on the way is part of the Outcome.

    `repeat_window` (seconds): how far back an earlier invitation to the conversation is looked for. `admission` bounds
    what is under way in this process.
    """

    genesys: Genesys
    ledger: Ledger
    clock: Clock
    new_id: Callable[[], str]
    holder: str
    repeat_window: float = 600.0
    ledger_required: bool = True
    observers: tuple[Observer, ...] = ()
    admission: Admission = field(default_factory=Admission)

    def __call__(self, command: Command, *observers: Observer) -> Outcome:
        """Start the session or say why not. Raises KeyReused and InternalError; every other failure is an Outcome."""
        attempt = self._attempt(command, observers)
        return self._observed(attempt, lambda: self._kept(attempt) or self._admitted(attempt, self._answered))

    def ignore(self, command: Command, reason: str) -> Outcome:
        """Say that this delivery starts nothing, and why. Nothing is put on record: its key stays free."""
        attempt = self._attempt(command, ())
        return self._observed(attempt, lambda: replace(outcome_of(attempt, Status.IGNORED), note=reason))

    def run_again(self, entry: Entry, deadline_seconds: float, correlation_id: str) -> Outcome:
        """A new attempt on a failed initiation's own row, asked for by a person; an ended one's answer otherwise.

        It waits for whoever is at work on the conversation, and looks at it first, as any request does. One that found
        no conversation is asked for anew.
        """
        conversation_id = entry.progress.session.conversation_id or entry.command.conversation_id
        failure = entry.outcome.failure if entry.outcome is not None else None
        rang = failure is not None and failure.code == AgentNotConnected.code
        command = replace(
            entry.command,
            start_when="agent_connected" if rang else entry.command.start_when,
            deadline_seconds=deadline_seconds,
            correlation_id=correlation_id,
            conversation_id=conversation_id,
            check_first=True,
        )
        attempt = self._attempt(command, ())
        work = (lambda attempt: self._reclaimed(attempt, entry)) if conversation_id else self._answered
        return self._observed(attempt, lambda: self._admitted(attempt, work))

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

    def _admitted(self, attempt: Attempt, work: Callable[[Attempt], Outcome]) -> Outcome:
        with self.admission.one():
            return work(attempt)

    def _kept(self, attempt: Attempt) -> Outcome | None:
        """The answer that this key has for good, by one read."""
        command = attempt.command
        if not command.key:
            return None
        slot = slot_of(command, attempt.initiation_id)
        try:
            entry = self.ledger.find(slot, seconds=attempt.deadline.remaining())
        except LedgerUnavailable:
            if self.ledger_required:
                raise
            return None
        if entry is None:
            return None
        if entry.command.fingerprint != command.fingerprint:
            raise KeyReused(_REUSED)
        if not command.conversation_id:  # `latest` may mean another one by now
            attempt.command = replace(command, conversation_id=entry.command.conversation_id)
        return answer_of(entry)

    def _answered(self, attempt: Attempt) -> Outcome:
        if not attempt.command.conversation_id and attempt.command.latest:
            found_none = self._searched(attempt)
            if found_none is not None:
                return found_none
        ledger, claimed = self._claimed(attempt)
        if isinstance(claimed, Outcome):
            return claimed
        return self._worked(ledger, attempt, claimed)

    def _reclaimed(self, attempt: Attempt, entry: Entry) -> Outcome:
        claimed = self.ledger.reclaim(
            entry.id,
            attempt.holder,
            attempt.command.deadline_seconds + LEASE_MARGIN,
            self._window,
            seconds=attempt.deadline.remaining(),
        )
        if isinstance(claimed, Won):
            return self._worked(self.ledger, attempt, claimed)
        ended = awaited(self.ledger, claimed.entry, attempt) if claimed is not None else None
        if ended is None:
            raise InProgress("this initiation is being worked on", retry_after=1)
        return repeated(ended, attempt)

    @property
    def _window(self) -> float:
        return max(self.repeat_window, SHORTEST_WINDOW)

    def _claim(self, attempt: Attempt, slot: str, progress: Progress) -> Claim:
        command = attempt.command
        lease = command.deadline_seconds + LEASE_MARGIN
        return Claim(attempt.initiation_id, slot, attempt.holder, command, lease, progress, self._window)

    def _claimed(self, attempt: Attempt) -> tuple[Ledger, Won | Outcome]:
        """Ours to do, or the answer that somebody else's run gives."""
        while True:
            slot = slot_of(attempt.command, attempt.initiation_id)
            claim = self._claim(attempt, slot, self.genesys.flow().first_effect(attempt.command.conversation_id))
            try:
                claimed = self.ledger.claim(claim, seconds=attempt.deadline.remaining())
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
                ended = awaited(self.ledger, claimed.entry, attempt)
            except InProgress:
                attempt.initiation_id = claimed.entry.id
                raise
            if ended is not None and (attempt.command.key or is_for_all(ended)):
                return self.ledger, repeated(ended, attempt)

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
            theirs = ledger.read(won.entry.id, seconds=_to_settle(attempt))
            if theirs is None:
                # No invitation can have gone out: what one stands on is not lost.
                raise LedgerUnavailable("the ledger came back from a crash without this request") from None
            ended = awaited(ledger, theirs, attempt)
            if ended is None:
                raise InProgress("another worker has taken this request over", retry_after=1) from None
            return repeated(ended, attempt)
        if bug is not None:
            raise InternalError(_BUG) from bug
        return outcome

    def _settle(self, ledger: Ledger, attempt: Attempt, outcome: Outcome) -> None:
        state, seconds = state_of(outcome), _to_settle(attempt)
        try:
            ledger.settle(attempt.initiation_id, attempt.holder, state, attempt.progress, outcome, seconds=seconds)
        except LedgerUnavailable:
            # It happened all the same, and the caller must know. The row's lease runs out; a repeat looks and finds it.
            return

    def _ran(self, ledger: Ledger, attempt: Attempt, won: Won) -> Outcome:
        earlier, may_be_there = won.previous, won.previous is not None and (bool(won.history) or not won.previous.held)
        for hold in ahead_of(won):
            entry = earlier if earlier is not None and earlier.id == hold.id else None
            entry = entry or ledger.read(hold.id, seconds=attempt.deadline.remaining())
            ended = awaited(ledger, entry, attempt, hold.holder)
            if ended is not None and is_for_all(ended):
                return self._joined(attempt, ended)
            # One that has not ended died, or is at work anew; either may have invited the customer before that.
            may_be_there = may_be_there or ended is None or ended.progress.invited
        # One whose invitation is out is settled by its flow's own probe.
        if may_be_there or (_looks_first(attempt.command) and not attempt.progress.invited):
            active = already_active(attempt, won, lambda: self.genesys.sessions(attempt))
            if active is not None:
                return active
        # What continues an earlier attempt puts its own call on record even where the row already tells of one: a claim
        # that a power cut took back must not send anything out.
        self._flowed(ledger, attempt, won.entry.progress if attempt.number == 1 else Progress())
        return outcome_of(attempt, Status.INITIATED if attempt.session.verified else Status.UNVERIFIED)

    def _joined(self, attempt: Attempt, ended: Entry) -> Outcome:
        outcome = replace(joined(ended, attempt), initiation_id=attempt.initiation_id)
        if outcome.success:
            session = shown_to(attempt.command, ended.progress.session, ended.command)
            attempt.progress = replace(attempt.progress, flow=outcome.flow, session=session)
        return outcome

    def _flowed(self, ledger: Ledger, attempt: Attempt, recorded: Progress) -> None:
        """Run the flow in force; once the org turns out not to have its endpoint, the other one."""

        def begin(progress: Progress) -> None:
            ledger.begin(attempt.initiation_id, attempt.holder, progress, seconds=attempt.deadline.remaining())

        attempt.learn({"conversation_id": attempt.command.conversation_id})
        while True:
            flow = self.genesys.flow(attempt.progress.flow)
            attempt.progress = replace(attempt.progress, flow=flow.name)
            try:
                return run(flow, attempt, recorded, begin)
            except FlowUnavailable:
                attempt.progress = Progress(session=Session(conversation_id=attempt.command.conversation_id))

    def _searched(self, attempt: Attempt) -> Outcome | None:
        """Find the conversation before it is claimed. One that finds none has its row too, and leaves its key free."""
        try:
            with attempt.step("find"):
                found = self.genesys.newest_webchat(attempt)
        except CobrowseError as error:
            outcome = failed(attempt, error)
            claim = self._claim(attempt, released_slot(attempt.initiation_id), Progress())
            with suppress(LeaseLost, LedgerUnavailable):  # nothing was started, so nothing is lost with the note of it
                if isinstance(self.ledger.claim(claim, seconds=_to_settle(attempt)), Won):
                    self._settle(self.ledger, attempt, outcome)
            return outcome
        attempt.command = replace(attempt.command, conversation_id=found)
        return None


def _looks_first(command: Command) -> bool:
    """Whether the conversation is looked at before the flow: what calls from within a conversation need not ask."""
    return command.check_first or command.start_when == "agent_connected"


def _to_settle(attempt: Attempt) -> float:
    return max(attempt.deadline.remaining(), SETTLE_AT_LEAST)
