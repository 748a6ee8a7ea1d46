"""Chat events of Genesys Cloud as their carriers deliver them. Unknown fields are allowed: Genesys adds them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, fields

from schemas.input_schema import InputSchema


class DeliverySchema(InputSchema):
    """Something another system sends: what it holds beyond our interest is left out, a null counts as not given."""

    class Meta:
        unknown: ClassVar[str] = EXCLUDE

    def prepare(self, data: Any) -> Any:
        """Without what is null."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, Mapping) else data


class ConversationEventSchema(DeliverySchema):
    """The `eventBody` of a v2.detail.events.conversation topic."""

    conversationId = fields.String(load_default="")
    mediaType = fields.String(load_default="")
    messageType = fields.String(load_default="")
    eventTime = fields.Raw(load_default="")


class DetailSchema(DeliverySchema):
    """A detail event: `detail` on EventBridge, or all there is where an input transformer sends only that."""

    topicName = fields.String(load_default="")
    timestamp = fields.Raw(load_default="")
    eventBody = fields.Nested(ConversationEventSchema, required=True)


class EventBridgeSchema(DeliverySchema):
    """An event that an API destination of Amazon EventBridge delivers."""

    id = fields.String(load_default="")
    detail_type = fields.String(data_key="detail-type", load_default="")
    time = fields.Raw(load_default="")
    detail = fields.Nested(DetailSchema, required=True)


class MediumSchema(DeliverySchema):
    """One medium of a participant."""

    state = fields.String(load_default="")


def _media() -> fields.List[Any]:
    return fields.List(fields.Nested(MediumSchema), load_default=list)


class ParticipantSchema(DeliverySchema):
    """A participant, in the shape of a medium's topic (`state`, `type`) or of all conversations (lists of media)."""

    id = fields.String(load_default="")
    purpose = fields.String(load_default="")
    state = fields.String(load_default="")
    type = fields.String(load_default="")
    calls = _media()
    chats = _media()
    messages = _media()


class ConversationStateSchema(ConversationEventSchema):
    """The `eventBody` of a conversations topic: the whole state, sent again at each change. Or a detail event's."""

    id = fields.String(load_default="")
    participants = fields.List(fields.Nested(ParticipantSchema), load_default=list)


class NotificationSchema(DeliverySchema):
    """A message of a notification channel, handed on by a relay."""

    topicName = fields.String(load_default="")
    eventBody = fields.Nested(ConversationStateSchema, load_default=lambda: ConversationStateSchema().load({}))


class OpenMessagingChannelSchema(DeliverySchema):
    """The channel of an Open Messaging message."""

    platform = fields.String(load_default="")
    messageId = fields.String(load_default="")


class OpenMessagingSchema(DeliverySchema):
    """An outbound message of an Open Messaging integration."""

    id = fields.String(load_default="")
    type = fields.String(load_default="")
    channel = fields.Nested(OpenMessagingChannelSchema, load_default=dict)


EVENTBRIDGE = EventBridgeSchema()
NOTIFICATION = NotificationSchema()
OPEN_MESSAGING = OpenMessagingSchema()
