"""JWT bearers: tokens that an identity provider has signed for this service (Entra, Google, Okta and the like).

RS256, ES256 and EdDSA with public keys, and nothing else: which one counts follows from the key, never from the token.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cobrowse.errors import NotAuthenticated
from cobrowse.model import Secret
from integrations.senders.auth import checks
from integrations.senders.auth.config import AuthConfig, AuthParts
from integrations.senders.auth.credentials import bearer_token
from integrations.senders.auth.hmac_signatures import TIMED_KEYS
from integrations.senders.auth.jwks import Jwks
from integrations.senders.auth.public_keys import Key, keys_of, read_pem, sample_pem
from integrations.senders.auth.scheme import CanNotSignError, Row, Scheme, SenderContext
from integrations.senders.requests import UnverifiedRequest

if TYPE_CHECKING:
    from jwt.types import Options

# Seconds that a token of our own making is good for.
_LIFE = 300
_HINT = "Compare issuer, audience and claims in the sender's row with what the identity provider puts into the token."
_LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|localhost|::1")
# What is wrong with a token is asked of the claims themselves, by the clock that is handed in.
_OPTIONS: "Options" = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "iss", "aud"]}
# Errors beside the library's own that a hostile token may cause.
_MISFITS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Whose tokens count, for whom they must be, and with which keys. `claims` must be there, as texts or in lists."""

    issuer: str
    audience: str
    claims: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[Key, ...] = ()
    jwks: Jwks | None = None

    def candidates(self, key_id: str) -> list[Key]:
        """The keys that may have signed a token that names this key."""
        return self.jwks.candidates(key_id) if self.jwks is not None else list(self.keys)


def verify_jwt(auth_config: AuthConfig, incoming: UnverifiedRequest, now: datetime) -> str:
    """The variable of the key that signed the token, else the issuer. Raises NotAuthenticated, KeysUnavailable."""
    import jwt  # noqa: PLC0415 - more than a megabyte a worker, for these rows only

    token = bearer_token(incoming.headers.get("authorization", ""))
    if not token:
        raise NotAuthenticated("the bearer token is missing", hint=_HINT)
    rules = auth_config.own
    if not isinstance(rules, TokenRules):
        raise NotAuthenticated("the row names no issuer", hint=_HINT)
    try:
        header = jwt.get_unverified_header(token)
        key_id, algorithm = str(header.get("kid") or ""), header.get("alg")
    except (jwt.PyJWTError, *_MISFITS):
        raise NotAuthenticated("the bearer token is no JWT", hint=_HINT) from None
    for key in rules.candidates(key_id):
        if key.algorithm == algorithm and (claims := _claims(token, key, rules)) is not None:
            _check_claims(claims, rules, auth_config.tolerance_seconds, now.timestamp())
            return auth_config.names[rules.keys.index(key)] if key in rules.keys else rules.issuer
    raise NotAuthenticated("the token is not signed by the row's issuer for the row's audience", hint=_HINT)


def sign_jwt(auth_config: AuthConfig, secret: Secret, _draft: UnverifiedRequest, now: datetime) -> AuthParts:
    """A token of our own making, if the row has the private key: that is for a sandbox."""
    import jwt  # noqa: PLC0415 - more than a megabyte a worker, for these rows only

    key, rules = read_pem(secret.reveal()), auth_config.own
    if key is None or key.private is None:
        raise CanNotSignError(
            "only the issuer can sign its tokens; hand one over with --header 'Authorization: Bearer …'"
        )
    at = int(now.timestamp())
    claims = {
        "iss": rules.issuer,
        "aud": rules.audience,
        "sub": "cobrowse",
        "iat": at,
        "exp": at + _LIFE,
        **rules.claims,
    }
    return AuthParts({"Authorization": f"Bearer {jwt.encode(claims, key.private, key.algorithm)}"})


def _claims(token: str, key: Key, rules: TokenRules) -> dict[str, Any] | None:
    import jwt  # noqa: PLC0415 - more than a megabyte a worker, for these rows only

    try:
        claims: dict[str, Any] = jwt.decode(
            token, key.public, [key.algorithm], _OPTIONS, audience=rules.audience, issuer=rules.issuer
        )
    except (jwt.PyJWTError, *_MISFITS):
        return None
    return claims


def _check_claims(claims: Mapping[str, Any], rules: TokenRules, tolerance: float, now: float) -> None:
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in times.values()):
        raise NotAuthenticated("a time in the token is not a number", hint=_HINT)
    if times["exp"] + tolerance < now:
        raise NotAuthenticated(f"the token expired {now - times['exp']:.0f} s ago", hint=_HINT)
    if max(times.get("nbf", 0), times.get("iat", 0)) - tolerance > now:
        raise NotAuthenticated("the token is from the future; compare both clocks", hint=_HINT)
    wrong = [name for name, value in rules.claims.items() if not _has(claims.get(name), value)]
    if wrong:
        raise NotAuthenticated(f"the token's claim {wrong[0]!r} is not the row's", hint=_HINT)


def _has(claim: object, value: str) -> bool:
    """Whether a claim is this text; of roles, groups and scopes, which are lists, one of them."""
    return value in claim if isinstance(claim, list) else claim == value


def _rules(auth_config: AuthConfig, row: Row) -> TokenRules:
    import jwt  # noqa: F401, PLC0415 - as above, and now, so that no request waits for it

    keys, url = keys_of(auth_config, read_pem), row.get("jwks_url")
    return TokenRules(row["issuer"], row["audience"], row.get("claims", {}), keys, Jwks(url) if url else None)


def _url(value: object) -> str:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        safe = parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(parts.hostname or ""))
        good = bool(safe and parts.hostname and parts.port != 0 and "@" not in parts.netloc and not parts.fragment)
    except ValueError:
        good = False
    return "" if good else "must be an https URL"


def _errors(row: Row, _context: SenderContext) -> list[str]:
    if ("jwks_url" in row) == bool(row.get("secrets")):
        return ["jwks_url: name it, or public keys in PEM in secrets, and not both"]
    return []


def _warnings(row: Row) -> list[str]:
    if row.get("claims"):
        return []
    return ["claims: none is asked for, so whatever token the issuer gives out for this audience is taken"]


JWT = Scheme(
    "jwt",
    verify_jwt,
    sign_jwt,
    openapi={
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the row's issuer for the row's audience, signed with RS256, ES256 or EdDSA.",
    },
    keys={
        "issuer": checks.text,
        "audience": checks.text,
        "jwks_url": _url,
        "claims": checks.text_table,
        **TIMED_KEYS,
    },
    required=("issuer", "audience"),
    secrets="optional",
    errors=_errors,
    warnings=_warnings,
    own=_rules,
    start=lambda rules: rules.jwks.start() if rules.jwks is not None else None,
    sample=lambda text, _row: sample_pem(text),
    key_of=lambda secret, _row: key.written if (key := read_pem(secret)) else None,
    key_form=lambda _row: "PEM, a public key of RSA (2048 bits), of P-256 or of Ed25519",
)
