"""Genesys's answers, as far as this service reads them. Unknown fields are allowed: Genesys adds them at any time."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, fields, pre_load, validate

_filled = validate.Length(min=1)


class GenesysSchema(Schema):
    """An answer of Genesys: a null stands for "not given", as its own SDK reads it."""

    class Meta:
        unknown: ClassVar[str] = EXCLUDE

    @pre_load
    def _without_nulls(self, data: Any, **_: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, Mapping) else data


class TokenSchema(GenesysSchema):
    """POST /oauth/token. `expires_in` is seconds."""

    access_token = fields.String(required=True, validate=_filled)
    expires_in = fields.Float(load_default=86_400.0, validate=validate.Range(min=0))


class CreatedSessionSchema(GenesysSchema):
    """POST /api/v2/cobrowse/sessions."""

    id = fields.String(required=True, validate=_filled)
    joinUrl = fields.String(load_default="")
    viewerUrl = fields.String(load_default="")


class AttachedMediaSchema(GenesysSchema):
    """POST /api/v2/conversations/{id}/media."""

    id = fields.String(required=True, validate=_filled)
    state = fields.String(load_default="")


class CobrowseSessionSchema(GenesysSchema):
    """POST /api/v2/conversations/{id}/cobrowse: CobrowseWebMessagingSession of the published OpenAPI."""

    id = fields.String(required=True, validate=_filled)
    joinCode = fields.String(load_default="")
    dateOfferEnds = fields.String(load_default="")


class MediumSchema(GenesysSchema):
    """One medium: an entry of a participant's chats, calls, … or of the conversation's media."""

    id = fields.String(load_default="")
    type = fields.String(load_default="")
    state = fields.String(load_default="")
    cobrowseSessionId = fields.String(load_default="")
    viewerUrl = fields.String(load_default="")


def _media() -> fields.List[Any]:
    return fields.List(fields.Nested(MediumSchema), load_default=list)


class ParticipantSchema(GenesysSchema):
    """A participant's media, as far as they say what a conversation is and whether it has cobrowse."""

    calls = _media()
    chats = _media()
    messages = _media()
    emails = _media()
    callbacks = _media()
    cobrowsesessions = _media()


class ConversationSchema(GenesysSchema):
    """GET /api/v2/conversations/{id}, in both shapes: with `media` and `state`, or with participants and `endTime`."""

    id = fields.String(required=True, validate=_filled)
    state = fields.String(load_default="")
    endTime = fields.String(load_default="")
    media = _media()
    participants = fields.List(fields.Nested(ParticipantSchema), load_default=list)


class ConversationListSchema(GenesysSchema):
    """GET /api/v2/conversations/webchat."""

    entities = fields.List(fields.Nested(ConversationSchema), required=True)


class ErrorBodySchema(GenesysSchema):
    """ErrorBody of the published OpenAPI, or OAuth's error answer: whatever of it says what went wrong."""

    message = fields.String(load_default="")
    code = fields.String(load_default="")
    contextId = fields.String(load_default="")
    error = fields.String(load_default="")
    error_description = fields.String(load_default="")
    description = fields.String(load_default="")
