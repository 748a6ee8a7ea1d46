"""Genesys's answers, as far as this service reads them. Unknown fields are allowed: Genesys adds them at any time."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

_filled = validate.Length(min=1)


class GenesysSchema(Schema):
    """An answer of Genesys: a null stands for "not given", as its own SDK reads it."""

    class Meta:
        unknown: ClassVar[str] = EXCLUDE

    @pre_load
    def _without_nulls(self, data: Any, **_: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, Mapping) else data


class TextField(fields.Field[str]):
    """A text; a number is taken for one. With a `load_default` anything else counts as not given."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:  # noqa: ARG002 - marshmallow's signature
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if self.required:
            raise ValidationError("Not a text.")
        return str(self.load_default)


class PartsField(fields.List[Any]):
    """A list of objects. What is no list counts as not given, what is no object in it is left out.

    Not where `decides`: the absence of a session in what can't be read proves nothing, and a call would go out twice.
    """

    def __init__(self, schema: type[Schema], *, decides: bool = False) -> None:
        super().__init__(fields.Nested(schema), load_default=list)
        self._decides = decides

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        is_list = isinstance(value, list)
        parts = [part for part in value if isinstance(part, Mapping)] if is_list else []
        unread = not is_list or any(part is not None and not isinstance(part, Mapping) for part in value)
        if self._decides and unread:
            raise ValidationError("Not a list of objects.")
        return super()._deserialize(parts, attr, data, **kwargs)


class SecondsField(fields.Float):
    """A number of seconds; what is none counts as not given."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> float:
        try:
            seconds = super()._deserialize(value, attr, data, **kwargs)
        except ValidationError:
            return float(self.load_default)
        return seconds if seconds >= 0 else float(self.load_default)


class TokenSchema(GenesysSchema):
    """POST /oauth/token. `expires_in` is seconds; without it, a day: a token that ends before is renewed at its 401."""

    access_token = TextField(required=True, validate=_filled)
    expires_in = SecondsField(load_default=86_400.0)


class CreatedSessionSchema(GenesysSchema):
    """POST /api/v2/cobrowse/sessions."""

    id = TextField(required=True, validate=_filled)
    joinUrl = TextField(load_default="")
    viewerUrl = TextField(load_default="")


class AttachedMediaSchema(GenesysSchema):
    """POST /api/v2/conversations/{id}/media. What is unknown stays empty: the invitation is out by then."""

    id = TextField(load_default="")
    state = TextField(load_default="")


class CobrowseSessionSchema(GenesysSchema):
    """POST /api/v2/conversations/{id}/cobrowse: CobrowseWebMessagingSession of the published OpenAPI."""

    id = TextField(load_default="")
    joinCode = TextField(load_default="")
    websocketUrl = TextField(load_default="")
    dateOfferEnds = TextField(load_default="")


class MediumSchema(GenesysSchema):
    """One medium: an entry of a participant's chats, calls, … or of the conversation's media."""

    id = TextField(load_default="")
    type = TextField(load_default="")
    state = TextField(load_default="")
    disconnectType = TextField(load_default="")
    connectedTime = TextField(load_default="")
    disconnectedTime = TextField(load_default="")
    cobrowseSessionId = TextField(load_default="")
    viewerUrl = TextField(load_default="")


class ParticipantSchema(GenesysSchema):
    """Who takes part, and their communications, each with its own state."""

    id = TextField(load_default="")
    purpose = TextField(load_default="")
    state = TextField(load_default="")
    endTime = TextField(load_default="")
    calls = PartsField(MediumSchema)
    chats = PartsField(MediumSchema)
    messages = PartsField(MediumSchema)
    emails = PartsField(MediumSchema)
    callbacks = PartsField(MediumSchema)
    cobrowsesessions = PartsField(MediumSchema, decides=True)


class ConversationSchema(GenesysSchema):
    """GET /api/v2/conversations/{id}, in both shapes: with `media` and `state`, or with participants and `endTime`."""

    id = TextField(required=True, validate=_filled)
    state = TextField(load_default="")
    endTime = TextField(load_default="")
    media = PartsField(MediumSchema, decides=True)
    participants = PartsField(ParticipantSchema, decides=True)


class NoContentSchema(GenesysSchema):
    """An answer of which nothing is read."""


class ConversationListSchema(GenesysSchema):
    """GET /api/v2/conversations/webchat."""

    entities = fields.List(fields.Nested(ConversationSchema), required=True)


class ErrorBodySchema(GenesysSchema):
    """ErrorBody of the published OpenAPI, or OAuth's error answer: whatever of it says what went wrong."""

    message = TextField(load_default="")
    code = TextField(load_default="")
    contextId = TextField(load_default="")
    error = TextField(load_default="")
    error_description = TextField(load_default="")
    description = TextField(load_default="")
