"""What must hold after every run, read off what Genesys did, what the ledger kept and what the callers were told."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from cobrowse.errors import Overloaded
from cobrowse.existing_session import UNSEEN_SECONDS
from cobrowse.ledger import State
from cobrowse.model import Status
from tests.simulation.callers import MOST_TRIES, Callers
from tests.simulation.genesys import Conversation, Platform, Session
from tests.simulation.ledger import Row, Settled, Win
from tests.simulation.scheduler import WRONG
from tests.simulation.service import Delivery, Service
from web.responses import to_answer

# Round trips to the ledger that may still come when the deadline is over: looking, taking, giving back, noting the end.
LAST_TRIPS = 6
# Seconds of the longest deadline of a run, and what a clock may go wrong in so long as an invitation is unseen.
LONGEST = 27.0
# Seconds: no run lasts longer.
LIVES_LONG = 3600.0
_FINAL = (State.SUCCEEDED, State.FAILED_FINAL)


class Evidence:
    """What a run left behind, by whom and by which row."""

    def __init__(self, service: Service, callers: Callers) -> None:
        self.service = service
        self.platform: Platform = service.platform
        self.ledger = service.ledger
        self.requests = callers.requests
        self.deliveries = service.deliveries
        self.by_correlation = {delivery.command.correlation_id: delivery for delivery in service.deliveries}
        self.wins: dict[str, list[Win]] = defaultdict(list)
        for win in self.ledger.wins:
            self.wins[win.correlation].append(win)
        self.settled: dict[str, list[Settled]] = defaultdict(list)
        for settled in self.ledger.settled:
            self.settled[settled.row.id].append(settled)

    def identity(self, correlation: str) -> str:
        """Whose call it was."""
        return self.by_correlation[correlation].identity

    def win(self, correlation: str, when: float) -> Win | None:
        """The claim under which this delivery did something at that time."""
        return next((win for win in reversed(self.wins[correlation]) if win.at <= when), None)


def violations(service: Service, callers: Callers) -> list[str]:
    """Each broken promise, a line each.

    A power cut may take an answer back that was just given, and what an unattached session is known by. Then a repeat
    finds the session by looking, which is not the same answer byte for byte; nobody is invited twice even so. And
    workers that died fetch another token.
    """
    evidence = Evidence(service, callers)
    found = [f"internal error: {fault}" for fault in service.faults]
    always = (
        one_attachment_a_key,
        never_two_live_invitations,
        nobody_is_invited_before_an_agent_answers,
        nobody_who_has_left_is_invited,
        no_session_for_nothing,
        no_more_at_once_than_are_admitted,
        a_wanted_delivery_is_never_ignored,
        links_are_for_who_started_it,
        every_request_ends,
        success_is_real,
        answers_come_in_time,
    )
    with_power = (an_end_is_one, repeats_get_the_same_answer, one_created_session_a_key, one_token_for_all)
    for check in always if service.ledger.cuts else (*always, *with_power):
        found += check(evidence)
    return found


def one_attachment_a_key(evidence: Evidence) -> Iterator[str]:
    """For each key at most one attachment that the customer saw.

    One that the customer had closed before the next came is not counted where nobody could know it for ours: the native
    flow's lost answer held its id.
    """
    seen: dict[str, list[tuple[float, Session]]] = defaultdict(list)
    for session in evidence.platform.sessions.values():
        for when, correlation in session.invitations:
            seen[evidence.identity(correlation)].append((when, session))
    for identity, invitations in seen.items():
        invitations.sort(key=lambda invitation: invitation[0])
        for (_, first), (when, second) in pairwise(invitations):
            if first.ended > when or first.flow != "native":
                yield f"{identity}: invited again with {second.id} at {when:.3f}, after {first.id}"


def never_two_live_invitations(evidence: Evidence) -> Iterator[str]:
    """Nobody is invited to a second session while the first is live: whatever its key, sender, credential or machine.

    By a clock that is ahead a hidden offer has lapsed a moment early.
    """
    for conversation in evidence.platform.conversations.values():
        invitations = [(when, who, session) for session in conversation.sessions for when, who in session.invitations]
        for when, correlation, session in invitations:
            for earlier, _, other in invitations:
                lapsed = not other.accepted and 0.0 < other.offered_until - WRONG <= when
                if other is session or earlier >= when or other.ended <= when or lapsed:
                    continue
                yield f"{correlation}: invited with {session.id} at {when:.3f} while {other.id} was live"


def _invitations(evidence: Evidence) -> Iterator[tuple[float, Conversation, Delivery]]:
    """When each invitation went out, to which conversation, and for which delivery."""
    for conversation in evidence.platform.conversations.values():
        for session in conversation.sessions:
            for when, correlation in session.invitations:
                yield when, conversation, evidence.by_correlation[correlation]


def nobody_is_invited_before_an_agent_answers(evidence: Evidence) -> Iterator[str]:
    """Where that was asked for, by a sender or by the one whose initiation is run again."""
    for when, conversation, delivery in _invitations(evidence):
        if delivery.command.start_when == "agent_connected" and when < conversation.answered:
            yield f"{delivery.command.correlation_id}: invited before an agent answered"


def nobody_who_has_left_is_invited(evidence: Evidence) -> Iterator[str]:
    """By whoever looks at the conversation first: a customer who had gone by then is asked for nothing."""
    for _, conversation, delivery in _invitations(evidence):
        command = delivery.command
        looks = command.reuse_live_session or command.start_when == "agent_connected"
        if looks and conversation.left < delivery.on_request:
            yield f"{command.correlation_id}: invited a customer who had left"


def no_session_for_nothing(evidence: Evidence) -> Iterator[str]:
    """None is made for a conversation that was over when the request came, where it is checked first.

    Unless Genesys did not say: then it is started without the check.
    """
    for session in evidence.platform.sessions.values():
        delivery = evidence.by_correlation[session.created_by]
        command, outcome = delivery.command, delivery.outcome
        checks = command.check_before_create and session.flow == "media"
        if not checks or outcome is None or outcome.replayed:
            continue
        conversation = evidence.platform.conversations[command.conversation_id]
        unsaid = any(span.name == "check" and span.result != "done" for span in outcome.spans)
        if min(conversation.ended, conversation.left) < delivery.on_request and not unsaid:
            yield f"{command.correlation_id}: made {session.id} for a conversation that was over"


def no_more_at_once_than_are_admitted(evidence: Evidence) -> Iterator[str]:
    """In each worker; and a request that is refused for it has touched nothing."""
    admits = evidence.service.admits
    if not admits:
        return
    began = {
        correlation: min(win.at for win in wins)
        for correlation, wins in evidence.wins.items()
        if evidence.by_correlation[correlation].ended >= 0
    }
    for correlation, when in began.items():
        process = evidence.by_correlation[correlation].process
        beside = [
            other
            for other, since in began.items()
            if since <= when < evidence.by_correlation[other].ended
            and evidence.by_correlation[other].process is process
        ]
        if len(beside) > admits:
            yield f"{correlation}: {len(beside)} at once in {process.name}"
    for delivery in evidence.deliveries:
        failure, who = delivery.outcome.failure if delivery.outcome else None, delivery.command.correlation_id
        refused = failure is not None and failure.code == Overloaded.code
        if refused and (evidence.platform.calls.get(who) or who in evidence.wins):
            yield f"{who}: refused for load after it had begun"


def a_wanted_delivery_is_never_ignored(evidence: Evidence) -> Iterator[str]:
    """Also where its key came before with an event that was ignored."""
    for delivery in evidence.deliveries:
        if delivery.outcome is not None and not delivery.ignored and delivery.outcome.status is Status.IGNORED:
            yield f"{delivery.command.correlation_id}: was ignored"


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
    """No accepted request stays without a final row, and every sender is told something final in the end.

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
    """Whoever is told of success has a session that is attached to its own conversation in Genesys.

    A success of Genesys that can't be read may have been a gateway's, without effect. Then nobody is told that the
    session was seen, and it stands for UNSEEN_SECONDS at most.
    """
    sessions = evidence.platform.sessions
    for delivery in evidence.deliveries:
        outcome, who = delivery.outcome, delivery.command.correlation_id
        if outcome is None or not outcome.success or outcome.status is Status.IGNORED:
            continue
        if delivery.command.action == "end":
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


