"""(outcome or error) × caller → HTTP response: the only place that decides a caller's response."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from flask import Response
from werkzeug.datastructures import Headers

from cobrowse.callbacks import Callback
from cobrowse.errors import CobrowseError
from cobrowse.model import Failure, Outcome, Session, SessionView, Status
from cobrowse.outcomes import failure_of
from integrations.senders.response_policies import ACKNOWLEDGEMENT_TYPE, ResponsePolicy, acknowledgement, batch_status
from schemas.answers import LINKS
from web.error_responses import hint_of, status_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Seconds to wait that a retryable failure names when Genesys named none.
DEFAULT_RETRY_AFTER = 2.0

Answer = dict[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class ResponseMode:
    """How failures reach this caller. `always_200`: in the body only; else `response_policy` maps the status.

    `batch`: several outcomes in one answer.
    """

    always_200: bool = False
    response_policy: ResponsePolicy | None = None
    batch: bool = False


def to_answer(outcome: Outcome) -> Answer:
    """The response body: always every key, flat, no null, whole numbers."""
    session, failure = outcome.session, outcome.failure
    # A session that could not be attached reaches no customer; its links would only mislead the reader.
    links = Session() if failure else session
    return {
        "success": outcome.success,
        "status": outcome.status.value,
        "conversationId": session.conversation_id,
        "cobrowseSessionId": session.cobrowse_session_id,
        "mediaId": session.media_id,
        "joinUrl": links.join_url.reveal(),
        "viewerUrl": links.viewer_url.reveal(),
        "joinCode": links.join_code.reveal(),
        "websocketUrl": links.websocket_url.reveal(),
        "handedOver": session.handed_over,
        "handOverError": session.hand_over_error,
        "offerEnds": session.offer_ends,
        "state": session.state,
        "verified": session.verified,
        "flow": outcome.flow,
        "initiationId": outcome.initiation_id,
        "correlationId": outcome.correlation_id,
        "durationMs": round(outcome.seconds * 1000),
        "upstreamCalls": outcome.upstream_calls,
        "errorCode": failure.code if failure else "",
        "errorMessage": failure.message if failure else outcome.reason,
        "errorHint": hint_of(failure) if failure else "",
        "retryable": failure.retryable if failure else False,
        "retryAfterSeconds": wait_seconds(failure) if failure else 0,
    }


def callback_body(callback: Callback, outcome: Outcome) -> str:
    """The body that reports an outcome: Standard Webhooks' type, timestamp and data, which is as flat as an answer."""
    data = to_answer(outcome) | {
        "action": callback.action,
        "sender": callback.sender,
        "idempotencyKey": callback.key,
        "attempt": callback.attempt,
    }
    for name in LINKS:
        del data[name]
    return orjson.dumps({"type": callback.type, "timestamp": callback.created.isoformat(), "data": data}).decode()


def wait_seconds(failure: Failure) -> int:
    """Whole seconds after which a retry makes sense; 0 when none does."""
    if not failure.retryable:
        return 0
    return math.ceil(DEFAULT_RETRY_AFTER if failure.retry_after is None else failure.retry_after)


def view_keys(view: SessionView) -> Answer:
    """An answer's keys for the session's state."""
    return {
        "sessionState": view.state.value,
        "customerConnected": view.customer_connected,
        "agentConnected": view.agent_connected,
        "since": view.since,
    }


def respond(outcomes: Sequence[Outcome], mode: ResponseMode, more: Answer | None = None) -> Response:
    """The response for a request's outcome, or for all those of a batch. `more` is put into a single answer."""
    status = _status(outcomes, mode)
    if mode.response_policy is not None and mode.response_policy.expects_soap_ack:
        accepted = status == 200 and not any(outcome.failure and outcome.failure.retryable for outcome in outcomes)
        response = Response(acknowledgement(accepted=accepted), status, content_type=ACKNOWLEDGEMENT_TYPE)
    elif mode.response_policy is not None and mode.response_policy.format_message is not None:
        response = json(mode.response_policy.format_message(" ".join(map(chat_message, outcomes))), status)
    elif mode.batch:
        # The first failure stands for the batch, so that a caller who reads one result sees what to fix.
        speaker = next((outcome for outcome in outcomes if outcome.failure), outcomes[0])
        response = json({**to_answer(speaker), "results": [to_answer(outcome) for outcome in outcomes]}, status)
    else:
        response = json(to_answer(outcomes[0]) | (more or {}), status)
    if all(outcome.replayed for outcome in outcomes):
        response.headers["Idempotent-Replayed"] = "true"
    waits = [wait_seconds(outcome.failure) for outcome in outcomes if outcome.failure and outcome.failure.retryable]
    if waits:
        policy = mode.response_policy
        response.headers["Retry-After"] = policy.retry_after(max(waits)) if policy is not None else str(max(waits))
    return response


