"""The flat contract of Architect's data action: what comes in, and the answer that goes back to every sender."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, ClassVar, get_args

import orjson
from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate, validates_schema

from cobrowse.model import Action, Channel, SessionState, StartWhen, Status
from schemas.json_text import read_json
from schemas.texts import CHANNELS, SHOWN, conversation_id_in, input_named_by, label_in, medium_in, placeholder_in

SETTINGS_BYTES = 4_096


class ConversationIdField(fields.Field[str]):
    """A conversation's id, however it is written."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        found = conversation_id_in(value) if isinstance(value, str) else ""
        if found:
            return found
        if placeholder := placeholder_in(value):
            name = input_named_by(placeholder)
            raise ValidationError(f"The data action's input {name} was not set; {value[:SHOWN]!r} came.")
        raise ValidationError(f"Must be a UUID; {_shown(value)} came.")


class ChannelField(fields.Field["Channel | None"]):
    """A channel, by any of Genesys's names for it; None for one that Genesys does not know itself."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Channel | None:
        medium = medium_in(value) if isinstance(value, str) else "none"
        if medium not in CHANNELS:
            raise ValidationError(f"Must be one of webchat, voice, message; {_shown(value)} came.")
        return CHANNELS[medium]


class LabelField(fields.Field[str]):
    """Who or what asks, cut to its length: it is for the record, and stops nothing."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        return label_in(value)


class JsonObjectField(fields.Field[Mapping[str, Any]]):
    """A JSON object written into a string, since a data action can't send objects."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Mapping[str, Any]:  # noqa: ARG002 - marshmallow's signature
        if not isinstance(value, str):
            raise ValidationError("Must be a string that holds a JSON object.")
        raw = value.encode(errors="surrogatepass")
        if len(raw) > SETTINGS_BYTES:
            raise ValidationError(f"Must be at most {SETTINGS_BYTES} bytes.")
        try:
            loaded = read_json(raw)
        except orjson.JSONDecodeError:
            raise ValidationError("Must be a string that holds a JSON object; this is not JSON.") from None
        if not isinstance(loaded, dict):
            raise ValidationError("Must be a string that holds a JSON object, in braces.")
        try:
            # It reads deeper nesting than it writes; these are sent on, and hashed inside the request.
            orjson.dumps([loaded])
        except orjson.JSONEncodeError:
            raise ValidationError("Is nested too deeply.") from None
        return loaded


class StartRequestSchema(Schema):
    """POST /data-actions/cobrowse. An empty string, null or an unfilled placeholder counts as not given.

    Architect sends the one or the other for an input that is not set. Every input of the contract is a field, so that
    Genesys's own default template, `${input.rawRequest}`, makes a body that is taken.
    """

    class Meta:
        unknown: ClassVar[str] = RAISE

    conversation_id = ConversationIdField(data_key="conversationId")
    channel = ChannelField(load_default=None)
    latest = fields.Boolean(load_default=False, error_messages={"invalid": "Must be true or false."})
    requested_by = LabelField(data_key="requestedBy", load_default="")
    start_when = fields.String(
        data_key="startWhen",
        load_default="customer_connected",
        validate=validate.OneOf(get_args(StartWhen), error="Must be one of {choices}."),
    )
    participant_data = fields.Boolean(
        data_key="participantData", load_default=None, error_messages={"invalid": "Must be true or false."}
    )
    dry_run = fields.Boolean(
        data_key="dryRun", load_default=False, error_messages={"invalid": "Must be true or false."}
    )
    session_settings = JsonObjectField(data_key="sessionSettings", load_default=dict)
    idempotency_key = fields.String(data_key="idempotencyKey", load_default="")

    @pre_load
    def _given(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError("Must be one JSON object.")
        given = {key: value for key, value in data.items() if not _is_unset(key, value)}
        if _says_latest(given.get("latest")) and placeholder_in(given.get("conversationId")):
            del given["conversationId"]
        return given

    @validates_schema
    def _which_conversation(self, data: Mapping[str, Any], **_: Any) -> None:
        if data["latest"] and "conversation_id" in data:
            raise ValidationError("Send either conversationId or latest, not both.", "latest")
        if not data["latest"] and "conversation_id" not in data:
            raise ValidationError("Missing; send the conversation's id.", "conversationId")


def _is_unset(key: str, value: object) -> bool:
    # The id's own placeholder is kept: where an id is needed, the error names it.
    return value is None or value == "" or (key != "conversationId" and bool(placeholder_in(value)))


def _says_latest(value: object) -> bool:
    return isinstance(value, (str, bool, int)) and value in fields.Boolean.truthy


def _shown(value: object) -> str:
    return repr(value[:SHOWN]) if isinstance(value, str) else f"a value of type {type(value).__name__}"


class _OptionalInputsSchema(Schema):
    """What a data action sends about a session that there is. Empty, null or an unfilled placeholder is not given."""

    class Meta:
        unknown: ClassVar[str] = RAISE

    initiation_id = fields.String(data_key="initiationId", load_default="", validate=validate.Length(max=100))
    conversation_id = ConversationIdField(data_key="conversationId", load_default="")

    @pre_load
    def _given(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError("Must be one JSON object.")
        return {key: value for key, value in data.items() if value not in (None, "") and not placeholder_in(value)}


class StatusRequestSchema(_OptionalInputsSchema):
    """POST /data-actions/cobrowse/status: one of initiationId, idempotencyKey and conversationId."""

    idempotency_key = fields.String(data_key="idempotencyKey", load_default="")
    live = fields.Boolean(load_default=False, error_messages={"invalid": "Must be true or false."})

    @validates_schema
    def _which(self, data: Mapping[str, Any], **_: Any) -> None:
        if not (data["initiation_id"] or data["idempotency_key"] or data["conversation_id"]):
            raise ValidationError("Missing; send it, an idempotencyKey or a conversationId.", "initiationId")


class EndRequestSchema(_OptionalInputsSchema):
    """POST /data-actions/cobrowse/end: an initiation's session, or every live one of a conversation."""

    requested_by = LabelField(data_key="requestedBy", load_default="")
    idempotency_key = fields.String(data_key="idempotencyKey", load_default="")

    @validates_schema
    def _which(self, data: Mapping[str, Any], **_: Any) -> None:
        if not (data["initiation_id"] or data["conversation_id"]):
            raise ValidationError("Missing; send it, or a conversationId.", "initiationId")


