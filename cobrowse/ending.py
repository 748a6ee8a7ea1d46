"""Ends a conversation's session: waits for what is at work there, looks once, and calls if any is live."""

from collections.abc import Sequence
from dataclasses import replace

from cobrowse.flow import Attempt, Flow, run
from cobrowse.ledger import Acquired, InitiationRecord, Ledger
from cobrowse.model import Command, Outcome, Session, Status
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
    _prepare(flow, ledger, attempt, acquired.history)
    command = attempt.command
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


def command_to_end(
    record: InitiationRecord, sender: str, requested_by: str, deadline_seconds: float, correlation_id: str
) -> Command:
    """The command that ends this initiation's session."""
    return Command(
        sender,
        correlation_id,
        deadline_seconds,
        conversation_id=record.checkpoint.session.conversation_id or record.command.conversation_id,
        requested_by=requested_by,
        action="end",
        ends=record.id,
    )


def can_end(record: InitiationRecord) -> bool:
    """Whether its session may be live as far as the record tells: it was started or found, and no end is on record."""
    started = record.checkpoint.may_have_notified or (record.outcome is not None and record.outcome.success)
    return record.command.action == "start" and record.ended is None and started


def would_end(flow: Flow, ledger: Ledger, attempt: Attempt) -> Outcome:
    """What an end would come to, by its steps that have no effect: WOULD_END or ALREADY_ENDED."""
    _prepare(flow, ledger, attempt, ())
    for step in flow.steps:
        if not step.has_side_effect:
            with attempt.step(step.name):
                attempt.update_session(step.run(attempt))
    left = any(step.has_side_effect and step.applies(attempt) for step in flow.steps)
    return outcome_of(attempt, Status.WOULD_END if left else Status.ALREADY_ENDED)


def _prepare(flow: Flow, ledger: Ledger, attempt: Attempt, history: Sequence[InitiationRecord]) -> None:
    """Begin with what is known of the session: of the initiation to end, else of the newest of the conversation."""
    command = attempt.command
    if command.ends:
        known = ledger.read(command.ends, seconds=attempt.deadline.remaining())
    else:
        known = next(iter(history), None)
    session = known.checkpoint.session if known is not None else Session()
    attempt.checkpoint = replace(attempt.checkpoint, flow=flow.name)
    attempt.update_session(
        {
            "conversation_id": command.conversation_id,
            "cobrowse_session_id": session.cobrowse_session_id if command.ends else "",
            "offer_ends": session.offer_ends,
        }
    )
