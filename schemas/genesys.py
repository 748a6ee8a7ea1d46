"""Genesys's answers, as far as this service reads them. Unknown fields are allowed: Genesys adds them at any time."""

from typing import Any, ClassVar

from marshmallow import EXCLUDE, ValidationError, fields, missing

from schemas.input_schema import InputSchema


class GenesysSchema(InputSchema):
    """An answer of Genesys. A null means "not given", as its own SDK reads it: each field here takes it so."""

    class Meta:
        unknown: ClassVar[str] = EXCLUDE


def text_of(value: object) -> str:
    """A text; a number is taken for one, anything else counts as not given."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


class TextField(fields.Field[str]):
    """What `text_of` makes of a value; where it is `required`, that must not be empty."""

    def deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        """The text, "" without one."""
        text = text_of(value)
        if self.required and not text:
            raise ValidationError("Not a text.")
        return text


class PartsField(fields.Field[list[dict[str, Any]]]):
    """A list of objects that have these `texts`, and `parts` of their own.

    What is no list counts as not given, what is no object in it is left out. Not where `decides`: the absence of a
    session in what can't be read proves nothing, and a call would go out twice. A schema for each object, nested, would
    be the most expensive thing in an initiation.
    """

    def __init__(self, texts: tuple[str, ...], *, decides: bool = False, **parts: "PartsField") -> None:
        super().__init__()
        self._texts = texts
        self._parts = tuple(parts.items())
        self._decides = decides

    def deserialize(self, value: Any, *_: Any, **__: Any) -> list[dict[str, Any]]:
        """Each object's texts and parts by their names."""
        is_list = isinstance(value, list)
        if self._decides and not (is_list or value is None or value is missing):
            raise ValidationError("Not a list of objects.")
        found = []
        for part in value if is_list else ():
            if isinstance(part, dict):
                one: dict[str, Any] = {
                    name: value if type(value := part.get(name, "")) is str else text_of(value) for name in self._texts
                }
                for name, field in self._parts:
                    parts = part.get(name)
                    one[name] = [] if parts is None else field.deserialize(parts)
                found.append(one)
            elif self._decides and part is not None:
                raise ValidationError("Not a list of objects.")
        return found


class SecondsField(fields.Float):
    """A number of seconds; what is none counts as not given."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> float:
        """The seconds, or the default."""
        try:
            seconds = super().deserialize(value, attr, data, **kwargs)
        except ValidationError:
            seconds = None
        return seconds if seconds is not None and seconds >= 0 else float(self.load_default)


class TokenSchema(GenesysSchema):
    """POST /oauth/token. `expires_in` is seconds; without it, a day: a token that ends before is renewed at its 401."""

    access_token = TextField(required=True)
    expires_in = SecondsField(load_default=86_400.0)


class UserTokenSchema(TokenSchema):
    """POST /oauth/token for a user. Without a refresh token the previous one stays valid (RFC 6749, 6)."""

    refresh_token = TextField()


class MeSchema(GenesysSchema):
    """GET /api/v2/users/me with its organization."""

    id = TextField(required=True)
    name = TextField()
    email = TextField()
    # An object with a name, which is shown to people only.
    organization = fields.Raw(load_default=None, allow_none=True)


class CreatedSessionSchema(GenesysSchema):
    """POST /api/v2/cobrowse/sessions. Without an id the session exists and can't be attached."""

    id = TextField()
    joinUrl = TextField()
    viewerUrl = TextField()


class AttachedMediaSchema(GenesysSchema):
    """POST /api/v2/conversations/{id}/media. A field that is missing stays empty: the customer is invited already."""

    id = TextField()
    state = TextField()


class CobrowseSessionSchema(GenesysSchema):
    """POST /api/v2/conversations/{id}/cobrowse: CobrowseWebMessagingSession of the published OpenAPI."""

    id = TextField()
    joinCode = TextField()
    websocketUrl = TextField()
    dateOfferEnds = TextField()


# One medium: an entry of a participant's chats, calls, … or of the conversation's media.
_MEDIUM = ("id", "type", "state", "disconnectType", "disconnectedTime", "cobrowseSessionId", "viewerUrl")
# One end of a cobrowse session also says since when.
_COBROWSE = (*_MEDIUM, "connectedTime")


class ConversationSchema(GenesysSchema):
    """GET /api/v2/conversations/{id}, in both shapes: with `media` and `state`, or with participants and `endTime`."""

    id = TextField(required=True)
    state = TextField()
    endTime = TextField()
    media = PartsField(_COBROWSE, decides=True)
    # Who takes part, and their communications, each with its own state.
    participants = PartsField(
        ("id", "purpose", "state", "endTime"),
        decides=True,
        calls=PartsField(_MEDIUM),
        chats=PartsField(_MEDIUM),
        messages=PartsField(_MEDIUM),
        emails=PartsField(_MEDIUM),
        callbacks=PartsField(_MEDIUM),
        videos=PartsField(_MEDIUM),
        internalMessages=PartsField(_MEDIUM),
        socialExpressions=PartsField(_MEDIUM),
        cobrowsesessions=PartsField(_COBROWSE, decides=True),
    )


class NoContentSchema(GenesysSchema):
    """An answer of which nothing is read."""


class ConversationListSchema(GenesysSchema):
    """GET /api/v2/conversations/webchat."""

    entities = fields.List(fields.Nested(ConversationSchema), required=True)


class ErrorBodySchema(GenesysSchema):
    """ErrorBody of the published OpenAPI, or OAuth's error answer: whatever of it says what went wrong."""

    message = TextField()
    code = TextField()
    contextId = TextField()
    error = TextField()
    error_description = TextField()
    description = TextField()
