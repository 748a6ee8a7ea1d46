"""What must hold of what callers were told."""

from collections.abc import Iterator

from cobrowse.errors import LedgerUnavailable
from cobrowse.existing_session import UNSEEN_SECONDS
from cobrowse.ledger import State
from cobrowse.model import SessionState, Status
from tests.simulation.callers import MOST_TRIES
from tests.simulation.conversations import Session
from tests.simulation.evidence import Evidence
from tests.simulation.rows import Row
from tests.simulation.scheduler import WRONG
from tests.simulation.service import Delivery
from web.responses import to_answer

# Round trips to the ledger that may still come when the deadline is over: looking, taking, giving back, noting the end.
LAST_TRIPS = 6
# Seconds of the longest deadline of a run, and what a clock may go wrong in so long as an invitation is unseen.
LONGEST = 27.0
_OF_DRY_RUNS = (Status.WOULD_START, Status.WOULD_END, Status.ALREADY_ACTIVE, Status.ALREADY_ENDED)
_FINAL = (State.SUCCEEDED, State.FAILED_FINAL)


def a_wanted_delivery_is_never_ignored(evidence: Evidence) -> Iterator[str]:
    """Also where its key came before with an event that was ignored."""
    for delivery in evidence.deliveries:
        if delivery.outcome is not None and not delivery.ignored and delivery.outcome.status is Status.IGNORED:
            yield f"{delivery.command.correlation_id}: was ignored"


def a_dry_run_changes_nothing(evidence: Evidence) -> Iterator[str]:
    """Neither in Genesys nor in the ledger; and it says what it would do."""
    for delivery in evidence.deliveries:
        outcome, who = delivery.outcome, delivery.command.correlation_id
        if not delivery.dry:
            continue
        if who in evidence.platform.touched or who in evidence.wins:
            yield f"{who}: a dry run that was none"
        if outcome is not None and outcome.success and outcome.status not in _OF_DRY_RUNS:
            yield f"{who}: a dry run that came to {outcome.status.value}"


def links_are_for_who_started_it(evidence: Evidence) -> Iterator[str]:
    """Links and codes go to the credential that started the session, and to no other."""
    for delivery in evidence.deliveries:
        outcome = delivery.outcome
        session = evidence.platform.sessions.get(outcome.session.cobrowse_session_id) if outcome else None
        if session is None or not (outcome.session.join_url or outcome.session.join_code or outcome.session.viewer_url):
            continue
        if evidence.by_correlation[session.created_by].command.credential != delivery.command.credential:
            yield f"{delivery.command.correlation_id}: links of {session.id} shown to who did not start it"


def every_request_ends(evidence: Evidence) -> Iterator[str]:
    """No accepted request stays without a final row, and every sender gets a final answer in the end.

    A `latest` whose worker died while it noted that there was no conversation waits for nobody: no repeat can mean it.
    """
    for row in evidence.ledger.rows:
        if row.state is State.RUNNING and not row.lock_key.startswith("id:"):
            yield f"{row.id} is left running"
    for request in evidence.requests:
        if request.given_up and request.tries == MOST_TRIES:
            yield f"{request.label} was never told anything final"


def repeats_get_the_same_answer(evidence: Evidence) -> Iterator[str]:
    """Once a key's row has its final answer, each delivery after it gets that answer, marked, at no upstream call."""
    rows = {row.lock_key: row for row in evidence.ledger.rows if row.command.key}
    for delivery in evidence.deliveries:
        row = rows.get(delivery.identity)
        if row is None or delivery.outcome is None or delivery.again is not None or delivery.ignored:
            continue
        yield from _repeat(evidence, row, delivery)