_IGNORED = "Nothing was started: "
_WORDS = {
    Status.INITIATED: "Cobrowse is started: the customer has the invitation.",
    Status.JOINED: "Cobrowse is being started already; the customer has one invitation.",
    Status.ALREADY_ACTIVE: "Cobrowse is active already; nothing new was started.",
    Status.UNVERIFIED: "Cobrowse is started; whether the customer sees the invitation could not be checked.",
    Status.ENDED: "The cobrowse session is ended.",
    Status.ALREADY_ENDED: "No cobrowse session was live; nothing had to be ended.",
    Status.WOULD_START: "A dry run: cobrowse would be started. Nothing was done.",
    Status.WOULD_END: "A dry run: the cobrowse session would be ended. Nothing was done.",
}


def chat_message(outcome: Outcome) -> str:
    """The outcome as a sentence, for the person who reads it in a chat."""
    if outcome.failure is not None:
        again = " Try again in a moment." if outcome.failure.retryable else ""
        return f"Cobrowse was not started: {outcome.failure.message.rstrip('.')}.{again}"
    return _WORDS.get(outcome.status) or f"{_IGNORED}{outcome.reason}."


def is_success_message(words: str, *, ignored: bool) -> bool:
    """Whether this text of `chat_message` means a success, or with `ignored` an ignored event."""
    return words.startswith(_IGNORED) if ignored else words in _WORDS.values()


def summary(outcomes: Sequence[Outcome]) -> str:
    """A delivery's result in a few words: its status, or how many of its events have which status."""
    said = Counter(outcome.failure.code if outcome.failure else outcome.status.value for outcome in outcomes)
    return ", ".join(name if len(outcomes) == 1 else f"{count} {name}" for name, count in said.items())


def _status(outcomes: Sequence[Outcome], mode: ResponseMode) -> int:
    failures = [
        None if outcome.failure is None else (status_of(outcome.failure), outcome.failure.retryable)
        for outcome in outcomes
    ]
    if mode.always_200 or not any(failures):
        return 200
    if mode.response_policy is not None:
        return batch_status(mode.response_policy, failures)
    return next(failure[0] for failure in failures if failure)


def rejection_outcome(error: CobrowseError, correlation_id: str, conversation_id: str = "") -> Outcome:
    """The outcome of a request that never became a Command."""
    failure = failure_of(error, is_terminal=True)
    return Outcome(Status.FAILED, "", correlation_id, Session(conversation_id=conversation_id), failure=failure)


def error_response(error: CobrowseError, correlation_id: str) -> Response:
    """The response for a request that never became a Command: its real status, the same flat keys."""
    response = respond([rejection_outcome(error, correlation_id)], ResponseMode())
    if status_of(error) == 401:
        # RFC 9110 requires a challenge with a 401; Basic is the scheme that every caller can speak.
        response.headers["WWW-Authenticate"] = 'Basic realm="cobrowse-bridge", charset="UTF-8"'
    return response


class PlainResponse(Response):
    """A complete response: sent without werkzeug's copying and scanning of headers and body."""

    def get_wsgi_headers(self, _environ: "WSGIEnvironment") -> Headers:
        """The headers, unchanged."""
        return self.headers

    def get_app_iter(self, environ: "WSGIEnvironment") -> Iterable[bytes]:
        """The body, unchanged."""
        return () if environ["REQUEST_METHOD"] == "HEAD" else [self.get_data()]


def json(content: object, status: int = 200) -> Response:
    """A JSON response."""
    return PlainResponse(orjson.dumps(content), status, mimetype="application/json")
