"""RSA keys: each is made when it is first asked for, and once in a process, for that takes a tenth of a second."""

import functools

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@functools.cache
def rsa_key(name: str = "", bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of this name."""
    return rsa.generate_private_key(65537, bits)


def pem_of(name: str = "") -> str:
    """The private key of this name, as PEM."""
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return rsa_key(name).private_bytes(serialization.Encoding.PEM, *form).decode()
