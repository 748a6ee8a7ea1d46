"""Waits for a running initiation: of the same request, or of another one for the same conversation."""

from collections.abc import Sequence
from dataclasses import replace

from cobrowse.errors import GenesysTimeout, InProgress
from cobrowse.flow import Attempt
from cobrowse.ledger import Acquired, InitiationRecord, Ledger, State

# Seconds that a read of a row may take though a wait is over, or the deadline almost: an answer in time is worth a
# little delay, and a read that was given no time would say that the ledger is away.
MIN_READ_SECONDS = 0.25

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
        entry = _read(ledger, entry.id, attempt)
    return entry if entry is not None and entry.ended_outcome is not None else None


def read_in_time(ledger: Ledger, initiation_id: str, attempt: Attempt) -> InitiationRecord | None:
    """The entry as it stands now. GenesysTimeout once no time is left, as no call could follow."""
    if attempt.deadline.remaining() <= 0:
        raise GenesysTimeout("no time was left to see what has become of the conversation's other requests")
    return _read(ledger, initiation_id, attempt)


def _read(ledger: Ledger, initiation_id: str, attempt: Attempt) -> InitiationRecord | None:
    return ledger.read(initiation_id, seconds=max(attempt.deadline.remaining(), MIN_READ_SECONDS))


def exclude_ended(ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Acquired:
    """The claim without those of its history whose session an end, which it has waited for, has ended meanwhile."""
    history = (read_in_time(ledger, entry.id, attempt) for entry in acquired.history)
    return replace(acquired, history=tuple(entry for entry in history if entry is not None and entry.ended is None))


def refresh_if_completed(
    ledger: Ledger, attempt: Attempt, known: Sequence[InitiationRecord]
) -> tuple[InitiationRecord, ...] | None:
    """These as they are now, once one of them that ran when it was read has ended; None if none has.

    An owner that was taken for dead may come back and put on record what its conversation does not show.
    """
    if all(entry.state is not State.RUNNING for entry in known):
        return None
    read = [(then, read_in_time(ledger, then.id, attempt)) for then in known]
    late = any(now is not None and now.state is not State.RUNNING and then.state is State.RUNNING for then, now in read)
    return tuple(now for _, now in read if now is not None and now.ended is None) if late else None


def applies_to_all_waiters(ended: InitiationRecord) -> bool:
    """Whether its answer is valid for all that waited.

    A permanent failure may be its request's own error, and a session that has been ended meanwhile is nobody's answer.
    """
    outcome = ended.outcome
    return ended.ended is None and outcome is not None and (outcome.failure is None or outcome.failure.retryable)
