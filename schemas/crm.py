"""What CRMs send. None of it has a place for a conversation's id, so each row of the senders file says where it is."""

from typing import Any

from marshmallow import fields, validate

from schemas.chat_event import DeliverySchema, text

BATCH = 100


def _number(description: str) -> fields.Integer:
    return fields.Integer(strict=True, load_default=None, metadata={"description": description})


class ObjectSchema(DeliverySchema):
    """A body of the sender's own form: any object. The row's paths select what is read."""


class HubSpotEventSchema(DeliverySchema):
    """One event of a HubSpot subscription; `eventId` is no key, HubSpot says that it may repeat."""

    subscriptionId = _number("The subscription that it is of.")
    objectId = _number("The record that it is about.")
    occurredAt = _number("When it happened, in milliseconds since 1970.")
    subscriptionType = text("What it is, such as ticket.propertyChange.")


class ZendeskEventSchema(DeliverySchema):
    """An event that a Zendesk webhook is subscribed to; a trigger's body is the admin's own and not this."""

    id = text("Zendesk's id of the event: the key of its redeliveries.")
    type = fields.String(required=True, validate=validate.Length(min=1), metadata={"description": "What it is."})
    subject = text("What it is about, such as zen:ticket:1.")


class DataverseEntrySchema(DeliverySchema):
    """A key and its value, which is how Dataverse writes a mapping."""

    key = text("The key.")
    value = fields.Raw(load_default=None, metadata={"description": "Its value, of any type."})


def _entries(description: str) -> fields.List[Any]:
    return fields.List(fields.Nested(DataverseEntrySchema), load_default=list, metadata={"description": description})


class DataverseSchema(DeliverySchema):
    """A RemoteExecutionContext of Dataverse (Dynamics 365)."""

    MessageName = text("What was done, such as Update.")
    PrimaryEntityName = text("The table of the record that it was done to.")
    PrimaryEntityId = text("That record's id.")
    OperationId = text("The operation's id: the key of its redeliveries.")
    CorrelationId = text("The request's id, which stands in for an operation without one.")
    InputParameters = _entries("What the message came with; Target is the record's change.")
    PostEntityImages = _entries("The record as it is after the change.")


class SalesforceNotificationSchema(DeliverySchema):
    """One notification of a Salesforce outbound message, once its XML is read."""

    Id = fields.String(required=True, validate=validate.Length(min=1))
    OrganizationId = fields.String(load_default="")
    ActionId = fields.String(load_default="")
    sObject = fields.Dict(keys=fields.String(), required=True)


OBJECT = ObjectSchema()
HUBSPOT_EVENT = HubSpotEventSchema()
ZENDESK_EVENT = ZendeskEventSchema()
DATAVERSE = DataverseSchema()
SALESFORCE_NOTIFICATION = SalesforceNotificationSchema()
