"""The use case: claim a request, run its flow, complete it. A retry is replayed, joined or taken over."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from cobrowse.admission import Admission
from cobrowse.clock import Clock
from cobrowse.ending import end_session
from cobrowse.errors import CobrowseError, InProgress, InternalError, KeyReused, LedgerUnavailable
from cobrowse.execution import join_or_run
from cobrowse.flow import Attempt, Observer
from cobrowse.genesys import Genesys
from cobrowse.ledger import (
    Acquired,
    Checkpoint,
    Claim,
    InitiationRecord,
    Lease,
    LeaseLost,
    Ledger,
    NullLedger,
    lock_key_for,
    released_lock_key,
)
from cobrowse.model import Command, Outcome, Status
from cobrowse.outcomes import failure_outcome, final_outcome, outcome_of, replay_outcome, visible_session
from cobrowse.preview import preview_command
from cobrowse.waiting import STILL_RUNNING, applies_to_all_waiters, wait_for_owner

# Seconds a lease outlives its owner's deadline: by then a call cut by the deadline has ended and is recorded.
LEASE_MARGIN = 5.0
# Seconds that the end of an attempt may wait for the ledger at least: the customer may have been invited.
MIN_COMPLETION_SECONDS = 1.0
# Seconds between tries to put a success on record: its answer to retries and its callback are there only then.
COMPLETION_INTERVAL = 0.25

_INTERNAL_ERROR = "internal error"
_KEY_REUSED = "Idempotency-Key already used with a different request"


@dataclass(frozen=True, slots=True)
class Initiation:
    """Starts one session for a command: call it. Failures are part of the Outcome.

    `admission` limits the running initiations of this process.
    """

    genesys: Genesys
    ledger: Ledger
    clock: Clock
    new_id: Callable[[], str]
    lease_owner: str
    ledger_required: bool = True
    observers: tuple[Observer, ...] = ()
    admission: Admission = field(default_factory=Admission)

    def __call__(self, command: Command, *observers: Observer) -> Outcome:
        """Start the session or say why not. Raises KeyReused and InternalError; every other failure is an Outcome."""
        return self._answer(self._attempt(command, observers), self._start)

    def ignore(self, command: Command, reason: str) -> Outcome:
        """The outcome of an ignored delivery, with the reason. Nothing is recorded; its key stays unused."""
        attempt = self._attempt(command, ())
        outcome = outcome_of(attempt, Status.IGNORED, reason=reason)
        attempt.on_outcome(outcome)
        return outcome

    def preview(self, command: Command) -> Outcome:
        """The outcome the command would have: would_start, would_end, already_active, a recorded outcome, or its error.

        Reaches no customer and writes nothing. A live session counts as already_active, regardless of who started it.
        """
        look = partial(preview_command, self.genesys, self.ledger)
        return self._answer(self._attempt(command, ()), look)

    def retry(self, entry: InitiationRecord, deadline_seconds: float, correlation_id: str) -> Outcome:
        """A new attempt on a failed initiation's row, requested by an operator; otherwise the recorded outcome.

        It waits for a running initiation and checks the conversation first, as any request does. One that found
        no conversation is searched for again.
        """
        command = replace(
            entry.command,
            deadline_seconds=deadline_seconds,
            correlation_id=correlation_id,
            conversation_id=entry.conversation_id,
            reuse_live_session=True,
        )
        work = partial(self._retry, entry) if command.conversation_id else self._start
        return self._answer(self._attempt(command, ()), work, replays=False)

    def _attempt(self, command: Command, observers: tuple[Observer, ...]) -> Attempt:
        # A lease belongs to one attempt, not to one process: a slow thread must see that another took over from it.
        initiation_id = self.new_id()
        lease_owner = f"{self.lease_owner}/{initiation_id}"
        return Attempt(command, initiation_id, lease_owner, self.clock, (*self.observers, *observers))

    def _answer(self, attempt: Attempt, work: Callable[[Attempt], Outcome], *, replays: bool = True) -> Outcome:
        """The outcome, reported to the observers; where `replays`, a permanent one of its key without any work."""
        try:
            final = self._replay_if_final(attempt) if replays else None
            outcome = final or self._within_limit(attempt, work)
        except (KeyReused, InternalError):
            raise
        except CobrowseError as error:
            outcome = failure_outcome(attempt, error)
        attempt.on_outcome(outcome)
        return outcome

    def _within_limit(self, attempt: Attempt, work: Callable[[Attempt], Outcome]) -> Outcome:
        with self.admission:
            return work(attempt)

    def _replay_if_final(self, attempt: Attempt) -> Outcome | None:
        """The permanent outcome of this key, by one read; None if there is none."""
        command = attempt.command
        if not command.key:
            return None
        lock_key = lock_key_for(command, attempt.initiation_id)
        try:
            entry = self.ledger.find(lock_key, seconds=attempt.deadline.remaining())
        except LedgerUnavailable:
            if self.ledger_required:
                raise
            return None
        if entry is None:
            return None
        if entry.command.fingerprint != command.fingerprint:
            raise KeyReused(_KEY_REUSED)
        if not command.conversation_id:  # `latest` may mean another one by now
            attempt.command = replace(command, conversation_id=entry.command.conversation_id)
        return final_outcome(entry, command)

    def _start(self, attempt: Attempt) -> Outcome:
        """Claim the request and run it, or give the outcome of another attempt's run."""
        if not attempt.command.conversation_id and attempt.command.latest:
            found_none = self._find_latest(attempt)
            if found_none is not None:
                return found_none
        ledger: Ledger = self.ledger
        while True:
            lock_key = lock_key_for(attempt.command, attempt.initiation_id)
            flow = self.genesys.ending() if attempt.command.action == "end" else self.genesys.flow()
            claim = self._claim(attempt, lock_key, flow.initial_checkpoint(attempt.command.conversation_id))
            try:
                with attempt.commit("claim"):
                    claimed = ledger.claim(claim, seconds=attempt.deadline.remaining())
            except LedgerUnavailable:
                if self.ledger_required:
                    raise
                ledger = NullLedger()
                claimed = ledger.claim(claim)
            if isinstance(claimed, Acquired):
                return self._run_and_complete(ledger, attempt, claimed)
            if attempt.command.key and claimed.command.fingerprint != attempt.command.fingerprint:
                raise KeyReused(_KEY_REUSED)
            try:
                ended = wait_for_owner(ledger, claimed, attempt)
            except InProgress:
                attempt.initiation_id = claimed.id
                raise
            if ended is not None and (attempt.command.key or applies_to_all_waiters(ended)):
                return replay_outcome(ended, attempt)

    def _retry(self, entry: InitiationRecord, attempt: Attempt) -> Outcome:
        lease = attempt.command.deadline_seconds + LEASE_MARGIN
        with attempt.commit("claim"):
            owned = Lease(entry.id, attempt.lease_owner)
            claimed = self.ledger.reclaim(owned, lease, seconds=attempt.deadline.remaining())
        if isinstance(claimed, Acquired):
            return self._run_and_complete(self.ledger, attempt, claimed)
        ended = wait_for_owner(self.ledger, claimed, attempt)
        if ended is None:
            raise InProgress(STILL_RUNNING, retry_after=1)
        return replay_outcome(ended, attempt)

    def _claim(self, attempt: Attempt, lock_key: str, checkpoint: Checkpoint) -> Claim:
        command = attempt.command
        lease = command.deadline_seconds + LEASE_MARGIN
        return Claim(attempt.initiation_id, lock_key, attempt.lease_owner, command, lease, checkpoint)

    def _run_and_complete(self, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
        """Run the acquired initiation and complete it, also after an unexpected error."""
        attempt.initiation_id = acquired.entry.id
        attempt.number = acquired.entry.attempts
        if attempt.number > 1:
            attempt.checkpoint = acquired.entry.checkpoint
            # `latest` may mean another conversation by now.
            attempt.command = replace(attempt.command, conversation_id=acquired.entry.conversation_id)
        unhandled: Exception | None = None
        try:
            try:
                outcome = self._perform(ledger, attempt, acquired)
            except CobrowseError as error:
                outcome = failure_outcome(attempt, error)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001 - the row must not stay running for a bug: a retry continues it
                unhandled = error
                outcome = failure_outcome(attempt, InternalError(_INTERNAL_ERROR))
            self._complete(ledger, attempt, outcome)
        except LeaseLost:
            # Another worker took it over while we were slow; its outcome counts, if there is one by now.
            theirs = ledger.read(acquired.entry.id, seconds=_completion_timeout(attempt))
            if theirs is None:
                # No invitation can have gone out: what one stands on is not lost.
                raise LedgerUnavailable("the ledger came back from a crash without this request") from None
            ended = wait_for_owner(ledger, theirs, attempt)
            if ended is None:
                raise InProgress("another worker has taken this request over", retry_after=1) from None
            return replay_outcome(ended, attempt)
        if unhandled is not None:
            raise InternalError(_INTERNAL_ERROR) from unhandled
        if attempt.number > 1:
            return replace(outcome, session=visible_session(attempt.command, outcome.session, acquired.entry.command))
        return outcome

    def _complete(self, ledger: Ledger, attempt: Attempt, outcome: Outcome) -> None:
        """Put the outcome on record: a success as soon as the ledger is back, if that is in time."""
        while True:
            try:
                ledger.complete(attempt.lease, attempt.checkpoint, outcome, seconds=_completion_timeout(attempt))
            except LedgerUnavailable:
                if outcome.success and attempt.deadline.allows(COMPLETION_INTERVAL + MIN_COMPLETION_SECONDS):
                    attempt.clock.sleep(COMPLETION_INTERVAL)
                    continue
                # The session was started, and the caller must know. The lease expires; a retry checks and finds it.
            return

    def _perform(self, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
        if attempt.command.action == "end":
            return end_session(self.genesys, ledger, attempt, acquired)
        return join_or_run(self.genesys, ledger, attempt, acquired)

    def _find_latest(self, attempt: Attempt) -> Outcome | None:
        """Find the conversation before it is claimed. One that finds none has its row too, and leaves its key free."""
        try:
            with attempt.step("find"):
                found = self.genesys.newest_webchat(attempt)
        except CobrowseError as error:
            outcome = failure_outcome(attempt, error)
            claim = self._claim(attempt, released_lock_key(attempt.initiation_id), Checkpoint())
            with suppress(LeaseLost, LedgerUnavailable):  # nothing was started, so nothing is lost with the note of it
                if isinstance(self.ledger.claim(claim, seconds=_completion_timeout(attempt)), Acquired):
                    self._complete(self.ledger, attempt, outcome)
            return outcome
        attempt.command = replace(attempt.command, conversation_id=found)
        return None


def _completion_timeout(attempt: Attempt) -> float:
    return max(attempt.deadline.remaining(), MIN_COMPLETION_SECONDS)
