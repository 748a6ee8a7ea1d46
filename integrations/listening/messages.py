"""What a notification channel says: its own messages, and the changes of conversations."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import orjson

from integrations.senders.payloads.chat_events import HEARTBEAT

CLOSING = "v2.system.socket_closing"
PING = '{"message":"ping"}'
Kind = Literal["channel", "closing", "event", "unreadable"]


class Message(NamedTuple):
    """One message. `channel`: a heartbeat or a pong; `closing`: Genesys will close the socket within a minute."""

    kind: Kind
    event: Mapping[str, Any]


def read_message(text: str | bytes) -> Message:
    """What a message of the socket is."""
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Message("unreadable", {})
    if not isinstance(event, dict):
        return Message("unreadable", {})
    topic = event.get("topicName")
    if topic == CLOSING:
        return Message("closing", event)
    if topic == HEARTBEAT or not topic:
        return Message("channel", event)
    return Message("event", event)
