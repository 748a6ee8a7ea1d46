"""A row's authentication parameters, and the constant-time comparison used by every scheme."""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import urlencode

from cobrowse.model import Secret

# Seconds that a signature's timestamp may lie off our clock, either way: what Standard Webhooks and HubSpot allow.
TOLERANCE = 300.0
# Base64's alphabet for URLs as the usual one (RFC 4648, 5).
_ALPHABETS = bytes.maketrans(b"-_", b"+/")
SecretEncoding = Literal["text", "hex", "base64"]


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """A row's secrets and its scheme's parameters. `names`: the variables the secrets came from, in their order.

    `construction`: an HMAC, or a plain hash over secret and message. `signature_format`: how a header that holds more
    than the signature is written. `prepared`: what the scheme has made of the row in advance, such as parsed keys.
    """

    secrets: tuple[Secret, ...] = ()
    names: tuple[str, ...] = ()
    header: str = ""
    query: str = ""
    username: str = ""
    subjects: Sequence[str] = ()
    subject_header: str = ""
    algorithm: Literal["sha256", "sha384", "sha512", "sha1"] = "sha256"
    construction: Literal["hmac", "hash"] = "hmac"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    secret_encoding: SecretEncoding = "text"  # noqa: S105 - how a secret is written
    timestamp_header: str = ""
    timestamp_unit: Literal["s", "ms", "iso"] = "s"
    signature_format: str = ""
    template: str = ""
    tolerance_seconds: float = TOLERANCE
    public_base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    prepared: Any = None

    def first_match(self, matches: Iterable[bool]) -> str | None:
        """The name of the secret that matched, None if none did. Every comparison has been made by then."""
        matching = [name for name, matched in zip(self.names, matches, strict=True) if matched]
        return matching[0] if matching else None

    def key(self, secret: Secret) -> bytes:
        """The key that this secret holds."""
        return decode_key(secret.reveal(), self.secret_encoding) or b""


@dataclass(frozen=True, slots=True)
class AuthParts:
    """The parts that authenticate a request: headers and query parameters."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    def target(self, path_with_query: str) -> str:
        """The path and query to send to, with what goes into the query."""
        if not self.query:
            return path_with_query
        return f"{path_with_query}{'&' if '?' in path_with_query else '?'}{urlencode(self.query)}"


def secret_bytes(secret: str) -> bytes:
    """A secret as bytes; one from the environment may hold bytes that are not UTF-8."""
    return secret.encode("utf-8", "surrogateescape")


def decode(encoded: bytes, encoding: SecretEncoding) -> bytes | None:
    """The bytes that are written so; None if these are not."""
    try:
        if encoding == "hex":
            return binascii.unhexlify(encoded)
        return base64.b64decode(encoded, validate=True) if encoding == "base64" else encoded
    except (binascii.Error, ValueError):
        return None


def decode_key(secret: str, encoding: SecretEncoding) -> bytes | None:
    """The key that a secret is written as, in base64 also without padding and in the alphabet for URLs; None if not."""
    encoded = secret_bytes(secret)
    if encoding == "base64":
        encoded = encoded.translate(_ALPHABETS) + b"=" * (-len(encoded) % 4)
    return decode(encoded, encoding)


def constant_time_equals(presented: bytes, secret: bytes) -> bool:
    """Compare in constant time; the time reveals neither value nor length."""
    return hmac.compare_digest(sha256(presented).digest(), sha256(secret).digest())


def matching_secret(auth_config: AuthConfig, matches: Callable[[bytes], bool]) -> str | None:
    """The name of the secret for which `matches` holds; each is tried, the first that holds ends nothing."""
    return auth_config.first_match([matches(auth_config.key(secret)) for secret in auth_config.secrets])
