"""The envelopes, a row each: how an event is wrapped, where its parts stand, and which of them start nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cobrowse.model import StartWhen
from integrations.senders.payloads import chat_events, crm_events
from schemas import chat_event, crm
from schemas.input_schema import InputSchema

Loaded = Mapping[str, Any]
# The flat contract of the data action, also for senders with a body of their own.
_CONTRACT = {
    "conversation_id": "conversationId",
    "channel": "channel",
    "requested_by": "requestedBy",
    "session_settings": "sessionSettings",
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One way to wrap an event.

    `split` makes the body's events; `transform` makes of one what the row's paths are about; `ignore` says why one
    starts nothing, `medium` what it is held on; `identity` distinguishes a retry from another request. `paths` stand
    where the row has none; `optional`: without a conversation id there is nothing to do rather than something wrong.
    `time` is when the event happened, as it says; `start_when` what the row's start_when is unless it says so itself.
    `content` is how a body is written; "" where the row or the sender's Content-Type says that.
    """

    name: str
    schema: InputSchema
    split: Callable[[Any], list[object]] = crm_events.single_event
    paths: Mapping[str, str] = field(default_factory=dict)
    transform: Callable[[Loaded], Loaded] = lambda event: event
    check: Callable[[Loaded, Mapping[str, str]], None] = lambda _event, _headers: None
    ignore: Callable[[Loaded, tuple[str, ...]], str] = lambda _event, _topics: ""
    medium: Callable[[Loaded], str] | None = None
    delivery_id: Callable[[Loaded, Mapping[str, str]], str] = lambda _event, _headers: ""
    identity: Callable[[Loaded], object] = lambda event: event
    topics: tuple[str, ...] = ()
    time: Callable[[Loaded], object] | None = None
    start_when: StartWhen = "customer_connected"
    optional: bool = False
    content: str = "json"
    batch: bool = False
    response_policy: str = ""


_TABLE = (
    Envelope(
        "eventbridge",
        chat_event.EVENTBRIDGE,
        split=lambda body: crm_events.single_event(chat_events.as_bus_event(body)),
        paths={"conversation_id": "detail.eventBody.conversationId"},
        ignore=chat_events.ignore_bus_event,
        medium=lambda event: str(event["detail"]["eventBody"]["mediaType"]),
        delivery_id=lambda event, _headers: str(event["id"]),
        topics=chat_events.TOPICS,
        time=chat_events.bus_time,
        start_when="agent_connected",
        response_policy="eventbridge",
    ),
    Envelope(
        "genesys-notification",
        chat_event.NOTIFICATION,
        # A detail event names its conversation otherwise than the state of a conversation does.
        paths={"conversation_id": "eventBody.conversationId || eventBody.id"},
        ignore=chat_events.ignore_notification,
        medium=chat_events.notification_medium,
        # One CorrelationId can be on several states of a conversation.
        delivery_id=chat_events.answering_agent,
        topics=chat_events.TOPICS,
        # The state of a conversation has none: it is sent as it is now.
        time=lambda event: event["eventBody"]["eventTime"],
        start_when="agent_connected",
        response_policy="genesys-notification",
    ),
    Envelope(
        "open-messaging",
        chat_event.OPEN_MESSAGING,
        delivery_id=chat_events.open_message_id,
        optional=True,
        response_policy="open-messaging",
    ),
    Envelope(
        "hubspot",
        crm.HUBSPOT_EVENT,
        split=crm_events.batch_events,
        batch=True,
        delivery_id=crm_events.hubspot_id,
        identity=crm_events.hubspot_content,
        response_policy="hubspot",
    ),
    Envelope(
        "zendesk-event",
        crm.ZENDESK_EVENT,
        delivery_id=lambda event, _headers: str(event["id"]),
        response_policy="zendesk",
    ),
    Envelope(
        "dataverse",
        crm.DATAVERSE,
        transform=crm_events.with_attributes,
        check=crm_events.check_dataverse,
        delivery_id=crm_events.dataverse_id,
        response_policy="dataverse",
    ),
    Envelope("servicenow", crm.OBJECT, paths=_CONTRACT, content="", response_policy="servicenow"),
    Envelope("salesforce-flow", crm.OBJECT, paths=_CONTRACT, content="", response_policy="salesforce-flow"),
    Envelope("custom", crm.OBJECT, paths=_CONTRACT, content=""),
    Envelope(
        "salesforce-outbound-message",
        crm.SALESFORCE_NOTIFICATION,
        split=crm_events.soap_notifications,
        # It stays the same for all the 24 hours that a notification may be resent.
        delivery_id=lambda event, _headers: str(event["Id"]),
        content="xml",
        response_policy="salesforce-outbound-message",
    ),
)

ENVELOPES: Mapping[str, Envelope] = {envelope.name: envelope for envelope in _TABLE}
