"""The calls of Genesys Cloud that a cobrowse adapter makes, as a Flask app: where they are, and how one is done."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sandbox import endpoints, listening
from sandbox.answers import json_answer
from sandbox.calls import Call
from sandbox.control import control
from sandbox.errors import GenesysError, Rejection
from sandbox.fake_genesys import FakeGenesys
from sandbox.faults import QueuedFault
from sandbox.logins import GRANTS
from sandbox.response_faults import Wire, apply_response_fault

BODY_LIMIT = 512_000  # bytes: Genesys's request.bytes.max


class Route(NamedTuple):
    """One call: where it is, what it does, the status of a good answer, and the flow without which it doesn't exist."""

    method: str
    rule: str
    operation: str
    work: Callable[..., Response]
    status: int = 200
    flow: str = "both"


_ONE = "/api/v2/conversations/<conversation_id>"
_COBROWSE = "/api/v2/conversations/cobrowsesessions/<conversation_id>"
_COMMUNICATION = f"{_COBROWSE}/participants/<participant_id>/communications/<communication_id>"
_CHANNELS = "/api/v2/notifications/channels"
ROUTES = (
    Route("POST", "/oauth/token", "token", endpoints.login),
    Route("GET", "/oauth/authorize", "authorize", endpoints.authorize),
    Route("GET", "/api/v2/users/me", "me", endpoints.get_me),
    Route("GET", "/api/v2/conversations/webchat", "list", endpoints.list_webchats),
    Route("GET", _ONE, "conversation", endpoints.get_conversation),
    Route("POST", "/api/v2/cobrowse/sessions", "create", endpoints.create_session, 201, "media"),
    Route("POST", f"{_ONE}/media", "attach", endpoints.attach_medium, 201, "media"),
    Route("POST", f"{_ONE}/cobrowse", "cobrowse", endpoints.start_cobrowse, 200, "native"),
    Route("PATCH", _COMMUNICATION, "disconnect", endpoints.disconnect),
    Route("PATCH", f"{_ONE}/participants/<participant_id>/attributes", "attributes", endpoints.set_attributes),
    Route("GET", _COBROWSE, "cobrowsesessions", endpoints.get_cobrowse),
    Route("POST", _CHANNELS, "channel", listening.make_channel),
    Route("PUT", f"{_CHANNELS}/<channel_id>/subscriptions", "subscribe", listening.subscribe),
    Route("GET", "/api/v2/routing/queues", "queues", listening.list_queues),
    Route("POST", "/api/v2/users/search", "users", listening.search_users),
    Route("POST", "/api/v2/analytics/conversations/details/query", "details", listening.query_details),
)


def create_app(genesys: FakeGenesys) -> Flask:
    """The sandbox as a WSGI app. Without the sandbox's own server a dropped answer is an error that the app raises."""
    app = Flask("sandbox", static_folder=None)
    app.url_map.merge_slashes = False
    for route in ROUTES:
        app.add_url_rule(
            route.rule,
            endpoint=route.operation,
            view_func=partial(_respond, genesys, route),
            methods=[route.method],
            provide_automatic_options=False,
        )
    app.register_blueprint(control(genesys))
    app.register_error_handler(HTTPException, partial(_no_such_call, genesys))
    return app


def _respond(genesys: FakeGenesys, route: Route, **path: str) -> Response:
    """Do one call, with the fault that strikes it."""
    request.get_data(cache=True)  # before the form, which would take it away
    if route.operation == "token" and request.form.get("grant_type") in GRANTS:
        route = route._replace(operation="user_token")
    call = _record_call(genesys, route.operation, path.get("conversation_id"))
    answer_call = partial(_answer_call, genesys, route, call, path)
    queued = genesys.faults.take(route.operation)
    answer = answer_call() if queued is None else _apply_fault(genesys, route, call, queued, answer_call)
    return _finish(genesys, call, answer)


def _apply_fault(
    genesys: FakeGenesys, route: Route, call: Call, queued: QueuedFault, answer_call: Callable[[], Response]
) -> Response:
    """The answer of a call that a fault strikes.

    A fault that strikes afterwards is for calls that worked: where the call fails by itself, it waits for the next.
    """
    fault, before = queued.fault, queued.fault.when == "before"
    wire = Wire(request.environ.get("werkzeug.socket"), genesys.stopping.wait)
    if before and fault.kind == "delay" and wire.pause(fault.parameters["seconds"]):
        return GenesysError("service.unavailable").answer(call.correlation_id)
    if before and fault.kind == "expire_token":
        genesys.tokens.revoke(_bearer())
    answer = answer_call() if not before or fault.kind in {"delay", "expire_token"} else json_answer({}, route.status)
    if not before and answer.status_code >= 400:
        genesys.faults.give_back(queued)
        return answer
    if not before and fault.kind == "delay":
        wire.pause(fault.parameters["seconds"])
    if not before and fault.kind == "expire_token":
        # A login's is the one that it gives.
        is_login = route.rule == "/oauth/token"
        genesys.tokens.revoke(orjson.loads(answer.get_data())["access_token"] if is_login else _bearer())
    call.fault = fault.kind
    return apply_response_fault(fault, answer, call, wire)


def _answer_call(genesys: FakeGenesys, route: Route, call: Call, path: Mapping[str, str]) -> Response:
    """The answer of a call that nothing struck, good or bad."""
    try:
        if genesys.options.api not in {"both", route.flow} and route.flow != "both":
            raise GenesysError("not.found")
        if len(request.get_data(cache=True)) > BODY_LIMIT:
            raise GenesysError("request.entity.too.large", maximumBytes=str(BODY_LIMIT))
        if route.operation in genesys.options.user_required and genesys.tokens.is_client(_bearer()):
            raise GenesysError("user.context.required")
        return route.work(genesys, **path)
    except Rejection as refusal:
        return refusal.answer(call.correlation_id)


def _no_such_call(genesys: FakeGenesys, error: HTTPException) -> Response:
    """An unknown path or method: answered and counted as Genesys's own rejections are."""
    call = _record_call(genesys, "unknown", None)
    code = "method.not.allowed" if error.code == 405 else "not.found" if error.code == 404 else "bad.request"
    return _finish(genesys, call, GenesysError(code).answer(call.correlation_id))


def _finish(genesys: FakeGenesys, call: Call, answer: Response) -> Response:
    """The answer with the common headers; its status is recorded."""
    call.status = None if call.fault == "drop" else answer.status_code
    answer.headers["ININ-Correlation-Id"] = call.correlation_id
    # So that a service with SANDBOX=true can verify that this is one.
    answer.headers["X-Genesys-Sandbox"] = "1"
    for name, value in genesys.tokens.budget(_bearer()).items():
        answer.headers.setdefault(name, value)
    return answer


def _record_call(genesys: FakeGenesys, operation: str, conversation_id: str | None) -> Call:
    return genesys.record.begin(
        operation,
        method=request.method,
        path=request.path,
        correlation_id=request.headers.get("ININ-Correlation-Id") or genesys.new_id(),
        conversation_id=conversation_id,
        has_body=bool(request.get_data(cache=True)),
        content_type=request.headers.get("Content-Type"),
        authorization=request.headers.get("Authorization"),
    )


def _bearer() -> str:
    """The token that this call presents."""
    return request.headers.get("Authorization", "").partition(" ")[2].strip()
