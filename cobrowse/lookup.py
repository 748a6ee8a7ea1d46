"""Status of an initiation: looked up among the caller's own, and on request checked in its conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from cobrowse.clock import Clock
from cobrowse.ending import can_end
from cobrowse.errors import InitiationNotFound, InProgress
from cobrowse.existing_session import offer_is_open
from cobrowse.flow import Attempt, Observer
from cobrowse.genesys import Genesys
from cobrowse.ledger import InitiationRecord, lock_key_for
from cobrowse.model import Command, Outcome, Session, SessionState, SessionView, Status
from cobrowse.outcomes import failure_of
from cobrowse.waiting import STILL_RUNNING

_NOT_FOUND = "no initiation of this credential has this {what}"
_INTERRUPTED = "the worker stopped before this initiation was finished"


class InitiationQuery(NamedTuple):
    """Selects a credential's initiations: each field that is given must match. `since`: received then or later."""

    sender: str
    credential: str
    conversation_id: str | None = None
    key: str | None = None
    correlation_id: str | None = None
    since: datetime | None = None
    before_seq: int | None = None
    action: str | None = None


class Records(Protocol):
    """The ledger's methods that a lookup uses."""

    def read(self, initiation_id: str, *, seconds: float | None = None) -> InitiationRecord | None:
        """The record of this id."""

    def find(self, lock_key: str, *, seconds: float | None = None) -> InitiationRecord | None:
        """The record that has this lock key."""

    def find_own(self, wanted: InitiationQuery, limit: int) -> Sequence[InitiationRecord]:
        """Those that match, the newest first, at most `limit`."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Finds an initiation of a caller: `sender` and `credential` of the command. Another's is not there."""

    records: Records
    genesys: Genesys
    clock: Clock
    observers: tuple[Observer, ...] = ()

    def find(self, command: Command, initiation_id: str) -> InitiationRecord:
        """The initiation with this id, else of the command's key, else the conversation's newest start.

        Raises InitiationNotFound, also for one of another credential.
        """
        if initiation_id:
            found, what = self.records.read(initiation_id), "id"
        elif command.key:
            found, what = self.records.find(lock_key_for(command, "")), "idempotency key"
        else:
            own = InitiationQuery(command.sender, command.credential, command.conversation_id, action="start")
            found, what = next(iter(self.records.find_own(own, 1)), None), "conversation"
        if found is None or (found.command.sender, found.command.credential) != (command.sender, command.credential):
            raise InitiationNotFound(_NOT_FOUND.format(what=what))
        return found

    def check(self, command: Command, record: InitiationRecord) -> tuple[SessionView, int]:
        """How far its session has come, by one check, and the calls made. Raises GenesysError.

        A session that can't have invited anybody, or is recorded as ended, is not checked.
        """
        if not can_end(record):
            return view_on_record(record, self.clock.now()), 0
        attempt = Attempt(command, record.id, "", self.clock, self.observers)
        with attempt.step("check"):
            view = self.genesys.view(attempt, record.checkpoint.session)
        return view, attempt.upstream_calls


def view_on_record(record: InitiationRecord, now: datetime) -> SessionView:
    """How far its session has come as far as the ledger knows, without a check."""
    if record.ended is not None:
        return SessionView(SessionState.ENDED, since=record.ended.isoformat())
    outcome = record.outcome
    if record.command.action == "end" and outcome is not None and outcome.success:
        return SessionView(SessionState.ENDED)
    if outcome is not None and outcome.success and offer_is_open(record.checkpoint.session, now):
        return SessionView(SessionState.OFFERED)
    return SessionView()


def outcome_on_record(record: InitiationRecord, correlation_id: str) -> Outcome:
    """Its recorded outcome; while there is none, one that says it is running."""
    if record.ended_outcome is not None:
        return record.ended_outcome
    error = InProgress(STILL_RUNNING if record.has_live_lease else _INTERRUPTED, retry_after=record.lease_left or None)
    return Outcome(
        Status.RUNNING,
        record.id,
        correlation_id,
        Session(record.conversation_id),
        record.checkpoint.flow,
        attempts=record.attempts,
        failure=failure_of(error, is_terminal=False),
    )
