"""Ends a conversation's session: waits for what is running there, checks once, and calls if any is live."""

from collections.abc import Sequence
from datetime import datetime

from cobrowse.errors import GenesysBadResponse
from cobrowse.existing_session import may_not_be_visible_yet, may_stand_unseen, offer_is_open
from cobrowse.flow import PROBE_DELAYS, Attempt, run
from cobrowse.genesys import Genesys
from cobrowse.ledger import Acquired, InitiationRecord, Ledger
from cobrowse.model import Command, Ending, Outcome, Status
from cobrowse.outcomes import outcome_of
from cobrowse.waiting import read_in_time, refresh_if_completed, wait_for_owner

_UNSEEN = "conversation {id} does not show a session that the customer may still accept"
_UNSEEN_HINT = "Nothing was ended: retry, until the offer has ended or the conversation shows it."


def end_session(genesys: Genesys, ledger: Ledger, attempt: Attempt, acquired: Acquired) -> Outcome:
    """The outcome of an acquired end: ENDED, or ALREADY_ENDED where nothing was live.

    A start that was claimed before may be about to invite the customer, so it is waited for. A start that comes after
    waits for this. Raises as the check and the flow do, GenesysBadResponse while a session stands that does not show,
    and InProgress at the deadline's end.
    """
    waited = []
    for lease in acquired.ahead:
        entry = read_in_time(ledger, lease.id, attempt)
        waited.append(wait_for_owner(ledger, entry, attempt, lease.lease_owner))
    known = [entry for entry in (*waited, *acquired.history) if entry is not None and entry.command.action == "start"]
    target = _begin(genesys, ledger, attempt)
    concerned = [target] if target is not None else known
    ending = _find_live(genesys, attempt, acquired.entry.updated, concerned)
    if not ending.targets and (late := refresh_if_completed(ledger, attempt, concerned)) is not None:
        concerned = list(late)
        ending = _find_live(genesys, attempt, acquired.entry.updated, concerned)
    attempt.update_session({"targets": ending.targets, "state": "" if ending.targets else "disconnected"})
    if ending.targets:
        # An earlier attempt may have ended another session, and this one began since.
        attempt.checkpoint = attempt.checkpoint._replace(completed_steps=())
    run(
        genesys.ending(),
        attempt,
        acquired.entry.checkpoint,
        lambda checkpoint: ledger.save_checkpoint(attempt.lease, checkpoint, seconds=attempt.deadline.remaining()),
    )
    # Only now: what is marked counts as no live invitation for any later start.
    for entry in {entry.id: entry for entry in (*known, *concerned)}.values():
        if ending.all_over or _session_id(entry) in ending.session_ids:
            ledger.mark_ended(entry, seconds=attempt.deadline.remaining())
    ended = "end" in attempt.checkpoint.completed_steps
    return outcome_of(attempt, Status.ENDED if ended else Status.ALREADY_ENDED)


def preview_end(genesys: Genesys, ledger: Ledger, attempt: Attempt) -> Outcome:
    """The outcome an end would have: WOULD_END or ALREADY_ENDED. Only reads."""
    target = _begin(genesys, ledger, attempt)
    # What only reads has no row, and so no time by the ledger's clock.
    ending = _find_live(genesys, attempt, attempt.clock.now(), [target] if target is not None else [])
    return outcome_of(attempt, Status.WOULD_END if ending.targets else Status.ALREADY_ENDED)


def _begin(genesys: Genesys, ledger: Ledger, attempt: Attempt) -> InitiationRecord | None:
    """The initiation to end, as it stands now, its session known to the attempt; None for a whole conversation."""
    command = attempt.command
    target = read_in_time(ledger, command.ends, attempt) if command.ends else None
    session_id = target.checkpoint.session.cobrowse_session_id if target is not None else ""
    facts = {"conversation_id": command.conversation_id, "cobrowse_session_id": session_id}
    attempt.update_session(facts, flow=genesys.ending().name)
    return target


def _find_live(genesys: Genesys, attempt: Attempt, now: datetime | None, known: Sequence[InitiationRecord]) -> Ending:
    """What is live. Patient where one of these may be, and does not show: it may not be visible yet.

    `now`: by the ledger's clock, None if that is not known.
    """
    young = [entry for entry in known if may_not_be_visible_yet(entry, now)]
    standing = {_session_id(entry) for entry in known if entry in young or _stands(entry, now, attempt)}
    with attempt.step("check"):
        for _ in attempt.poll(PROBE_DELAYS, "before another check for what is to be ended"):
            ending = genesys.find_live(attempt)
            # One whose id is not known is whatever shows.
            unseen = standing - set(ending.session_ids) - ({""} if ending.session_ids else set())
            if ending.all_over or ending.customer_left or not unseen:
                return ending
        if any(_stands(entry, now, attempt) for entry in known if _session_id(entry) in unseen):
            raise GenesysBadResponse(_UNSEEN.format(id=attempt.command.conversation_id), hint=_UNSEEN_HINT)
    return ending


def _stands(entry: InitiationRecord, now: datetime | None, attempt: Attempt) -> bool:
    """Whether its invitation counts as standing though nothing shows it."""
    if entry.ended is not None:
        return False
    return offer_is_open(entry.checkpoint.session, attempt.clock.now()) or may_stand_unseen(entry, now)


def _session_id(entry: InitiationRecord) -> str:
    return entry.checkpoint.session.cobrowse_session_id


def build_end_command(
    record: InitiationRecord, sender: str, requested_by: str, deadline_seconds: float, correlation_id: str
) -> Command:
    """The command that ends this initiation's session."""
    return Command(
        sender,
        correlation_id,
        deadline_seconds,
        conversation_id=record.conversation_id,
        requested_by=requested_by,
        action="end",
        ends=record.id,
    )


def can_end(record: InitiationRecord) -> bool:
    """Whether its session may be live according to the record: it was started or found, and no end is on record."""
    started = record.checkpoint.may_have_notified or (record.outcome is not None and record.outcome.success)
    return record.command.action == "start" and record.ended is None and started
