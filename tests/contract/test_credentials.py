"""One suite for every scheme by which a sender authenticates, signatures and credentials alike."""

import contextlib
import functools
import json
from datetime import timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from cobrowse.errors import CobrowseError, NotAuthenticated, SignatureInvalid, SignatureMissing, StaleTimestamp
from cobrowse.model import Secret
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.registry import load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import BASE_URL, NOW
from tests.rsa_keys import pem_of
from web.error_responses import hint_of, status_of

# A row for each scheme; what a scheme can do beyond this has tests of its own in tests/unit/test_signatures.py.
ROWS = dict.fromkeys(SCHEMES, "") | {
    "hmac": 'header = "X-Sig"\nprefix = "v0="\ntimestamp_header = "X-Sent"\n',
    "basic": 'username = "them"\n',
    "jwt": 'issuer = "https://id.example.com"\naudience = "cobrowse"\nclaims = { sub = "crm" }\n',
    "mtls": 'subjects = ["CN=crm.example.com,O=Example", "CN=old.example.com"]\nsubject_header = "X-Client-Subject"\n',
}
# whsec_ and base64, so that one secret fits every scheme that takes texts and nothing but the scheme itself keeps them
# apart; those with keys of a form of their own have three of that form.
NEW, OLD, OTHER = (f"whsec_{letter * 32}" for letter in "ABC")
PEM, NO_PASSWORD = serialization.Encoding.PEM, serialization.NoEncryption()
PKCS8 = serialization.PrivateFormat.PKCS8


@functools.cache
def secret_of(scheme, secret):
    """A secret of the form that this scheme takes, another one for each of the three."""
    if scheme == "jwt":
        key = ed25519.Ed25519PrivateKey.from_private_bytes(sha256(secret.encode()).digest())
        return key.private_bytes(PEM, PKCS8, NO_PASSWORD).decode()
    if scheme == "freshchat":
        return pem_of(secret)
    return SCHEMES[scheme].secret_form(SCHEMES[scheme].preset).sample(secret) if scheme in OWN_FORMS else secret


PROXY, STRANGER = "10.1.2.3", "192.0.2.7"
BODY = b'{"conversationId":"2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33","name":"Zo\xc3\xab"}'
PATH = "/webhooks/one"
OWN_FORMS = ("teams", "dixa", "standard-webhooks-v1a", "freshchat", "jwt")
REFUSED = (NotAuthenticated, SignatureInvalid, SignatureMissing)
SIGNED = [name for name, scheme in SCHEMES.items() if scheme.covers_body]
HELD = [name for name, scheme in SCHEMES.items() if not scheme.covers_body]
TIMED = [name for name, scheme in SCHEMES.items() if scheme.covers_body and "tolerance_seconds" in scheme.keys]
IN_A_HEADER_OF_ITS_OWN = [name for name in TIMED if name not in ("dixa", "calendly")]
WITH_SECRETS = [name for name, scheme in SCHEMES.items() if scheme.secrets != "none"]


def sender(scheme, secrets=(NEW, OLD)):
    names = [f"S{number}" for number in range(len(secrets))]
    listed = f"secrets = {json.dumps([f'${name}' for name in names])}\n" if SCHEMES[scheme].secrets != "none" else ""
    text = f'[senders.one]\nsignature = "{scheme}"\nenvelope = "custom"\n{listed}{ROWS[scheme]}'
    environ = {name: secret_of(scheme, secret) for name, secret in zip(names, secrets, strict=True)}
    return load_senders(text, environ, public_base_url=BASE_URL, trusted_proxies=("10.0.0.0/8",)).get("one")


def request(scheme, secret=NEW, *, body=BODY, at=NOW, path=PATH):
    """A request as this scheme's sender would make it."""
    signed = sender(scheme, (secret,)).sign("POST", path, body, at)
    target, _, query = signed.target(path).partition("?")
    headers = {name.lower(): value for name, value in signed.headers.items()}
    return UnverifiedRequest("POST", target, query, {"content-type": "application/json", **headers}, body, PROXY)


def but(incoming, **changes):
    return UnverifiedRequest(
        **{name: changes.get(name, getattr(incoming, name)) for name in UnverifiedRequest.__slots__}
    )


