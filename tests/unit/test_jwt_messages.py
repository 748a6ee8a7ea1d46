"""JWT bearers in words: what a refused caller and a mistaken row are told, and what a token of our own making says."""

import base64
import json
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from cobrowse.errors import NotAuthenticated
from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig
from integrations.senders.auth.issued_tokens import TokenRules, rules_of
from integrations.senders.auth.jwks import Jwks
from integrations.senders.auth.jwt_bearer import JWT
from integrations.senders.auth.public_keys import Key, sample_pem
from integrations.senders.auth.scheme import CanNotSignError, SenderContext
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW
from tests.unit.jwts import AT, AUDIENCE, ISSUER, KEYS, b64, claims_of, presenting, token

OWN = KEYS["EdDSA"]
KEY = Key(OWN.public_key(), OWN)
RULES = TokenRules(ISSUER, AUDIENCE, {"azp": "crm"}, (KEY,), ("K",))
HINT = "Compare issuer, audience and claims in the sender's row with what the identity provider puts into the token."


def refusal(held, rules=RULES):
    with pytest.raises(NotAuthenticated) as refused:
        JWT.verify(AuthConfig(prepared=rules), held, NOW)
    return refused.value.message, refused.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.b", "the bearer token is no JWT of RS256, ES256 or EdDSA"),
        (token(header={"alg": "HS256"}), "the bearer token is no JWT of RS256, ES256 or EdDSA"),
        (token(key=ed25519.Ed25519PrivateKey.generate()), "the token is not signed by the row's issuer"),
        (token("RS256"), "the token is not signed by the row's issuer"),
        (token(exp=AT - 400), "the token expired 400 s ago"),
        (token(payload=b64(b"{")), "the token's content is no JSON object"),
        (token(payload=b64(b"[]")), "the token's content is no JSON object"),
        (token(azp="x"), "the token's claim 'azp' is not the row's"),
        (token(azp=None), "the token's claim 'azp' is not the row's"),
    ],
)
def test_a_refused_token_is_told_why_and_what_to_compare(text, told):
    assert refusal(presenting(text)) == (told, HINT)


@pytest.mark.parametrize("claims", [{"iss": None}, {"aud": None}, {"exp": None}, {"iss": "x"}, {"aud": "x"}])
def test_a_claim_that_the_library_misses_is_named_with_the_hint(claims):
    message, hint = refusal(presenting(token(**claims)))
    assert message.startswith("the token is not the row's, or not for now: ")
    assert repr(next(iter(claims))) in message
    assert hint == HINT


def test_a_missing_token_is_told_how_it_is_presented():
    told = ("the bearer token is missing", "It is presented as Authorization: Bearer …")
    assert refusal(UnverifiedRequest("POST", "/", "", {}, b"")) == told
    assert refusal(presenting(token()), None)[0] == "the row names no issuer"


def test_a_token_is_good_by_the_keys_name_or_by_the_issuer_whose_key_it_names():
    asked = []

    def candidates(key_id):
        asked.append(key_id)
        return [KEY]

    assert JWT.verify(AuthConfig(prepared=RULES), presenting(token()), NOW) == "K"
    fetched = TokenRules(ISSUER, AUDIENCE, jwks=SimpleNamespace(candidates=candidates))
    for header in ({}, {"kid": "k7"}):
        assert JWT.verify(AuthConfig(prepared=fetched), presenting(token(header=header)), NOW) == ISSUER
    assert asked == ["", "k7"]


def test_the_rows_rules_are_its_own():
    assert TokenRules("i", "a") == TokenRules("i", "a", {}, (), (), None)
    pem = sample_pem("one")
    config = AuthConfig(secrets=(Secret(pem),), names=("K",))
    rules = rules_of(config, {"issuer": "i", "audience": "a", "claims": {"b": "c"}})
    assert (rules.issuer, rules.audience, rules.claims, rules.names, rules.jwks) == ("i", "a", {"b": "c"}, ("K",), None)
    assert [key.algorithm for key in rules.keys] == ["EdDSA"]
    fetched = rules_of(AuthConfig(), {"issuer": "i", "audience": "a", "jwks_url": "https://x.example/keys"})
    assert (fetched.claims, fetched.keys, type(fetched.jwks)) == ({}, (), Jwks)


def test_a_token_of_our_own_making_is_the_issuers_for_five_minutes():
    signed, _, signature = RULES.make(KEY, AT).rpartition(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
    assert header == {"alg": "EdDSA", "typ": "JWT"}
    assert claims == {**claims_of(sub="cobrowse"), "exp": AT + 300}
    OWN.public_key().verify(base64.urlsafe_b64decode(signature + "=="), signed.encode())


def test_without_the_private_key_one_is_told_to_hand_a_token_over():
    for secret in (sample_pem("one"), "none"):
        with pytest.raises(CanNotSignError) as refused:
            JWT.sign(AuthConfig(prepared=RULES), Secret(secret), presenting(""), NOW)
        told = "only the issuer can sign its tokens; hand one over with --header 'Authorization: Bearer …'"
        assert str(refused.value) == told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://x.example/keys", ""),
        ("http://127.0.0.1:1/keys", ""),
        *(
            (wrong, "must be an https URL")
            for wrong in ("http://x.example/k", "https://u@x.example/k", "https://x.example/k#f", "file:///k", "", 7)
        ),
    ],
)
def test_the_keys_url_is_one_of_https_without_a_user_or_a_fragment(url, told):
    assert JWT.keys["jwks_url"](url) == told


def test_a_row_names_keys_or_where_they_are_and_claims():
    context, both = SenderContext({}), ["jwks_url: name it, or public keys in PEM in secrets, and not both"]
    assert JWT.errors({"secrets": ["$S"]}, context) == JWT.errors({"jwks_url": "https://x.example"}, context) == []
    assert JWT.errors({"secrets": ["$S"], "jwks_url": "https://x.example"}, context) == both
    assert JWT.errors({}, context) == both
    weak = "claims: none is asked for, so whatever token the issuer gives out for this audience is taken"
    assert (JWT.warnings({"claims": {}}), JWT.warnings({"claims": {"a": "b"}})) == ([weak], [])


def test_its_keys_are_fetched_from_the_start_where_they_are_fetched_at_all():
    started = []
    JWT.start(RULES)
    JWT.start(TokenRules(ISSUER, AUDIENCE, jwks=SimpleNamespace(start=lambda: started.append("started"))))
    assert started == ["started"]


def test_a_secret_is_a_public_key_and_a_sample_is_one():
    pem = JWT.secret_form({}).sample("one")
    assert pem == sample_pem("one")
    assert JWT.secret_form({}).key_of(pem) == JWT.secret_form({}).key_of(pem.replace("\\n", "\n"))
    assert JWT.secret_form({}).key_of(pem).startswith(b"0*0\x05\x06\x03+ep"), "Ed25519 in DER"
    assert JWT.secret_form({}).key_of("none") is None
    assert JWT.secret_form({}).name == "PEM, a public key of RSA (2048 bits), of P-256 or of Ed25519"
