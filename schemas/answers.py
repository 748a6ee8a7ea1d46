"""What the service answers and reports, for the API reference, the data actions' contracts and the tests.

The service itself makes these answers (web/responses.py) and loads none.
"""

from functools import partial
from typing import Any, ClassVar, get_args

from marshmallow import INCLUDE, Schema, fields
from marshmallow.validate import OneOf

from cobrowse.callbacks import EventType
from cobrowse.errors import error_types_by_code
from cobrowse.model import Action, SessionState, Status

# For the credential that asked; a list or a log of events is no place for them.
LINKS = ("joinUrl", "viewerUrl", "joinCode", "websocketUrl")


def _key(kind: type[fields.Field[Any]], description: str, *choices: str) -> fields.Field[Any]:
    """A key that is always there, one of these `choices` if there are any."""
    validate = OneOf(choices) if choices else None
    return kind(required=True, validate=validate, metadata={"description": description})


_text, _flag, _number = (partial(_key, kind) for kind in (fields.String, fields.Boolean, fields.Integer))


class _OpenSchema(Schema):
    class Meta:
        unknown: ClassVar[str] = INCLUDE  # a later release may add a key, and a caller must not trip over it


class AnswerSchema(_OpenSchema):
    """The answer to every request: flat, every key always there, no null, whole numbers."""

    success = _flag("A session was started, or found live.")
    status = _text("The outcome of the request.", *Status)
    conversationId = _text("The conversation that has the session.")
    cobrowseSessionId = _text("The cobrowse session's id.")
    mediaId = _text("The id of cobrowse as the conversation's medium.")
    joinUrl = _text("Where the agent joins (media flow).")
    viewerUrl = _text("Where the session is viewed, once known.")
    joinCode = _text("The code the customer enters (native flow).")
    websocketUrl = _text("Where the session's own protocol is spoken (native flow).")
    handedOver = _flag("The session is in the customer's participant data.")
    handOverError = _text("Why it is not, where that was requested; empty otherwise.")
    offerEnds = _text("ISO 8601: until when the offer stands.")
    state = _text("The medium's state, as the conversation shows it.")
    verified = _flag("The conversation shows the session.")
    flow = _text("media or native: how it was started; end of an end.")
    initiationId = _text("This service's id of the initiation.")
    correlationId = _text("Finds the log lines here and at Genesys.")
    durationMs = _number("How long it took, in milliseconds.")
    upstreamCalls = _number("Calls made to Genesys.")
    errorCode = _text("The kind of failure; empty on success.", "", *error_types_by_code())
    errorMessage = _text("What happened, with Genesys's own words.")
    errorHint = _text("The likely cause and what to do.")
    retryable = _flag("The same request may go through later.")
    retryAfterSeconds = _number("Seconds to wait before that.")


class DeliveryAnswerSchema(AnswerSchema):
    """The answer to a sender; that to a batch is of the first event that failed, and has all of them in `results`."""

    results = fields.List(fields.Nested(AnswerSchema), metadata={"description": "Of a batch: each event's own answer."})


class StatusAnswerSchema(AnswerSchema):
    """The answer to a question for an initiation: its own answer, and how far its session has come."""

    sessionState = _text(
        "How far the session has come; unknown if the record can't tell and nothing was checked.", *SessionState
    )
    customerConnected = _flag("The customer is in the session.")
    agentConnected = _flag("An agent is in the session.")
    since = _text("ISO 8601: since when, as far as it is known.")


class InitiationSchema(StatusAnswerSchema):
    """An initiation: what a question for it is answered, and what it was requested with."""

    action = _text("What was requested.", *get_args(Action))
    idempotencyKey = _text("The key it was sent with.")
    requestedBy = _text("The person or system that requested it.")
    attempts = _number("How many attempts it has had.")
    created = _text("ISO 8601: when it was received.")
    updated = _text("ISO 8601: when it was last updated.")


class InitiationsSchema(_OpenSchema):
    """A page of initiations. Send `nextCursor` as `cursor` for the next one; it is empty on the last."""

    items = fields.List(
        fields.Nested(InitiationSchema), required=True, metadata={"description": "The initiations, the newest first."}
    )
    nextCursor = _text("Where the next page begins; empty on the last.")


class CallbackOutcomeSchema(AnswerSchema):
    """The answer of the initiation that the event is about, without links and codes, and what was requested."""

    class Meta(AnswerSchema.Meta):
        exclude = LINKS

    action = _text("What was requested.", *get_args(Action))
    sender = _text("Who sent it: architect, or a sender's name.")
    idempotencyKey = _text("The key it was sent with.")
    attempt = _number("Which attempt of the initiation this is about.")


class CallbackSchema(_OpenSchema):
    """An event as Standard Webhooks has it."""

    type = _text("What happened.", *EventType)
    timestamp = _text("ISO 8601: when it happened.")
    data = fields.Nested(CallbackOutcomeSchema, required=True)


class HealthSchema(Schema):
    """The process is alive."""

    status = _text("ok, always: a process that is not alive does not answer.", "ok")


class ReadinessSchema(Schema):
    """Whether a session could be started now, and what each check has found."""

    status = _text(
        "degraded: a check failed that takes no process out of the load balancer.", "ok", "degraded", "failing"
    )
    checks = fields.Dict(
        fields.String(),
        fields.String(),
        required=True,
        metadata={"description": "What each check found: ok, or the error's code; more for callers of the metrics."},
    )
