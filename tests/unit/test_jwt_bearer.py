"""JWT bearers: whose, for whom, until when, signed with what."""

import base64
import contextlib
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from cobrowse.errors import CobrowseError, NotAuthenticated
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW
from tests.rsa_keys import longest_key
from tests.unit.jwts import AT, AUDIENCE, ISSUER, KEYS, b64, claims_of, presenting, token

WEAK = rsa.generate_private_key(65537, 1024)
P384 = ec.generate_private_key(ec.SECP384R1())
STRANGER = ed25519.Ed25519PrivateKey.generate()


def pem(key, *, private=False):
    if private:
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def public_jwk(key):
    return OKPKey.import_key(key.public_key()).as_dict()


def row(*keys, more='claims = { azp = "crm" }\n', written=pem):
    names = [f"K{number}" for number in range(len(keys))]
    text = (
        f'[senders.one]\nsignature = "jwt"\nenvelope = "custom"\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
        f"secrets = {json.dumps([f'${name}' for name in names])}\n{more}"
    )
    return load_senders(text, {name: written(key) for name, key in zip(names, keys, strict=True)}).get("one")


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_of_each_algorithm_is_known_by_its_keys_variable(algorithm):
    sender = row(STRANGER, KEYS[algorithm])
    assert sender.authenticate(presenting(token(algorithm)), NOW) == "K1"
    assert sender.authenticate(presenting(token(algorithm), "bearer"), NOW) == "K1"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://login.example.com/other/v2.0"},
        {"iss": None},
        {"aud": "api://another"},
        {"aud": ["api://another"]},
        {"aud": None},
        {"azp": "somebody"},
        {"azp": None},
        {"azp": ["somebody", ["crm"]]},
        {"azp": {"crm": "crm"}},
        {"exp": None},
        {"exp": AT - 301},
        {"nbf": AT + 301},
        {"iat": AT + 301},
        {"exp": True},
    ],
)
def test_a_token_that_is_not_for_this_service_now_is_refused(claims):
    with pytest.raises(NotAuthenticated):
        row(KEYS["EdDSA"]).authenticate(presenting(token(**claims)), NOW)


@pytest.mark.parametrize("claims", [{"exp": AT - 299}, {"nbf": AT + 299}, {"iat": AT + 299}, {"aud": ["x", AUDIENCE]}])
def test_the_clocks_may_differ_by_the_tolerance(claims):
    assert row(KEYS["EdDSA"]).authenticate(presenting(token(**claims)), NOW) == "K0"


def test_a_claim_that_is_a_list_has_the_rows_value_in_it():
    """Entra's roles, Okta's scp and groups."""
    assert row(KEYS["EdDSA"]).authenticate(presenting(token(azp=["reader", "crm"])), NOW) == "K0"


def unsigned(header, claims=None):
    return ".".join(b64(json.dumps(part).encode()) for part in (header, claims or claims_of()))


def confused():
    """HS256 with the public key as the secret: the classic that a library of fixed algorithms per key refuses."""
    head = unsigned({"alg": "HS256", "typ": "JWT"})
    return f"{head}.{b64(hmac.new(pem(KEYS['RS256']).encode(), head.encode(), hashlib.sha256).digest())}"


def unencoded():
    """RFC 7797's: the claims as they are, which a JWT can't have."""
    claims = json.dumps(claims_of()).replace(".", "\\u002e")
    return token(header={"b64": False, "crit": ["b64"]}, payload=claims)


HOSTILE = {
    "none": lambda: unsigned({"alg": "none"}) + ".",
    "None": lambda: unsigned({"alg": "None"}) + ".",
    "no algorithm": lambda: unsigned({}) + ".AAAA",
    "an algorithm that is a list": lambda: unsigned({"alg": ["RS256"]}) + ".AAAA",
    "a header that is a list": lambda: unsigned(["alg"]) + ".AAAA",
    "a key id that is a list": lambda: token(header={"kid": ["x"]}),
    "HS256 with the public key": confused,
    "a key inside the token": lambda: token(key=STRANGER, header={"jwk": public_jwk(STRANGER)}),
    "another's key": lambda: token(key=STRANGER),
    "the key's other algorithm": lambda: token("RS256", header={"alg": "RS512"}),
    "another algorithm's name": lambda: token("ES256", header={"alg": "RS256"}),
    "an unknown critical header": lambda: token(header={"crit": ["x"], "x": 1}),
    "a critical header that is missing": lambda: token(header={"crit": ["x"]}),
    "critical headers that are none": lambda: token(header={"crit": 1}),
    "claims that are not encoded": unencoded,
    "claims whose encoding is denied": lambda: token(header={"b64": False}),
    "claims whose encoding is critical": lambda: token(header={"b64": True, "crit": ["b64"]}),
    "claims that are a list": lambda: token(payload=b64(b"[]")),
    "claims that are no JSON": lambda: token(payload=b64(b"{")),
    "claims that are deep": lambda: token(payload=b64(b"[" * 6_000)),
    "a time that is no number": lambda: token(payload=b64(json.dumps(claims_of(exp=float("nan"))).encode())),
    "a time without an end": lambda: token(
        payload=b64(json.dumps(claims_of()).replace(str(AT + 600), "1e999").encode())
    ),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "a cut signature": lambda: token()[:-2],
    "a changed claim": lambda: token().replace(".", ".A", 1),
    "no parts": lambda: "abc",
    "dots": lambda: "....",
    "no JSON": lambda: "YQ.YQ.YQ",
    "not base64": lambda: "!.!.!",
    "not ASCII": lambda: "é.é.é",
    "a lone surrogate": lambda: "\ud800",
    "a deep header": lambda: base64.urlsafe_b64encode(b"[" * 6_000).decode() + ".YQ.YQ",
    "a number": lambda: base64.urlsafe_b64encode(b"1").decode() + ".YQ.YQ",
    "a long one": lambda: "a" * 8_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_is_refused_with_an_error_of_ours(name):
    with pytest.raises(NotAuthenticated) as error:
        row(*KEYS.values()).authenticate(presenting(HOSTILE[name]()), NOW)
    assert error.value.__cause__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("typ", "kid", "crit", "b64", "jwk", "x5c", "iss", "aud", "sub", "exp", "nbf", "iat", "jti", "azp")
ODD = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4)


