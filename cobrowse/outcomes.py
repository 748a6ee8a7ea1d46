"""Builds the Outcome of an attempt, an error or another run's record."""

from dataclasses import replace

from cobrowse.errors import CobrowseError
from cobrowse.flow import Attempt
from cobrowse.ledger import InitiationRecord, State
from cobrowse.model import Command, Failure, Outcome, Secret, Session, Status


def state_of(outcome: Outcome) -> State:
    """The state of an initiation with this outcome."""
    if outcome.failure is None:
        return State.SUCCEEDED
    return State.FAILED_FINAL if outcome.failure.is_terminal else State.FAILED_RETRYABLE


def outcome_of(attempt: Attempt, status: Status, failure: Failure | None = None, reason: str = "") -> Outcome:
    """The outcome of an attempt, with all that it has yielded by now."""
    session = attempt.session
    if not session.conversation_id:
        session = session._replace(conversation_id=attempt.command.conversation_id)
    return Outcome(
        status,
        attempt.initiation_id,
        attempt.command.correlation_id,
        session,
        attempt.checkpoint.flow,
        attempt.seconds(),
        attempt.upstream_calls,
        attempt.number,
        failure,
        tuple(attempt.spans),
        reason,
    )


def failure_outcome(attempt: Attempt, error: CobrowseError) -> Outcome:
    """The outcome of an attempt that ended in this error."""
    final = error.consumes_idempotency_key and not error.retryable
    return outcome_of(attempt, Status.FAILED, failure_of(error, is_terminal=final))


def failure_of(error: CobrowseError, *, is_terminal: bool) -> Failure:
    """What the ledger and the answers say of an error. `is_terminal`: a retry of the key would get it again."""
    return Failure(error.code, error.message, error.hint, error.retryable, is_terminal, error.retry_after)


def final_outcome(entry: InitiationRecord, command: Command) -> Outcome | None:
    """The permanent outcome of this initiation, as this command may see it; None while a retry may change it."""
    final = entry.state in (State.SUCCEEDED, State.FAILED_FINAL)
    return _replayed(entry, entry.outcome, command) if final and entry.outcome is not None else None


def replay_outcome(ended: InitiationRecord, attempt: Attempt) -> Outcome:
    """The answer of this attempt's own claim: a replay for a repeated key, `joined` without a key."""
    assert ended.outcome is not None  # noqa: S101 - wait_for_owner returns records with an outcome only
    return _replayed(ended, ended.outcome, attempt.command) if attempt.command.key else joined_outcome(ended, attempt)


def _replayed(entry: InitiationRecord, outcome: Outcome, command: Command) -> Outcome:
    return replace(outcome, replayed=True, session=visible_session(command, outcome.session, entry.command))


def joined_outcome(ended: InitiationRecord, attempt: Attempt) -> Outcome:
    """The outcome of another initiation's run, for an attempt that waited for it."""
    assert ended.outcome is not None  # noqa: S101 - as above
    outcome = replace(
        ended.outcome,
        correlation_id=attempt.command.correlation_id,
        session=visible_session(attempt.command, ended.outcome.session, ended.command),
        seconds=attempt.seconds(),
        upstream_calls=attempt.upstream_calls,
        spans=tuple(attempt.spans),
    )
    status = Status.ALREADY_ENDED if attempt.command.action == "end" else Status.JOINED
    return replace(outcome, status=status) if outcome.success else outcome


def visible_session(command: Command, session: Session, owner: Command | None) -> Session:
    """The session as this command's credential may see it: links and code are for the credential that started it."""
    if owner is not None and (owner.sender, owner.credential) == (command.sender, command.credential):
        return session
    return session._replace(join_url=Secret(), viewer_url=Secret(), join_code=Secret(), websocket_url=Secret())