def _repeat(evidence: Evidence, row: Row, delivery: Delivery) -> Iterator[str]:
    outcome, who = delivery.outcome, delivery.command.correlation_id
    failure = outcome.failure
    if delivery.command.fingerprint != row.command.fingerprint and (outcome.success or outcome.replayed):
        yield f"{who}: answered with what another request got"
    if failure is not None and failure.code == "ledger_unavailable":
        return
    settled = evidence.settled[row.id]
    if any(each.outcome.correlation_id == who and to_answer(each.outcome) != to_answer(outcome) for each in settled):
        yield f"{who}: another answer than {row.id} keeps"
    final = next((each for each in settled if each.state in _FINAL), None)
    again = any(win.row is row and evidence.by_correlation[win.correlation].again for win in evidence.ledger.wins)
    if final is not None and final.at < delivery.on_request and not again and not delivery.handler.troubled:
        if to_answer(outcome) != to_answer(final.outcome):
            yield f"{who}: another answer than {row.id} had before"
        elif not outcome.replayed:
            yield f"{who}: a repeat that isn't marked as one"
        if evidence.platform.calls.get(who):
            yield f"{who}: a repeat that called Genesys"
    elif outcome.replayed and not any(to_answer(outcome) == to_answer(each.outcome) for each in settled):
        yield f"{who}: replayed an answer that nobody had"


def success_is_real(evidence: Evidence) -> Iterator[str]:
    """An answer of success names a session that is attached to its own conversation in Genesys.

    A success of Genesys that can't be read may have been a gateway's, without effect. Then no answer says that the
    session was seen, and it stands for UNSEEN_SECONDS at most.
    """
    sessions = evidence.platform.sessions
    for delivery in evidence.deliveries:
        outcome, who = delivery.outcome, delivery.command.correlation_id
        if outcome is None or not outcome.success or outcome.status is Status.IGNORED:
            continue
        if delivery.command.action == "end" or delivery.dry:
            continue
        session = sessions.get(outcome.session.cobrowse_session_id)
        wanted = delivery.command.conversation_id
        if wanted and outcome.session.conversation_id != wanted:
            yield f"{who}: succeeded with conversation {outcome.session.conversation_id}, asked for {wanted}"
        attached = session is not None and session.invitations
        if not attached or session.conversation != outcome.session.conversation_id:
            if _unread(evidence, delivery):
                continue
            yield f"{who}: succeeded with {outcome.session.cobrowse_session_id!r}, which is not attached there"
        elif outcome.status is Status.ALREADY_ACTIVE and not outcome.replayed and session.ended < delivery.on_request:
            yield f"{who}: answered with {session.id}, which was over"


def nobody_gets_what_was_known_as_ended(evidence: Evidence) -> Iterator[str]:
    """No start is answered with a session of another initiation that was known as ended before that was decided.

    Known is what the ledger has told this delivery, and what was noted before its request or its claim came. Known is
    also what an end notes that was claimed before it, as long as the end's lease is in force: it is waited for until
    then. An end that was claimed later, or is taken for dead, may come between an answer's decision and the answer.
    What was noted of a session that was live, after a success that was a gateway's page, is no knowledge.
    """
    for delivery in evidence.deliveries:
        command, outcome = delivery.command, delivery.outcome
        if command.action == "end" or delivery.dry or outcome is None or not outcome.success or outcome.replayed:
            continue
        session = evidence.platform.sessions.get(outcome.session.cobrowse_session_id)
        if session is None or not session.invitations:
            continue
        row, wins = evidence.row_of(session), evidence.wins[command.correlation_id]
        if evidence.is_on_record(delivery):
            continue
        if delivery.identity == evidence.identity(session.created_by) or any(win.row is row for win in wins):
            continue
        if _was_known_as_ended(evidence, delivery, row, session):
            yield f"{command.correlation_id}: answered with {session.id}, which was known as ended"


def _was_known_as_ended(evidence: Evidence, delivery: Delivery, row: Row, session: Session) -> bool:
    """Whether it was known in time that this session of the row is over."""
    who = delivery.command.correlation_id
    if any(who == told and row.id == of and session.ended <= at for at, told, of in evidence.ledger.told_ended):
        return True
    claimed = evidence.wins[who][-1].order if evidence.wins[who] else -1
    for noted in evidence.ledger.ends:
        if noted.row is not row or noted.at < session.ended:
            continue
        ender = evidence.win(noted.correlation, noted.at)
        if noted.at < delivery.on_request or noted.order < claimed or (noted.awaited and ender.order < claimed):
            return True
    return False


