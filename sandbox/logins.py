"""Logins of users: the page where one logs in, codes, and refresh tokens of which only the newest is good."""

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode, urlsplit

from flask import Response

from sandbox.directory import SERVICE_USER
from sandbox.errors import OAuthError
from sandbox.options import SCOPES, Options
from sandbox.tokens import USER_PREFIX, Tokens, credentials

CODE_SECONDS = 300.0
GRANTS = ("authorization_code", "refresh_token")
_PAGE = """<!doctype html><html lang="en"><title>Sandbox login</title>
<meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width">
<h1>Sandbox of Genesys Cloud</h1>
<p>{client} asks to act as {user}.</p>
<p><a href="{yes}">Log in as {user}</a> or <a href="{no}">refuse</a></p></html>"""


@dataclass(frozen=True)
class _Code:
    redirect_uri: str
    challenge: str
    until: float


class Logins:
    """What users have granted. Every method may raise OAuthError."""

    def __init__(self, options: Options, clock: Callable[[], float], new_id: Callable[[], str], tokens: Tokens) -> None:
        self._options = options
        self._clock = clock
        self._new_id = new_id
        self._tokens = tokens
        self._lock = threading.Lock()
        self._codes: dict[str, _Code] = {}
        # The refresh tokens in force, each with the access token beside it, and whether its client showed a secret.
        self._refresh: dict[str, tuple[str, bool]] = {}
        self.renewed = 0
        # Every code and refresh token there ever was, for those who watch that none gets out.
        self.issued: set[str] = set()

    def clear(self) -> None:
        """Forget every login."""
        with self._lock:
            self._codes.clear()
            self._refresh.clear()
            self.renewed = 0

    def revoke(self) -> None:
        """The user withdraws it all: neither codes nor tokens are good any more."""
        with self._lock:
            for access, _ in self._refresh.values():
                self._tokens.revoke(access)
            self._codes.clear()
            self._refresh.clear()

    def page(self, query: Mapping[str, str]) -> Response:
        """`GET /oauth/authorize`: the page, and with `login=yes` or `login=no` the way back."""
        uri = urlsplit(query.get("redirect_uri", ""))
        is_valid = uri.scheme == "https" or (uri.scheme == "http" and uri.hostname in ("localhost", "127.0.0.1", "::1"))
        if (
            query.get("client_id") != self._options.user_client_id
            or not is_valid
            or query.get("response_type") != "code"
        ):
            raise OAuthError(400, "invalid_request", "client_id, redirect_uri or response_type is not right")
        if query.get("code_challenge") and query.get("code_challenge_method") != "S256":
            raise OAuthError(400, "invalid_request", "code_challenge_method must be S256")
        answer = query.get("login", "")
        if not answer:
            links = {name: escape(f"?{urlencode({**query, 'login': name})}") for name in ("yes", "no")}
            page = _PAGE.format(client=escape(query["client_id"]), user=escape(SERVICE_USER["email"]), **links)
            return Response(page, content_type="text/html; charset=utf-8")
        answer_query = {"error": "access_denied"} if answer == "no" else {"code": self._new_code(query)}
        if "state" in query:
            answer_query["state"] = query["state"]
        way_back = f"{query['redirect_uri']}{'&' if uri.query else '?'}{urlencode(answer_query)}"
        return Response(status=302, headers={"Location": way_back})

    def grant(self, authorization: str | None, form: Mapping[str, str]) -> dict[str, object]:
        """The login host's answer to a code or a refresh token. Either is void from then on."""
        client, secret = credentials(authorization, dict(form))
        if client != self._options.user_client_id:
            raise OAuthError(400, "invalid_client", "client not found: invalid_client")
        if secret and not hmac.compare_digest(secret.encode(), self._options.user_client_secret.encode()):
            raise OAuthError(401, "invalid_client", "authentication failed")
        with self._lock:
            if form["grant_type"] == "authorization_code":
                self._redeem(form, secret)
            else:
                access, confidential = self._refresh.pop(form.get("refresh_token", ""), ("", False))
                if not access or confidential != bool(secret):
                    raise OAuthError(400, "invalid_grant", "the refresh token is invalid, expired or revoked")
                self.renewed += 1
            seconds = self._options.expires_in
            token = self._tokens.add_user(USER_PREFIX + self._new_id(), SCOPES, seconds)
            refresh = self._new_id()
            self.issued.add(refresh)
            self._refresh[refresh] = token.value, bool(secret)
        return {"access_token": token.value, "token_type": "bearer", "expires_in": seconds, "refresh_token": refresh}

    def _new_code(self, query: Mapping[str, str]) -> str:
        code = self._new_id()
        self.issued.add(code)
        with self._lock:
            until = self._clock() + CODE_SECONDS
            self._codes[code] = _Code(query["redirect_uri"], query.get("code_challenge", ""), until)
        return code

    def _redeem(self, form: Mapping[str, str], secret: str) -> None:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or self._clock() >= code.until or code.redirect_uri != form.get("redirect_uri"):
            raise OAuthError(400, "invalid_grant", "the code is invalid, expired or of another redirect_uri")
        page = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode()
        if code.challenge and code.challenge != page.rstrip("="):
            raise OAuthError(400, "invalid_grant", "the code_verifier is not the one of this login")
        if not code.challenge and not secret:
            raise OAuthError(401, "invalid_client", "authentication failed")
