"""A conversation's change as the command that a webhook of the envelope genesys-notification would give."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from cobrowse.model import Command
from integrations.listening.config import DEADLINE_SECONDS, SENDER
from integrations.senders.payloads.chat_events import connected_agents
from integrations.senders.payloads.envelopes import ENVELOPES
from integrations.senders.payloads.parser import EventParser
from integrations.senders.payloads.paths import Path
from integrations.senders.requests import Ignored
from schemas.chat_event import NOTIFICATION

_ENVELOPE = ENVELOPES["genesys-notification"]
_PARSER = EventParser(_ENVELOPE, Path.of(_ENVELOPE.paths["conversation_id"]), topics=_ENVELOPE.topics)


class AgentAnswer(NamedTuple):
    """A conversation that agents have answered: the command for the first of them, and the keys of them all."""

    command: Command
    keys: tuple[str, ...]


def parse_change(event: Mapping[str, Any], now: datetime, new_id: Callable[[], str]) -> AgentAnswer | Ignored:
    """What a conversation's change asks for; `new_id` makes correlation ids. Raises InvalidRequest if it can't be read.

    A conversation sends its whole state at every change: the key says which agent has answered, so that each answer
    starts one session however often it is delivered.
    """
    request = _PARSER.parse_event(event, {}, now)
    if isinstance(request, Ignored):
        return request
    agents = connected_agents(NOTIFICATION.load(event))
    keys = tuple(f"{request.conversation_id}:{one}" for one in agents if one)
    command = Command(
        sender=SENDER,
        correlation_id=new_id(),
        deadline_seconds=DEADLINE_SECONDS,
        conversation_id=request.conversation_id,
        channel=request.channel,
        credential=SENDER,
        key=keys[0] if keys else "",
        reuse_live_session=True,
        start_when=_ENVELOPE.start_when,
    )
    return AgentAnswer(command, keys)
