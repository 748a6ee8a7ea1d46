"""Error handling: each request gets a correlation id, each error the flat response, each bug a log line.

Every response also gets the default security headers; HTML pages override the CSP.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from cobrowse.errors import (
    BodyTooLarge,
    CobrowseError,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    RequestTimeout,
    UnknownPath,
    UnsupportedType,
)
from web import refusals, request_parsing, responses

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.stdlib.get_logger()

# What Flask itself refuses, and the kind it is; anything else of its is a malformed request.
_KINDS: dict[int, type[CobrowseError]] = {
    404: UnknownPath,
    405: MethodNotAllowed,
    408: RequestTimeout,
    413: BodyTooLarge,
    415: UnsupportedType,
}

# What a browser may do with an answer whose maker does not say: show it, and nothing else. The pages say more.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HEADERS = tuple((name.lower(), name, value) for name, value in HEADERS.items())


def reject_noncanonical_path(target: str, path: str) -> None:
    """Raise UnknownPath unless the path came as it is routed: a proxy that closes a path must not be got round.

    `target` is the request's, `path` what the server made of it. No path of ours needs a percent sign, a double slash
    or a host in front.
    """
    if target.partition("?")[0] != path or "//" in path:
        raise UnknownPath("the path is not in its one spelling: no escapes, no double slash, no host in front")


def with_default_headers(application: "WSGIApplication") -> "WSGIApplication":
    """The application, with the default headers in each response that lacks them."""

    def run(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:  # noqa: ANN401 - as WSGI has it
            there = {name.lower() for name, _ in headers}
            return start_response(status, headers + [added[1:] for added in _HEADERS if added[0] not in there], *error)

        return application(environ, start)

    return run


def register_error_handlers(app: Flask, new_id: Callable[[], str]) -> None:
    """Register the hooks and error handlers on an app."""
    # Werkzeug would redirect other spellings of a path, to whatever host the Host header names.
    app.url_map.merge_slashes = False
    app.wsgi_app = with_default_headers(app.wsgi_app)  # type: ignore[method-assign, assignment]  # Flask's own way to do so

    @app.before_request
    def correlate() -> None:
        # Not the environ itself: it has the caller's credential, and a traceback would show it with this frame.
        asked = request_parsing.current_request()
        path: str = asked.environ["PATH_INFO"]
        target: str = asked.environ.get("RAW_URI", path)
        found = request_parsing.correlation_id(asked.headers, new_id)
        request_parsing.current_globals().correlation_id = found
        structlog.contextvars.bind_contextvars(correlation_id=found)
        reject_noncanonical_path(target, path)

    @app.after_request
    def echo(response: Response) -> Response:
        response.headers["ININ-Correlation-Id"] = request_parsing.current_globals().get("correlation_id", "")
        return response

    @app.teardown_request
    def forget(_: BaseException | None) -> None:
        structlog.contextvars.clear_contextvars()

    @app.errorhandler(CobrowseError)
    def on_domain_error(error: CobrowseError) -> Response:
        if isinstance(error, InternalError):
            log.error("internal error", exc_info=error.__cause__ or error)
        else:
            log.warning("request refused", error=error.code, message=error.message, path=request.path)
            refusals.mark_refused(error)
        return responses.error_response(error, g.correlation_id)

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        kind = _KINDS.get(error.code or 0, MalformedRequest)
        response = on_domain_error(kind(f"{request.method} {request.path[:200]}: {error.name}"))
        allow = dict(error.get_headers()).get("Allow")
        if allow:
            response.headers["Allow"] = allow
        return response

    @app.errorhandler(Exception)
    def on_unhandled(error: Exception) -> Response:
        log.error("internal error", exc_info=error)
        return responses.error_response(InternalError("internal error"), g.correlation_id)
