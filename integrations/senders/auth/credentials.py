"""Callers known by something they hold: API keys, Basic, bearer tokens, and the subject of a client certificate."""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cobrowse.errors import NotAuthenticated
from cobrowse.model import Secret
from integrations.senders.auth import checks
from integrations.senders.auth.addresses import within
from integrations.senders.auth.config import (
    AuthConfig,
    AuthParts,
    constant_time_equals,
    decode,
    matching_secret,
    secret_bytes,
)
from integrations.senders.auth.scheme import Row, Scheme, SenderContext, header_key
from integrations.senders.requests import UnverifiedRequest, header_bytes
from schemas.texts import placeholder_in

# Bytes of a key or secret below which it can be guessed.
MIN_SECRET_BYTES = 16
_QUERY_NAME = re.compile(r"[A-Za-z0-9._~-]{1,100}")
_HINT = "The sender's row in the senders file says which credential it sends, and where; compare it with the sender."


class Headers(Protocol):
    """A request's headers, or a mapping by their names in lower case."""

    def get(self, key: str, default: str, /) -> str:
        """The value of this name in lower case, whatever the case that it came in."""


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The keys of the service's own callers. Several may carry one name: that is how a key is rotated."""

    pairs: tuple[tuple[str, Secret], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "ApiKeys":
        """The keys in `name:key` pairs, separated by commas or spaces. ValueError has a line for each error."""
        pairs: list[tuple[str, Secret]] = []
        errors: list[str] = []
        for number, pair in enumerate(text.replace(",", " ").split(), 1):
            name, colon, key = pair.partition(":")
            pair_name = f"API_KEYS: pair {number}"
            if not colon:
                errors.append(f"{pair_name}: has no colon; write it as name:key")
                continue
            pair_name += f" ({name})" if name else ""
            if not name:
                errors.append(f"{pair_name}: has no name before the colon")
            if len(secret_bytes(key)) < MIN_SECRET_BYTES:
                errors.append(f"{pair_name}: the key is under {MIN_SECRET_BYTES} bytes")
            elif any(Secret(key) == other for _, other in pairs):
                errors.append(f"{pair_name}: the key is the same as an earlier pair's")
            else:
                pairs.append((name, Secret(key)))
        if errors:
            raise ValueError("\n".join(errors))
        return cls(tuple(pairs))

    def identify(self, headers: Headers) -> str:
        """The caller's name, by X-Api-Key or by the password of HTTP Basic. Raises NotAuthenticated."""
        presented = header_bytes(headers.get("x-api-key", ""))
        if not presented:
            _, presented = basic_parts(headers.get("authorization", ""))
        if not presented:
            raise NotAuthenticated("no API key came with the request")
        matches = [(name, constant_time_equals(presented, secret_bytes(key.reveal()))) for name, key in self.pairs]
        found = [name for name, matched in matches if matched]
        if not found and placeholder_in(headers.get("x-api-key", "")):
            # Nothing of it is shown: what stands beside the variable may be a key.
            raise NotAuthenticated(
                "X-Api-Key: the sender did not fill in its variable",
                hint="Set the credential's field of that name in the integration that sends the request.",
            )
        if not found:
            raise NotAuthenticated("the API key is not one of the service's")
        return found[0]


def basic_parts(header: str) -> tuple[bytes, bytes]:
    """The user name and the password in a Basic `Authorization`; empty ones if it isn't that."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b"", b""
    username, _, password = (decode(header_bytes(encoded.strip()), "base64") or b"").partition(b":")
    return username, password


def _verify_api_key(auth_config: AuthConfig, incoming: UnverifiedRequest, _now: datetime) -> str:
    if auth_config.query:
        presented = incoming.query_value(auth_config.query)
        return _match_secret(auth_config, presented, f"the query parameter {auth_config.query!r}")
    return _match_secret(
        auth_config,
        header_bytes(incoming.headers.get(auth_config.header.lower(), "")),
        f"the header {auth_config.header}",
    )


def _verify_basic(auth_config: AuthConfig, incoming: UnverifiedRequest, _now: datetime) -> str:
    username, password = basic_parts(incoming.headers.get("authorization", ""))
    is_right_user = not auth_config.username or constant_time_equals(username, secret_bytes(auth_config.username))
    name = _match_secret(auth_config, password, "the password of HTTP Basic")
    if not is_right_user:
        raise NotAuthenticated("the user name of HTTP Basic is not the row's", hint=_HINT)
    return name


def _verify_bearer(auth_config: AuthConfig, incoming: UnverifiedRequest, _now: datetime) -> str:
    token = bearer_token(incoming.headers.get("authorization", ""))
    return _match_secret(auth_config, header_bytes(token), "the bearer token")


def bearer_token(header: str) -> str:
    """The token of an Authorization header of the scheme Bearer, "" if there is none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _verify_mtls(auth_config: AuthConfig, incoming: UnverifiedRequest, _now: datetime) -> str:
    if not within(incoming.peer, auth_config.trusted_proxies):
        raise NotAuthenticated("the request did not come through one of TRUSTED_PROXIES", hint=_HINT)
    subject = header_bytes(incoming.headers.get(auth_config.subject_header.lower(), ""))
    if not subject:
        raise NotAuthenticated(
            f"the header {auth_config.subject_header} with a certificate's subject is missing", hint=_HINT
        )
    found = [known for known in auth_config.subjects if constant_time_equals(subject, secret_bytes(known))]
    if not found:
        raise NotAuthenticated("the client certificate's subject is not one of the row's", hint=_HINT)
    return found[0]


def _sign_api_key(auth_config: AuthConfig, secret: Secret, _draft: UnverifiedRequest, _now: datetime) -> AuthParts:
    return (
        AuthParts(query={auth_config.query: secret.reveal()})
        if auth_config.query
        else AuthParts({auth_config.header: secret.reveal()})
    )


def _sign_basic(auth_config: AuthConfig, secret: Secret, _draft: UnverifiedRequest, _now: datetime) -> AuthParts:
    pair = secret_bytes(auth_config.username or "cobrowse") + b":" + secret_bytes(secret.reveal())
    return AuthParts({"Authorization": f"Basic {base64.b64encode(pair).decode()}"})


def _match_secret(auth_config: AuthConfig, presented: bytes, what: str) -> str:
    if not presented:
        raise NotAuthenticated(f"{what} is missing", hint=_HINT)
    name = matching_secret(auth_config, lambda secret: constant_time_equals(presented, secret))
    if name is None:
        raise NotAuthenticated(f"{what} is not one of this sender's", hint=_HINT)
    return name


def _api_key_errors(row: Row, _context: SenderContext) -> list[str]:
    both = "header" in row and "query" in row
    return ["query: the key can't be in both a header and the query; keep one of them"] if both else []


API_KEY = Scheme(
    "api-key",
    _verify_api_key,
    _sign_api_key,
    openapi=header_key("X-Api-Key", "The secret, in the header or the query parameter that the row names."),
    keys={"header": checks.header, "query": checks.matching(_QUERY_NAME, "the name of a query parameter")},
    errors=_api_key_errors,
    with_defaults=lambda row: {"header": "X-Api-Key", **row},
)
BASIC = Scheme(
    "basic",
    _verify_basic,
    _sign_basic,
    openapi={"type": "http", "scheme": "basic", "description": "The secret is the password."},
    keys={"username": checks.text},
)
BEARER = Scheme(
    "bearer",
    _verify_bearer,
    lambda _auth_config, secret, _draft, _now: AuthParts({"Authorization": f"Bearer {secret.reveal()}"}),
    openapi={"type": "http", "scheme": "bearer", "description": "The secret is the token."},
)
MTLS = Scheme(
    "mtls",
    _verify_mtls,
    lambda auth_config, _secret, _draft, _now: AuthParts({auth_config.subject_header: auth_config.subjects[0]}),
    openapi={"type": "mutualTLS", "description": "A trusted proxy passes the certificate's subject."},
    keys={"subjects": checks.texts, "subject_header": checks.header},
    required=("subjects", "subject_header"),
    settings=("trusted_proxies",),
    secrets="none",
)