def a_status_is_true(evidence: Evidence) -> Iterator[str]:
    """A session that a status calls over is over; one that it calls live was live when the status was requested.

    What was noted after a success that was a gateway's page is not counted, nor a session whose id was lost.
    """
    for delivery in evidence.deliveries:
        if delivery.view is None or evidence.platform.garbled:
            continue
        session = evidence.platform.sessions.get(delivery.record.checkpoint.session.cobrowse_session_id)
        if session is None:
            continue
        conversation = evidence.platform.conversations[delivery.record.conversation_id]
        over, state = min(session.ended, conversation.ended, conversation.left), delivery.view.state
        if state is SessionState.ENDED and over > delivery.ended:
            yield f"{delivery.command.correlation_id}: told that {session.id} has ended while it is live"
        if state in (SessionState.OFFERED, SessionState.JOINED) and over < delivery.on_request:
            yield f"{delivery.command.correlation_id}: told that {session.id} is {state.value}, which had ended"


def an_end_is_one(evidence: Evidence) -> Iterator[str]:
    """After an answer that a session has ended, none is live that was there when the end was requested.

    A success that can't be read may have been a gateway's, without effect. By a clock that is ahead a hidden offer has
    lapsed a moment early.
    """
    for delivery in evidence.deliveries:
        command, outcome = delivery.command, delivery.outcome
        if command.action != "end" or outcome is None or outcome.replayed or outcome.failure is not None:
            continue
        # A dry run does not ask the ledger for what the conversation does not show.
        if delivery.dry or evidence.is_on_record(delivery):
            continue
        if command.correlation_id in evidence.platform.garbled:
            continue
        conversation = evidence.platform.conversations[command.conversation_id]
        if conversation.left <= delivery.ended:
            continue  # nobody is there who could accept what was offered since
        for session in conversation.sessions:
            lapsed = not session.accepted and 0.0 < session.offered_until - WRONG <= delivery.ended
            was_there = session.invitations[0][0] < delivery.on_request
            if command.ends and evidence.row_of(session).id != command.ends:
                continue
            if was_there and session.ended > delivery.ended and not lapsed:
                yield f"{command.correlation_id}: told {outcome.status.value} while {session.id} is live"


def _unread(evidence: Evidence, delivery: Delivery) -> bool:
    """Whether its success may stand on an answer that can't be read, and says so."""
    outcome = delivery.outcome
    if outcome.status is Status.INITIATED or outcome.session.verified:
        return False
    longest = float("inf") if outcome.replayed else UNSEEN_SECONDS + LONGEST
    unread = evidence.platform.unread.get(outcome.session.conversation_id, ())
    return any(when <= delivery.ended and delivery.on_request - when < longest for when in unread)


def the_ledger_is_blamed_for_its_own_faults_only(evidence: Evidence) -> Iterator[str]:
    """Where the ledger never fails, no answer says that it can't be reached, however long the request waited."""
    if evidence.ledger.failed:
        return
    for delivery in evidence.deliveries:
        failure = delivery.outcome.failure if delivery.outcome is not None else None
        if failure is not None and failure.code == LedgerUnavailable.code:
            yield f"{delivery.command.correlation_id}: was told that the ledger is away, which it was not"


def answers_come_in_time(evidence: Evidence) -> Iterator[str]:
    """Within the caller's deadline, the time left out that the worker stood still."""
    late = 0.01 + LAST_TRIPS * 2 * evidence.ledger.legs[1]
    for delivery in evidence.deliveries:
        if delivery.ended >= 0 and not delivery.frozen:
            took = delivery.ended - delivery.on_request
            if took > delivery.command.deadline_seconds + late:
                yield f"{delivery.command.correlation_id}: took {took:.3f} of {delivery.command.deadline_seconds} s"
