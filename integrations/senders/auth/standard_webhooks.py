"""Standard Webhooks: signed with the package of the standard's authors, read by ourselves.

Its own `verify` takes the machine's clock, knows one tolerance, and fails on hostile headers and bodies with any
exception; its reading of a secret and its signing are sound, and those are used.
"""

import base64
import binascii
import hmac
import re
from datetime import UTC, datetime
from hashlib import sha256

from standardwebhooks.webhooks import Webhook

from cobrowse.errors import SignatureInvalid, SignatureMissing
from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig, AuthParts
from integrations.senders.auth.hmac_signatures import check_age
from integrations.senders.requests import UnverifiedRequest, header_bytes

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_SECONDS = re.compile(r"[0-9]{1,10}")
_VERSION = b"v1,"
_PREFIX = "whsec_"


def verify_standard(auth_config: AuthConfig, incoming: UnverifiedRequest, now: datetime) -> str:
    """The name of the secret that signed this message. Raises SignatureMissing, SignatureInvalid, StaleTimestamp."""
    message_id, sent, signatures = (incoming.headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    for name, value in ((ID, message_id), (TIMESTAMP, sent), (SIGNATURE, signatures)):
        if not value:
            raise SignatureMissing(f"the header {name} is missing or empty")
    try:
        body = incoming.body.decode()
    except UnicodeDecodeError:
        raise SignatureInvalid("the body is not UTF-8, so no Standard Webhooks signature can fit it") from None
    if not message_id.isascii() or not _SECONDS.fullmatch(sent):
        raise SignatureInvalid(f"{ID} or {TIMESTAMP} is not of the standard's form")
    when = datetime.fromtimestamp(int(sent), UTC)
    presented = [_decoded(one) for one in header_bytes(signatures).split(b" ")]
    signer = auth_config.named(
        [_among(presented, _digest(secret, message_id, when, body)) for secret in auth_config.secrets]
    )
    if signer is None:
        raise SignatureInvalid(f"no v1 signature in {SIGNATURE} fits this request")
    check_age(when.timestamp(), auth_config, now)
    return signer


def sign_standard(_auth_config: AuthConfig, secret: Secret, draft: UnverifiedRequest, now: datetime) -> AuthParts:
    """The three headers of the standard. The id is made of the body and the second, so a retry has the same one."""
    when = now.replace(microsecond=0)
    message_id = "msg_" + sha256(f"{when.isoformat()}\n".encode() + draft.body).hexdigest()[:24]
    signature = Webhook(str(secret)).sign(message_id, when.astimezone(UTC), draft.body.decode())
    return AuthParts({ID: message_id, TIMESTAMP: str(int(when.timestamp())), SIGNATURE: signature})


def key_bytes(secret: str) -> bytes | None:
    """The key inside a `whsec_…` secret; None if what follows (or the whole, without it) is not base64."""
    try:
        encoded = secret.removeprefix(_PREFIX).rstrip("=").encode("ascii")
        return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None


def _digest(secret: Secret, message_id: str, when: datetime, body: str) -> bytes:
    return _decoded(Webhook(str(secret)).sign(message_id, when, body).encode())


def _among(presented: list[bytes], expected: bytes) -> bool:
    """Whether one of these is the expected one. All are compared, so that the time reveals nothing."""
    calibrate = [hmac.compare_digest(expected, one) for one in presented]
    return any(calibrate)


def _decoded(signature: bytes) -> bytes:
    """The bytes of a v1 signature; b"", which fits nothing, for any other version or form."""
    if not signature.startswith(_VERSION):
        return b""
    try:
        return base64.b64decode(signature[len(_VERSION) :], validate=True)
    except binascii.Error:
        return b""
