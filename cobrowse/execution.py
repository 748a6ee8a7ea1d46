"""Runs an acquired initiation: after those ahead of it, and only if the conversation has no session already."""

from collections.abc import Callable
from dataclasses import replace

from cobrowse.errors import AgentNotConnected, ConversationError, GenesysError, GenesysUnauthorized
from cobrowse.existing_session import already_active_outcome
from cobrowse.flow import Attempt, FlowUnavailable, run
from cobrowse.genesys import Genesys
from cobrowse.ledger import Acquired, Checkpoint, InitiationRecord, Ledger
from cobrowse.model import Outcome, Status
from cobrowse.outcomes import joined_outcome, outcome_of, visible_session
from cobrowse.waiting import applies_to_all_waiters, exclude_ended, read_in_time, refresh_if_completed, wait_for_owner

# Share of the time left that a check takes at most without which the session can be started as well.
OPTIONAL_CHECK_SHARE = 0.3


def join_or_run(genesys: Genesys, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
    """The outcome of an acquired initiation: another one's, a live session, or that of its own flow."""
    may_be_there, may_be_over, waited = bool(acquired.history), False, list[InitiationRecord]()
    for lease in acquired.ahead:
        entry = read_in_time(ledger, lease.id, attempt)
        ended = wait_for_owner(ledger, entry, attempt, lease.lease_owner)
        latest = ended or entry
        if latest is not None and latest.command.action == "end":
            may_be_over = True
        elif latest is not None and latest.ended is None:  # else one of the ends waited for has ended its session
            if ended is not None and applies_to_all_waiters(ended):
                return _join(attempt, ended)
            if ended is None or ended.checkpoint.may_have_notified:
                # It crashed, is running again or has failed permanently, and may have invited the customer before that.
                waited.append(latest)
        may_be_there = may_be_there or ended is None or ended.checkpoint.may_have_notified
    if may_be_over:
        acquired = exclude_ended(ledger, attempt, acquired)
    acquired = replace(acquired, history=(*waited, *acquired.history))
    command = attempt.command
    # Nothing may be started before the conversation has been checked.
    must_check = may_be_there or command.reuse_live_session or command.start_when == "agent_connected"
    if must_check and (active := _check(genesys, ledger, attempt, acquired)) is not None:
        return active

    def check() -> Outcome | None:
        wanted = attempt.command.check_before_create and not must_check
        return _check_if_possible(genesys, attempt, acquired) if wanted else None

    # What continues an earlier attempt puts its own call on record even where the row already has one: a claim
    # that a power cut took back must not send anything out.
    recorded = acquired.entry.checkpoint if attempt.number == 1 else Checkpoint()
    found = _run_flow(genesys, ledger, attempt, recorded, check)
    return found or outcome_of(attempt, Status.INITIATED if attempt.session.verified else Status.UNVERIFIED)


def _join(attempt: Attempt, ended: InitiationRecord) -> Outcome:
    outcome = replace(joined_outcome(ended, attempt), initiation_id=attempt.initiation_id)
    if outcome.success:
        session = visible_session(attempt.command, ended.checkpoint.session, ended.command)
        attempt.checkpoint = attempt.checkpoint._replace(flow=outcome.flow, session=session)
    return outcome


def _run_flow(
    genesys: Genesys, ledger: Ledger, attempt: Attempt, recorded: Checkpoint, check: Callable[[], Outcome | None]
) -> Outcome | None:
    """Run the org's flow; if the org turns out to lack its endpoint, run the other one. `check` as in `run`."""

    def save_checkpoint(checkpoint: Checkpoint) -> None:
        with attempt.commit("checkpoint"):
            ledger.save_checkpoint(attempt.lease, checkpoint, seconds=attempt.deadline.remaining())

    while True:
        flow = genesys.flow(attempt.checkpoint.flow)
        attempt.update_session({"conversation_id": attempt.command.conversation_id}, flow=flow.name)
        try:
            return run(flow, attempt, recorded, save_checkpoint, check)
        except FlowUnavailable:
            attempt.checkpoint = Checkpoint()


def _check(genesys: Genesys, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome | None:
    """The live session's outcome; None if there is none. Checks again where an earlier one has answered meanwhile."""
    try:
        active = already_active_outcome(genesys, attempt, acquired)
        if active is None and (late := refresh_if_completed(ledger, attempt, acquired.history)) is not None:
            active = already_active_outcome(genesys, attempt, replace(acquired, history=late))
    except ConversationError as error:
        # Whether it was over before this initiation's own invitation is for the flow's probe to say.
        if isinstance(error, AgentNotConnected) or not attempt.checkpoint.may_have_notified:
            raise
        return None
    return active


def _check_if_possible(genesys: Genesys, attempt: Attempt, acquired: Acquired) -> Outcome | None:
    """The live session's outcome; None if there is none, or if Genesys does not say.

    Raises a ConversationError, and GenesysUnauthorized, with which no other call would be accepted either.
    """
    try:
        with attempt.within(OPTIONAL_CHECK_SHARE):
            return already_active_outcome(genesys, attempt, acquired)
    except GenesysUnauthorized:
        raise
    except GenesysError:
        # Nobody was invited to this conversation before, so the worst without the check is a session for nothing.
        return None
