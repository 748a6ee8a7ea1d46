"""Twilio: the public URL with the form's fields, sorted, in HMAC-SHA1; a body of another type by its hash in the URL.

www.twilio.com/docs/usage/security. The URL is PUBLIC_BASE_URL's: Twilio signs what it was told, not what a proxy made
of it.
"""

import base64
import hmac
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

from cobrowse.errors import SignatureInvalid
from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig, AuthParts, matching_secret
from integrations.senders.auth.hmac_signatures import hmac_warnings
from integrations.senders.auth.scheme import Scheme, header_key
from integrations.senders.auth.signature_templates import public_uri
from integrations.senders.requests import UnverifiedRequest, header_bytes

HEADER = "X-Twilio-Signature"
# The query parameter with the hash of a body that is no form.
BODY_HASH = "bodySHA256"
_FORM = "application/x-www-form-urlencoded"
# Fields of one form: Twilio sends some forty.
_MAX_FIELDS = 500


def _verify(auth_config: AuthConfig, incoming: UnverifiedRequest, _now: datetime) -> str:
    presented = header_bytes(incoming.signature_header(HEADER))
    if not _is_form(incoming) and not _body_is_in_url(incoming):
        raise SignatureInvalid(f"the body is no form, and the URL has no {BODY_HASH} that fits it")
    message = _signed_bytes(auth_config, incoming)
    signer = matching_secret(auth_config, lambda key: hmac.compare_digest(presented, _signature(key, message)))
    if signer is None:
        raise SignatureInvalid(f"the signature in {HEADER} does not fit this request")
    return signer


def _sign(auth_config: AuthConfig, secret: Secret, draft: UnverifiedRequest, _now: datetime) -> AuthParts:
    query = {} if _is_form(draft) else {BODY_HASH: sha256(draft.body).hexdigest()}
    query_string = "&".join(filter(None, (draft.query_string, urlencode(query))))
    signed = replace(draft, query_string=query_string)
    signature = _signature(auth_config.key(secret), _signed_bytes(auth_config, signed))
    return AuthParts({HEADER: signature.decode()}, query)


def _signed_bytes(auth_config: AuthConfig, incoming: UnverifiedRequest) -> bytes:
    return public_uri(auth_config, incoming) + (_fields(incoming.body) if _is_form(incoming) else b"")


def _fields(body: bytes) -> bytes:
    """The form's names and values, each name with its values in their order, and one that comes again once."""
    try:
        # Each byte as one letter: given bytes, parse_qsl takes ASCII alone, and names of people have more.
        pairs = set(
            parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, encoding="latin-1")
        )
    except ValueError:
        raise SignatureInvalid(f"the form has more than {_MAX_FIELDS} fields, and Twilio sends some forty") from None
    return "".join(name + value for name, value in sorted(pairs)).encode("latin-1")


def _signature(key: bytes, message: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, message, "sha1").digest())


def _is_form(incoming: UnverifiedRequest) -> bool:
    return incoming.media_type == _FORM


def _body_is_in_url(incoming: UnverifiedRequest) -> bool:
    expected = sha256(incoming.body).hexdigest()
    return hmac.compare_digest(incoming.query_value(BODY_HASH).lower(), expected.encode())


TWILIO = Scheme(
    "twilio",
    _verify,
    _sign,
    openapi=header_key(HEADER, "HMAC-SHA-1 in base64 over the public URL and the form's fields, sorted."),
    settings=("public_base_url",),
    covers_body=True,
    delivery_ids=("I-Twilio-Idempotency-Token",),
    response_policy="twilio",
    warnings=lambda _row: hmac_warnings({"algorithm": "sha1"}),
)
