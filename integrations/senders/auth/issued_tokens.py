"""Whose JWTs a sender's row takes, and whether one is such a token: its signature by joserfc, its times by our clock.

Imported for rows with JWTs only: joserfc takes some megabytes of each worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from cobrowse.errors import NotAuthenticated
from integrations.senders.auth.config import AuthConfig
from integrations.senders.auth.jwks import Jwks
from integrations.senders.auth.public_keys import Key, keys_of, parse_pem
from integrations.senders.auth.scheme import Row

# Seconds that a token of our own making is good for.
_LIFE = 300
# Characters of a token's header, and of its signature: more than gunicorn takes in a header of HTTP.
_MAX_LENGTH = 8_192
_HINT = "Compare issuer, audience and claims in the sender's row with what the identity provider puts into the token."
# Errors beside the library's own that a hostile token may cause.
_MISFITS = (ValueError, TypeError, AttributeError, RecursionError)


def _registry() -> JWSRegistry:
    every = JWSRegistry.algorithms
    # Tokens name the algorithm of Ed25519 by the name that RFC 9864 deprecates, at which the library would warn.
    allowed = {"RS256": every["RS256"], "ES256": every["ES256"], "EdDSA": every["Ed25519"]}
    found = JWSRegistry(algorithms=allowed, strict_check_header=False)
    found.algorithms = allowed
    # What a token may call critical: an extension such as b64, which JWTs can't have, is not among these.
    found.header_registry = {name: found.header_registry[name] for name in ("alg", "kid", "crit")}
    found.max_header_length = found.max_signature_length = _MAX_LENGTH
    return found


_REGISTRY = _registry()


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The tokens that a row accepts: issuer, audience, keys. `claims` must be present, as texts or in lists.

    `names` are those of the keys, in their order.
    """

    issuer: str
    audience: str
    claims: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[Key, ...] = ()
    names: tuple[str, ...] = ()
    jwks: Jwks | None = None

    def verify(self, token: str, tolerance: float, now: float) -> str:
        """The name of the key that signed the token, else the issuer. Raises NotAuthenticated, KeysUnavailable."""
        try:
            signed_token = jws.extract_compact(token.encode(), registry=_REGISTRY)
            header = signed_token.headers()
            _REGISTRY.check_header(header)
            _REGISTRY.get_alg(header["alg"])
        except (JoseError, *_MISFITS):
            raise NotAuthenticated("the bearer token is no JWT of RS256, ES256 or EdDSA", hint=_HINT) from None
        for key in self.keys if self.jwks is None else self.jwks.candidates(header.get("kid", "")):
            if key.algorithm == header["alg"] and jws.validate_compact(signed_token, _jwk(key), registry=_REGISTRY):
                self._check_claims(signed_token.payload, tolerance, now)
                return self.names[self.keys.index(key)] if key in self.keys else self.issuer
        raise NotAuthenticated("the token is not signed by the row's issuer", hint=_HINT)

    def make(self, key: Key, at: int) -> str:
        """A token as the issuer makes it, with the private half of its key. `at`: seconds since the epoch."""
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "cobrowse",
            "iat": at,
            "exp": at + _LIFE,
            **self.claims,
        }
        return jwt.encode({"alg": key.algorithm}, claims, _jwk(key), registry=_REGISTRY)

    def _check_claims(self, payload: bytes | None, tolerance: float, now: float) -> None:
        try:
            claims = orjson.loads(payload or b"")
            JWTClaimsRegistry(
                int(now),
                round(tolerance),
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self.audience},
                exp={"essential": True},
            ).validate(claims)
        except ExpiredTokenError:
            raise NotAuthenticated(f"the token expired {now - claims['exp']:.0f} s ago", hint=_HINT) from None
        except JoseError as error:
            message = f"the token is not the row's, or not for now: {error.description}"
            raise NotAuthenticated(message, hint=_HINT) from None
        except _MISFITS:
            raise NotAuthenticated("the token's content is no JSON object", hint=_HINT) from None
        for name, value in self.claims.items():
            if not _has(claims.get(name), value):
                raise NotAuthenticated(f"the token's claim {name!r} is not the row's", hint=_HINT)


def rules_of(auth_config: AuthConfig, row: Row) -> TokenRules:
    """The rules of a sender's row."""
    url, keys = row.get("jwks_url"), keys_of(auth_config, parse_pem)
    jwks = Jwks(url) if url else None
    return TokenRules(row["issuer"], row["audience"], row.get("claims", {}), keys, auth_config.names, jwks)


def _jwk(key: Key) -> RSAKey | ECKey | OKPKey:
    """The key as joserfc takes it."""
    match key.private or key.public:
        case rsa.RSAPublicKey() | rsa.RSAPrivateKey() as found:
            return RSAKey.import_key(found)
        case ec.EllipticCurvePublicKey() | ec.EllipticCurvePrivateKey() as found:
            return ECKey.import_key(found)
        case found:
            return OKPKey.import_key(found)


def _has(claim: object, value: str) -> bool:
    """Whether a claim is this text; of roles, groups and scopes, which are lists, one of them."""
    return value in claim if isinstance(claim, list) else claim == value
