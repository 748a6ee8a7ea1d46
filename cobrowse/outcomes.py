"""What an attempt, an error or another run's entry comes to as an Outcome."""

from dataclasses import replace

from cobrowse.errors import CobrowseError
from cobrowse.flow import Attempt
from cobrowse.ledger import Entry, State
from cobrowse.model import Failure, Outcome, Status


def state_of(outcome: Outcome) -> State:
    """The state an initiation with this outcome stands in."""
    if outcome.failure is None:
        return State.SUCCEEDED
    return State.FAILED_FINAL if outcome.failure.final else State.FAILED_RETRYABLE


def outcome_of(attempt: Attempt, status: Status, failure: Failure | None = None) -> Outcome:
    """The outcome of an attempt, with all that it has yielded by now."""
    session = attempt.session
    if not session.conversation_id:
        session = replace(session, conversation_id=attempt.command.conversation_id)
    return Outcome(
        status,
        attempt.initiation_id,
        attempt.command.correlation_id,
        session,
        attempt.progress.flow,
        attempt.seconds(),
        attempt.upstream_calls,
        attempt.number,
        failure,
        tuple(attempt.spans),
    )


def failed(attempt: Attempt, error: CobrowseError) -> Outcome:
    """The outcome of an attempt that ended in this error."""
    final = error.burns_key and not error.retryable
    failure = Failure(error.code, error.message, error.remedy, error.retryable, final, error.retry_after)
    return outcome_of(attempt, Status.FAILED, failure)


def repeated(settled: Entry, attempt: Attempt) -> Outcome:
    """Another run's answer: the same again for a repeated key, as one that joined it without."""
    assert settled.outcome is not None  # noqa: S101 - _awaited hands on ended entries only
    if attempt.command.key and settled.command.key == attempt.command.key:
        return replace(settled.outcome, replayed=True)
    joined = replace(
        settled.outcome,
        correlation_id=attempt.command.correlation_id,
        seconds=attempt.seconds(),
        upstream_calls=attempt.upstream_calls,
        spans=tuple(attempt.spans),
    )
    return replace(joined, status=Status.JOINED) if joined.success else joined
