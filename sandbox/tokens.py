"""Tokens: who gets one, what it may do, when it ends, and how many calls a minute it has."""

import base64
import hmac
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.errors import GenesysError, OAuthError
from sandbox.options import SCOPES, Options

WINDOW = 60.0  # seconds: Genesys counts a token's calls by the minute
USER_PREFIX = "user-token-"  # any token that starts so is a user's own, with every scope


@dataclass
class Token:
    """A bearer token; `expires` is in seconds since the epoch, None for never. `is_user`: it is a person's."""

    value: str
    scopes: frozenset[str]
    expires: float | None
    window: float = 0.0
    calls: int = 0
    is_user: bool = False


class Tokens:
    """Every token handed out, and the checks that a call with one must pass."""

    def __init__(self, options: Options, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._options = options
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}
        self._revoked: set[str] = set()
        self.issued = 0

    def clear(self) -> None:
        """Forget every token: their owners get a 401."""
        with self._lock:
            self._tokens.clear()
            self._revoked.clear()
            self.issued = 0

    def login(self, authorization: str | None, form: dict[str, str]) -> dict[str, object]:
        """The login host's answer to a client-credentials request, its secret in the header or in the form.

        Raises:
            OAuthError: the client is unknown, its secret wrong, or the grant another.
        """
        client, secret = credentials(authorization, form)
        if not hmac.compare_digest(client.encode(), self._options.client_id.encode()):
            raise OAuthError(400, "invalid_client", "client not found: invalid_client")
        if not hmac.compare_digest(secret.encode(), self._options.client_secret.encode()):
            raise OAuthError(401, "invalid_client", "authentication failed")
        grant = form.get("grant_type")
        if grant is None:
            raise OAuthError(400, "invalid_request", "grant_type is required")
        if grant != "client_credentials":
            raise OAuthError(400, "unsupported_grant_type", "only client_credentials is granted here")
        requested_scopes = form.get("scope", "").split()
        granted = frozenset(self._options.grants) & frozenset(requested_scopes or self._options.grants)
        seconds = self._options.expires_in
        token = self._add(self._new_id(), granted, self._clock() + seconds)
        with self._lock:
            self.issued += 1
        answer: dict[str, object] = {"access_token": token.value, "token_type": "bearer", "expires_in": seconds}
        return answer | ({"scope": " ".join(sorted(granted))} if requested_scopes else {})

    def add_user(self, value: str | None = None, scopes: Iterable[str] = SCOPES, seconds: float | None = None) -> Token:
        """Register a user's own token; it lasts `seconds`, or for ever."""
        expires = None if seconds is None else self._clock() + seconds
        return self._add(value or USER_PREFIX + self._new_id(), frozenset(scopes), expires, is_user=True)

    def revoke(self, value: str) -> None:
        """Make a token invalid from now on."""
        with self._lock:
            self._tokens.pop(value, None)
            self._revoked.add(value)

    def authenticate(self, authorization: str | None) -> Token:
        """The token that a call carries, if it is valid for one more call.

        Raises:
            GenesysError: 401 without a good token, 429 once the minute's calls are used up.
        """
        scheme, _, value = (authorization or "").partition(" ")
        value = value.strip()
        if scheme.lower() != "bearer" or not value:
            raise GenesysError("authentication.required")
        now = self._clock()
        with self._lock:
            token = self._tokens.get(value)
            if token is None and value.startswith(USER_PREFIX) and value not in self._revoked:
                token = self._tokens[value] = Token(value, frozenset(SCOPES), None, is_user=True)
            if token is None or (token.expires is not None and now >= token.expires):
                raise GenesysError("bad.credentials")
            _count(token, now, self._options.rate_limit)
            return token

    def budget(self, value: str) -> dict[str, str]:
        """The headers that tell of a token's calls in its minute, as Genesys sends them with every answer."""
        limit, now = self._options.rate_limit, self._clock()
        with self._lock:
            token = self._tokens.get(value)
            if token is None or limit is None or not token.window <= now < token.window + WINDOW:
                return {}
            numbers = {"count": token.calls, "allowed": limit, "reset": math.ceil(token.window + WINDOW - now)}
        return {f"inin-ratelimit-{name}": str(number) for name, number in numbers.items()}

    def is_client(self, value: str) -> bool:
        """Whether this is a good token that has no user."""
        with self._lock:
            token = self._tokens.get(value)
        return token is not None and not token.is_user and (token.expires is None or self._clock() < token.expires)

    def _add(self, value: str, scopes: frozenset[str], expires: float | None, *, is_user: bool = False) -> Token:
        with self._lock:
            self._revoked.discard(value)
            token = self._tokens[value] = Token(value, scopes, expires, is_user=is_user)
            return token


def require_scopes(token: Token, *scopes: str, permissions: str = "") -> None:
    """Refuse a token that lacks one of the scopes; `permissions` names the permissions that Genesys would name instead.

    Raises:
        GenesysError: 403, with the missing scopes in the message.
    """
    missing = [scope for scope in scopes if scope not in token.scopes]
    if missing and permissions:
        raise GenesysError("missing.any.permissions", permissions=permissions)
    if missing:
        raise GenesysError("missing.permissions", permissions=", ".join(missing))


def _count(token: Token, now: float, limit: int | None) -> None:
    """Count a call in the token's minute. A refused call costs nothing."""
    if limit is None:
        return
    if not token.window <= now < token.window + WINDOW:
        token.window, token.calls = now, 0
    if token.calls >= limit:
        seconds = str(max(1, math.ceil(token.window + WINDOW - now)))
        raise GenesysError("too.many.requests.retry.after", headers={"Retry-After": seconds}, seconds=seconds)
    token.calls += 1


def credentials(authorization: str | None, form: dict[str, str]) -> tuple[str, str]:
    """The client's id and secret, from the Basic header if there is one and else from the form."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:  # not ASCII, not base64, or not UTF-8
        colon = ""
    if not colon:
        raise OAuthError(400, "invalid_request", "the Basic credentials can't be read")
    return client, secret
