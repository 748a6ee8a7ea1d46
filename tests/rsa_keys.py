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


def longest_key() -> rsa.RSAPrivateKey:
    """One of 8,192 bits. Primes of that size take seconds to find: these are the moduli of 4,096 bits that RFC 3526
    makes of pi and RFC 7919 of e.
    """
    one = 1 << 4_030  # 64 bits more than they use
    pi = 16 * _arctan(one, 5) - 4 * _arctan(one, 239)
    e, term, count = 0, one, 0
    while term:
        e, count = e + term, count + 1
        term //= count
    p, q = ((1 << 4_096) - (1 << 4_032) - 1 + ((x >> 64) + add << 64) for x, add in ((pi, 240_904), (e, 5_736_041)))
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _arctan(one: int, x: int) -> int:
    """The arc tangent of 1/x, in units of 1/one."""
    total, power, odd = 0, one // x, 1
    while power:
        total += power // odd * (1 if odd % 4 == 1 else -1)
        power, odd = power // (x * x), odd + 2
    return total
