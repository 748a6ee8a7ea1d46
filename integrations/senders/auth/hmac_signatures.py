"""HMAC signatures: which bytes are signed, how the signature is written, and how old it may be."""

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from cobrowse.errors import SignatureInvalid, SignatureMissing, StaleTimestamp
from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig, AuthParts, matching_secret, secret_bytes
from integrations.senders.requests import UnverifiedRequest, header_bytes

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# What other systems write around a variable; here it would be signed as the text that it is.
_FOREIGN = re.compile(r"[{}<>$%]")
# HubSpot signs the URL with these and no other escapes undone (developers.hubspot.com, request validation, v3).
_UNDONE = re.compile(rb"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_NUMBER = re.compile(r"[0-9]{1,14}")


def _uri(auth_config: AuthConfig, incoming: UnverifiedRequest) -> bytes:
    """The public URL, from PUBLIC_BASE_URL: a Host header is whatever the client wrote."""
    return header_bytes(auth_config.public_base_url) + header_bytes(incoming.target)


# What a template can name, and the bytes it stands for.
PARTS: dict[str, Callable[[AuthConfig, UnverifiedRequest], bytes]] = {
    "body": lambda _auth_config, incoming: incoming.body,
    "timestamp": lambda auth_config, incoming: header_bytes(_header(auth_config.timestamp_header, incoming)),
    "method": lambda _auth_config, incoming: header_bytes(incoming.method),
    "path": lambda _auth_config, incoming: header_bytes(incoming.target),
    "uri": _uri,
    "decoded_uri": lambda auth_config, incoming: _UNDONE.sub(
        lambda found: bytes.fromhex(found[1].decode()), _uri(auth_config, incoming)
    ),
}


def names_in(template: str) -> list[str]:
    """The names in braces of a template."""
    return _PLACEHOLDER.findall(template)


def foreign_mark_in(template: str) -> str:
    """The first mark of a variable in another system's spelling, such as the brace of `{{body}}`; "" if none."""
    found = _FOREIGN.search(_PLACEHOLDER.sub("", template))
    return found[0] if found else ""


def signed_bytes(auth_config: AuthConfig, incoming: UnverifiedRequest) -> bytes:
    """What the sender has signed: its template with the delivery's own bytes in it."""
    pieces = _PLACEHOLDER.split(auth_config.template)
    # A split by a pattern with one group gives text and name in turn.
    return b"".join(
        PARTS[piece](auth_config, incoming) if number % 2 else secret_bytes(piece)
        for number, piece in enumerate(pieces)
    )


def digest(auth_config: AuthConfig, secret: bytes, message: bytes) -> bytes:
    """The HMAC itself."""
    return hmac.new(secret, message, auth_config.algorithm).digest()


def verify_hmac(auth_config: AuthConfig, incoming: UnverifiedRequest, now: datetime) -> str:
    """The name of the secret that signed these bytes. Raises SignatureMissing, SignatureInvalid, StaleTimestamp."""
    for name in (auth_config.header, auth_config.timestamp_header):
        if name and not _header(name, incoming):
            raise SignatureMissing(f"the header {name} is missing or empty")
    presented = _decoded(auth_config, _header(auth_config.header, incoming))
    message = signed_bytes(auth_config, incoming)
    signer = matching_secret(
        auth_config, lambda secret: hmac.compare_digest(presented, digest(auth_config, secret, message))
    )
    if signer is None:
        raise SignatureInvalid(f"the signature in {auth_config.header} does not fit this request")
    if auth_config.timestamp_header:
        check_age(
            seconds_in(_header(auth_config.timestamp_header, incoming), auth_config.timestamp_unit), auth_config, now
        )
    return signer


def sign_hmac(auth_config: AuthConfig, secret: Secret, draft: UnverifiedRequest, now: datetime) -> AuthParts:
    """The headers that this sender would add to a request."""
    headers = {}
    if auth_config.timestamp_header:
        headers[auth_config.timestamp_header] = written(now, auth_config.timestamp_unit)
    lowered = {name.lower(): value for name, value in headers.items()}
    made = digest(auth_config, secret_bytes(secret), signed_bytes(auth_config, replace(draft, headers=lowered)))
    encoded = made.hex() if auth_config.encoding == "hex" else base64.b64encode(made).decode()
    return AuthParts({auth_config.header: auth_config.prefix + encoded, **headers})


def check_age(seconds: float | None, auth_config: AuthConfig, now: datetime) -> None:
    """Raise StaleTimestamp if this time (seconds since 1970; None: none that can be read) is too far off."""
    if seconds is None:
        raise SignatureInvalid("the signature's timestamp is not one")
    behind = now.timestamp() - seconds
    if abs(behind) > auth_config.tolerance_seconds:
        side = "behind" if behind > 0 else "ahead of"
        raise StaleTimestamp(
            f"the signature's timestamp is {abs(behind):.0f} s {side} this service's clock; "
            f"{auth_config.tolerance_seconds:.0f} s are allowed"
        )


def seconds_in(text: str, unit: str) -> float | None:
    """A timestamp as seconds since 1970; None if it is not of this unit."""
    if unit == "iso":
        try:
            return datetime.fromisoformat(text).timestamp() if _ISO.fullmatch(text) else None
        except (ValueError, OverflowError):
            return None
    if not _NUMBER.fullmatch(text):
        return None
    return int(text) / (1000 if unit == "ms" else 1)


def written(now: datetime, unit: str) -> str:
    """This time as a sender writes it."""
    if unit == "iso":
        return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(int(now.timestamp() * (1000 if unit == "ms" else 1)))


def _header(name: str, incoming: UnverifiedRequest) -> str:
    return incoming.headers.get(name.lower(), "")


def _decoded(auth_config: AuthConfig, text: str) -> bytes:
    """The signature's bytes; b"", which fits nothing, if it is not written as the scheme writes it."""
    written_bytes, prefix = header_bytes(text), auth_config.prefix.encode()
    if not written_bytes.startswith(prefix):
        return b""
    encoded = written_bytes[len(prefix) :]
    try:
        return (
            binascii.unhexlify(encoded) if auth_config.encoding == "hex" else base64.b64decode(encoded, validate=True)
        )
    except binascii.Error:
        return b""
