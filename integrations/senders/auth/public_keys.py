"""Public keys that a row names: read from PEM or from Standard Webhooks' own form, and what each can verify.

A private key works too: then `send` can sign as the sender would, for a sandbox.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from integrations.senders.auth.config import AuthConfig

Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
# Bits of an RSA key below which it can be broken.
MIN_RSA_BITS = 2048
_PUBLIC, _PRIVATE = "whpk_", "whsk_"
_SEED = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key to verify with, and to sign with if the private half was given."""

    public: Public
    private: Private | None = None

    @property
    def der(self) -> bytes:
        """The public half in DER."""
        return self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def algorithm(self) -> str:
        """The one algorithm of JWTs that this key is used with; "" if none is."""
        match self.public:
            case rsa.RSAPublicKey():
                return "RS256" if self.public.key_size >= MIN_RSA_BITS else ""
            case ec.EllipticCurvePublicKey():
                return "ES256" if isinstance(self.public.curve, ec.SECP256R1) else ""
            case _:
                return "EdDSA"


# Each of a row's checks reads its key, and OpenSSL takes tens of milliseconds to check a private one.
@lru_cache(64)
def parse_pem(secret: str) -> Key | None:
    """The key in a PEM text, each line break maybe as a backslash and n; None for an unsupported key."""
    pem = secret.replace("\\n", "\n").encode("utf-8", "surrogateescape")
    try:
        if b"PRIVATE KEY" in pem:
            private = load_pem_private_key(pem, None)
            key = Key(private.public_key(), private) if isinstance(private, Private) else None
        else:
            public = load_pem_public_key(pem)
            key = Key(public) if isinstance(public, Public) else None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if key is not None and key.algorithm else None


def parse_ed25519(secret: str) -> Key | None:
    """The key in a `whpk_…` (or, of the private half, a `whsk_…`) of Standard Webhooks; None if it is neither."""
    try:
        raw = base64.b64decode(secret[len(_PUBLIC) :], validate=True)
        if secret.startswith(_PRIVATE) and len(raw) in (_SEED, 2 * _SEED):
            private = ed25519.Ed25519PrivateKey.from_private_bytes(raw[:_SEED])
            return Key(private.public_key(), private)
        return Key(ed25519.Ed25519PublicKey.from_public_bytes(raw)) if secret.startswith(_PUBLIC) else None
    except (ValueError, binascii.Error):
        return None


def keys_of(auth_config: AuthConfig, read: Callable[[str], Key | None]) -> tuple[Key, ...]:
    """The keys in a row's secrets, in their order."""
    return tuple(key for secret in auth_config.secrets if (key := read(secret.reveal())) is not None)


def is_signed_by(key: Key, signature: bytes, message: bytes) -> bool:
    """Whether this key's owner has signed this message: Ed25519, or RSA with SHA-256 (PKCS #1 v1.5)."""
    try:
        match key.public:
            case ed25519.Ed25519PublicKey():
                key.public.verify(signature, message)
            case rsa.RSAPublicKey():
                key.public.verify(signature, message, padding.PKCS1v15(), SHA256())
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def sign_with(key: Key, message: bytes) -> bytes | None:
    """This key's signature of a message, as `is_signed_by` has it; None without a private half."""
    match key.private:
        case ed25519.Ed25519PrivateKey():
            return key.private.sign(message)
        case rsa.RSAPrivateKey():
            return key.private.sign(message, padding.PKCS1v15(), SHA256())
    return None


def sample_pem(text: str) -> str:
    """A public key in PEM, in one line, made of a text, which is the private half: for a sandbox."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(sha256(text.encode()).digest())
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode().strip().replace("\n", "\\n")