@given(ODD, ODD | JSON)
def test_whatever_a_signed_token_says_it_is_taken_or_refused(header, claims):
    """The issuer's own signature on anything: what comes after the signature has no error of its own either."""
    said = claims_of(**claims) if isinstance(claims, dict) and claims.keys() <= set(NAMES) else claims
    held = token(header=header, payload=b64(json.dumps(said).encode()))
    with contextlib.suppress(NotAuthenticated):
        assert row(KEYS["EdDSA"]).authenticate(presenting(held), NOW) == "K0"


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=80))
def test_three_parts_of_anything_are_refused(header, content, signature):
    with pytest.raises(NotAuthenticated):
        row(*KEYS.values()).authenticate(presenting(".".join(map(b64, (header, content, signature)))), NOW)


def test_no_token_and_another_scheme_are_refused():
    sender = row(KEYS["EdDSA"])
    for held in (presenting(""), presenting(token(), "Basic"), UnverifiedRequest("POST", "/", "", {}, b"")):
        with pytest.raises(NotAuthenticated, match="missing"):
            sender.authenticate(held, NOW)


def test_with_the_private_key_a_token_is_made_and_with_the_public_one_it_can_not_be():
    for key in KEYS.values():
        sender = row(key, written=lambda held: pem(held, private=True).replace("\n", "\\n"))
        made = sender.sign("POST", "/webhooks/one", b"{}", NOW)
        assert sender.authenticate(presenting(made.headers["Authorization"].removeprefix("Bearer ")), NOW) == "K0"
    with pytest.raises(CanNotSignError):
        row(KEYS["EdDSA"]).sign("POST", "/webhooks/one", b"{}", NOW)


def test_headers_that_say_nothing_of_the_signature_are_passed_over():
    """Microsoft's x5t, a chain of certificates that is as long as a header may be, and what nobody has heard of."""
    told = {"x5t": "a" * 28, "kid": "b" * 64, "x5c": ["c" * 3_000], "jku": 1, "nonce": "d"}
    assert row(KEYS["RS256"]).authenticate(presenting(token("RS256", header=told)), NOW) == "K0"


def test_a_signature_as_long_as_keys_get_is_verified():
    key = longest_key()
    assert row(key).authenticate(presenting(token("RS256", key=key)), NOW) == "K0"


def test_what_is_wrong_with_a_token_of_the_issuers_is_told():
    sender = row(KEYS["EdDSA"])
    for claims, told in (
        ({"exp": AT - 400}, "expired 400 s ago"),
        ({"nbf": AT + 400}, "not yet valid"),
        ({"aud": "x"}, "'aud'"),
        ({"iss": "x"}, "'iss'"),
        ({"azp": "x"}, "claim 'azp'"),
    ):
        with pytest.raises(NotAuthenticated, match=told):
            sender.authenticate(presenting(token(**claims)), NOW)


@pytest.mark.parametrize("key", [WEAK, P384], ids=["RSA of 1024 bits", "P-384"])
def test_a_weak_or_unknown_key_stops_the_start(key):
    with pytest.raises(SendersFileError, match="is not of the form PEM"):
        row(key)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            'jwks_url = "https://x.example.com/keys"\n',
            "jwks_url: name it, or public keys in PEM in secrets, and not both",
        ),
        ('jwks_url = "http://x.example.com/keys"\n', "jwks_url: must be an https URL"),
        ('jwks_url = "https://u:p@x.example.com/keys"\n', "jwks_url: must be an https URL"),
        ('jwks_url = "file:///etc/passwd"\n', "jwks_url: must be an https URL"),
        ("claims = {}\n", "claims: must be a table of texts"),
        ("claims = { sub = 1 }\n", "claims: must be a table of texts"),
    ],
)
def test_a_row_that_says_too_much_or_nothing_sound_stops_the_start(more, told):
    with pytest.raises(SendersFileError) as error:
        row(KEYS["EdDSA"], more=more)
    assert told in error.value.errors[0]


def test_a_row_that_takes_any_token_of_the_issuer_is_warned_of():
    assert row(KEYS["EdDSA"], more="").warnings[0].startswith("claims: none is asked for")
    assert row(KEYS["EdDSA"]).warnings == ()


def test_an_old_token_is_refused_however_often_it_comes():
    held = token()
    sender = row(KEYS["EdDSA"])
    assert sender.authenticate(presenting(held), NOW)
    for later in (timedelta(seconds=901), timedelta(days=1)):
        with pytest.raises(CobrowseError):
            sender.authenticate(presenting(held), NOW + later)
