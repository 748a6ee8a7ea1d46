"""Genesys's answers about notification channels, queues, users and analytics, as far as the listener reads them."""

from datetime import datetime
from typing import Any

from marshmallow import fields

from cobrowse.clock import parse_time
from schemas.genesys import GenesysSchema, PartsField, TextField, text_of


class IsoTimeField(fields.Field[datetime | None]):
    """A time in ISO 8601; what is none counts as not given."""

    def deserialize(self, value: Any, *_: Any, **__: Any) -> datetime | None:
        """The moment, None without one."""
        return parse_time(text_of(value))


class _TopicsField(PartsField):
    """Topics: their texts, and the permissions that a rejected one lacks."""

    def deserialize(self, value: Any, *_: Any, **__: Any) -> list[dict[str, Any]]:
        """Each topic's texts, and its missing permissions as a list of texts."""
        topics = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
        found = super().deserialize(topics)
        for one, topic in zip(topics, found, strict=True):
            missing = one.get("missingPermissions")
            topic["missingPermissions"] = [text_of(name) for name in missing] if isinstance(missing, list) else []
        return found


class ChannelSchema(GenesysSchema):
    """POST /api/v2/notifications/channels."""

    id = TextField(required=True)
    connectUri = TextField(required=True)
    expires = IsoTimeField()


class SubscriptionsSchema(GenesysSchema):
    """PUT /api/v2/notifications/channels/{id}/subscriptions."""

    entities = _TopicsField(("id", "state", "rejectionReason"))


class EntitiesSchema(GenesysSchema):
    """GET /api/v2/routing/queues."""

    entities = PartsField(("id", "name"))


class UserResultsSchema(GenesysSchema):
    """POST /api/v2/users/search."""

    results = PartsField(("id", "name", "email"))


class ConversationDetailsSchema(GenesysSchema):
    """POST /api/v2/analytics/conversations/details/query."""

    conversations = PartsField(("conversationId",))
