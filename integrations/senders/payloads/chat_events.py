"""Chat events: which of them ask for a session, and which start nothing. Plain functions of a loaded event."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cobrowse.clock import parse_time
from schemas.texts import INCAPABLE, medium_in

# It comes when an agent's leg starts to ring, so the conversation itself has to show whether an agent has answered.
TOPICS = ("user.start",)
# Seconds: an event of longer ago is about a conversation that has gone on without it.
MAX_AGE_SECONDS = 3600.0
# A number of this size or more counts milliseconds since 1970, a smaller one seconds: 1973 and the year 5138.
_MILLISECONDS = 1e11
# EventBridge's detail-type has been seen with a literal {id} and with a real one.
_DETAIL_TOPIC = re.compile(r"v2\.detail\.events\.conversation\.(?:\{id\}|[\w-]+)\.([a-z]+(?:\.[a-z]+)*)")
# v2.users.<id>.conversations, v2.routing.queues.<id>.conversations.messages, v2.conversations.<id> …
_STATE_TOPIC = re.compile(r"v2\.(?:[\w.-]+\.)?conversations(?:\.([\w-]+)[\w.-]*)?")
_TOPIC_MEDIA = {"chats": "webchat", "calls": "voice", "messages": "message"}
# A conversation's topic may be about these and INCAPABLE too; cobrowse's own must start nothing.
_OTHER_MEDIA = frozenset({"cobrowsesessions", "socials", "social", "faxes"})
_BROWSER_MESSAGES = frozenset({"", "unknown", "webmessaging"})
HEARTBEAT = "channel.metadata"


def as_bus_event(body: object) -> object:
    """The event as EventBridge wraps it, also where an input transformer has passed on `detail` alone."""
    if isinstance(body, dict) and "detail" not in body and "eventBody" in body:
        return {"detail": body}
    return body


def ignore_bus_event(event: Mapping[str, Any], topics: tuple[str, ...]) -> str:
    """Why this event starts nothing; "" if it asks for a session."""
    detail, detail_type = event["detail"], event["detail_type"]
    names = [name for name in (detail_type, detail["topicName"]) if name]
    if not names:
        return "the event names no topic"
    found = [_DETAIL_TOPIC.fullmatch(name) for name in names]
    if not all(found):
        return "the event is not about a conversation"
    # The topic inside is the event's own; detail-type is what the bus files it under.
    return _ignore_detail(found[-1][1] if found[-1] else "", topics, detail["eventBody"])


def bus_time(event: Mapping[str, Any]) -> object:
    """When the event happened, as it says: the event's own time, else when it was sent, else when the bus took it."""
    detail = event["detail"]
    return detail["eventBody"]["eventTime"] or detail["timestamp"] or event["time"]


def moment(value: object) -> datetime | None:
    """A time in milliseconds or seconds since 1970 or in ISO 8601; None if it is none of these."""
    try:
        if isinstance(value, str) and not value.isdigit():
            return parse_time(value)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        number = float(value)
        seconds = number / 1000 if number >= _MILLISECONDS else number
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def ignore_notification(event: Mapping[str, Any], topics: tuple[str, ...]) -> str:
    """Why this notification starts nothing; "" if an agent is connected in the conversation that it names.

    A detail event is judged as the bus's are.
    """
    if event["topicName"] == HEARTBEAT:
        return "a heartbeat of the notification channel"
    if not event["topicName"]:
        return "the channel's own message, without a topic"
    detail = _DETAIL_TOPIC.fullmatch(event["topicName"])
    if detail is not None:
        return _ignore_detail(detail[1], topics, event["eventBody"])
    topic = _STATE_TOPIC.fullmatch(event["topicName"])
    if topic is None:
        return "the notification is not about a conversation"
    if topic[1] in _OTHER_MEDIA or medium_in(topic[1] or "") in INCAPABLE:
        return f"{topic[1]} can't carry cobrowse"
    participants = event["eventBody"]["participants"]
    if not any(_is_agent(one) and _is_connected(one) for one in participants):
        return "no agent is connected yet"
    kinds = [one["type"] for one in participants if one["purpose"].lower() == "customer"]
    return _by_browser(kinds[0]) if topic[1] == "messages" and kinds else ""


def notification_medium(event: Mapping[str, Any]) -> str:
    """The medium that the event names or its topic is about, else the one that all participants have in common."""
    if event["eventBody"]["mediaType"]:
        return str(event["eventBody"]["mediaType"])
    topic = _STATE_TOPIC.fullmatch(event["topicName"])
    if topic is not None and topic[1] in _TOPIC_MEDIA:
        return _TOPIC_MEDIA[topic[1]]
    transformed = {
        kind for one in event["eventBody"]["participants"] for name, kind in _TOPIC_MEDIA.items() if one[name]
    }
    return transformed.pop() if len(transformed) == 1 else ""


def connected_agents(event: Mapping[str, Any]) -> list[str]:
    """The ids of the participants that are agents and connected, in the conversation's order."""
    return [one["id"] for one in event["eventBody"]["participants"] if _is_agent(one) and _is_connected(one)]


def answering_agent(event: Mapping[str, Any], _headers: Mapping[str, str]) -> str:
    """The conversation and who has answered in it: its whole state is sent at every change, and starts nothing anew."""
    agent, conversation_id = next(iter(connected_agents(event)), ""), event["eventBody"]["id"]
    return f"{conversation_id}:{agent}" if agent and conversation_id else ""


def open_message_id(event: Mapping[str, Any], _headers: Mapping[str, str]) -> str:
    """The message's id, which stays the same when Genesys sends it again."""
    return str(event["id"] or event["channel"].get("messageId", ""))


def _ignore_detail(topic: str, topics: tuple[str, ...], body: Mapping[str, Any]) -> str:
    if topic not in topics:
        return f"{topic[:60]} starts no session here; the row's topics do: {', '.join(topics)}"
    return _by_browser(body["messageType"])


def _by_browser(message_type: str) -> str:
    if message_type.lower() in _BROWSER_MESSAGES:
        return ""
    return f"{message_type[:60]} messages can't carry cobrowse, which needs the customer's browser"


def _is_agent(participant: Mapping[str, Any]) -> bool:
    return participant["purpose"].lower() in ("agent", "user")


def _is_connected(participant: Mapping[str, Any]) -> bool:
    media = [medium["state"] for name in _TOPIC_MEDIA for medium in participant[name]]
    return any(state.lower() == "connected" for state in (participant["state"], *media))
