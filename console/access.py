"""Access to the console: who is signed in, with which role, and whether a form comes from a page of its own."""

from typing import get_args

import structlog
from flask import Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from cobrowse.errors import SenderRateLimited, UnknownPath
from console import auth
from console.sign_in import SignedIn, SignIn
from integrations.senders.auth.credentials import basic_parts
from schemas.console_users import Role
from web import responses
from web.request_parsing import is_this_machine

log = structlog.stdlib.get_logger()

# Headings of the error page by status.
_TITLES = {403: "Forbidden", 404: "Not found", 409: "Conflict", 429: "Too many attempts", 503: "Unavailable"}
# The cookie of a signed-in browser, and the path below which it is sent.
COOKIE, COOKIE_PATH = "cobrowse_console", "/console"
# Endpoints that need no sign-in: the sign-in itself and its static files.
PUBLIC_ENDPOINTS = frozenset(
    f"console.{name}" for name in ("static", "sign_in", "redirect_to_provider", "provider_callback")
)
# The user where no sign-in is configured.
LOCAL = SignedIn("local", "operator")


class Access:
    """Admits people who have signed in, or without any sign-in configured requests from this machine only.

    `sign_in` is None without passwords. `provider` is the label of the identity provider's button; "" without one.
    """

    def __init__(self, signer: auth.Signer, sign_in: SignIn | None, provider: str, public_url: str) -> None:
        self.signer = signer
        self._sign_in, self._provider, self._public_url = sign_in, provider, public_url
        self.requires_sign_in = bool(sign_in or provider)

    def admit(self) -> ResponseReturnValue | None:
        """Before every request: set `g.person` and return None, or return the response that refuses it."""
        if not self.requires_sign_in:
            g.person = LOCAL
            if is_this_machine(request.remote_addr or "", request.host, request.headers.keys()):
                return None
            error = UnknownPath(f"{request.method} {request.path[:200]}: Not Found")
            return responses.error_response(error, g.correlation_id)
        g.person = self._signed_in_person()
        if g.person is not None or request.endpoint in PUBLIC_ENDPOINTS:
            return None
        name, password = _basic(request.headers.get("Authorization", ""))
        if not password:
            return self.sign_in_page("")
        g.person = result = self.authenticate(name, password)
        return None if isinstance(result, SignedIn) else result

    def authenticate(self, name: str, password: str, next_page: str = "") -> SignedIn | Response:
        """The person with this name and password, or the page that refuses them."""
        address = request.remote_addr or ""
        try:
            person = self._sign_in(address, name, password) if self._sign_in is not None else None
        except SenderRateLimited as error:
            log.warning("console sign-in throttled", path=request.path, client=address)
            return throttled_page(error)
        if person is None:
            log.warning("console sign-in refused", path=request.path, client=address)
            return self.sign_in_page("This name and password don't belong together.", next_page=next_page)
        return person

    def sign_in_page(self, message: str, status: int = 401, next_page: str = "") -> Response:
        """The sign-in page. `next_page` is the signed path to go to afterwards; "" for the current one."""
        if not next_page:
            is_page = (
                request.method == "GET" and request.endpoint is not None and request.endpoint not in PUBLIC_ENDPOINTS
            )
            next_page = self.signer.sign(
                "to", request.full_path.rstrip("?") if is_page else url_for("console.list_initiations")
            )
        context = {
            "message": message,
            "to": next_page,
            "provider": self._provider,
            "by_password": self._sign_in is not None,
        }
        page = make_response(render_template("console/sign_in.html", **context), status)
        if status == 401:
            # No scheme for which a browser would ask in a window of its own.
            page.headers["WWW-Authenticate"] = 'Cookie realm="cobrowse-bridge console"'
        return page

    def complete_sign_in(self, person: SignedIn, next_page: str, **details: str) -> AnyResponse:
        """Redirect to `next_page`, a signed path, and set the session cookie."""
        log.info(
            "console sign-in", client=request.remote_addr or "", requested_by=person.name, role=person.role, **details
        )
        path = self.signer.unsign("to", next_page)
        answer = redirect(path if isinstance(path, str) else url_for("console.list_initiations"), 303)
        self.set_cookie(answer, COOKIE, self.signer.sign("person", [person.name, person.role]), auth.SESSION_SECONDS)
        return answer

    def set_cookie(self, answer: AnyResponse, name: str, value: str, seconds: int) -> None:
        """Set a cookie for the console's path; with 0 seconds delete it."""
        # A proxy in front may speak https where this service speaks http. Lax: a link in an alert leads to the page.
        secure = (self._public_url or request.headers.get("Origin", "")).startswith("https://")
        answer.set_cookie(name, value, max_age=seconds, path=COOKIE_PATH, secure=secure, httponly=True, samesite="Lax")

    def is_own_form(self, subject: str) -> bool:
        """Whether the request's form is about this subject and was sent from a page of the console."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        return auth.same_origin(headers, request.host) and self.signer.verify(request.form.get("token", ""), subject)

    def check_form(self, subject: str, button: str) -> Response | None:
        """The page that refuses a form from elsewhere or of a viewer; None if it is valid."""
        if not self.is_own_form(subject):
            return error_page(
                403,
                "This was not sent from a page of the console, or that page is too old.",
                f"Reload the initiation's page and press “{button}” there.",
            )
        if not g.person.may_act:
            hint = "Ask who runs this service for the role operator."
            return error_page(403, f"“{button}” is for operators, and {g.person.name} is a viewer.", hint)
        return None

    def _signed_in_person(self) -> SignedIn | None:
        """The person in this browser's cookie; None without a valid one."""
        match self.signer.unsign("person", cookie) if (cookie := request.cookies.get(COOKIE)) else None:
            case [str(name), str(role)] if role in get_args(Role):
                return SignedIn(name, "operator" if role == "operator" else "viewer")
        return None


def throttled_page(error: SenderRateLimited) -> Response:
    """The page after too many wrong attempts."""
    wait = int(error.retry_after or 0) + 1
    page = error_page(429, "Too many wrong attempts to sign in.", f"Try again in {wait} s.")
    page.headers["Retry-After"] = str(wait)
    return page


def error_page(status: int, message: str, hint: str) -> Response:
    """An error page with this status, message and hint."""
    title = _TITLES.get(status, "Request failed")
    page = render_template(
        "console/error.html", title=title, message=message, hint=hint, correlation_id=g.correlation_id
    )
    return make_response(page, status)


def _basic(header: str) -> tuple[str, str]:
    """Name and password of HTTP Basic, as scripts send them; two empty ones if there are none in UTF-8."""
    try:
        name, password = (part.decode() for part in basic_parts(header))
    except UnicodeDecodeError:
        return "", ""
    return name, password
