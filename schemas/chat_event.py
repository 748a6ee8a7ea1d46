"""Chat events of Genesys Cloud as their carriers deliver them. Unknown fields are allowed: Genesys adds them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, fields

from schemas.input_schema import InputSchema


def text(description: str, **more: Any) -> fields.String:
    """A text that need not be there."""
    return fields.String(load_default="", metadata={"description": description}, **more)


class DeliverySchema(InputSchema):
    """Something another system sends: what it holds beyond our interest is left out, a null counts as not given."""

    class Meta:
        unknown: ClassVar[str] = EXCLUDE

    def prepare(self, data: Any) -> Any:
        """Without what is null."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, Mapping) else data


class ConversationEventSchema(DeliverySchema):
    """The `eventBody` of a v2.detail.events.conversation topic."""

    conversationId = text("The conversation.")
    mediaType = text("Its medium, such as CHAT or MESSAGE.")
    messageType = text("Of a message: how it comes, such as WEBMESSAGING.")
    eventTime = fields.Raw(load_default="", metadata={"description": "When it happened: milliseconds, or ISO 8601."})


class DetailSchema(DeliverySchema):
    """A detail event: `detail` on EventBridge, or all there is where an input transformer sends only that."""

    topicName = text("The topic that it is of.")
    timestamp = fields.Raw(
        load_default="", metadata={"description": "When Genesys sent it: milliseconds, or ISO 8601."}
    )
    eventBody = fields.Nested(ConversationEventSchema, required=True)


class EventBridgeSchema(DeliverySchema):
    """An event that an API destination of Amazon EventBridge delivers."""

    id = text("EventBridge's id of the event: the key of its redeliveries.")
    detail_type = text("The topic that it is of.", data_key="detail-type")
    time = fields.Raw(load_default="", metadata={"description": "When EventBridge received it, in ISO 8601."})
    detail = fields.Nested(DetailSchema, required=True)


class MediumSchema(DeliverySchema):
    """One medium of a participant."""

    state = text("How far it is, such as connected.")


def _media(name: str) -> fields.List[Any]:
    description = f"The participant's {name}, in the shape of all conversations."
    return fields.List(fields.Nested(MediumSchema), load_default=list, metadata={"description": description})


class ParticipantSchema(DeliverySchema):
    """A participant, in the shape of a medium's topic (`state`, `type`) or of all conversations (lists of media)."""

    id = text("The participant's id.")
    purpose = text("Who it is, such as customer or agent.")
    state = text("In the shape of one medium: how far that is.")
    type = text("In the shape of one medium: how a message comes, such as webmessaging.")
    calls = _media("calls")
    chats = _media("chats")
    messages = _media("messages")


class ConversationStateSchema(ConversationEventSchema):
    """The `eventBody` of a conversations topic: the whole state, sent again at each change. Or a detail event's."""

    id = text("The conversation.")
    participants = fields.List(
        fields.Nested(ParticipantSchema), load_default=list, metadata={"description": "Who is, or was, in it."}
    )


class NotificationSchema(DeliverySchema):
    """A message of a notification channel, handed on by a relay."""

    topicName = text("The topic that it is of.")
    eventBody = fields.Nested(ConversationStateSchema, load_default=lambda: ConversationStateSchema().load({}))


class OpenMessagingChannelSchema(DeliverySchema):
    """The channel of an Open Messaging message."""

    platform = text("The platform: Open for an Open Messaging integration.")
    messageId = text("The integration's own id of the message.")


class OpenMessagingSchema(DeliverySchema):
    """An outbound message of an Open Messaging integration."""

    id = text("Genesys's id of the message: the key of its redeliveries.")
    type = text("What it is, such as Text or Receipt.")
    channel = fields.Nested(OpenMessagingChannelSchema, load_default=dict)


EVENTBRIDGE = EventBridgeSchema()
NOTIFICATION = NotificationSchema()
OPEN_MESSAGING = OpenMessagingSchema()
