"""What the console's routes have in common: pages and their parts, headers, and the page of an error."""

from collections.abc import Mapping
from urllib.parse import urlencode

import structlog
from flask import Response, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from cobrowse.errors import CobrowseError, InternalError
from console import auth
from console.access import error_page
from web.error_responses import hint_of, status_of

log = structlog.stdlib.get_logger()


def page_or_part(name: str, context: Mapping[str, object]) -> AnyResponse:
    """The page of this name, or with `part` what changes on it, which its script asks for: 304 while nothing has."""
    if request.args.get("part"):
        response = make_response(render_template(f"console/_{name}.html", **context))
        response.add_etag()
        return response.make_conditional(request)
    live = f"{request.path}?{urlencode({**request.args.to_dict(), 'part': 1})}"
    return make_response(render_template(f"console/{name}.html", **context, live=live))


def add_security_headers(response: Response) -> Response:
    """After every request: the security headers of the console's pages."""
    response.headers.update(auth.HEADERS)
    return response


def on_error(error: CobrowseError) -> Response:
    """The page of an error, which is logged."""
    if isinstance(error, InternalError):
        log.error("internal error", exc_info=error.__cause__ or error)
    else:
        log.warning("console request refused", error=error.code, message=error.message, path=request.path)
    return error_page(status_of(error), error.message, hint_of(error))
