"""Standard Webhooks: signed with the package of the standard's authors, read by ourselves.

Its own `verify` takes the machine's clock, knows one tolerance, and fails on hostile headers and bodies with whatever
exception comes up; its reading of a secret and its signing are sound, and those are used.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from standardwebhooks.webhooks import Webhook

from cobrowse.errors import SignatureInvalid
from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig, AuthParts, decode, decode_key
from integrations.senders.auth.hmac_signatures import TIMED_KEYS, is_among
from integrations.senders.auth.scheme import Scheme, SecretForm, header_key
from integrations.senders.auth.timestamps import check_age
from integrations.senders.requests import UnverifiedRequest, header_bytes

_SECONDS = re.compile(r"[0-9]{1,10}")
_VERSION = b"v1,"
PREFIX = "whsec_"
# The standard's own names, and those of Svix, which sends these by default.
NAMINGS = ("webhook", "svix")
IDS = tuple(f"{naming}-id" for naming in NAMINGS)


@dataclass(frozen=True, slots=True)
class Message:
    """A message that says it is signed: its three headers, the name of the third, and what the signature covers."""

    id: str
    sent: datetime
    signatures: list[bytes]
    body: str
    signature_header: str

    @property
    def signed(self) -> bytes:
        """The bytes that the signature covers."""
        return f"{self.id}.{int(self.sent.timestamp())}.{self.body}".encode()


def parse_message(incoming: UnverifiedRequest) -> Message:
    """The message in a request, by one set of header names only: the id comes from the same set as the signature.

    Raises SignatureMissing, SignatureInvalid.
    """
    naming = next((each for each in NAMINGS if incoming.headers.get(f"{each}-id")), NAMINGS[0])
    names = [f"{naming}-{part}" for part in ("id", "timestamp", "signature")]
    message_id, sent, signatures = map(incoming.signature_header, names)
    try:
        body = incoming.body.decode()
    except UnicodeDecodeError:
        raise SignatureInvalid("the body is not UTF-8, so no Standard Webhooks signature can fit it") from None
    if not message_id.isascii() or not _SECONDS.fullmatch(sent):
        raise SignatureInvalid(f"{names[0]} or {names[1]} is not of the standard's form")
    listed = header_bytes(signatures).split()
    return Message(message_id, datetime.fromtimestamp(int(sent), UTC), listed, body, names[2])


def _verify(auth_config: AuthConfig, incoming: UnverifiedRequest, now: datetime) -> str:
    message = parse_message(incoming)
    presented = [signature_of_version(one, _VERSION) for one in message.signatures]
    signer = auth_config.first_match([is_among(presented, _digest(secret, message)) for secret in auth_config.secrets])
    if signer is None:
        raise SignatureInvalid(f"no v1 signature in {message.signature_header} fits this request")
    check_age(message.sent.timestamp(), auth_config, now)
    return signer


def _sign(_auth_config: AuthConfig, secret: Secret, draft: UnverifiedRequest, now: datetime) -> AuthParts:
    return sign_message([secret], draft_message(draft, now))


def sign_message(secrets: Sequence[Secret], message: Message) -> AuthParts:
    """The three headers of the standard, with a signature by each secret."""
    return signed_headers(message, " ".join(_signature(secret, message) for secret in secrets))


def draft_message(draft: UnverifiedRequest, now: datetime) -> Message:
    """What is to be signed. The id is made of the body and the second, so a repeat has the same one."""
    when = now.replace(microsecond=0).astimezone(UTC)
    message_id = "msg_" + sha256(f"{when.isoformat()}\n".encode() + draft.body).hexdigest()[:24]
    return Message(message_id, when, [], draft.body.decode(), "")


def signed_headers(message: Message, signature: str) -> AuthParts:
    """The standard's three headers."""
    return AuthParts(
        {
            "webhook-id": message.id,
            "webhook-timestamp": str(int(message.sent.timestamp())),
            "webhook-signature": signature,
        }
    )


def key_bytes(secret: str) -> bytes | None:
    """The key inside a `whsec_…` secret; None if what follows (or the whole, without it) is not base64."""
    return decode_key(secret.removeprefix(PREFIX), "base64")


def signature_of_version(signature: bytes, version: bytes) -> bytes:
    """The bytes of a signature of this version; b"", which fits nothing, for any other version or form."""
    return (decode(signature[len(version) :], "base64") or b"") if signature.startswith(version) else b""


def _digest(secret: Secret, message: Message) -> bytes:
    return signature_of_version(_signature(secret, message).encode(), _VERSION)


def _signature(secret: Secret, message: Message) -> str:
    return Webhook(key_bytes(secret.reveal()) or b"").sign(message.id, message.sent, message.body)


SECRET_FORM = SecretForm(
    "whsec_ and base64, as Standard Webhooks has it",
    key_bytes,
    lambda text: PREFIX + base64.b64encode(text.encode()).decode(),
    PREFIX,
)
STANDARD_WEBHOOKS = Scheme(
    "standard-webhooks",
    _verify,
    _sign,
    openapi=header_key(
        "webhook-signature", "Signed over `webhook-id`, `webhook-timestamp` and the body; named `svix-…` as well."
    ),
    # Not read by the two above, which use the standard's package: for Postman.
    preset={
        "header": "webhook-signature",
        "encoding": "base64",
        "prefix": "v1,",
        "timestamp_header": "webhook-timestamp",
        "template": "{id}.{timestamp}.{body}",
    },
    keys=TIMED_KEYS,
    covers_body=True,
    delivery_ids=IDS,
    covers_delivery_id=True,
    response_policy="standard-webhooks",
    secret_form=lambda _row: SECRET_FORM,
)
