"""Genesys's JSON: conversations and sessions in the forms of the two flows."""

import uuid
import zlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from sandbox.state import Conversation, Medium, Session

# A reserved host: a demonstration must not open a real page. Links are https, as Genesys's are.
_PAGES = "https://cobrowse.sandbox.example"
_SPACE = uuid.UUID("5a6d0b0e-0000-4000-8000-000000000000")

_COMMUNICATION_TYPE = {"voice": "Call", "message": "Message"}
_LISTS = {"webchat": "chats", "voice": "calls", "message": "messages", "email": "emails"}
_PROVIDERS = {
    "webchat": "PureCloud Webchat v2",
    "voice": "Edge",
    "message": "PureCloud Messaging",
    "email": "PureCloud Email",
}
_ROLES = {"customer": "sharer", "agent": "viewer"}


def stamp(seconds: float) -> str:
    """A moment as Genesys writes it, in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def derive_id(owner: str, part: str) -> str:
    """The id of a part of something: always the same one, so that it needn't be kept."""
    return str(uuid.uuid5(_SPACE, f"{owner}/{part}"))


def created_session(session: Session) -> dict[str, object]:
    """A session as the media flow's create call answers."""
    return {
        "id": session.id,
        "joinUrl": f"{_PAGES}/join/{session.id}",
        "viewerUrl": viewer_url(session.id),
        "dateOfferEnds": stamp(session.expires),
        "selfUri": f"/api/v2/cobrowse/sessions/{session.id}",
    }


def started_session(session: Session, channel: str) -> dict[str, object]:
    """A session as the native call answers: a CobrowseWebMessagingSession."""
    return {
        "id": session.id,
        "name": "",
        "joinCode": f"{zlib.crc32(session.id.encode()) % 1_000_000:06}",
        "websocketUrl": f"wss://cobrowse.sandbox.example/ws/{session.id}",
        "dateOfferEnds": stamp(session.expires),
        "communicationType": _COMMUNICATION_TYPE.get(channel, "Unknown"),
        "selfUri": f"/api/v2/conversations/{session.conversation_id}/cobrowse/{session.id}",
    }


def viewer_url(session_id: str) -> str:
    """Where the agent watches a session."""
    return f"{_PAGES}/view/{session_id}"


def attached(medium: Medium) -> dict[str, object]:
    """A cobrowse as an entry of a conversation's media[]."""
    return {
        "id": medium.id,
        "type": "cobrowse",
        "cobrowseSessionId": medium.session_id,
        "state": "connected" if medium.ended is None else "disconnected",
    }


def conversation(conversation: Conversation, api: str) -> dict[str, object]:
    """A conversation as `GET /conversations/{id}` shows it under one flow, or with the fields of both."""
    shown: dict[str, object] = {
        "id": conversation.id,
        "startTime": stamp(conversation.started),
        **_end_time(conversation.ended),
    }
    if api != "media":
        shown |= {"participants": _participants(conversation), "recordingState": "NONE"}
    if api != "native":
        base = {
            "id": derive_id(conversation.id, "medium"),
            "type": conversation.channel,
            "state": "connected" if conversation.ended is None else "disconnected",
        }
        shown |= {
            "state": "active" if conversation.ended is None else "ended",
            "media": [base, *(attached(one) for one in conversation.media)],
        }
    return shown | {"selfUri": f"/api/v2/conversations/{conversation.id}"}


def notification(conversation: Conversation) -> dict[str, object]:
    """A conversation as the topics of a queue's or a user's conversations tell it: with all its participants."""
    return {"id": conversation.id, "participants": _participants(conversation), **_end_time(conversation.ended)}