def an_end_is_one(evidence: Evidence) -> Iterator[str]:
    """Whoever is told that a session has ended finds none that is live and was there when the end was asked for.

    A success that can't be read may have been a gateway's, without effect. By a clock that is ahead a hidden offer has
    lapsed a moment early.
    """
    for delivery in evidence.deliveries:
        command, outcome = delivery.command, delivery.outcome
        if command.action != "end" or outcome is None or outcome.replayed or outcome.failure is not None:
            continue
        if command.correlation_id in evidence.platform.garbled:
            continue
        conversation = evidence.platform.conversations[command.conversation_id]
        if conversation.left <= delivery.ended:
            continue  # nobody is there who could accept what was offered since
        for session in conversation.sessions:
            lapsed = not session.accepted and 0.0 < session.offered_until - WRONG <= delivery.ended
            was_there = session.invitations[0][0] < delivery.on_request
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


def answers_come_in_time(evidence: Evidence) -> Iterator[str]:
    """Within the caller's deadline, the time left out that the worker stood still."""
    late = 0.01 + LAST_TRIPS * 2 * evidence.ledger.legs[1]
    for delivery in evidence.deliveries:
        if delivery.ended >= 0 and not delivery.frozen:
            took = delivery.ended - delivery.on_request
            if took > delivery.command.deadline_seconds + late:
                yield f"{delivery.command.correlation_id}: took {took:.3f} of {delivery.command.deadline_seconds} s"


