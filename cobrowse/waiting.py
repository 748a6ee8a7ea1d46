"""Waits for a running initiation: of the same request, or of another one for the same conversation."""

from collections.abc import Sequence
from dataclasses import replace

from cobrowse.errors import InProgress
from cobrowse.flow import Attempt
from cobrowse.ledger import Acquired, InitiationRecord, Ledger, State

STILL_RUNNING = "this initiation is being worked on"


def wait_for_owner(
    ledger: Ledger, entry: InitiationRecord | None, attempt: Attempt, lease_owner: str = ""
) -> InitiationRecord | None:
    """The record once it has ended; None when its lease expired or it is gone. Raises InProgress at the deadline's end.

    With `lease_owner` only that one is waited for, not who has taken over from it.
    """
    while entry is not None and entry.has_live_lease and lease_owner in ("", entry.lease_owner):
        left = attempt.deadline.remaining()
        if left <= 0:
            raise InProgress("the first delivery of this request is still running", retry_after=entry.lease_left)
        ledger.wait(entry.id, min(left, entry.lease_left))
        entry = ledger.read(entry.id, seconds=attempt.deadline.remaining())
    return entry if entry is not None and entry.ended_outcome is not None else None


def exclude_ended(ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Acquired:
    """The claim without those of its history whose session an end, which it has waited for, has ended meanwhile."""
    history = (ledger.read(entry.id, seconds=attempt.deadline.remaining()) for entry in acquired.history)
    return replace(acquired, history=tuple(entry for entry in history if entry is not None and entry.ended is None))


def refresh_if_completed(
    ledger: Ledger, attempt: Attempt, known: Sequence[InitiationRecord]
) -> tuple[InitiationRecord, ...] | None:
    """These as they are now, once one of them that ran when it was read has ended; None if none has.

    An owner that was taken for dead may come back and put on record what its conversation does not show.
    """
    if all(entry.state is not State.RUNNING for entry in known):
        return None
    read = [(then, ledger.read(then.id, seconds=attempt.deadline.remaining())) for then in known]
    late = any(now is not None and now.state is not State.RUNNING and then.state is State.RUNNING for then, now in read)
    return tuple(now for _, now in read if now is not None and now.ended is None) if late else None


def applies_to_all_waiters(ended: InitiationRecord) -> bool:
    """Whether its answer is valid for all that waited; a permanent failure may be its request's own error."""
    outcome = ended.outcome
    return outcome is not None and (outcome.failure is None or outcome.failure.retryable)
