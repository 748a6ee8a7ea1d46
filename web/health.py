"""Endpoints for operators: /healthz, /readyz and /metrics; and the hooks that report requests to telemetry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, Flask, Response, request

from cobrowse.errors import CobrowseError, NotAuthenticated
from cobrowse.model import Secret
from integrations.observability.observers import RequestInfo, RequestObserver
from integrations.senders.auth.config import constant_time_equals, secret_bytes
from integrations.senders.auth.credentials import bearer_token
from web import responses
from web.error_responses import hint_of
from web.request_parsing import current_globals, current_request, is_this_machine

NAME = "operations"
_HINT = (
    "Set METRICS_TOKEN and send it as a bearer token; with SANDBOX this machine itself needs none, as localhost or "
    "127.0.0.1 and not through a proxy."
)

Problems = Mapping[str, CobrowseError | None]
"""The checks of readiness by name, each with what is wrong."""


@dataclass(frozen=True, slots=True)
class HealthEndpoints:
    """The endpoints' configuration.

    `ready` gives each check's problem. Those in `non_critical` never make the service unready, those in `transient`
    only where no retry would help. `exposition` gives the metrics and their Content-Type for an Accept header. To read
    them takes `metrics_token`; without one nobody may, or with `open_locally` this machine itself: for a sandbox, since
    requests through a proxy on this machine look local.
    """

    exposition: Callable[[str], tuple[bytes, str]]
    ready: Callable[[], Problems] = dict
    metrics_token: Secret = Secret()
    non_critical: tuple[str, ...] = ()
    transient: tuple[str, ...] = ()
    open_locally: bool = False

    def blueprint(self) -> Blueprint:
        """The endpoints' routes."""
        blueprint = Blueprint(NAME, __name__)
        blueprint.get("/healthz")(self.healthz)
        blueprint.get("/readyz")(self.readyz)
        blueprint.get("/metrics")(self.metrics)
        return blueprint

    def healthz(self) -> Response:
        """Liveness: the process is running."""
        return responses.json({"status": "ok"})

    def readyz(self) -> Response:
        """Readiness: ok, degraded (200) or failing (503), with each cause. Unauthenticated callers get codes only."""
        problems = self.ready()
        checks = {
            name: "ok" if problem is None else self._visible_message(problem) for name, problem in problems.items()
        }
        wrong = {name: problem for name, problem in problems.items() if problem is not None}
        critical = {name: problem for name, problem in wrong.items() if name not in self.non_critical}
        unready = any(name not in self.transient or not problem.retryable for name, problem in critical.items())
        status = "failing" if unready else "degraded" if wrong else "ok"
        return responses.json({"status": status, "checks": checks}, 503 if unready else 200)

    def metrics(self) -> Response:
        """Counts and durations, for Prometheus."""
        if not self._may_read():
            raise NotAuthenticated("metrics require authentication", hint=_HINT)
        body, content_type = self.exposition(request.headers.get("Accept", ""))
        return Response(body, content_type=content_type)

    def _visible_message(self, problem: CobrowseError) -> str:
        """The problem's message for those who may read metrics, since it can name hosts and files; else its code."""
        return f"{problem.code}: {problem.message}. {hint_of(problem)}" if self._may_read() else problem.code

    def _may_read(self) -> bool:
        if self.metrics_token:
            presented = bearer_token(request.headers.get("Authorization", ""))
            return constant_time_equals(secret_bytes(presented), secret_bytes(self.metrics_token.reveal()))
        return self.open_locally and is_this_machine(request.remote_addr or "", request.host, request.headers.keys())


def observe_requests(app: Flask, observer: RequestObserver) -> None:
    """Report every request but those of these endpoints to telemetry.

    Call it after `register_error_handlers`, which sets the correlation id.
    """

    @app.before_request
    def on_request() -> None:
        asked = current_request()
        rule = asked.url_rule
        if asked.blueprint != NAME:
            notes, route = current_globals(), rule.rule if rule is not None else ""
            notes.telemetry = observer.on_request(RequestInfo(asked.method, route, asked.headers, notes.correlation_id))

    @app.after_request
    def answered(response: Response) -> Response:
        current_globals().status = response.status_code
        return response

    @app.teardown_request
    def ended(_: BaseException | None) -> None:
        notes = current_globals()
        end = notes.pop("telemetry", None)
        if end is not None:
            end(notes.get("status", 500))
