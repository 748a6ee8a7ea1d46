"""What CRMs send. None of it has a place for a conversation's id, so each row of the senders file says where it is."""

from marshmallow import fields, validate

from schemas.chat_event import DeliverySchema

BATCH = 100


class ObjectSchema(DeliverySchema):
    """A body of the sender's own form: any object. The row's paths select what is read."""


class HubSpotEventSchema(DeliverySchema):
    """One event of a HubSpot subscription; `eventId` is no key, HubSpot says that it may repeat."""

    subscriptionId = fields.Integer(strict=True, load_default=None)
    objectId = fields.Integer(strict=True, load_default=None)
    occurredAt = fields.Integer(strict=True, load_default=None)
    subscriptionType = fields.String(load_default="")


class ZendeskEventSchema(DeliverySchema):
    """An event that a Zendesk webhook is subscribed to; a trigger's body is the admin's own and not this."""

    id = fields.String(load_default="")
    type = fields.String(required=True, validate=validate.Length(min=1))
    subject = fields.String(load_default="")


class DataverseEntrySchema(DeliverySchema):
    """A key and its value, which is how Dataverse writes a mapping."""

    key = fields.String(load_default="")
    value = fields.Raw(load_default=None, allow_none=True)


class DataverseSchema(DeliverySchema):
    """A RemoteExecutionContext of Dataverse (Dynamics 365)."""

    MessageName = fields.String(load_default="")
    PrimaryEntityName = fields.String(load_default="")
    PrimaryEntityId = fields.String(load_default="")
    OperationId = fields.String(load_default="")
    CorrelationId = fields.String(load_default="")
    InputParameters = fields.List(fields.Nested(DataverseEntrySchema), load_default=list)
    PostEntityImages = fields.List(fields.Nested(DataverseEntrySchema), load_default=list)


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
