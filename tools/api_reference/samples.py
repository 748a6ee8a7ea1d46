"""Sample requests and answers: outcomes as a service on the sandbox has had them, put through the answers' own code."""

from dataclasses import replace

import orjson

from cobrowse.errors import (
    CobrowseError,
    ConversationError,
    ConversationNotActive,
    InternalError,
    NoActiveConversation,
    Overloaded,
    RequestError,
)
from cobrowse.model import Failure, Outcome, Secret, Session, Status
from web.responses import Answer, ResponseMode, error_response, respond, to_answer

# The sandbox's active webchat, so that every sample can be tried against it as it stands.
CONVERSATION = "11111111-1111-4111-8111-111111111111"
CORRELATION = "0b9ab6d0-63c2-4d1c-9a8b-2f1d3f6f1a11"
KEY = "7c1e5f0e-6a55-4a63-9d0b-5f3f4f7d2b90"
INITIATION = "09601869-db81-4530-9287-969981523bb2"
# Seconds that Genesys asked for in the sample of a rate limit.
GENESYS_WAIT = 42.0

_SESSION = "902374b6-4a27-4b4e-b494-599ccda91972"
_MEDIA = Session(
    conversation_id=CONVERSATION,
    cobrowse_session_id=_SESSION,
    media_id="44b1dfdf-9c10-46c3-aa6c-2eaec72aaa75",
    join_url=Secret(f"https://cobrowse.sandbox.example/join/{_SESSION}"),
    viewer_url=Secret(f"https://cobrowse.sandbox.example/view/{_SESSION}"),
    state="connected",
    verified=True,
)
_NATIVE = replace(
    _MEDIA, join_url=Secret(), viewer_url=Secret(), join_code=Secret("313327"), offer_ends="2026-11-25T01:20:23.550Z"
)
_FIRST = Outcome(Status.INITIATED, INITIATION, CORRELATION, _MEDIA, "media", seconds=0.412, upstream_calls=4)

# What a body may look like; the keys are the examples' names.
REQUESTS: dict[str, dict[str, object]] = {
    "conversation": {"conversationId": CONVERSATION, "channel": "webchat", "requestedBy": "Support flow"},
    "architect": {
        "conversationId": CONVERSATION,
        "channel": "webchat",
        "latest": "",
        "requestedBy": "",
        "sessionSettings": '{"mask": ["#card-number"]}',
    },
}

OUTCOMES: dict[str, Outcome] = {
    "initiated": _FIRST,
    "initiated_native": replace(_FIRST, session=_NATIVE, flow="native", upstream_calls=3, seconds=0.298),
    "unverified": replace(
        _FIRST,
        status=Status.UNVERIFIED,
        session=replace(_MEDIA, verified=False),
        seconds=9.409,
        upstream_calls=6,
    ),
    "joined": replace(_FIRST, status=Status.JOINED, seconds=0.305, upstream_calls=0),
    "already_active": replace(_FIRST, status=Status.ALREADY_ACTIVE, seconds=0.088, upstream_calls=1),
}
IGNORED = Outcome(
    Status.IGNORED,
    INITIATION,
    CORRELATION,
    Session(conversation_id=CONVERSATION),
    reason="filtered out by the sender's filter",
)

