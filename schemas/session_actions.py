"""Requests about sessions that were started: their status and their end."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, ClassVar

from marshmallow import RAISE, ValidationError, fields, validate

from schemas.data_action import (
    IDEMPOTENCY_KEY,
    KEY_FORM,
    ConversationIdField,
    KeyField,
    LabelField,
    boolean_field,
    field_metadata,
    inputs_in,
)
from schemas.input_schema import InputSchema
from schemas.texts import placeholder_in

_WHICH = "One of initiationId, idempotencyKey and conversationId; the first of them that is set is taken."


class _OptionalInputsSchema(InputSchema):
    """What a data action sends about a session. Empty, null or an unfilled placeholder is not given."""

    class Meta:
        unknown: ClassVar[str] = RAISE

    def prepare(self, data: Any) -> Mapping[str, Any]:
        """What is set."""
        return inputs_in(data, lambda _, value: value is None or value == "" or bool(placeholder_in(value)))


class StatusRequestSchema(_OptionalInputsSchema):
    """POST /data-actions/cobrowse/status: one of initiationId, idempotencyKey and conversationId."""

    initiation_id = fields.String(
        data_key="initiationId",
        load_default="",
        validate=validate.Length(max=100),
        metadata=field_metadata(f"The initiationId of an answer. {_WHICH}"),
    )
    idempotency_key = KeyField(
        data_key="idempotencyKey",
        load_default="",
        metadata=field_metadata(f"The key that the start was sent with. {_WHICH}", **KEY_FORM),
    )
    conversation_id = ConversationIdField(
        data_key="conversationId",
        load_default="",
        metadata=field_metadata(f"The conversation: the newest that this credential started in it. {_WHICH}"),
    )
    live = boolean_field(
        load_default=False,
        metadata=field_metadata(
            "true checks the conversation too, by one call: who is in the session, and since when."
        ),
    )

    def check(self, loaded: Mapping[str, Any]) -> None:
        """One of the three."""
        if not (loaded["initiation_id"] or loaded["idempotency_key"] or loaded["conversation_id"]):
            raise ValidationError("Missing; send it, an idempotencyKey or a conversationId.", "initiationId")


class EndRequestSchema(_OptionalInputsSchema):
    """POST /data-actions/cobrowse/end: an initiation's session, or every live one of a conversation."""

    initiation_id = fields.String(
        data_key="initiationId",
        load_default="",
        validate=validate.Length(max=100),
        metadata=field_metadata("The initiation whose session is to end; of this credential's own."),
    )
    conversation_id = ConversationIdField(
        data_key="conversationId",
        load_default="",
        metadata=field_metadata("Or the conversation: every live cobrowse session in it ends."),
    )
    requested_by = LabelField(
        data_key="requestedBy",
        load_default="",
        metadata=field_metadata("The person or system that requests the end, for the record: cut to 200 characters."),
    )
    idempotency_key = KeyField(
        data_key="idempotencyKey",
        load_default="",
        metadata=field_metadata(f"The same as the header Idempotency-Key, which wins. {IDEMPOTENCY_KEY}", **KEY_FORM),
    )

    def check(self, loaded: Mapping[str, Any]) -> None:
        """One of the two."""
        if not (loaded["initiation_id"] or loaded["conversation_id"]):
            raise ValidationError("Missing; send it, or a conversationId.", "initiationId")


class InitiationsQuerySchema(InputSchema):
    """GET /initiations: by a conversation, a key or a correlation id, the newest first."""

    class Meta:
        unknown: ClassVar[str] = RAISE

    conversation_id = ConversationIdField(
        data_key="conversationId",
        load_default=None,
        metadata=field_metadata(
            "The conversation. One of conversationId, idempotencyKey and correlationId is required."
        ),
    )
    idempotency_key = fields.String(
        data_key="idempotencyKey",
        load_default=None,
        validate=validate.Length(1, 255),
        metadata=field_metadata("The key that it was sent with."),
    )
    correlation_id = fields.String(
        data_key="correlationId",
        load_default=None,
        validate=validate.Length(1, 128),
        metadata=field_metadata("The correlation id that it was sent with, or got."),
    )
    since = fields.AwareDateTime(
        load_default=None,
        default_timezone=UTC,
        error_messages={"invalid": "Must be a time in ISO 8601, such as 2026-11-27T09:30:00Z."},
        metadata=field_metadata("ISO 8601: only what was received then or later."),
    )
    cursor = fields.Integer(
        load_default=None,
        validate=validate.Range(1, 2**63 - 1),
        metadata=field_metadata("The nextCursor of the page before."),
    )
    limit = fields.Integer(
        load_default=25, validate=validate.Range(1, 100), metadata=field_metadata("Initiations a page, 1 to 100.")
    )

    def check(self, loaded: Mapping[str, Any]) -> None:
        """One of the three."""
        if not any(loaded[name] is not None for name in ("conversation_id", "idempotency_key", "correlation_id")):
            raise ValidationError("Missing; send it, an idempotencyKey or a correlationId.", "conversationId")