def webchat_page(found: list[Conversation], size: int, number: int, api: str) -> dict[str, object]:
    """One page of the list of webchats; `number` counts from 1."""
    start = (number - 1) * size
    return {
        "entities": [conversation(one, api) for one in found[start : start + size]],
        "pageSize": size,
        "pageNumber": number,
        "total": len(found),
        "pageCount": -(-len(found) // size),
        "selfUri": f"/api/v2/conversations/webchat?pageSize={size}&pageNumber={number}",
    }


def cobrowse_conversation(conversation: Conversation) -> dict[str, object]:
    """The cobrowse sessions of a conversation, one participant for each end of each: a CobrowseConversation."""
    return {
        "id": conversation.id,
        "participants": [
            {
                "id": derive_id(conversation.id, purpose),
                "name": purpose.title(),
                "purpose": purpose,
                "direction": "outbound",
                "held": False,
                "startTime": stamp(one.attached),
                "provider": "PureCloud Cobrowse",
                **_end_time(one.ended),
                **_end(one, purpose),
            }
            for one in conversation.media
            for purpose in _ROLES
        ],
        "otherMediaUris": [],
        "selfUri": f"/api/v2/conversations/cobrowsesessions/{conversation.id}",
    }


def communication_id(medium: Medium, purpose: str) -> str:
    """The id of one participant's end of a cobrowse."""
    return derive_id(medium.id, purpose)


def medium_of(media: Iterable[Medium], conversation_id: str, participant_id: str, communication: str) -> Medium | None:
    """The cobrowse that a participant's communication belongs to."""
    for purpose in _ROLES:
        if derive_id(conversation_id, purpose) == participant_id:
            return next((one for one in media if communication_id(one, purpose) == communication), None)
    return None


def _participants(conversation: Conversation) -> list[dict[str, object]]:
    """The customer, the agents who have handed the conversation on, and its agent."""
    before = [
        _participant(replace(conversation, agent="disconnected", transfers=number, media=()), "agent")
        for number in range(conversation.transfers)
    ]
    return [_participant(conversation, "customer"), *before, _participant(conversation, "agent")]


def _participant(conversation: Conversation, purpose: str) -> dict[str, object]:
    """The customer or the agent, with a list for each kind of medium, most of them empty."""
    lists: dict[str, object] = {name: [] for name in ("calls", "callbacks", "chats", "emails", "messages")}
    lists[_LISTS[conversation.channel]] = [_communication(conversation, purpose)]
    lists["cobrowsesessions"] = [
        {
            "id": communication_id(one, purpose),
            "provider": "PureCloud Cobrowse",
            **_connected_since(one, purpose),
            **({} if one.ended is None else {"disconnectedTime": stamp(one.ended), "disconnectType": "client"}),
            **_end(one, purpose),
        }
        for one in conversation.media
    ]
    part = f"agent/{conversation.transfers}" if purpose == "agent" and conversation.transfers else purpose
    assignment = {"queueId": conversation.queue} | ({"userId": conversation.user} if purpose == "agent" else {})
    return {
        "id": derive_id(conversation.id, part),
        "name": purpose.title(),
        "purpose": purpose,
        **assignment,
        "startTime": stamp(conversation.started),
        "connectedTime": stamp(conversation.started),
        **_end_time(conversation.ended),
        "attributes": dict(conversation.attributes) if purpose == "customer" else {},
        "wrapupRequired": False,
        **lists,
    }


def _communication(conversation: Conversation, purpose: str) -> dict[str, object]:
    """One participant's end of the channel that the conversation runs on."""
    state = conversation.customer if purpose == "customer" else conversation.agent
    shown: dict[str, object] = {
        "id": derive_id(conversation.id, f"{purpose}/{conversation.channel}"),
        "state": state if conversation.ended is None else "disconnected",
        "direction": "inbound",
        "held": False,
        "provider": _PROVIDERS[conversation.channel],
        "connectedTime": stamp(conversation.started),
        "segments": [],
    }
    if conversation.channel == "message":
        shown["type"] = "webmessaging"
    if conversation.ended is not None:
        shown |= {"disconnectedTime": stamp(conversation.ended), "disconnectType": "peer"}
    return shown


def _end(medium: Medium, purpose: str) -> dict[str, object]:
    """One participant's end of a cobrowse: the agent is in it, the customer once the offer is accepted."""
    live = "alerting" if purpose == "customer" and medium.joined is None else "connected"
    return {
        "state": live if medium.ended is None else "disconnected",
        "cobrowseSessionId": medium.session_id,
        "cobrowseRole": _ROLES[purpose],
        "controlling": [],
        "viewerUrl": viewer_url(medium.session_id),
    }


def _connected_since(medium: Medium, purpose: str) -> dict[str, object]:
    """Since when one participant is in a cobrowse; the customer only once it has been accepted."""
    since = medium.joined if purpose == "customer" else medium.attached
    return {} if since is None else {"connectedTime": stamp(since)}


def _end_time(ended: float | None) -> dict[str, object]:
    return {} if ended is None else {"endTime": stamp(ended)}
