"""Each end of a conversation's cobrowse sessions: who is in one, since when, and what has to be disconnected."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cobrowse.existing_session import offer_end
from cobrowse.model import Session, SessionState, SessionView
from integrations.genesys.presence import is_over, purpose_of

_AGENTS = ("agent", "user")


@dataclass(frozen=True, slots=True)
class CobrowsePart:
    """One communication of a cobrowse session; of a medium of the whole conversation the participant is empty."""

    session_id: str
    id: str
    participant_id: str
    purpose: str
    connected: bool
    over: bool
    connected_time: str
    disconnected_time: str


def parts_of(conversation: Mapping[str, Any]) -> tuple[CobrowsePart, ...]:
    """The parts that a loaded ConversationSchema shows."""
    media = [one for one in conversation["media"] if one["type"].lower() == "cobrowse"]
    parts = [_part(one, "", "") for one in media]
    for participant in conversation["participants"]:
        parts += [_part(one, participant["id"], purpose_of(participant)) for one in participant["cobrowsesessions"]]
    return tuple(parts)


def targets_of(parts: Iterable[CobrowsePart], session_id: str) -> tuple[str, ...]:
    """The communications to disconnect, one for each live session: the customer's, else any other."""
    found: dict[str, CobrowsePart] = {}
    for part in sorted(parts, key=lambda part: part.purpose != "customer"):
        if part.participant_id and part.id and not part.over and session_id in ("", part.session_id):
            found.setdefault(part.session_id, part)
    return tuple(f"{part.participant_id}/{part.id}" for part in found.values())


def view_of(parts: Iterable[CobrowsePart], session: Session, *, ended: bool, now: datetime) -> SessionView:
    """How far the session has come. `ended`: the conversation is over, or its customer has left.

    The media flow's medium says `connected` for the session itself, with nobody's name; that counts as joined.
    """
    own = [part for part in parts if _is_of(part, session)]
    people = [part for part in own if part.participant_id]
    live = [part for part in own if not part.over]
    end = offer_end(session)
    lapsed = end is not None and end <= now
    if ended or (own and not live):
        never = not any(part.connected_time for part in people if part.purpose not in _AGENTS)
        state = SessionState.EXPIRED if lapsed and people and never else SessionState.ENDED
        return SessionView(state, since=_latest(part.disconnected_time for part in own))
    if not own:
        state = SessionState.EXPIRED if lapsed else SessionState.UNKNOWN
        return SessionView(state, since=session.offer_ends if lapsed else "")
    agents = [part for part in people if part.purpose in _AGENTS and part.connected]
    customers = [part for part in people if part.purpose not in _AGENTS and part.connected]
    joined = customers or ([] if people else [part for part in live if part.connected])
    since = _latest(part.connected_time for part in joined)
    return SessionView(
        SessionState.JOINED if joined else SessionState.OFFERED,
        customer_connected=bool(customers),
        agent_connected=bool(agents),
        since=since,
    )


def _part(medium: Mapping[str, str], participant_id: str, purpose: str) -> CobrowsePart:
    return CobrowsePart(
        session_id=medium["cobrowseSessionId"] or medium["id"],
        id=medium["id"],
        participant_id=participant_id,
        purpose=purpose,
        connected=medium["state"].strip().lower() == "connected",
        over=is_over(medium),
        connected_time=medium["connectedTime"],
        disconnected_time=medium["disconnectedTime"],
    )


def _is_of(part: CobrowsePart, session: Session) -> bool:
    """Whether it is a part of the session; of one whose id is not known, any may be."""
    known = {session.cobrowse_session_id, session.media_id} - {""}
    return not known or part.session_id in known or part.id in known


def _latest(times: Iterable[str]) -> str:
    # ISO 8601 in UTC, as Genesys writes it, sorts as text.
    return max(times, default="")