# What each kind says, word for word as the service says it; {id} is the conversation's.
EXAMPLE_MESSAGES: dict[str, str] = {
    "malformed_request": "the body is not JSON: unexpected end of data at line 1 column 2",
    "idempotency_key_malformed": "Idempotency-Key: longer than 255 characters, or not visible ASCII",
    "idempotency_key_reused": "Idempotency-Key already used with a different request",
    "not_authenticated": "no API key came with the request",
    "signature_missing": "the header X-Zendesk-Webhook-Signature is missing or empty",
    "signature_invalid": "the signature in X-Zendesk-Webhook-Signature does not fit this request",
    "timestamp_out_of_tolerance": (
        "the signature's timestamp is 3600 s behind this service's clock; 300 s are allowed"
    ),
    "not_found": "no sender of this name is configured",
    "method_not_allowed": "GET /data-actions/cobrowse: Method Not Allowed",
    "request_timeout": "the body ended before it was complete",
    "body_too_large": "the body is larger than 65536 bytes",
    "unsupported_media_type": "the Content-Type is 'application/x-www-form-urlencoded'",
    "invalid_request": (
        "conversationId: Must be a UUID; '?' came. · channel: Must be one of webchat, voice, message; 'fax' came."
    ),
    "latest_not_allowed": "latest: the service does not allow it",
    "rate_limited": "this sender's rate of 1/minute is used up",
    "rate_limit_storage_unavailable": "the counters in redis can't be reached",
    "conversation_not_found": (
        "conversation {id}: conversation: Genesys answered 404 not.found: "
        "The requested resource was not found. (contextId {correlation})"
    ),
    "conversation_not_active": "conversation {id} has ended",
    "cobrowse_not_supported": "conversation {id} is e-mail, which can't carry cobrowse",
    "no_active_conversation": "Genesys lists no active webchat",
    "agent_not_connected": "conversation {id}: no agent is connected, it still rings",
    "user_token_required": (
        "cobrowse: Genesys answered 400 bad.request: This request requires a user context. Client credentials cannot "
        "be used for requests to this resource. (contextId {correlation})"
    ),
    "genesys_unauthorized": (
        "create: Genesys answered 401 bad.credentials: Invalid login credentials. (contextId {correlation})"
    ),
    "genesys_forbidden": (
        "create: Genesys answered 403 missing.permissions: Unable to perform the requested action. You are missing the "
        "following permission(s): conversation:cobrowse:add (contextId {correlation}); scopes asked for: "
        "cobrowse:initiate conversation:read conversation:webchat conversation:voice conversation:message"
    ),
    "genesys_rate_limited": (
        "create: Genesys answered 429 too.many.requests.retry.after: Rate limit exceeded the maximum. Retry the "
        "request in [42] seconds (contextId {correlation})"
    ),
    "genesys_unavailable": (
        "create: Genesys answered 500 internal.server.error: The server encountered an unexpected condition which "
        "prevented it from fulfilling the request. (contextId {correlation})"
    ),
    "genesys_timeout": "create: api.mypurecloud.com did not answer in time",
    "genesys_bad_response": "create: Genesys answered 200 with a body that is not JSON",
    "in_progress": "the first delivery of this request is still running",
    "ledger_unavailable": "the ledger at /data/ledger.sqlite3 is locked",
    "overloaded": "server at capacity",
    "internal_error": "internal error",
}


def error(kind: type[CobrowseError]) -> CobrowseError:
    """A sample of this kind, with words that the service has used for it."""
    # A kind that is new here still has a sample, and a test that asks for its words.
    message = (
        EXAMPLE_MESSAGES.get(kind.code, str(kind.__doc__))
        .replace("{id}", CONVERSATION)
        .replace("{correlation}", CORRELATION)
    )
    wait = GENESYS_WAIT if kind.code == "genesys_rate_limited" else None
    return kind(message, retry_after=wait)


def is_refused(kind: type[CobrowseError]) -> bool:
    """Whether this kind ends a request before there is an initiation; those have their real status for everybody."""
    return issubclass(kind, RequestError | Overloaded | InternalError)


def failure(kind: type[CobrowseError]) -> Answer:
    """The answer that tells of this kind."""
    made = error(kind)
    if is_refused(kind):
        refused: Answer = orjson.loads(error_response(made, CORRELATION).get_data())
        return refused
    if kind is NoActiveConversation:
        return to_answer(_told(made))
    # A conversation that can't have cobrowse is known by the refusal of a session that was made for it.
    created = replace(_MEDIA, media_id="", state="", verified=False)
    known = created if issubclass(kind, ConversationError) else Session(conversation_id=CONVERSATION)
    return to_answer(replace(_told(made), session=known))


def _told(made: CobrowseError) -> Outcome:
    """The outcome of an initiation that ended in this."""
    found = Failure(made.code, made.message, made.hint, made.retryable, is_terminal=True, retry_after=made.retry_after)
    return Outcome(Status.FAILED, INITIATION, CORRELATION, Session(), "media", 0.204, 3, failure=found)


def batch() -> dict[str, object]:
    """The answer to a batch of two events, one of them for a conversation that has ended."""
    ended = replace(_told(error(ConversationNotActive)), session=Session(conversation_id=CONVERSATION))
    made: dict[str, object] = orjson.loads(respond([_FIRST, ended], ResponseMode(batch=True)).get_data())
    return made


def success(name: str) -> Answer:
    """The answer of one of OUTCOMES."""
    return to_answer(OUTCOMES[name])
