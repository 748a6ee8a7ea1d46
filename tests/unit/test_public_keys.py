"""Public keys in the senders file: what is read from a text, and what a key verifies and signs."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig
from integrations.senders.auth.public_keys import (
    is_signed_by,
    keys_of,
    parse_ed25519,
    parse_pem,
    sample_pem,
    sign_with,
)
from tests.unit.jwts import KEYS

NONE = NoEncryption()
DER, INFO = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
SEED = bytes(range(32))
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(SEED)
RAW = ED25519.public_key().public_bytes_raw()


def private_pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NONE).decode()


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, INFO).decode()


def b64(raw):
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_kind_is_read_from_pem_in_one_line_or_many(algorithm):
    private, der = KEYS[algorithm], KEYS[algorithm].public_key().public_bytes(DER, INFO)
    for pem in (public_pem(private), public_pem(private).replace("\n", "\\n")):
        key = parse_pem(pem)
        assert (key.algorithm, key.private, key.der) == (algorithm, None, der)
    both = parse_pem(private_pem(private))
    assert (both.algorithm, both.der) == (algorithm, der)
    assert both.private.public_key() == private.public_key()


@pytest.mark.parametrize(
    "pem",
    [
        *("", "-----BEGIN PRIVATE KEY-----", "\udcff", sample_pem("one")[:60]),
        public_pem(rsa.generate_private_key(65537, 1024)),
        private_pem(rsa.generate_private_key(65537, 1024)),
        public_pem(ec.generate_private_key(ec.SECP384R1())),
        private_pem(ec.generate_private_key(ec.SECP521R1())),
    ],
)
def test_a_text_without_a_key_that_is_of_use_is_none(pem):
    assert parse_pem(pem) is None


def test_a_key_of_a_kind_that_signs_nothing_is_none():

    exchange = x25519.X25519PrivateKey.generate()
    assert parse_pem(public_pem(exchange)) is None
    assert parse_pem(private_pem(exchange)) is None


def test_a_key_of_standard_webhooks_is_read_by_its_prefix():
    public = parse_ed25519(f"whpk_{b64(RAW)}")
    assert (public.der, public.private) == (ED25519.public_key().public_bytes(DER, INFO), None)
    for seed in (SEED, SEED + RAW):  # libsodium appends the public half to the seed
        both = parse_ed25519(f"whsk_{b64(seed)}")
        assert (both.der, both.private.private_bytes_raw()) == (public.der, SEED)


@pytest.mark.parametrize(
    "secret",
    [
        *("", "whpk_", "whpk_*", f"whsk_{b64(SEED[1:])}", f"whsk_{b64(SEED + b'1')}", f"whpk_{b64(RAW)}\n"),
        *(f"whpk_{b64(RAW[1:])}", f"whsec_{b64(RAW)}"[:49], f"whxx_{b64(RAW)}"),
    ],
)
def test_what_is_no_key_of_standard_webhooks_is_none(secret):
    assert parse_ed25519(secret) is None


def test_a_rows_keys_are_those_of_its_secrets_that_hold_one_in_their_order():
    secrets = tuple(map(Secret, (f"whpk_{b64(RAW)}", "none", f"whsk_{b64(RAW)}")))
    first, second = keys_of(AuthConfig(secrets=secrets), parse_ed25519)
    assert (first.private, second.private.private_bytes_raw()) == (None, RAW)


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_a_key_verifies_its_owners_signature_of_the_message_and_no_other(algorithm):
    key = parse_pem(private_pem(KEYS[algorithm]))
    signature = sign_with(key, b"message")
    assert is_signed_by(key, signature, b"message")
    assert not is_signed_by(key, signature, b"another")
    assert not is_signed_by(key, signature[:-1], b"message")
    assert not is_signed_by(parse_pem(sample_pem("another")), signature, b"message")


def test_an_elliptic_key_signs_tokens_only():
    key = parse_pem(private_pem(KEYS["ES256"]))
    assert sign_with(key, b"message") is None
    assert is_signed_by(key, b"", b"message") is False


def test_a_public_key_signs_nothing():
    assert sign_with(parse_pem(public_pem(KEYS["RS256"])), b"message") is None


def test_a_sample_is_a_public_key_in_one_line_and_another_of_each_text():
    assert parse_pem(sample_pem("one")).algorithm == "EdDSA"
    assert "\n" not in sample_pem("one")
    assert sample_pem("one").endswith("-----END PUBLIC KEY-----")
    assert sample_pem("one") == sample_pem("one") != sample_pem("two")
