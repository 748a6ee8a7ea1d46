"""What must hold of the invitations that went out and of the sessions that were made."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.simulation.conversations import Conversation, Session
from tests.simulation.evidence import Evidence
from tests.simulation.scheduler import WRONG
from tests.simulation.service import Delivery


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


def nobody_is_invited_before_an_agent_answers(evidence: Evidence) -> Iterator[str]:
    """Where that was asked for, by a sender or by the one whose initiation is run again."""
    for when, conversation, delivery in _invitations(evidence):
        if delivery.command.start_when == "agent_connected" and when < conversation.answered:
            yield f"{delivery.command.correlation_id}: invited before an agent answered"


def nobody_who_has_left_is_invited(evidence: Evidence) -> Iterator[str]:
    """The first check of the conversation decides: a customer who had left by then is sent no invitation."""
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


def _invitations(evidence: Evidence) -> Iterator[tuple[float, Conversation, Delivery]]:
    """When each invitation went out, to which conversation, and for which delivery."""
    for conversation in evidence.platform.conversations.values():
        for session in conversation.sessions:
            for when, correlation in session.invitations:
                yield when, conversation, evidence.by_correlation[correlation]


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


def _cut_short(delivery: Delivery) -> bool:
    """Whether the worker died, stood still, or could not note what it knew."""
    return delivery.ended < 0 or delivery.frozen > 0 or delivery.handler.troubled
