"""Genesys's operations, one row each, and the parsing of their responses: functions of status, headers and body."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from marshmallow import ValidationError

from cobrowse.clock import Clock
from cobrowse.errors import GenesysBadResponse, GenesysTimeout, GenesysUnavailable, SessionNotIdentified
from integrations.genesys.error_codes import GRANT_REFUSED, LOGIN_HINT, meaning_of, meaning_of_login, refusal
from integrations.genesys.redaction import redact
from integrations.genesys.waits import Fields, parse_wait
from schemas import genesys as schemas
from schemas.json_text import parse_json

# By which the sandbox says what it is; Genesys and gateways to it have no such header.
SANDBOX_HEADER = "x-genesys-sandbox"
_ERROR_BODY = schemas.ErrorBodySchema()


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `repeatable`: while no answer to it is known, it may safely be sent again. `sends_json`: it has a body.

    `has_side_effect`: a success is one whatever its body, and the call is never sent again after it. `is_login`: it is
    the login host's, which speaks OAuth. `refuses_grants`: a grant of a user's is what it may refuse.
    """

    name: str
    method: str
    path: str
    answer: schemas.GenesysSchema
    repeatable: bool
    sends_json: bool = False
    has_side_effect: bool = False
    is_login: bool = False
    refuses_grants: bool = False


TOKEN = Operation("token", "POST", "/oauth/token", schemas.TokenSchema(), repeatable=True, is_login=True)
# The service user's token, for a code or a refresh token. Sent again after a lost answer it may find either used up;
# but what the answer held is lost then all the same.
USER_TOKEN = replace(TOKEN, name="user_token", answer=schemas.UserTokenSchema(), refuses_grants=True)
LIST = Operation(
    "list",
    "GET",
    "/api/v2/conversations/webchat?active=true&pageSize=1",
    schemas.ConversationListSchema(),
    repeatable=True,
)
CONVERSATION = Operation(
    "conversation", "GET", "/api/v2/conversations/{conversation_id}", schemas.ConversationSchema(), repeatable=True
)
# An unattached session reaches no customer, so a create whose response was lost may be retried.
CREATE = Operation(
    "create",
    "POST",
    "/api/v2/cobrowse/sessions",
    schemas.CreatedSessionSchema(),
    repeatable=True,
    sends_json=True,
    has_side_effect=True,
)
ATTACH = Operation(
    "attach",
    "POST",
    "/api/v2/conversations/{conversation_id}/media",
    schemas.AttachedMediaSchema(),
    repeatable=False,
    sends_json=True,
    has_side_effect=True,
)
# The published OpenAPI gives this POST neither a body nor a content type.
COBROWSE = Operation(
    "cobrowse",
    "POST",
    "/api/v2/conversations/{conversation_id}/cobrowse",
    schemas.CobrowseSessionSchema(),
    repeatable=False,
    has_side_effect=True,
)
# Whose token it is: only a user's has an answer.
ME = Operation("me", "GET", "/api/v2/users/me?expand=organization", schemas.MeSchema(), repeatable=True)
# Ends one participant's part of a session, and with the customer's the session.
DISCONNECT = Operation(
    "disconnect",
    "PATCH",
    "/api/v2/conversations/cobrowsesessions/{conversation_id}/participants/{target}",
    schemas.NoContentSchema(),
    repeatable=False,
    sends_json=True,
    has_side_effect=True,
)
# Sets the named attributes of one participant to the same texts however often it runs.
ATTRIBUTES = Operation(
    "attributes",
    "PATCH",
    "/api/v2/conversations/{conversation_id}/participants/{target}/attributes",
    schemas.NoContentSchema(),
    repeatable=True,
    sends_json=True,
    has_side_effect=True,
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
    headers: Fields,
    body: bytes,
    clock: Clock,
    redacted: Callable[[str], str] = redact,
) -> dict[str, Any]:
    """The content of a successful response. Raises the GenesysError it maps to, or UpstreamRejected.

    `redacted` masks secrets in what goes from the body into the error's message.
    """
    if 200 <= status < 300:
        return _content(operation, status, body)
    error = _error_body(body)
    code, words = "", ""
    if error is not None:
        code = error["code"] or error["error"]
        words = error["message"] or error["error_description"] or error["description"]
    message = f"{operation.name}: Genesys answered {status}{_detail(error, code, words, redacted)}"
    wait = parse_wait(status, headers, words, clock)
    mean = meaning_of_login if operation.is_login else meaning_of
    meaning = mean(status, code, words, is_json=error is not None)
    if operation.refuses_grants and code == "invalid_grant" and status in (400, 401):
        meaning = GRANT_REFUSED
    if meaning is not None:
        raise refusal(meaning, message, wait)
    # A server that gave up half way may have executed it: only a probe can find out.
    lost = not operation.repeatable
    if status in (408, 504):
        raise GenesysTimeout(message, retry_after=wait, ambiguous=lost)
    if status >= 500:
        raise GenesysUnavailable(message, retry_after=wait, ambiguous=lost)
    if 300 <= status < 400:
        # A 303 is what a server answers that has done it and shows the result elsewhere.
        raise GenesysBadResponse(f"{message}, a redirect, which is never followed", ambiguous=lost)
    raise UpstreamRejected(status, message)


