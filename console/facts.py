"""What is known of an initiation, as names with their values."""

from datetime import datetime

from cobrowse.ledger import InitiationRecord, State
from cobrowse.model import Status
from console.figures import format_duration

Fact = tuple[str, str | datetime]
"""A name and its value; a time is shown in the reader's own."""


def list_facts(entry: InitiationRecord, conversation: str) -> tuple[Fact, ...]:
    """The facts that there are, in the order of the page. `conversation`: which one, in words."""
    command, checkpoint = entry.command, entry.checkpoint
    outcome = None if entry.state is State.RUNNING else entry.outcome
    facts: tuple[tuple[str, str | datetime | None], ...] = (
        ("Conversation", conversation),
        ("Initiation", entry.id),
        ("Correlation id", command.correlation_id),
        ("Key", command.key),
        ("Sender", command.sender),
        ("Credential", command.credential),
        ("Requested by", command.requested_by),
        ("Channel", command.channel or ""),
        ("Flow", checkpoint.flow),
        ("Received", entry.created),
        ("Updated", entry.updated),
        ("Attempts", str(entry.attempts)),
        ("Duration", format_duration(outcome.seconds) if outcome else ""),
        ("Upstream calls", str(entry.upstream_calls)),
        ("Completed steps", ", ".join(checkpoint.completed_steps)),
        ("Current step", checkpoint.pending_step),
        ("Customer invited", _customer_invited(entry) if command.action == "start" else ""),
        ("Ends the session of", command.ends),
        ("Session ended", entry.ended),
    )
    return tuple((name, value) for name, value in facts if value)


def _customer_invited(entry: InitiationRecord) -> str:
    outcome, checkpoint = entry.outcome, entry.checkpoint
    if entry.state is State.SUCCEEDED and outcome is not None:
        return "yes" if outcome.status in (Status.INITIATED, Status.UNVERIFIED) else "yes, before this one"
    # `may_have_notified` alone means only that the call was about to go out.
    if checkpoint.may_have_notified and checkpoint.pending_step:
        return f"maybe: {checkpoint.pending_step} was begun and its end is not known"
    return "no"