def with_headers(incoming, **changes):
    changed = {**incoming.headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return but(incoming, headers={name: value for name, value in changed.items() if value is not None})


def proofs(incoming):
    """The headers that prove something."""
    return [name for name in incoming.headers if name != "content-type"]


every = pytest.mark.parametrize("scheme", ROWS)
signed = pytest.mark.parametrize("scheme", SIGNED)


def test_the_suite_knows_every_scheme():
    assert list(ROWS) == list(SCHEMES)


@every
def test_a_good_request_is_known_by_the_name_of_its_secret(scheme):
    expected = "CN=crm.example.com,O=Example" if scheme == "mtls" else "S0"
    assert sender(scheme).authenticate(request(scheme), NOW) == expected


@pytest.mark.parametrize("scheme", WITH_SECRETS)
def test_the_old_secret_is_still_good_while_it_is_replaced(scheme):
    assert sender(scheme).authenticate(request(scheme, OLD), NOW) == "S1"


@pytest.mark.parametrize("scheme", WITH_SECRETS)
def test_a_wrong_secret_is_refused(scheme):
    with pytest.raises(REFUSED) as error:
        sender(scheme).authenticate(request(scheme, OTHER), NOW)
    assert status_of(error.value) == 401


@signed
def test_a_body_changed_by_one_byte_is_refused(scheme):
    for place in (0, 10, len(BODY) - 1):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        with pytest.raises(SignatureInvalid):
            sender(scheme).authenticate(but(request(scheme), body=changed), NOW)


@signed
def test_json_that_was_parsed_and_written_again_is_refused(scheme):
    with pytest.raises(SignatureInvalid):
        sender(scheme).authenticate(but(request(scheme), body=json.dumps(json.loads(BODY)).encode()), NOW)


@pytest.mark.parametrize("scheme", HELD)
def test_a_credential_says_nothing_of_the_body(scheme):
    assert sender(scheme).authenticate(but(request(scheme), body=b"anything"), NOW)


@every
@pytest.mark.parametrize("instead", [None, ""], ids=["missing", "empty"])
def test_a_credential_that_is_missing_or_empty_is_refused(scheme, instead):
    good = request(scheme)
    for name in proofs(good):
        with pytest.raises(SignatureMissing if scheme in SIGNED else NotAuthenticated):
            sender(scheme).authenticate(with_headers(good, **{name: instead}), NOW)


def opened(receiver, requests):
    """Those of the named requests that a sender's row lets in. What it refuses, it refuses with an error of ours."""
    let_in = []
    for name, incoming in requests.items():
        with contextlib.suppress(*REFUSED, StaleTimestamp):
            receiver.authenticate(incoming, NOW)
            let_in.append(name)
    return let_in


@every
def test_a_shortened_credential_is_refused(scheme):
    good = request(scheme)
    shortened = {
        (name, kept): with_headers(good, **{name: whole[:kept]})
        for name in proofs(good)
        for kept in (1, 2, 3, 8, 20, -1, -4)
        if (whole := good.headers[name])[:kept] != whole
    }
    assert shortened
    assert opened(sender(scheme), shortened) == []


@pytest.mark.parametrize("scheme", TIMED)
@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 86_400], ids=["stale", "future", "yesterday", "tomorrow"])
def test_a_signature_too_old_or_from_the_future_is_refused(scheme, seconds):
    at = NOW + timedelta(seconds=seconds)
    with pytest.raises(StaleTimestamp) as error:
        sender(scheme).authenticate(request(scheme, at=at), NOW)
    assert error.value.code == "timestamp_out_of_tolerance"


@pytest.mark.parametrize("scheme", TIMED)
@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_signature_within_the_tolerance_is_good(scheme, seconds):
    assert sender(scheme).authenticate(request(scheme, at=NOW + timedelta(seconds=seconds)), NOW) == "S0"


@pytest.mark.parametrize("scheme", IN_A_HEADER_OF_ITS_OWN)
def test_a_fresh_timestamp_on_an_old_signature_is_refused(scheme):
    stale, fresh = request(scheme, at=NOW - timedelta(hours=1)), request(scheme)
    (name,) = [name for name in proofs(fresh) if "time" in name or "sent" in name]
    with pytest.raises(SignatureInvalid):
        sender(scheme).authenticate(with_headers(stale, **{name: fresh.headers[name]}), NOW)


@pytest.mark.parametrize("scheme", ["dixa", "calendly"])
def test_a_fresh_timestamp_beside_an_old_signature_in_one_header_is_refused(scheme):
    stale, fresh = request(scheme, at=NOW - timedelta(hours=1)), request(scheme)
    (name,) = proofs(fresh)
    mixed = f"{fresh.headers[name].partition(',')[0]},{stale.headers[name].partition(',')[2]}"
    with pytest.raises(SignatureInvalid):
        sender(scheme).authenticate(with_headers(stale, **{name: mixed}), NOW)