class InitiationsQuerySchema(Schema):
    """GET /initiations: by a conversation, a key or a correlation id, the newest first."""

    class Meta:
        unknown: ClassVar[str] = RAISE

    conversation_id = ConversationIdField(data_key="conversationId", load_default=None)
    idempotency_key = fields.String(data_key="idempotencyKey", load_default=None, validate=validate.Length(1, 255))
    correlation_id = fields.String(data_key="correlationId", load_default=None, validate=validate.Length(1, 128))
    since = fields.AwareDateTime(
        load_default=None,
        default_timezone=UTC,
        error_messages={"invalid": "Must be a time in ISO 8601, such as 2026-11-27T09:30:00Z."},
    )
    cursor = fields.Integer(load_default=None, validate=validate.Range(1, 2**63 - 1))
    limit = fields.Integer(load_default=25, validate=validate.Range(1, 100))

    @validates_schema
    def _which(self, data: Mapping[str, Any], **_: Any) -> None:
        if not any(data[name] is not None for name in ("conversation_id", "idempotency_key", "correlation_id")):
            raise ValidationError("Missing; send it, an idempotencyKey or a correlationId.", "conversationId")


class AnswerSchema(Schema):
    """The answer to every request: flat, every key always there, no null, whole numbers."""

    success = fields.Boolean(required=True, metadata={"description": "A session was started, or found live."})
    status = fields.String(
        required=True,
        validate=validate.OneOf(tuple(Status)),
        metadata={"description": "What came of the request."},
    )
    conversationId = fields.String(required=True, metadata={"description": "The conversation that has the session."})
    cobrowseSessionId = fields.String(required=True, metadata={"description": "The cobrowse session's id."})
    mediaId = fields.String(required=True, metadata={"description": "The id of cobrowse as the conversation's medium."})
    joinUrl = fields.String(required=True, metadata={"description": "Where the agent joins (media flow)."})
    viewerUrl = fields.String(required=True, metadata={"description": "Where the session is viewed, once known."})
    joinCode = fields.String(required=True, metadata={"description": "The code the customer enters (native flow)."})
    websocketUrl = fields.String(
        required=True, metadata={"description": "Where the session's own protocol is spoken (native flow)."}
    )
    handedOver = fields.Boolean(
        required=True, metadata={"description": "The session stands in the customer's participant data."}
    )
    handOverError = fields.String(
        required=True, metadata={"description": "Why it does not, where that was asked for; empty otherwise."}
    )
    offerEnds = fields.String(required=True, metadata={"description": "ISO 8601: until when the offer stands."})
    state = fields.String(required=True, metadata={"description": "The medium's state, as the conversation shows it."})
    verified = fields.Boolean(required=True, metadata={"description": "The conversation shows the session."})
    flow = fields.String(required=True, metadata={"description": "media or native: how it was started."})
    initiationId = fields.String(required=True, metadata={"description": "This service's id of the initiation."})
    correlationId = fields.String(required=True, metadata={"description": "Finds the log lines here and at Genesys."})
    durationMs = fields.Integer(required=True, metadata={"description": "How long it took, in milliseconds."})
    upstreamCalls = fields.Integer(required=True, metadata={"description": "Calls made to Genesys."})
    errorCode = fields.String(required=True, metadata={"description": "The kind of failure; empty on success."})
    errorMessage = fields.String(required=True, metadata={"description": "What happened, with Genesys's own words."})
    errorHint = fields.String(required=True, metadata={"description": "The likely cause and what to do."})
    retryable = fields.Boolean(required=True, metadata={"description": "The same request may go through later."})
    retryAfterSeconds = fields.Integer(required=True, metadata={"description": "Seconds to wait before that."})


class StatusAnswerSchema(AnswerSchema):
    """The answer to a question for an initiation: its own answer, and how far its session has come."""

    sessionState = fields.String(
        required=True,
        validate=validate.OneOf(tuple(SessionState)),
        metadata={"description": "How far the session has come; unknown without a look, where the record can't tell."},
    )
    customerConnected = fields.Boolean(required=True, metadata={"description": "The customer is in the session."})
    agentConnected = fields.Boolean(required=True, metadata={"description": "An agent is in the session."})
    since = fields.String(required=True, metadata={"description": "ISO 8601: since when, as far as it is known."})


class InitiationSchema(StatusAnswerSchema):
    """An initiation in a list: what a question for it is answered, and what it was asked with."""

    action = fields.String(required=True, validate=validate.OneOf(get_args(Action)))
    idempotencyKey = fields.String(required=True)
    requestedBy = fields.String(required=True)
    attempts = fields.Integer(required=True)
    created = fields.String(required=True, metadata={"description": "ISO 8601: when it came."})
    updated = fields.String(required=True, metadata={"description": "ISO 8601: its last change."})


class InitiationsSchema(Schema):
    """A page of initiations. Send `nextCursor` as `cursor` for the next one; it is empty on the last."""

    items = fields.List(fields.Nested(InitiationSchema), required=True)
    nextCursor = fields.String(required=True)
