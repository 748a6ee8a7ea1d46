"""Ends a conversation's session: waits for what is at work there, looks once, and calls if any is live."""

from dataclasses import replace

from cobrowse.flow import Attempt, Flow, run
from cobrowse.ledger import Acquired, InitiationRecord, Ledger
from cobrowse.model import Outcome, Status
from cobrowse.outcomes import outcome_of
from cobrowse.waiting import leases_ahead, wait_for_owner


def end_session(flow: Flow, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
    """The outcome of an acquired end: ENDED, or ALREADY_ENDED where nothing was live.

    A start that was claimed before may be about to invite the customer, so it is waited for. A start that comes after
    waits for this. Raises as the flow's steps do, and InProgress at the deadline's end.
    """
    for lease in leases_ahead(acquired):
        entry = ledger.read(lease.id, seconds=attempt.deadline.remaining())
        wait_for_owner(ledger, entry, attempt, lease.lease_owner)
    command = attempt.command
    known = _find_known(ledger, attempt, acquired)
    attempt.checkpoint = replace(attempt.checkpoint, flow=flow.name)
    session = known.checkpoint.session if known is not None else attempt.session
    attempt.update_session(
        {
            "conversation_id": command.conversation_id,
            "cobrowse_session_id": session.cobrowse_session_id if command.ends else "",
            "offer_ends": session.offer_ends,
        }
    )
    run(
        flow,
        attempt,
        acquired.entry.checkpoint,
        lambda checkpoint: ledger.save_checkpoint(
            attempt.initiation_id, attempt.lease_owner, checkpoint, seconds=attempt.deadline.remaining()
        ),
    )
    # Only now: what is marked counts as no live invitation for any later start.
    ledger.mark_ended(
        attempt.initiation_id,
        command.conversation_id,
        attempt.session.cobrowse_session_id,
        seconds=attempt.deadline.remaining(),
    )
    ended = "end" in attempt.checkpoint.completed_steps
    return outcome_of(attempt, Status.ENDED if ended else Status.ALREADY_ENDED)


def _find_known(ledger: Ledger, attempt: Attempt, acquired: Acquired) -> InitiationRecord | None:
    """The initiation to end, as it stands now; of a whole conversation the newest that may have invited."""
    if attempt.command.ends:
        return ledger.read(attempt.command.ends, seconds=attempt.deadline.remaining())
    return next(iter(acquired.history), None)
