"""The envelopes, a row each: how an event is wrapped, where its parts stand, and which of them start nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema

from cobrowse.model import StartWhen
from integrations.senders import chats, crms
from schemas import chat_event, crm

Loaded = Mapping[str, Any]
# The flat contract of the data action, which whoever writes a body of their own can write too.
_CONTRACT = {
    "conversation_id": "conversationId",
    "channel": "channel",
    "requested_by": "requestedBy",
    "session_settings": "sessionSettings",
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One way to wrap an event.

    `split` makes the body's events; `seen` makes of one what the row's paths are about; `ignore` says why one starts
    nothing, `medium` what it is held on; `content` is what tells a repeat from another request. `paths` stand where the
    row has none; `optional`: without a conversation id there is nothing to do rather than something wrong. `time` is
    when the event happened, as it says; `start_when` what the row's start_when is unless it says so itself.
    """

    name: str
    schema: Schema
    split: Callable[[object], list[object]] = crms.one
    paths: Mapping[str, str] = field(default_factory=dict)
    seen: Callable[[Loaded], Loaded] = lambda event: event
    check: Callable[[Loaded, Mapping[str, str]], None] = lambda _event, _headers: None
    ignore: Callable[[Loaded, tuple[str, ...]], str] = lambda _event, _topics: ""
    medium: Callable[[Loaded], str] | None = None
    delivery_id: Callable[[Loaded, Mapping[str, str]], str] = lambda _event, _headers: ""
    content: Callable[[Loaded], object] = lambda event: event
    topics: tuple[str, ...] = ()
    time: Callable[[Loaded], object] | None = None
    start_when: StartWhen = "customer_connected"
    optional: bool = False
    xml: bool = False
    batch: bool = False
    habit: str = "default"


_TABLE = (
    Envelope(
        "eventbridge",
        chat_event.EVENTBRIDGE,
        split=lambda body: crms.one(chats.as_bus_event(body)),
        paths={"conversation_id": "detail.eventBody.conversationId"},
        ignore=chats.ignore_bus_event,
        medium=chats.bus_medium,
        delivery_id=lambda event, _headers: str(event["id"]),
        topics=chats.TOPICS,
        time=chats.bus_time,
        start_when="agent_connected",
        habit="eventbridge",
    ),
    # No delivery id: one CorrelationId can be on several states of a conversation, and each state has to be looked at.
    Envelope(
        "genesys-notification",
        chat_event.NOTIFICATION,
        # A detail event names its conversation otherwise than the state of a conversation does.
        paths={"conversation_id": "eventBody.conversationId || eventBody.id"},
        ignore=chats.ignore_notification,
        medium=chats.notification_medium,
        topics=chats.TOPICS,
        time=chats.notification_time,
        start_when="agent_connected",
        habit="genesys-notification",
    ),
    Envelope(
        "open-messaging",
        chat_event.OPEN_MESSAGING,
        delivery_id=chats.open_message_id,
        optional=True,
        habit="open-messaging",
    ),
    Envelope(
        "hubspot",
        crm.HUBSPOT_EVENT,
        split=crms.many,
        batch=True,
        delivery_id=crms.hubspot_id,
        content=crms.hubspot_content,
        habit="hubspot",
    ),
    Envelope("zendesk-event", crm.ZENDESK_EVENT, delivery_id=crms.zendesk_id, habit="zendesk"),
    Envelope(
        "dataverse",
        crm.DATAVERSE,
        seen=crms.with_attributes,
        check=crms.check_dataverse,
        delivery_id=crms.dataverse_id,
        habit="dataverse",
    ),
    Envelope("servicenow", crm.OBJECT, paths=_CONTRACT, habit="servicenow"),
    Envelope("salesforce-flow", crm.OBJECT, paths=_CONTRACT, habit="salesforce-flow"),
    Envelope("custom", crm.OBJECT, paths=_CONTRACT),
    Envelope(
        "salesforce-outbound-message",
        crm.SALESFORCE_NOTIFICATION,
        split=lambda body: crms.soap_notifications(body if isinstance(body, bytes) else b""),
        delivery_id=crms.salesforce_id,
        xml=True,
        habit="salesforce-outbound-message",
    ),
)

ENVELOPES: Mapping[str, Envelope] = {envelope.name: envelope for envelope in _TABLE}
