"""Who may use the console, as what, and that a form is one of its own pages'."""

from collections.abc import Sequence
from functools import cached_property

import structlog
from flask import Response, g, make_response, render_template, request
from flask.typing import ResponseReturnValue

from cobrowse.clock import Clock
from cobrowse.errors import CobrowseError, InternalError, SenderRateLimited, UnknownPath
from cobrowse.model import Secret
from console import auth
from console.sign_in import NamedUsers, OnePassword, SignedIn, SignIn
from integrations.senders.auth.credentials import basic_parts
from schemas.console_users import ConsoleUser
from web import responses
from web.error_responses import hint_of, status_of
from web.peer import is_this_machine

log = structlog.stdlib.get_logger("cobrowse")

# Headings of the error page by status.
_TITLES = {
    401: "Sign-in required",
    403: "Forbidden",
    404: "Not found",
    409: "Conflict",
    429: "Too many attempts",
    503: "Unavailable",
}
_CHALLENGE = 'Basic realm="cobrowse-bridge console", charset="UTF-8"'
# Who works at this machine where nobody signs in.
LOCAL = SignedIn("local", "operator")


class Access:
    """The console's door: named users, one password for all, or without either this machine alone."""

    def __init__(self, csrf_key: Secret, password: Secret, users: Sequence[ConsoleUser], clock: Clock) -> None:
        self._csrf_key = csrf_key
        passwords = NamedUsers(users) if users else OnePassword(password)
        self.requires_sign_in = bool(password or users)
        self._hint = "Sign in with your name and password." if users else "Sign in with CONSOLE_PASSWORD and any name."
        self._sign_in = SignIn(passwords, clock)

    def admit(self) -> ResponseReturnValue | None:
        """Before every request: None, and the person in `g.person`, or the refusal."""
        if not self.requires_sign_in:
            g.person = LOCAL
            if is_this_machine(request.remote_addr or "", request.host, request.headers.keys()):
                return None
            error = UnknownPath(f"{request.method} {request.path[:200]}: Not Found")
            return responses.error_response(error, g.correlation_id)
        name, password = _basic(request.headers.get("Authorization", ""))
        address = request.remote_addr or ""
        try:
            person = self._sign_in(address, name, password) if password else None
        except SenderRateLimited as error:
            log.warning("console sign-in throttled", path=request.path, client=address)
            wait = int(error.retry_after or 0) + 1
            page = refused(429, "Too many wrong passwords.", f"Try again in {wait} s.")
            page.headers["Retry-After"] = str(wait)
            return page
        if person is None:
            if password:
                log.warning("console sign-in refused", path=request.path, client=address)
            return self.challenge("The console requires a password.")
        g.person = person
        return None

    def challenge(self, message: str) -> Response:
        """The page that lets a browser ask for name and password, and forget those it has."""
        page = refused(401, message, self._hint)
        page.headers["WWW-Authenticate"] = _CHALLENGE
        return page

    def token(self, subject: str) -> str:
        """The token of a form about this."""
        return self._csrf.token(subject)

    def check_form(self, token: str, subject: str, button: str) -> Response | None:
        """The refusal of a form that is not one of ours about this, or of a person who may only look."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not auth.same_origin(headers, request.host) or not self._csrf.verify(token, subject):
            return refused(
                403,
                "This was not sent from a page of the console, or that page is too old.",
                f"Open the initiation anew and press “{button}” there.",
            )
        if not g.person.may_act:
            hint = "Ask an administrator of CONSOLE_USERS for the role operator."
            return refused(403, f"“{button}” is for operators, and {g.person.name} is a viewer.", hint)
        return None

    @cached_property
    def _csrf(self) -> auth.CsrfTokens:
        return auth.CsrfTokens(self._csrf_key)


def refused(status: int, message: str, hint: str) -> Response:
    """A page that says why there is no other."""
    title = _TITLES.get(status, "Request failed")
    page = render_template(
        "console/refused.html", title=title, message=message, hint=hint, correlation_id=g.correlation_id
    )
    return make_response(page, status)


def guarded(response: Response) -> Response:
    """After every request: security headers, and `no-store` but for static files."""
    response.headers.update(auth.HEADERS)
    static = request.endpoint == "console.static"
    response.headers["Cache-Control"] = "no-cache" if static else "no-store"
    return response


def failed(error: CobrowseError) -> Response:
    """The page that says what kept a request from being served."""
    if isinstance(error, InternalError):
        log.error("internal error", exc_info=error.__cause__ or error)
    else:
        log.warning("console request refused", error=error.code, message=error.message, path=request.path)
    return refused(status_of(error), error.message, hint_of(error))


def _basic(header: str) -> tuple[str, str]:
    """Name and password of HTTP Basic; two empty ones if there are none in UTF-8."""
    try:
        name, password = (part.decode() for part in basic_parts(header))
    except UnicodeDecodeError:
        return "", ""
    return name, password
