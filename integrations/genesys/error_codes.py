"""Genesys's refusals by their `code`: which error each means, what helps, and whether a new token does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cobrowse.errors import (
    GenesysBadResponse,
    GenesysError,
    GenesysForbidden,
    GenesysRateLimited,
    GenesysUnauthorized,
    LoginRequired,
    UserTokenRequired,
)

_EGRESS = (
    "This service's own address is not among the allowed IP addresses: add the address it goes out from to those of "
    "the OAuth client (Admin > Integrations > OAuth) and of the org."
)
_WAF = (
    "This 403 is not Genesys's: a firewall, CDN or proxy in between refused the call; ask those who run it to let this "
    "service's address through."
)
LOGIN_HINT = (
    "This is no answer of Genesys's login host: check GENESYS_LOGIN_URL, or GENESYS_REGION where that is not set."
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means. `hint` is "" for the kind's own; `new_token`, `by_role`: as the kinds' attributes."""

    kind: type[GenesysError]
    hint: str = ""
    new_token: bool = False
    by_role: bool = True


_IP = Meaning(GenesysUnauthorized, _EGRESS)
# Sources: Genesys's published OpenAPI (x-inin-error-codes) and the error table of its developer centre.
CODES: Mapping[str, Meaning] = {
    "ip.not.authorized": _IP,
    "credentials.expired": Meaning(
        GenesysUnauthorized, "The OAuth client's credentials have expired: make new ones in Genesys and set them here."
    ),
    "bad.credentials": Meaning(GenesysUnauthorized, new_token=True),
    "authentication.required": Meaning(
        GenesysUnauthorized,
        "Genesys saw no token in the call: something on the way takes the Authorization header out, or GENESYS_API_URL "
        "is not an API host.",
    ),
    "missing.permissions": Meaning(GenesysForbidden),
    "missing.any.permissions": Meaning(GenesysForbidden),
    "missing.division.permission": Meaning(
        GenesysForbidden, "Give the OAuth client's role the division of this conversation, or all divisions."
    ),
    "not.authorized": Meaning(
        GenesysForbidden,
        "Give the OAuth client a role with the permission and scopes for this call, and its role this conversation's "
        "division.",
    ),
    "invalid_scope": Meaning(GenesysForbidden),
    "unauthorized_client": Meaning(
        GenesysUnauthorized,
        "Genesys does not allow this OAuth client the client credentials grant: choose it as the client's grant type.",
    ),
}
_BY_CODE_START: Mapping[str, Meaning] = {
    "too.many.requests": Meaning(GenesysRateLimited),
    "rate.limit": Meaning(GenesysRateLimited),
    "missing.": Meaning(GenesysForbidden),
}
_REFUSALS = frozenset({400, 401, 403})
_USER_CONTEXT = re.compile(r"user context|client credentials can", re.IGNORECASE)
_IP_REFUSED = re.compile(
    r"\bip(?: address(?:es)?)?\b.{0,40}\b(?:not|isn't|disallowed|denied|blocked)\b"
    r"|\b(?:unauthorized|disallowed|blocked|denied) ip\b",
    re.IGNORECASE,
)
# However a login host says which part of the request it refuses: invalid_scope, invalid.scope, "The requested scope …".
_SCOPES = re.compile(r"(?<![a-z])scopes?(?![a-z])", re.IGNORECASE)
_BY_MESSAGE = ((_USER_CONTEXT, Meaning(UserTokenRequired)), (_IP_REFUSED, _IP))
_BY_STATUS: Mapping[int, Meaning] = {
    401: Meaning(GenesysUnauthorized, new_token=True),
    403: Meaning(GenesysForbidden),
    407: Meaning(GenesysUnauthorized, "A proxy requires credentials: put them into GENESYS_PROXY, before the host."),
    429: Meaning(GenesysRateLimited),
}
_NOT_JSON = Meaning(GenesysForbidden, _WAF, by_role=False)
_NO_LOGIN_HOST = Meaning(GenesysBadResponse, LOGIN_HINT)


def meaning_of(status: int, code: str, message: str, *, is_json: bool) -> Meaning | None:
    """What this refusal means; None where the status alone says it or the operation has to.

    A server's own fault (5xx) is its status's, whatever its body.
    """
    if status >= 500:
        return None
    if status == 403 and not is_json:
        return _NOT_JSON
    code = code.strip().lower()
    for pattern, meaning in _BY_MESSAGE:
        # A message says more than a code that fits any refusal.
        if status in _REFUSALS and code not in ("ip.not.authorized", "credentials.expired") and pattern.search(message):
            return meaning
    if code in CODES:
        return CODES[code]
    by_start = (meaning for start, meaning in _BY_CODE_START.items() if code.startswith(start))
    return next(by_start, None) or _BY_STATUS.get(status)


def meaning_of_login(status: int, code: str, message: str, *, is_json: bool) -> Meaning | None:
    """What a refusal by the login host means: OAuth refuses with 400 or 401 (RFC 6749, 5.2) and a JSON body.

    A refusal of the scopes is one however it is put: without it, `auto` would not try the flow that asks for none.

    A new token is no help where none was to be had.
    """
    if status in (400, 401) and _SCOPES.search(f"{code} {message}"):
        return CODES["invalid_scope"]
    found = meaning_of(status, code, message, is_json=is_json)
    if found is None and 300 <= status < 500 and status not in (400, 408):
        return _NO_LOGIN_HOST
    if found is None and status == 400:
        return Meaning(GenesysUnauthorized)
    if found is not None and found.kind is GenesysForbidden and code.strip().lower() != "invalid_scope":
        # Only that code is about the scopes.
        return replace(found, by_role=False)
    return found


def refusal(meaning: Meaning, message: str, retry_after: float | None) -> GenesysError:
    """The error, with what the meaning adds to its kind."""
    error = meaning.kind(message, hint=meaning.hint, retry_after=retry_after)
    if isinstance(error, GenesysUnauthorized):
        error.new_token = meaning.new_token
    if isinstance(error, GenesysForbidden):
        error.by_role = meaning.by_role
    return error


# RFC 6749, 5.2: a code or a refresh token that is unknown, used, expired or revoked.
GRANT_REFUSED = Meaning(LoginRequired)
