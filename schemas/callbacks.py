"""What a callback says, for the API reference and the tests: the service sends these, and reads none."""

from typing import ClassVar, get_args

from marshmallow import INCLUDE, Schema, fields, validate

from cobrowse.callbacks import EventType
from cobrowse.model import Action
from schemas.data_action import AnswerSchema, describe


class CallbackOutcomeSchema(AnswerSchema):
    """The answer of the initiation that the event is about, without links and codes, and what was requested."""

    class Meta(AnswerSchema.Meta):
        exclude = ("joinUrl", "viewerUrl", "joinCode", "websocketUrl")

    action = fields.String(
        required=True, validate=validate.OneOf(get_args(Action)), metadata=describe("What was requested.")
    )
    sender = fields.String(required=True, metadata=describe("Who sent it: architect, or a sender's name."))
    idempotencyKey = fields.String(required=True, metadata=describe("The key it was sent with."))
    attempt = fields.Integer(required=True, metadata=describe("Which attempt of the initiation this is about."))


class CallbackSchema(Schema):
    """An event as Standard Webhooks has it."""

    class Meta:
        unknown: ClassVar[str] = INCLUDE

    type = fields.String(required=True, validate=validate.OneOf(tuple(EventType)), metadata=describe("What happened."))
    timestamp = fields.String(required=True, metadata=describe("ISO 8601: when it happened."))
    data = fields.Nested(CallbackOutcomeSchema, required=True)
