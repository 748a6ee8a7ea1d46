"""The flat contract of Architect's data action: what comes in, and the answer that goes back to every sender."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

import orjson
from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate, validates_schema

from cobrowse.model import StartWhen

SETTINGS_BYTES = 4_096
_UNSET = re.compile(r"\$!?\{input\.([A-Za-z0-9_.-]{1,80})\}")


def unset_input(value: object) -> str:
    """The name of the data-action input that was not set, if `value` is its literal placeholder; else ""."""
    found = _UNSET.fullmatch(value.strip()) if isinstance(value, str) else None
    return found[1] if found else ""


class JsonObjectField(fields.Field[Mapping[str, Any]]):
    """A JSON object written into a string, since a data action can't send objects."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Mapping[str, Any]:  # noqa: ARG002 - marshmallow's signature
        if not isinstance(value, str):
            raise ValidationError("Must be a string that holds a JSON object.")
        raw = value.encode(errors="surrogatepass")
        if len(raw) > SETTINGS_BYTES:
            raise ValidationError(f"Must be at most {SETTINGS_BYTES} bytes.")
        try:
            loaded = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise ValidationError("Must be a string that holds a JSON object; this is not JSON.") from None
        if not isinstance(loaded, dict):
            raise ValidationError("Must be a string that holds a JSON object, in braces.")
        try:
            orjson.dumps(loaded)  # it reads deeper nesting than it writes, and these are sent on
        except orjson.JSONEncodeError:
            raise ValidationError("Is nested too deeply.") from None
        return loaded


class UuidField(fields.UUID):
    """A UUID in ASCII: Python's own reader takes every script's digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if isinstance(value, str) and not value.isascii():
            raise self.make_error("invalid_uuid")
        return super()._deserialize(value, attr, data, **kwargs)


class StartRequestSchema(Schema):
    """POST /data-actions/cobrowse. An empty string or null counts as not given, as Architect sends what is not set."""

    class Meta:
        unknown: ClassVar[str] = RAISE

    conversation_id = UuidField(data_key="conversationId", error_messages={"invalid_uuid": "Must be a UUID."})
    channel = fields.String(validate=validate.OneOf(("webchat", "voice", "message"), error="Must be one of {choices}."))
    latest = fields.Boolean(load_default=False, error_messages={"invalid": "Must be true or false."})
    requested_by = fields.String(data_key="requestedBy", load_default="", validate=validate.Length(max=200))
    start_when = fields.String(
        data_key="startWhen",
        load_default="customer_connected",
        validate=validate.OneOf(get_args(StartWhen), error="Must be one of {choices}."),
    )
    session_settings = JsonObjectField(data_key="sessionSettings", load_default=dict)

    @pre_load
    def _given(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError("Must be one JSON object.")
        unset = {
            key: [f"The data action's input {name} was not set."] for key in data if (name := unset_input(data[key]))
        }
        if unset:
            raise ValidationError(unset)
        return {key: value for key, value in data.items() if not (value is None or value == "")}

    @validates_schema
    def _which_conversation(self, data: Mapping[str, Any], **_: Any) -> None:
        if data["latest"] and "conversation_id" in data:
            raise ValidationError("Send either conversationId or latest, not both.", "latest")
        if not data["latest"] and "conversation_id" not in data:
            raise ValidationError("Missing; send the conversation's id.", "conversationId")


class AnswerSchema(Schema):
    """The answer to every request: flat, every key always there, no null, whole numbers."""

    success = fields.Boolean(required=True, metadata={"description": "A session was started, or found live."})
    status = fields.String(
        required=True,
        validate=validate.OneOf(("initiated", "unverified", "joined", "already_active", "ignored", "failed")),
        metadata={"description": "What came of the request."},
    )
    conversationId = fields.String(required=True, metadata={"description": "The conversation that has the session."})
    cobrowseSessionId = fields.String(required=True, metadata={"description": "The cobrowse session's id."})
    mediaId = fields.String(required=True, metadata={"description": "The id of cobrowse as the conversation's medium."})
    joinUrl = fields.String(required=True, metadata={"description": "Where the agent joins (media flow)."})
    viewerUrl = fields.String(required=True, metadata={"description": "Where the session is viewed, once known."})
    joinCode = fields.String(required=True, metadata={"description": "The code the customer enters (native flow)."})
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
