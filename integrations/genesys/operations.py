"""What we ask of Genesys, a row each, and what an answer means: plain functions of status, headers and body."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
from marshmallow import Schema, ValidationError

from cobrowse.clock import Clock
from cobrowse.errors import (
    GenesysBadResponse,
    GenesysForbidden,
    GenesysRateLimited,
    GenesysTimeout,
    GenesysUnauthorized,
    GenesysUnavailable,
)
from integrations.genesys.redaction import redact
from schemas import genesys as shapes

# Longest Retry-After that is believed, in seconds: a day. Past that it is a fault of whoever sent it.
_LONGEST_WAIT = 86_400.0
# By which the sandbox says what it is; Genesys and gateways to it have no such header.
SANDBOX_HEADER = "X-Genesys-Sandbox"
_ERROR_BODY = shapes.ErrorBodySchema()


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `repeatable`: running it twice harms nobody. `sends_json`: it has a JSON body."""

    name: str
    method: str
    path: str
    answer: Schema
    repeatable: bool
    sends_json: bool = False


TOKEN = Operation("token", "POST", "/oauth/token", shapes.TokenSchema(), repeatable=True)
LIST = Operation(
    "list",
    "GET",
    "/api/v2/conversations/webchat?active=true&pageSize=1",
    shapes.ConversationListSchema(),
    repeatable=True,
)
CONVERSATION = Operation(
    "conversation", "GET", "/api/v2/conversations/{conversation_id}", shapes.ConversationSchema(), repeatable=True
)
# An unattached session reaches nobody, so a create whose answer was lost may be repeated.
CREATE = Operation(
    "create", "POST", "/api/v2/cobrowse/sessions", shapes.CreatedSessionSchema(), repeatable=True, sends_json=True
)
ATTACH = Operation(
    "attach",
    "POST",
    "/api/v2/conversations/{conversation_id}/media",
    shapes.AttachedMediaSchema(),
    repeatable=False,
    sends_json=True,
)
# The published OpenAPI gives this POST neither a body nor a content type.
COBROWSE = Operation(
    "cobrowse",
    "POST",
    "/api/v2/conversations/{conversation_id}/cobrowse",
    shapes.CobrowseSessionSchema(),
    repeatable=False,
)


class UpstreamRejected(Exception):
    """Genesys refuses the call itself (400, 404, 405, 409, …): `status`, and in its own words why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def parse_response(
    operation: Operation,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    clock: Clock,
    redacted: Callable[[str], str] = redact,
) -> dict[str, Any]:
    """The content of a good answer; otherwise the GenesysError it stands for, or UpstreamRejected.

    `redacted` masks secrets in what goes from the body into the error's message.
    """
    if 200 <= status < 300:
        return _content(operation, status, body)
    message = f"{operation.name}: Genesys answered {status}{_error_detail(body, redacted)}"
    by_oauth = operation.name == TOKEN.name
    wait = retry_after(headers.get("retry-after", ""), clock)
    # OAuth's own word for a client that may not have the scopes it asks for (RFC 6749, 5.2).
    if status == 403 or (by_oauth and b"invalid_scope" in body):
        raise GenesysForbidden(message)
    if status == 401 or (by_oauth and status == 400):
        raise GenesysUnauthorized(message)
    if status == 429:
        raise GenesysRateLimited(message, retry_after=wait)
    # A server that gave up half way may have done it: only a probe can tell.
    lost = not operation.repeatable
    if status in (408, 504):
        raise GenesysTimeout(message, retry_after=wait, ambiguous=lost)
    if status >= 500:
        raise GenesysUnavailable(message, retry_after=wait, ambiguous=lost)
    if 300 <= status < 400:
        # A 303 is what a server answers that has done it and shows the result elsewhere.
        raise GenesysBadResponse(f"{message}, a redirect, which is never followed", ambiguous=lost)
    if by_oauth:
        # OAuth refuses with 400 or 401 (RFC 6749, 5.2): this is no login host's answer.
        raise GenesysBadResponse(message)
    raise UpstreamRejected(status, message)


def check_is_sandbox(operation: Operation, status: int, headers: Mapping[str, str]) -> None:
    """Raise GenesysBadResponse if this is a token of something that does not say that it is a sandbox."""
    if operation.name == TOKEN.name and 200 <= status < 300 and headers.get(SANDBOX_HEADER) != "1":
        raise GenesysBadResponse(
            "token: SANDBOX is set, but what answers does not say that it is a sandbox",
            hint="SANDBOX=true is for `flask cobrowse sandbox` alone. For Genesys or a gateway to it take it out "
            "and set API_KEYS, GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET.",
        )


def _content(operation: Operation, status: int, body: bytes) -> dict[str, Any]:
    try:
        loaded = operation.answer.load(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        message = f"{operation.name}: Genesys answered {status} with a body that is not JSON"
        raise GenesysBadResponse(message, ambiguous=not operation.repeatable) from error
    except ValidationError as error:
        wrong = ", ".join(sorted(map(str, error.messages))) or "its shape"
        message = f"{operation.name}: Genesys answered {status}, but not as documented: {wrong}"
        raise GenesysBadResponse(message, ambiguous=not operation.repeatable) from None
    assert isinstance(loaded, dict)  # noqa: S101 - what a schema without many=True loads
    return loaded


def _error_detail(body: bytes, redacted: Callable[[str], str]) -> str:
    """Genesys's message, code and contextId without secrets, if the body has them; 400 characters at most, one line."""
    try:
        error = _ERROR_BODY.load(orjson.loads(body))
    except (orjson.JSONDecodeError, ValidationError):
        return ""
    code = error["code"] or error["error"]
    message = error["message"] or error["error_description"] or error["description"]
    # Masked before they are cut: half a secret would not be recognised.
    context = " ".join(redacted(error["contextId"]).split())[:56]
    words = redacted(" ".join(f"{code}: {message}".strip(": ").split()))[:330]
    told = f" (contextId {context})" if context else ""
    return f" {words}{told}" if words or told else ""


def retry_after(value: str, clock: Clock) -> float | None:
    """The seconds a Retry-After header means, as a number or an HTTP date; None when it says nothing usable."""
    value = value.strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - clock.now()).total_seconds()
        except (ValueError, TypeError):
            return None
    if seconds != seconds:  # noqa: PLR0124 - "nan" is a float too
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)