def one_created_session_a_key(evidence: Evidence) -> Iterator[str]:
    """A second one is made only if nobody could know of the first: its answer or the note of it was lost.

    A success that does not say what it made is no lost answer. Only once a person has run the initiation again is
    another one made after it: by that attempt, or if that one came to nothing, by a redelivery.
    """
    last: dict[str, Session] = {}
    for session in evidence.platform.sessions.values():
        if session.flow != "media":
            continue
        identity = evidence.identity(session.created_by)
        before = last.get(identity)
        if (
            before is not None
            and min(before.heard, _key_used_at(evidence, identity, before, session)) < session.asked
            and not _cut_short(evidence.by_correlation[before.created_by])
        ):
            yield f"{identity}: made {session.id} though it had {before.id}"
        last[identity] = session


def _key_used_at(evidence: Evidence, identity: str, before: Session, session: Session) -> float:
    """When the key of a session without a name was used up, infinite if never, or if a person has freed it since."""
    nameless = evidence.platform.nameless.get(before.created_by, float("inf"))
    freed = any(
        nameless < win.at <= session.asked
        and evidence.by_correlation[win.correlation].again
        and evidence.identity(win.correlation) == identity
        for win in evidence.ledger.wins
    )
    return float("inf") if freed else nameless


def one_token_for_all(evidence: Evidence) -> Iterator[str]:
    """Workers that share tokens fetch one that lives long once, unless something goes wrong."""
    service, platform = evidence.service, evidence.platform
    if service.store is None or not service.untroubled or platform.token_life < LIVES_LONG:
        return
    asked = [body for _, body in platform.issued]
    if len(asked) > len(set(asked)):
        yield f"{len(asked)} tokens were fetched"


def _cut_short(delivery: Delivery) -> bool:
    """Whether the worker died, stood still, or could not note what it knew."""
    return delivery.ended < 0 or delivery.frozen > 0 or delivery.handler.troubled