HOSTILE = [
    "garbage",
    "v1,a",
    "v1,",
    "v1",
    ",",
    "v1,a v1,b v1,c",
    "v2,AAAA",
    "v1a,AAAA",
    "sha256=",
    "sha256=é",
    "sha256=zz",
    "sha256=" + "0" * 63,
    "v0=é",
    "=",
    "====",
    "A" * 8_000,
    " ",
    "\x00",
    "\xff\xfe",
    "ÿ",
    "日本語",
    "\ud800",
    "Basic",
    "Basic ",
    "Basic é",
    "Basic ====",
    "Basic Og==",
    "Basic /////w==",
    "Bearer",
    "Bearer ",
    "Bearer é",
    "-1",
    "0",
    "1e9",
    "nan",
    "inf",
    "9" * 400,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-13-45T99:99:99Z",
]


@every
def test_hostile_credentials_are_refused_and_crash_nothing(scheme):
    good = request(scheme)
    hostile = {(name, value): with_headers(good, **{name: value}) for name in proofs(good) for value in HOSTILE}
    assert opened(sender(scheme), hostile) == []


@signed
def test_hostile_bodies_are_refused_and_crash_nothing(scheme):
    for body in (b"", b"\xff\xfe\x00", b"\x00", b"{", b"\xed\xa0\x80"):
        with pytest.raises(SignatureInvalid):
            sender(scheme).authenticate(but(request(scheme), body=body), NOW)


@every
def test_no_scheme_is_got_round_by_sending_anothers_credential(scheme):
    """Made with this very sender's secret: it is the scheme of the row that decides, never what came."""
    assert opened(sender(scheme), {other: request(other) for other in ROWS if other != scheme}) == []


@pytest.mark.parametrize("scheme", WITH_SECRETS)
def test_anothers_credential_beside_a_wrong_one_helps_nobody(scheme):
    wrong = request(scheme, OTHER)
    both = {other: with_headers(request(other), **wrong.headers) for other in ROWS if other != scheme}
    assert opened(sender(scheme), both) == []


@pytest.mark.parametrize("scheme", WITH_SECRETS)
def test_a_senders_secret_opens_no_other_sender(scheme):
    mine, theirs = sender(scheme, (NEW,)), sender(scheme, (OTHER,))
    assert mine.authenticate(request(scheme, NEW), NOW)
    assert theirs.authenticate(request(scheme, OTHER), NOW)
    with pytest.raises(REFUSED):
        theirs.authenticate(request(scheme, NEW), NOW)
    with pytest.raises(REFUSED):
        mine.authenticate(request(scheme, OTHER), NOW)


@every
def test_a_refusal_tells_neither_what_came_nor_what_was_expected(scheme):
    good, wrong = request(scheme), request(scheme, OTHER)
    bad = with_headers(wrong, x_client_subject="CN=evil.example.com")
    with pytest.raises(CobrowseError) as error:
        sender(scheme).authenticate(bad, NOW)
    told = error.value.message + hint_of(error.value) + repr(error.value)
    for kept_back in (NEW, OLD, OTHER, *(good.headers[name] for name in proofs(good)), *bad.headers.values(), "S0"):
        assert kept_back not in told
    assert error.value.__cause__ is None


@every
def test_a_sender_shows_no_secret_of_its_own(scheme):
    shown = repr(sender(scheme))
    assert NEW not in shown
    assert OLD not in shown


def test_every_secret_is_compared_though_the_first_fits():
    """No early exit: how long it takes tells nobody which secret is in force."""
    asked = []

    class Watched(Secret):
        __slots__ = ()

        def reveal(self):
            asked.append(super().reveal())
            return asked[-1]

    from integrations.senders.auth.config import AuthConfig, matching_secret

    auth_config = AuthConfig((Watched(NEW), Watched(OLD), Watched(OTHER)), ("a", "b", "c"))
    assert matching_secret(auth_config, lambda secret: secret == NEW.encode()) == "a"
    assert asked == [NEW, OLD, OTHER]


@functools.cache
def one_of_each():
    return [sender(scheme) for scheme in ROWS]


texts = st.text(st.characters(), max_size=60)
names = st.deferred(
    lambda: st.sampled_from(sorted({name for scheme in ROWS for name in proofs(request(scheme))} | {"authorization"}))
)


@given(
    headers=st.dictionaries(names, texts, max_size=6),
    body=st.binary(max_size=60),
    query=texts,
    peer=st.sampled_from([PROXY, STRANGER, "", "::ffff:10.1.2.3", "not an address"]),
)
def test_whatever_comes_unsigned_is_refused_with_an_error_of_ours(headers, body, query, peer):
    for row in one_of_each():
        with pytest.raises(CobrowseError) as error:
            row.authenticate(UnverifiedRequest("POST", PATH, query, headers, body, peer), NOW)
        assert status_of(error.value) == 401
