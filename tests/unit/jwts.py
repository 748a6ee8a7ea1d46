"""An issuer's keys, the tokens that it signs, and their requests: signed without the service's library."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW
from tests.rsa_keys import rsa_key

ISSUER, AUDIENCE = "https://login.example.com/tenant/v2.0", "api://cobrowse"
KEYS = {
    "RS256": rsa_key(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
AT = int(NOW.timestamp())


def b64(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def claims_of(**more):
    held = {"iss": ISSUER, "aud": AUDIENCE, "azp": "crm", "iat": AT, "exp": AT + 600, **more}
    return {name: value for name, value in held.items() if value is not None}


def signature(key, signed):
    match key:
        case rsa.RSAPrivateKey():
            return key.sign(signed, padding.PKCS1v15(), SHA256())
        case ec.EllipticCurvePrivateKey():
            size = (key.key_size + 7) // 8
            return b"".join(n.to_bytes(size, "big") for n in decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256()))))
    return key.sign(signed)


def token(name="EdDSA", *, key=None, header=None, payload=None, **claims):
    """A token of the issuer's; `payload` is what it has in place of its claims, written as it is in the token."""
    head = b64(json.dumps({"alg": name, "typ": "JWT", **(header or {})}).encode())
    signed = f"{head}.{payload if payload is not None else b64(json.dumps(claims_of(**claims)).encode())}"
    return f"{signed}.{b64(signature(key or KEYS[name], signed.encode()))}"


def presenting(text, scheme="Bearer"):
    return UnverifiedRequest("POST", "/webhooks/one", "", {"authorization": f"{scheme} {text}"}, b"{}")
