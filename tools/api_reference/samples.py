"""Sample requests and answers; an answer is made by the code that answers requests."""

from dataclasses import replace

import orjson

from cobrowse.errors import CobrowseError, ConversationNotActive
from cobrowse.model import Outcome, Secret, Session, SessionState, SessionView, Status
from web.responses import Answer, ResponseMode, rejection_outcome, respond, to_answer, view_keys

# The sandbox's active webchat, so that every sample can be tried against it as it stands.
CONVERSATION = "11111111-1111-4111-8111-111111111111"
CORRELATION = "0b9ab6d0-63c2-4d1c-9a8b-2f1d3f6f1a11"
KEY = "7c1e5f0e-6a55-4a63-9d0b-5f3f4f7d2b90"
INITIATION = "09601869-db81-4530-9287-969981523bb2"

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
_NATIVE = _MEDIA._replace(
    join_url=Secret(),
    viewer_url=Secret(),
    join_code=Secret("313327"),
    websocket_url=Secret(f"wss://cobrowse.sandbox.example/ws/{_SESSION}"),
    offer_ends="2026-11-25T01:20:23.550Z",
)
_FIRST = Outcome(Status.INITIATED, INITIATION, CORRELATION, _MEDIA, "media", seconds=0.412, upstream_calls=4)

# Request bodies by the names of their examples.
REQUESTS: dict[str, dict[str, object]] = {
    "conversation": {"conversationId": CONVERSATION, "channel": "webchat", "requestedBy": "Support flow"},
    "architect": {
        "conversationId": CONVERSATION,
        "channel": "webchat",
        "requestedBy": "",
        "sessionSettings": '{"mask": ["#card-number"]}',
    },
}
STATUS_REQUESTS: dict[str, dict[str, object]] = {
    "conversation": {"conversationId": CONVERSATION, "live": True},
    "key": {"idempotencyKey": KEY},
}
END_REQUESTS: dict[str, dict[str, object]] = {
    "conversation": {"conversationId": CONVERSATION, "requestedBy": "Agent script"},
    "initiation": {"initiationId": INITIATION},
}
_BARE = Session(conversation_id=CONVERSATION)
_OVER = _BARE._replace(state="disconnected")
OUTCOMES: dict[str, Outcome] = {
    "initiated": _FIRST,
    "initiated_native": replace(_FIRST, session=_NATIVE, flow="native", upstream_calls=3, seconds=0.298),
    "unverified": replace(
        _FIRST, status=Status.UNVERIFIED, session=_MEDIA._replace(verified=False), seconds=9.409, upstream_calls=6
    ),
    "joined": replace(_FIRST, status=Status.JOINED, seconds=0.305, upstream_calls=0),
    "already_active": replace(_FIRST, status=Status.ALREADY_ACTIVE, seconds=0.088, upstream_calls=1),
    "would_start": Outcome(Status.WOULD_START, INITIATION, CORRELATION, _BARE, seconds=0.041, upstream_calls=1),
    "ended": Outcome(Status.ENDED, INITIATION, CORRELATION, _OVER, "end", 0.187, 2),
    "already_ended": Outcome(Status.ALREADY_ENDED, INITIATION, CORRELATION, _OVER, "end", 0.084, 1),
    "would_end": Outcome(Status.WOULD_END, INITIATION, CORRELATION, _BARE, "end", 0.041, 1),
    "ignored": Outcome(Status.IGNORED, INITIATION, CORRELATION, _BARE, reason="filtered out by the sender's filter"),
}
# The outcomes by what was requested.
STARTS = ("initiated", "initiated_native", "unverified", "joined", "already_active", "would_start")
ENDS = ("ended", "already_ended")
DELIVERIES = (*STARTS, *ENDS, "would_end", "ignored")


def status() -> Answer:
    """The answer to a question for an initiation."""
    view = SessionView(SessionState.JOINED, True, True, "2026-11-25T01:11:02.118Z")
    return to_answer(OUTCOMES["initiated_native"]) | view_keys(view) | {"upstreamCalls": 1}


def initiation(*, links: bool) -> Answer:
    """One of a caller's own initiations; in a list its links and codes are left out."""
    left_out = dict.fromkeys(("joinUrl", "viewerUrl", "joinCode", "websocketUrl"), "")
    return {
        **status(),
        **({} if links else left_out),
        "action": "start",
        "idempotencyKey": KEY,
        "requestedBy": "Support flow",
        "attempts": 1,
        "created": "2026-11-25T01:10:23.252000+00:00",
        "updated": "2026-11-25T01:10:23.550000+00:00",
    }


def failure(kind: type[CobrowseError]) -> Outcome:
    """An outcome that failed in this way. Its message is the kind's meaning; a real one says more."""
    error = kind(str(kind.__doc__).partition("\n")[0])
    return replace(rejection_outcome(error, CORRELATION, CONVERSATION), initiation_id=INITIATION, flow="media")


def batch() -> dict[str, object]:
    """The answer to a batch of two events, one of them for a conversation that has ended."""
    outcomes = [_FIRST, failure(ConversationNotActive)]
    made: dict[str, object] = orjson.loads(respond(outcomes, ResponseMode(batch=True)).get_data())
    return made
