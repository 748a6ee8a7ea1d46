"""HMAC signatures: how they are made, written and compared, and what a row may say of one."""

import base64
import hashlib
import hmac
from datetime import datetime

from cobrowse.errors import SignatureInvalid
from cobrowse.model import Secret
from integrations.senders.auth import checks, timestamps
from integrations.senders.auth.config import AuthConfig, AuthParts, decode, decode_key, matching_secret
from integrations.senders.auth.scheme import TEXT, Row, Scheme, SecretForm, SenderContext, header_key
from integrations.senders.auth.signature_templates import (
    FOREIGN,
    MAX_SIGNATURES,
    SignatureFormat,
    check_format,
    check_template,
    names_in,
    signed_bytes,
)
from integrations.senders.requests import UnverifiedRequest, header_bytes

# Seconds: past a day a timestamp protects from nothing.
TIMED_KEYS = {"tolerance_seconds": checks.number(1.0, 86_400.0)}


def _prefix(value: object) -> str:
    if wrong := checks.text(value):
        return wrong
    found = FOREIGN.search(str(value))
    return f"has a {found[0]!r}; it is what stands before the signature, word for word" if found else ""


_SECRET_FORMS = {
    "hex": SecretForm("hex", lambda secret: decode_key(secret, "hex"), lambda text: text.encode().hex()),
    "base64": SecretForm(
        "base64", lambda secret: decode_key(secret, "base64"), lambda text: base64.b64encode(text.encode()).decode()
    ),
}
_KEYS = {
    "header": checks.header,
    "algorithm": checks.choice(("sha256", "sha384", "sha512", "sha1")),
    "encoding": checks.choice(("hex", "base64")),
    "prefix": _prefix,
    "secret_encoding": checks.choice(("text", "hex", "base64")),
    "timestamp_header": checks.header,
    "timestamp_unit": checks.choice(timestamps.UNITS),
    "signature_format": check_format,
    "template": check_template,
    **TIMED_KEYS,
}


def verify_hmac(auth_config: AuthConfig, incoming: UnverifiedRequest, now: datetime) -> str:
    """The name of the secret that signed these bytes. Raises SignatureMissing, SignatureInvalid, StaleTimestamp."""
    header = incoming.signature_header(auth_config.header)
    timestamp = incoming.signature_header(auth_config.timestamp_header) if auth_config.timestamp_header else None
    if auth_config.signature_format:
        signatures, timestamp = _parse_header(auth_config, header)
    else:
        signatures = [header.removeprefix(auth_config.prefix)] if header.startswith(auth_config.prefix) else []
    # One that is not written so is b"", which fits nothing.
    presented = [decode(header_bytes(signature), auth_config.encoding) or b"" for signature in signatures]
    message = signed_bytes(auth_config, incoming, timestamp or "")
    signer = matching_secret(auth_config, lambda key: is_among(presented, digest(auth_config, key, message)))
    if signer is None:
        raise SignatureInvalid(f"the signature in {auth_config.header} does not fit this request")
    if timestamp is not None:
        timestamps.check_age(timestamps.parse_timestamp(timestamp, auth_config.timestamp_unit), auth_config, now)
    return signer


def sign_hmac(auth_config: AuthConfig, secret: Secret, draft: UnverifiedRequest, now: datetime) -> AuthParts:
    """The headers that this sender would add to a request."""
    timestamp = timestamps.format_timestamp(now, auth_config.timestamp_unit)
    signature = digest(auth_config, auth_config.key(secret), signed_bytes(auth_config, draft, timestamp))
    encoded = signature.hex() if auth_config.encoding == "hex" else base64.b64encode(signature).decode()
    if auth_config.signature_format:
        return AuthParts(
            {auth_config.header: SignatureFormat.of(auth_config.signature_format).write(encoded, timestamp)}
        )
    timed = {auth_config.timestamp_header: timestamp} if auth_config.timestamp_header else {}
    return AuthParts({auth_config.header: auth_config.prefix + encoded, **timed})


def digest(auth_config: AuthConfig, key: bytes, message: bytes) -> bytes:
    """The HMAC itself; for a sender that has none, the hash over its secret and the message."""
    if auth_config.construction == "hash":
        return hashlib.new(auth_config.algorithm, key + message).digest()
    return hmac.new(key, message, auth_config.algorithm).digest()


def is_among(presented: list[bytes], expected: bytes) -> bool:
    """Whether one of these is the expected one. All are compared, so that the time reveals nothing."""
    compared = [hmac.compare_digest(expected, one) for one in presented]
    return any(compared)


def is_timed(row: Row) -> bool:
    """Whether a timestamp comes with the signature, in a header of its own or in the signature's."""
    return "timestamp_header" in row or "{timestamp}" in row.get("signature_format", "")


def _errors(row: Row, context: SenderContext) -> list[str]:
    names = names_in(str(row.get("template", "")))
    format_text = row.get("signature_format", "")
    in_format, timed = "{timestamp}" in format_text, is_timed(row)
    errors = []
    if "timestamp_header" in row and str(row.get("header", "")).lower() == str(row["timestamp_header"]).lower():
        errors.append("timestamp_header: is the signature's own header, and one text can't be both")
    if "timestamp_header" in row and in_format:
        errors.append("timestamp_header: the signature_format has the timestamp already; keep one of them")
    if "prefix" in row and format_text:
        errors.append("prefix: the signature_format says what stands before the signature; keep one of them")
    if "template" in row and timed and "timestamp" not in names:
        errors.append("template: has no {timestamp}, so the timestamp could be altered")
    if "timestamp" in names and not timed:
        errors.append("timestamp_header: is missing; the template has a {timestamp}")
    if {"uri", "decoded_uri"}.intersection(names) and not context.public_base_url:
        errors.append("template: has the URI, which needs PUBLIC_BASE_URL, which is not set")
    errors += [
        f"{key}: nothing to use it on without a timestamp_header"
        for key in ("timestamp_unit", "tolerance_seconds")
        if key in row and not timed
    ]
    return errors


def hmac_warnings(row: Row) -> list[str]:
    """What is weak about a row's signature."""
    if row.get("construction") == "hash":
        return ["signature: a plain hash is weak; use an HMAC if the sender offers one"]
    return ["signature: sha1 is weak; use sha256 if the sender offers it"] if row.get("algorithm") == "sha1" else []


def hmac_secret_form(row: Row) -> SecretForm:
    """How a row's secrets are written."""
    return _SECRET_FORMS.get(str(row.get("secret_encoding")), TEXT)


def _parse_header(auth_config: AuthConfig, header: str) -> tuple[list[str], str | None]:
    """The signatures in a header of the row's signature_format, and the timestamp; None if the format has none."""
    signature_format = SignatureFormat.of(auth_config.signature_format)
    signatures, times = signature_format.read(header)
    if not signatures or len(signatures) > MAX_SIGNATURES or len(times) != ("timestamp" in signature_format.prefixes):
        raise SignatureInvalid(f"the header {auth_config.header} is not of the form {auth_config.signature_format}")
    return signatures, times[0] if times else None


HMAC = Scheme(
    "hmac",
    verify_hmac,
    sign_hmac,
    openapi=header_key("X-Signature", "An HMAC in the header and over the parts that the row names."),
    keys=_KEYS,
    required=("header",),
    covers_body=True,
    errors=_errors,
    warnings=hmac_warnings,
    with_defaults=lambda row: {"template": "{timestamp}.{body}" if is_timed(row) else "{body}", **row},
    secret_form=hmac_secret_form,
)
