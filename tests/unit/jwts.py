"""An issuer's keys, the tokens that it signs, and the requests that present them."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW

ISSUER, AUDIENCE = "https://login.example.com/tenant/v2.0", "api://cobrowse"
KEYS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
AT = int(NOW.timestamp())


def token(key="EdDSA", *, header=None, **claims):
    held = {"iss": ISSUER, "aud": AUDIENCE, "azp": "crm", "iat": AT, "exp": AT + 600, **claims}
    held = {name: value for name, value in held.items() if value is not None}
    return jwt.encode(held, KEYS[key], key, headers=header)


def presenting(text, scheme="Bearer"):
    return UnverifiedRequest("POST", "/webhooks/one", "", {"authorization": f"{scheme} {text}"}, b"{}")