def check_is_sandbox(operation: Operation, status: int, headers: Fields) -> None:
    """Raise GenesysBadResponse if this is a token of something that does not say that it is a sandbox."""
    if operation.is_login and 200 <= status < 300 and headers.get(SANDBOX_HEADER, "") != "1":
        raise GenesysBadResponse(
            "token: SANDBOX is set, but what answers does not say that it is a sandbox",
            hint="SANDBOX=true is for `cobrowse-bridge sandbox` alone. For Genesys or a gateway to it take it out "
            "and set API_KEYS, GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET.",
        )


def check_is_identified(created: Mapping[str, Any]) -> None:
    """Raise SessionNotIdentified if what CREATE answered does not say which session it made."""
    if not created["id"]:
        raise SessionNotIdentified("create: Genesys answered with a success that does not say which session it made")


def empty_content(operation: Operation) -> dict[str, Any]:
    """The content of a success that can't be read: it has happened, and all it would have said is unknown."""
    return operation.answer.load({})


def _content(operation: Operation, status: int, body: bytes) -> dict[str, Any]:
    try:
        return operation.answer.load(parse_json(body))
    except (orjson.JSONDecodeError, ValidationError) as error:
        if operation.has_side_effect:
            return empty_content(operation)
        hint = LOGIN_HINT if operation.is_login else ""
        if isinstance(error, orjson.JSONDecodeError):
            message = f"{operation.name}: Genesys answered {status} with a body that is not JSON"
            raise GenesysBadResponse(message, hint=hint) from error
        wrong = ", ".join(sorted(map(str, error.messages))) or "its shape"
        message = f"{operation.name}: Genesys answered {status}, but not as documented: {wrong}"
        raise GenesysBadResponse(message, hint=hint) from None


def _error_body(body: bytes) -> dict[str, Any] | None:
    """What the body says of the error; None if it is no JSON object."""
    try:
        return _ERROR_BODY.load(parse_json(body))
    except (orjson.JSONDecodeError, ValidationError):
        return None


def _detail(error: Mapping[str, Any] | None, code: str, words: str, redacted: Callable[[str], str]) -> str:
    """Genesys's code, message and contextId without secrets, if the body has them; 400 characters at most, one line."""
    # Masked before they are cut: half a secret would not be recognised.
    context = " ".join(redacted(error["contextId"] if error is not None else "").split())[:56]
    said = redacted(" ".join(f"{code}: {words}".strip(": ").split()))[:330]
    shown = f" (contextId {context})" if context else ""
    return f" {said}{shown}" if said or shown else ""
