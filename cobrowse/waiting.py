"""Waiting for whoever is at work: on the same request, or on another one of the same conversation."""

from cobrowse.errors import InProgress
from cobrowse.flow import Attempt
from cobrowse.ledger import Entry, Hold, Ledger, State, Won


def awaited(ledger: Ledger, entry: Entry | None, attempt: Attempt, holder: str = "") -> Entry | None:
    """The entry once it has ended; None when its holder died or it is gone. Raises InProgress at the deadline's end.

    With `holder` only that one is waited for, not who has taken over from it.
    """
    while entry is not None and entry.held and holder in ("", entry.holder):
        left = attempt.deadline.remaining()
        if left <= 0:
            raise InProgress("the first delivery of this request is still running", retry_after=entry.lease_left)
        ledger.wait(entry.id, min(left, entry.lease_left))
        entry = ledger.read(entry.id, seconds=attempt.deadline.remaining())
    ended = entry is not None and entry.state is not State.RUNNING and entry.outcome is not None
    return entry if ended else None


def ahead_of(won: Won) -> tuple[Hold, ...]:
    """Who was at work on the conversation at the moment of the claim."""
    earlier = won.previous
    if won.ahead or earlier is None or not earlier.held:
        return won.ahead
    return (Hold(earlier.id, earlier.holder),)


def history_of(won: Won) -> tuple[Entry, ...]:
    """Who may have invited the customer before, as far as it is known."""
    return won.history or ((won.previous,) if won.previous is not None else ())


def is_for_all(ended: Entry) -> bool:
    """Whether its answer is that of everybody who waited; what no repeat mends may be its request's own fault."""
    outcome = ended.outcome
    return outcome is not None and (outcome.failure is None or outcome.failure.retryable)
