"""JWT bearers: whose, for whom, until when, signed with what; and the issuer's keys, fetched beside the requests."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from cobrowse.errors import CobrowseError, KeysUnavailable, NotAuthenticated
from integrations.senders import fetching
from integrations.senders.auth.jwks import RENEW_AT_MOST, Jwks, keys_in
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.fetching import FetchError, fetch
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.clocks import ManualClock
from tests.payloads import NOW
from web.error_responses import status_of

ISSUER, AUDIENCE = "https://login.example.com/tenant/v2.0", "api://cobrowse"
KEYS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
WEAK = rsa.generate_private_key(65537, 1024)
P384 = ec.generate_private_key(ec.SECP384R1())
AT = int(NOW.timestamp())


def pem(key, *, private=False):
    if private:
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def row(*keys, more='claims = { azp = "crm" }\n', written=pem):
    names = [f"K{number}" for number in range(len(keys))]
    text = (
        f'[senders.one]\nsignature = "jwt"\nenvelope = "custom"\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
        f"secrets = {json.dumps([f'${name}' for name in names])}\n{more}"
    )
    return load_senders(text, {name: written(key) for name, key in zip(names, keys, strict=True)}).get("one")


def token(key="EdDSA", *, header=None, **claims):
    held = {"iss": ISSUER, "aud": AUDIENCE, "azp": "crm", "iat": AT, "exp": AT + 600, **claims}
    held = {name: value for name, value in held.items() if value is not None}
    return jwt.encode(held, KEYS[key], key, headers=header)


def presenting(text, scheme="Bearer"):
    return UnverifiedRequest("POST", "/webhooks/one", "", {"authorization": f"{scheme} {text}"}, b"{}")


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_of_each_algorithm_is_known_by_its_keys_variable(algorithm):
    sender = row(P384_SAFE, KEYS[algorithm])
    assert sender.authenticate(presenting(token(algorithm)), NOW) == "K1"
    assert sender.authenticate(presenting(token(algorithm), "bearer"), NOW) == "K1"


P384_SAFE = ed25519.Ed25519PrivateKey.generate()


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
    parts = (header, claims or {"iss": ISSUER, "aud": AUDIENCE, "azp": "crm", "exp": AT + 600})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


def confused():
    """HS256 with the public key as the secret: the classic that a library of fixed algorithms per key refuses."""
    head = unsigned({"alg": "HS256", "typ": "JWT"})
    made = hmac.new(pem(KEYS["RS256"]).encode(), head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


HOSTILE = {
    "none": lambda: unsigned({"alg": "none"}) + ".",
    "None": lambda: unsigned({"alg": "None"}) + ".",
    "no algorithm": lambda: unsigned({}) + ".AAAA",
    "an algorithm that is a list": lambda: unsigned({"alg": ["RS256"]}) + ".AAAA",
    "a key id that is a list": lambda: unsigned({"alg": "RS256", "kid": ["x"]}) + ".AAAA",
    "HS256 with the public key": confused,
    "a key inside the token": lambda: (
        token(header={"jwk": json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(P384_SAFE.public_key()))})[:-4] + "AAAA"
    ),
    "another's key": lambda: jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "azp": "crm", "exp": AT + 600}, P384_SAFE, "EdDSA"
    ),
    "an unknown critical header": lambda: jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "azp": "crm", "exp": AT + 600}, KEYS["EdDSA"], "EdDSA", {"crit": ["x"], "x": 1}
    ),
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


# The issuer's keys.


def jwk(name, key_id, **more):
    algorithms = {
        "RS256": jwt.algorithms.RSAAlgorithm,
        "ES256": jwt.algorithms.ECAlgorithm,
        "EdDSA": jwt.algorithms.OKPAlgorithm,
    }
    return {**json.loads(algorithms[name].to_jwk(KEYS[name].public_key())), "kid": key_id, **more}


def document(*keys):
    return json.dumps({"keys": list(keys)}).encode()


class Issuer:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self, _url):
        self.asked += 1
        answer = self.answers[min(self.asked, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_key_of_another_use_kind_or_form_is_passed_over():
    good = jwk("RS256", "a")
    found = keys_in(
        document(good, jwk("ES256", "b", use="enc"), {"kty": "oct", "k": "AAAA", "kid": "c"}, 7, {"kty": "RSA"})
    )
    assert list(found) == ["a"]
    assert keys_in(document(jwk("RS256", "a", alg="RS512"), jwk("EdDSA", "d"))).keys() == {"d"}


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', b"\xff"]
)
def test_a_document_without_a_key_is_refused(text):
    with pytest.raises(ValueError, match="it "):
        keys_in(text)


def test_before_the_keys_are_there_a_token_is_answered_with_a_retryable_failure_and_nothing_is_fetched():
    issuer = Issuer(document(jwk("RS256", "a")))
    keys = Jwks("https://x", issuer, ManualClock())
    with pytest.raises(KeysUnavailable) as error:
        keys.candidates("a")
    assert (status_of(error.value), error.value.retryable, issuer.asked) == (503, True, 0)
    assert keys.renew()
    assert len(keys.candidates("a")) == 1


def test_an_unknown_key_is_looked_for_at_most_once_a_minute():
    clock = ManualClock()
    issuer = Issuer(document(jwk("RS256", "a")), document(jwk("RS256", "a"), jwk("EdDSA", "b")))
    keys = Jwks("https://x", issuer, clock)
    keys.renew()
    assert keys.candidates("b") == []
    clock.sleep(RENEW_AT_MOST + 1)
    with pytest.raises(KeysUnavailable):
        keys.candidates("b")
    keys.renew()
    assert [key.algorithm for key in keys.candidates("b")] == ["EdDSA"]
    assert {key.algorithm for key in keys.candidates("")} == {"RS256", "EdDSA"}


def test_keys_that_were_known_stay_when_the_issuer_is_away_or_sends_nonsense():
    keys = Jwks("https://x", Issuer(document(jwk("RS256", "a")), FetchError("away"), b"<html>"), ManualClock())
    assert [keys.renew() for _ in range(3)] == [True, False, False]
    assert len(keys.candidates("a")) == 1


@pytest.fixture
def issuer():
    """An issuer on loopback, whose answer a test sets."""
    said = {
        "status": 200,
        "body": document(jwk("EdDSA", "now")),
        "asked": threading.Event(),
        "headers": {},
        "over": threading.Event(),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(said["status"])
            for name, value in {"Content-Length": str(len(said["body"])), **said["headers"]}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said["body"])
            said["asked"].set()
            while "drips" in said and not said["over"].wait(0.02):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    break

        def log_message(self, *_args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said["url"] = f"http://127.0.0.1:{server.server_port}/keys?v=2"
    yield said
    said["over"].set()
    server.shutdown()
    server.server_close()


def test_a_row_fetches_its_issuers_keys_once_it_is_started_and_never_in_a_request(issuer):
    text = (
        f'[senders.one]\nsignature = "jwt"\nenvelope = "custom"\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
        f'jwks_url = "{issuer["url"]}"\n'
    )
    sender = load_senders(text, {}).get("one")
    good = presenting(token(header={"kid": "now"}))
    with pytest.raises(KeysUnavailable):
        sender.authenticate(good, NOW)
    assert not issuer["asked"].is_set()
    sender.start()
    sender.start()
    assert issuer["asked"].wait(30)
    for _ in range(3_000):
        try:
            assert sender.authenticate(good, NOW) == ISSUER
            break
        except KeysUnavailable:
            threading.Event().wait(0.01)
    else:
        pytest.fail("the keys never came")
    with pytest.raises(NotAuthenticated):
        sender.authenticate(presenting(token(header={"kid": "other"})), NOW)
    with pytest.raises(CanNotSignError):
        sender.sign("POST", "/webhooks/one", b"{}", NOW)


def test_what_the_issuer_may_send_is_bounded_and_a_redirect_is_not_followed(issuer):
    assert fetch(issuer["url"]) == issuer["body"]
    issuer["body"] = b"x" * (fetching.LARGEST + 1)
    with pytest.raises(FetchError, match="more than"):
        fetch(issuer["url"])
    issuer.update(status=302, body=b"", headers={"Location": issuer["url"]})
    with pytest.raises(FetchError, match="answered 302"):
        fetch(issuer["url"])
    with pytest.raises(FetchError, match="can't be reached"):
        fetch("http://127.0.0.1:1/keys")


@pytest.mark.parametrize("headers", [{"Content-Length": "200000"}, {"Connection": "close"}, {"Transfer-Encoding": "x"}])
def test_an_issuer_that_sends_a_byte_now_and_then_holds_nobody_up(issuer, headers):
    """Each wait is short, and there would be no end of them."""
    issuer.update(drips=True, headers={"Content-Length": "200000", **headers})
    with pytest.raises(FetchError, match="did not answer within"):
        fetch(issuer["url"], whole=0.3)


def test_an_old_token_is_refused_however_often_it_comes():
    held = token()
    sender = row(KEYS["EdDSA"])
    assert sender.authenticate(presenting(held), NOW)
    for later in (timedelta(seconds=901), timedelta(days=1)):
        with pytest.raises(CobrowseError):
            sender.authenticate(presenting(held), NOW + later)
