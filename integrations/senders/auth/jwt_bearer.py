"""JWT bearers: tokens that an identity provider has signed for this service (Entra, Google, Okta and the like).

RS256, ES256 and EdDSA with public keys, and nothing else: which one counts follows from the key, never from the token.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from cobrowse.errors import NotAuthenticated
from cobrowse.model import Secret
from integrations.senders.auth import checks
from integrations.senders.auth.config import AuthConfig, AuthParts
from integrations.senders.auth.credentials import bearer_token
from integrations.senders.auth.hmac_signatures import TIMED_KEYS
from integrations.senders.auth.public_keys import parse_pem, sample_pem
from integrations.senders.auth.scheme import CanNotSignError, Row, Scheme, SecretForm, SenderContext
from integrations.senders.requests import UnverifiedRequest
from schemas.addresses import http_url, is_in_the_clear

if TYPE_CHECKING:
    from integrations.senders.auth.issued_tokens import TokenRules


def _verify(auth_config: AuthConfig, incoming: UnverifiedRequest, now: datetime) -> str:
    token = bearer_token(incoming.headers.get("authorization", ""))
    if not token:
        raise NotAuthenticated("the bearer token is missing", hint="It is presented as Authorization: Bearer …")
    rules: TokenRules | None = auth_config.prepared
    if rules is None:
        raise NotAuthenticated("the row names no issuer")
    return rules.verify(token, auth_config.tolerance_seconds, now.timestamp())


def _sign(auth_config: AuthConfig, secret: Secret, _draft: UnverifiedRequest, now: datetime) -> AuthParts:
    key = parse_pem(secret.reveal())
    if key is None or key.private is None:
        raise CanNotSignError(
            "only the issuer can sign its tokens; hand one over with --header 'Authorization: Bearer …'"
        )
    rules: TokenRules = auth_config.prepared
    return AuthParts({"Authorization": f"Bearer {rules.make(key, int(now.timestamp()))}"})


def _rules(auth_config: AuthConfig, row: Row) -> "TokenRules":
    # For these rows only, since it takes megabytes of a worker; and before the first request.
    from integrations.senders.auth.issued_tokens import rules_of  # noqa: PLC0415

    return rules_of(auth_config, row)


def _url(value: object) -> str:
    parts = http_url(value) if isinstance(value, str) else None
    wrong = parts is None or "@" in parts.netloc or parts.fragment or is_in_the_clear(parts)
    return "must be an https URL" if wrong else ""


def _errors(row: Row, _context: SenderContext) -> list[str]:
    if ("jwks_url" in row) == bool(row.get("secrets")):
        return ["jwks_url: name it, or public keys in PEM in secrets, and not both"]
    return []


def _warnings(row: Row) -> list[str]:
    if row.get("claims"):
        return []
    return ["claims: none is asked for, so whatever token the issuer gives out for this audience is taken"]


_PEM = SecretForm(
    "PEM, a public key of RSA (2048 bits), of P-256 or of Ed25519",
    lambda secret: key.der if (key := parse_pem(secret)) else None,
    sample_pem,
)
JWT = Scheme(
    "jwt",
    _verify,
    _sign,
    openapi={
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the row's issuer for the row's audience, signed with RS256, ES256 or EdDSA.",
    },
    keys={"issuer": checks.text, "audience": checks.text, "jwks_url": _url, "claims": checks.text_table, **TIMED_KEYS},
    required=("issuer", "audience"),
    secrets="optional",
    errors=_errors,
    warnings=_warnings,
    prepare=_rules,
    start=lambda rules: rules.jwks.start() if rules.jwks is not None else None,
    secret_form=lambda _row: _PEM,
)
