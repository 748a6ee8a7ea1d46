"""Signatures that are verified with a public key: Standard Webhooks' v1a (Ed25519), and Freshchat's RSA."""

import base64
from datetime import datetime
from hashlib import sha256

from cobrowse.errors import SignatureInvalid
from cobrowse.model import Secret
from integrations.senders.auth import hmac_signatures, standard_webhooks
from integrations.senders.auth.config import AuthConfig, AuthParts, decode
from integrations.senders.auth.public_keys import Key, is_signed_by, keys_of, parse_ed25519, parse_pem, sign_with
from integrations.senders.auth.scheme import CanNotSignError, Scheme, SecretForm, header_key
from integrations.senders.auth.signature_templates import MAX_SIGNATURES
from integrations.senders.auth.timestamps import check_age
from integrations.senders.requests import UnverifiedRequest, header_bytes

_VERSION = b"v1a,"
_FRESHCHAT = "X-Freshchat-Signature"
# A public key without a known private half: a sandbox can read the row, and nothing can sign for it.
_SAMPLE = (
    "-----BEGIN PUBLIC KEY-----\\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAts6zNf6BFu4OpUbx9Yb8\\n"
    "D4wJEhvPcbP3L1guwtaG7phrfrPTRz47UaB3u9eBg3Js8OcKEq27/rl27VKg0Qee\\n"
    "0UbImcL1IXjJEtz3ke8n7EpUlk4mVgYrKYwlD4he6Mm7B5Qhq6a1bncbUMDU0cUN\\n"
    "ziauj37kDWUq9e0uuNheMpG3dq0Ale4s/fx6OOvw6B3lN5O90n8RsCxUzXrvSlY7\\n"
    "W9WJ1+iVet2IBwvYDpB7SQ495x7pCXQmX+T+tDZDYX3VZcxawR2Yjbe2A+OqmayN\\n"
    "xCUpWNfhFyxIPRPmlcUbQ2oLI2uUjYXDtm8FmDscfpFj5NK78kbtdAVZuLRQpBtz\\n"
    "EwIDAQAB\\n"
    "-----END PUBLIC KEY-----"
)


def _verify_v1a(auth_config: AuthConfig, incoming: UnverifiedRequest, now: datetime) -> str:
    message = standard_webhooks.parse_message(incoming)
    presented = [standard_webhooks.signature_of_version(one, _VERSION) for one in message.signatures]
    presented = [one for one in presented if one][:MAX_SIGNATURES]
    signed = message.signed
    signer = auth_config.first_match(
        True in [is_signed_by(key, one, signed) for one in presented]  # each is tried
        for key in auth_config.prepared or ()
    )
    if signer is None:
        raise SignatureInvalid(f"no v1a signature in {message.signature_header} fits this request")
    check_age(message.sent.timestamp(), auth_config, now)
    return signer


def _sign_v1a(_auth_config: AuthConfig, secret: Secret, draft: UnverifiedRequest, now: datetime) -> AuthParts:
    message = standard_webhooks.draft_message(draft, now)
    signature = _sign(parse_ed25519(secret.reveal()), message.signed)
    return standard_webhooks.signed_headers(message, f"v1a,{base64.b64encode(signature).decode()}")


def _verify_freshchat(auth_config: AuthConfig, incoming: UnverifiedRequest, _now: datetime) -> str:
    signature = decode(header_bytes(incoming.signature_header(_FRESHCHAT)), "base64") or b""
    signer = auth_config.first_match(is_signed_by(key, signature, incoming.body) for key in auth_config.prepared or ())
    if signer is None:
        raise SignatureInvalid(f"the signature in {_FRESHCHAT} does not fit this request")
    return signer


def _sign_freshchat(_auth_config: AuthConfig, secret: Secret, draft: UnverifiedRequest, _now: datetime) -> AuthParts:
    signature = _sign(parse_pem(secret.reveal()), draft.body)
    return AuthParts({_FRESHCHAT: base64.b64encode(signature).decode()})


def _sign(key: Key | None, message: bytes) -> bytes:
    signature = sign_with(key, message) if key is not None else None
    if signature is None:
        raise CanNotSignError("the row has this sender's public key, and only the sender can sign")
    return signature


_ED25519 = SecretForm(
    "whpk_ and base64, as Standard Webhooks has its public keys",
    lambda secret: key.der if (key := parse_ed25519(secret)) else None,
    lambda text: "whsk_" + base64.b64encode(sha256(text.encode()).digest()).decode(),
)
_RSA = SecretForm(
    "PEM, an RSA public key of 2048 bits or more",
    lambda secret: key.der if (key := parse_pem(secret)) and key.algorithm == "RS256" else None,
    lambda _text: _SAMPLE,
)
PUBLIC_KEY_SCHEMES = (
    Scheme(
        "standard-webhooks-v1a",
        _verify_v1a,
        _sign_v1a,
        openapi=header_key(
            "webhook-signature", "Ed25519 over `webhook-id`, `webhook-timestamp` and the body; `svix-…` names as well."
        ),
        keys=hmac_signatures.TIMED_KEYS,
        covers_body=True,
        delivery_ids=standard_webhooks.IDS,
        covers_delivery_id=True,
        response_policy="standard-webhooks",
        prepare=lambda auth_config, _row: keys_of(auth_config, parse_ed25519),
        secret_form=lambda _row: _ED25519,
    ),
    # support.freshchat.com, webhooks: base64 of an RSA signature over the body. The hash, SHA-256, is not confirmed.
    Scheme(
        "freshchat",
        _verify_freshchat,
        _sign_freshchat,
        openapi=header_key(
            _FRESHCHAT, "RSA with SHA-256 in base64 over the body; the row has the public key that Freshchat shows."
        ),
        covers_body=True,
        prepare=lambda auth_config, _row: keys_of(auth_config, parse_pem),
        secret_form=lambda _row: _RSA,
    ),
)
