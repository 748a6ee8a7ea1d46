"""The examples of the API reference; an answer is made by the code that answers requests."""

from datetime import UTC, datetime
from functools import partial

import orjson

from cobrowse.callbacks import Callback, Delivery, EventType
from cobrowse.errors import ConversationNotActive, error_types_by_code
from cobrowse.model import Outcome, Secret, Session, SessionState, SessionView, Status
from cobrowse.outcomes import failure_of
from web.responses import ResponseMode, callback_body, respond, to_answer, view_keys

# The sandbox's active webchat, so that every sample can be tried against it as it stands.
CONVERSATION = "11111111-1111-4111-8111-111111111111"
CORRELATION = "0b9ab6d0-63c2-4d1c-9a8b-2f1d3f6f1a11"
KEY = "7c1e5f0e-6a55-4a63-9d0b-5f3f4f7d2b90"
INITIATION = "09601869-db81-4530-9287-969981523bb2"

_SESSION = "902374b6-4a27-4b4e-b494-599ccda91972"
_BARE = Session(conversation_id=CONVERSATION)
_OVER = _BARE._replace(state="disconnected")
_STARTED = _BARE._replace(
    cobrowse_session_id=_SESSION, media_id="44b1dfdf-9c10-46c3-aa6c-2eaec72aaa75", state="connected", verified=True
)
_MEDIA = _STARTED._replace(
    join_url=Secret(f"https://cobrowse.sandbox.example/join/{_SESSION}"),
    viewer_url=Secret(f"https://cobrowse.sandbox.example/view/{_SESSION}"),
)
_NATIVE = _STARTED._replace(
    join_code=Secret("313327"),
    websocket_url=Secret(f"wss://cobrowse.sandbox.example/ws/{_SESSION}"),
    offer_ends="2026-11-25T01:20:23.550Z",
)
_outcome = partial(Outcome, initiation_id=INITIATION, correlation_id=CORRELATION)
_started = partial(_outcome, session=_MEDIA, flow="media")
OUTCOMES: dict[str, Outcome] = {
    "initiated": _started(Status.INITIATED, seconds=0.412, upstream_calls=4),
    "initiated_native": _started(Status.INITIATED, session=_NATIVE, flow="native", seconds=0.298, upstream_calls=3),
    "unverified": _started(Status.UNVERIFIED, session=_MEDIA._replace(verified=False), seconds=9.409, upstream_calls=6),
    "joined": _started(Status.JOINED, seconds=0.305),
    "already_active": _started(Status.ALREADY_ACTIVE, seconds=0.088, upstream_calls=1),
    "would_start": _outcome(Status.WOULD_START, session=_BARE, seconds=0.041, upstream_calls=1),
    "ended": _outcome(Status.ENDED, session=_OVER, flow="end", seconds=0.187, upstream_calls=2),
    "already_ended": _outcome(Status.ALREADY_ENDED, session=_OVER, flow="end", seconds=0.084, upstream_calls=1),
    "would_end": _outcome(Status.WOULD_END, session=_BARE, flow="end", seconds=0.041, upstream_calls=1),
    "ignored": _outcome(Status.IGNORED, session=_BARE, reason="filtered out by the sender's filter"),
}


def examples() -> dict[str, object]:
    """The value of every example, by its name: an outcome's, a failure's code, and what else is answered or sent."""
    answers = {name: to_answer(outcome) for name, outcome in OUTCOMES.items()}
    # A failure's message is its kind's meaning; a real one says more.
    errors = (kind(str(kind.__doc__).partition("\n")[0]) for kind in error_types_by_code().values())
    failed = partial(_outcome, Status.FAILED, session=_BARE, flow="media")
    failures = {error.code: failed(failure=failure_of(error, is_terminal=True)) for error in errors}
    joined = SessionView(SessionState.JOINED, True, True, "2026-11-25T01:11:02.118Z")
    status = answers["initiated_native"] | view_keys(joined) | {"upstreamCalls": 1}
    initiation = status | {
        "action": "start",
        "idempotencyKey": KEY,
        "requestedBy": "Support flow",
        "attempts": 1,
        "created": "2026-11-25T01:10:23.252000+00:00",
        "updated": "2026-11-25T01:10:23.550000+00:00",
    }
    first, at = OUTCOMES["initiated"], datetime(2026, 11, 25, 1, 10, 23, tzinfo=UTC)
    batch = respond([first, failures[ConversationNotActive.code]], ResponseMode(batch=True))
    delivery = (Delivery.PENDING, at, 0, "")
    sent = Callback(INITIATION, 1, EventType.SUCCEEDED, "architect", "start", KEY, first, at, *delivery)
    return {
        **answers,
        **{code: to_answer(outcome) for code, outcome in failures.items()},
        "status": status,
        "initiation": initiation,
        "page": {"items": [initiation | {"joinCode": "", "websocketUrl": ""}], "nextCursor": ""},
        "batch": orjson.loads(batch.get_data()),
        "succeeded": orjson.loads(callback_body(sent, first)),
    }
