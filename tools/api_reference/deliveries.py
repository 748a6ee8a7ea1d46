"""A delivery of each sender in senders.example.toml, as Postman sends it: {{names}} are variables of the collection.

The bodies are cut down to what the sender's row reads and what makes them recognisable.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

_CONVERSATION, _DELIVERY, _NUMBER = "{{conversationId}}", "{{deliveryId}}", "{{deliveryNumber}}"
_JSON = {"Content-Type": "application/json"}
_SOAP = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>00D5g000004XyZaEAK</OrganizationId>
   <ActionId>04k5g000000blRTAAY</ActionId>
   <Notification>
    <Id>{{deliveryId}}</Id>
    <sObject xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
     <sf:Id>5005g00000QwErTAAV</sf:Id>
     <sf:Genesys_Conversation_Id__c>{{conversationId}}</sf:Genesys_Conversation_Id__c>
    </sObject>
   </Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one sender sends. `told`: what is to be expected; `repeats`: it carries an id that a repeat has again."""

    what: str
    body: Any
    headers: dict[str, str] = field(default_factory=lambda: dict(_JSON))
    told: Literal["started", "ignored", "acknowledged"] = "started"
    repeats: bool = True


DELIVERIES: dict[str, Delivery] = {
    "eventbridge": Delivery(
        "an agent has joined",
        {
            "version": "0",
            "id": _DELIVERY,
            "detail-type": "v2.detail.events.conversation.{id}.user.start",
            "source": "aws.partner/genesys.com/cloud/3a1b6f70-0000-4000-8000-5d2f1e9c7a11/bridge",
            "detail": {
                "topicName": f"v2.detail.events.conversation.{_CONVERSATION}.user.start",
                "version": "2",
                "eventBody": {"conversationId": _CONVERSATION, "mediaType": "CHAT", "direction": "INBOUND"},
            },
        },
        {"Content-Type": "application/json; charset=utf-8"},
    ),
    "eventbridge-handover": Delivery(
        "a conversation was handed to an agent",
        {
            "version": "0",
            "id": _DELIVERY,
            "detail-type": "v2.detail.events.conversation.{id}.acd.end",
            "source": "aws.partner/genesys.com/cloud/3a1b6f70-0000-4000-8000-5d2f1e9c7a11/bridge",
            "detail": {
                "topicName": f"v2.detail.events.conversation.{_CONVERSATION}.acd.end",
                "version": "2",
                "eventBody": {
                    "conversationId": _CONVERSATION,
                    "mediaType": "CHAT",
                    "direction": "INBOUND",
                    "disconnectType": "TRANSFER",
                },
            },
        },
        {"Content-Type": "application/json; charset=utf-8"},
    ),
    "notifications": Delivery(
        "an agent is connected",
        {
            "topicName": "v2.users.b7d6a5a2-2c39-4a0f-8a39-9d5c6d0d8b21.conversations.messages",
            "version": "2",
            "eventBody": {
                "id": _CONVERSATION,
                "participants": [
                    {"purpose": "customer", "state": "connected", "type": "webmessaging"},
                    {"purpose": "agent", "state": "connected", "type": "webmessaging"},
                ],
            },
        },
        repeats=False,
    ),
    "open-messaging": Delivery(
        "a message, which names no conversation",
        {
            "id": _DELIVERY,
            "channel": {"platform": "Open", "type": "Private", "messageId": _DELIVERY},
            "type": "Text",
            "text": "May I look at your page with you?",
            "direction": "Outbound",
        },
        told="ignored",
        repeats=False,
    ),
    "zendesk": Delivery(
        "ticket created",
        {
            "type": "zen:event-type:ticket.created",
            "account_id": 12514403,
            "id": _DELIVERY,
            "zendesk_event_version": "2022-06-20",
            "subject": "zen:ticket:35436",
            "detail": {"id": "35436", "external_id": _CONVERSATION, "assignee_id": "8447388090495"},
            "event": {},
        },
        _JSON | {"X-Zendesk-Webhook-Invocation-Id": _DELIVERY},
    ),
    "zendesk-trigger": Delivery(
        "a trigger's own body",
        {"ticket_id": "35436", "conversation_id": _CONVERSATION, "agent": "Ada Example"},
        _JSON | {"X-Zendesk-Webhook-Invocation-Id": _DELIVERY},
    ),
    "hubspot": Delivery(
        "a property has changed",
        [
            {
                "eventId": 3816279340,
                "subscriptionId": 25,
                "portalId": 33,
                "objectId": 123,
                "occurredAt": _NUMBER,
                "subscriptionType": "contact.propertyChange",
                "attemptNumber": 0,
                "propertyName": "genesys_conversation_id",
                "propertyValue": _CONVERSATION,
                "sourceId": "userId:10202051",
            }
        ],
    ),
    "salesforce": Delivery(
        "a flow's HTTP callout",
        {"conversationId": _CONVERSATION, "channel": "message", "requestedBy": "005xx000001SvABAA0"},
        repeats=False,
    ),
    "salesforce-messages": Delivery(
        "an outbound message", _SOAP, {"Content-Type": "text/xml; charset=utf-8"}, told="acknowledged"
    ),
    "dataverse": Delivery(
        "an incident is updated",
        {
            "MessageName": "Update",
            "PrimaryEntityName": "incident",
            "PrimaryEntityId": "3d2f6a3c-8f51-4f40-9b0e-5f4a6c1d2e77",
            "OperationId": _DELIVERY,
            "InitiatingUserId": "7b6f3e6e-1d57-4a9e-9a3d-1f9b3d2c8e44",
            "InputParameters": [
                {
                    "key": "Target",
                    "value": {"Attributes": [{"key": "new_genesysconversationid", "value": _CONVERSATION}]},
                }
            ],
        },
    ),
    "servicenow": Delivery(
        "a business rule",
        {"number": "INC0010023", "opened_by": "beth.anglin", "conversation_id": _CONVERSATION},
        repeats=False,
    ),
    "shopify": Delivery(
        "an order from a chat",
        {
            "id": 820982911946154508,
            "note_attributes": [{"name": "genesys_conversation_id", "value": _CONVERSATION}],
            "source_name": "web",
        },
        _JSON | {"X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": _DELIVERY},
    ),
    "github": Delivery(
        "repository_dispatch",
        {
            "action": "start-cobrowse",
            "client_payload": {"conversation_id": _CONVERSATION},
            "sender": {"login": "octocat"},
        },
        _JSON | {"X-GitHub-Event": "repository_dispatch", "X-GitHub-Delivery": _DELIVERY},
    ),
    "crm": Delivery(
        "cobrowse wanted",
        {
            "type": "cobrowse.wanted",
            "data": {"conversationId": _CONVERSATION, "channel": "webchat", "agent": "ada@example.com"},
        },
    ),
    "helpdesk": Delivery(
        "a call",
        {"conversationId": _CONVERSATION, "requestedBy": "Ada Example"},
        _JSON | {"X-Helpdesk-Delivery": _DELIVERY},
    ),
}
