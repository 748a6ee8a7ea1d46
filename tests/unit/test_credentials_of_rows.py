"""Keys, tokens and certificates that a row or API_KEYS demands, and mistakes seen in the field."""

import base64
import json

import pytest

from cobrowse.errors import NotAuthenticated, SignatureInvalid, SignatureMissing
from integrations.senders.auth.config import AuthConfig
from integrations.senders.auth.credentials import ApiKeys, ApiKeysError
from integrations.senders.auth.schemes import SCHEMES
from tests.payloads import NOW
from tests.unit.test_signatures import SECRET, incoming, row

# Credentials.


def test_a_key_in_the_query_is_found_as_dataverse_sends_it():
    sender = row("api-key", secret="a key with & and ü in it", more='query = "code"')
    assert sender.authenticate(incoming({}, query="x=1&code=a+key+with+%26+and+%C3%BC+in+it"), NOW) == "S"
    for query in ("", "code=", "code=wrong", f"code={SECRET}&code={SECRET}", "&" * 200, "code=%ff", "code=%"):
        with pytest.raises(NotAuthenticated):
            sender.authenticate(incoming({}, query=query), NOW)


def test_a_basic_user_name_counts_only_if_the_row_names_one():
    def basic(pair):
        return incoming({"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})

    assert row("basic").authenticate(basic(f"anyone:{SECRET}"), NOW) == "S"
    named = row("basic", more='username = "servicenow"')
    assert named.authenticate(basic(f"servicenow:{SECRET}"), NOW) == "S"
    for wrong in (f"anyone:{SECRET}", f":{SECRET}", f"servicenow:{SECRET}:", "servicenow:", "servicenow", SECRET):
        with pytest.raises(NotAuthenticated):
            named.authenticate(basic(wrong), NOW)


SUBJECT = "CN=dataactions.prod.us-east-1.mypurecloud.com"
MTLS = f'subjects = ["{SUBJECT}"]\nsubject_header = "X-Client-Subject"'


@pytest.mark.parametrize("peer", ["10.0.0.9", "2001:db8::1", "::ffff:10.0.0.9", "192.0.2.1"])
def test_a_certificates_subject_is_taken_from_a_trusted_proxy(peer):
    sender = row("mtls", more=MTLS, trusted_proxies=("10.0.0.0/24", "2001:db8::/64", "192.0.2.1"))
    assert sender.authenticate(incoming({"X-Client-Subject": SUBJECT}, peer=peer), NOW) == SUBJECT


@pytest.mark.parametrize("peer", ["10.0.1.9", "192.0.2.7", "2001:db9::1", "", "unix:", "10.0.0.9, 192.0.2.7"])
def test_a_certificates_subject_is_worthless_from_anybody_else(peer):
    sender = row("mtls", more=MTLS, trusted_proxies=("10.0.0.0/24", "2001:db8::/64"))
    claims = {"X-Client-Subject": SUBJECT, "X-Forwarded-For": "10.0.0.9", "Forwarded": "for=10.0.0.9"}
    with pytest.raises(NotAuthenticated, match="TRUSTED_PROXIES"):
        sender.authenticate(incoming(claims, peer=peer), NOW)


@pytest.mark.parametrize("subject", ["CN=evil", SUBJECT.lower(), SUBJECT + ",O=x", "x" + SUBJECT, ""])
def test_only_the_rows_own_subjects_are_let_in(subject):
    sender = row("mtls", more=MTLS, trusted_proxies=("10.0.0.0/24",))
    with pytest.raises(NotAuthenticated):
        sender.authenticate(incoming({"X-Client-Subject": subject}, peer="10.0.0.9"), NOW)


# The service's own API keys.

KEYS = ApiKeys.parse("flow:0123456789abcdef, flow:fedcba9876543210 postman:schlüssel-0123456")


@pytest.mark.parametrize(
    ("key", "name"), [("0123456789abcdef", "flow"), ("fedcba9876543210", "flow"), ("schlüssel-0123456", "postman")]
)
def test_a_caller_is_known_by_its_key_in_either_place(key, name):
    as_sent = key.encode().decode("latin-1")
    basic = base64.b64encode(f"whoever:{key}".encode()).decode()
    assert KEYS.identify({"x-api-key": as_sent}) == name
    assert KEYS.identify({"authorization": f"basic {basic}"}) == name
    assert KEYS.identify({"x-api-key": "", "authorization": f"Basic {basic}"}) == name


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "0123456789abcdeX"},
        {"x-api-key": "0123456789abcde"},
        {"x-api-key": "0123456789abcdef "},
        {"x-api-key": "flow:0123456789abcdef"},
        {"x-api-key": "é\ud800日"},
        {"x-api-key": "wrong", "authorization": "Basic eDowMTIzNDU2Nzg5YWJjZGVm"},
        {"authorization": "Basic eDp3cm9uZw=="},
    ],
)
def test_a_key_that_is_not_one_of_ours_is_refused(headers):
    with pytest.raises(NotAuthenticated, match="not one of the service's") as error:
        KEYS.identify(headers)
    assert not any(value in error.value.message for value in headers.values())


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic é",
        "Basic =",
        "Basic ////",
        "Basic eA==",
        "Bearer 0123456789abcdef",
        "\ud800",
    ],
)
def test_a_request_without_a_key_is_told_so(header):
    with pytest.raises(NotAuthenticated, match="no API key came"):
        KEYS.identify({} if header is None else {"authorization": header})


def test_no_keys_let_nobody_in():
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": "0123456789abcdef"}, {"authorization": "Basic Og=="}):
        with pytest.raises(NotAuthenticated):
            ApiKeys.parse("").identify(headers)


def test_every_fault_of_the_keys_is_named_and_no_key_shown():
    with pytest.raises(ApiKeysError) as error:
        ApiKeys.parse("justakey1234567890,:nameless-1234567890,short:abc,a:0123456789abcdef,b:0123456789abcdef")
    assert error.value.errors == [
        "API_KEYS: pair 1: has no colon; write it as name:key",
        "API_KEYS: pair 2: has no name before the colon",
        "API_KEYS: pair 3 (short): the key is under 16 bytes",
        "API_KEYS: pair 5 (b): the key is the same as an earlier pair's",
    ]
    assert "0123456789" not in str(error.value) + repr(KEYS)


# Mistakes seen in the field (one test each).


def test_the_signature_is_over_the_bytes_and_not_over_json_written_again():
    """Genesys's own sample hashes JSON.stringify(body): a space or an escape in the original would break it."""
    body = b'{ "a" : 1.0, "b": "\\u00e9" }'
    made = row("genesys-open-messaging").sign("POST", "/", body, NOW).headers
    assert row("genesys-open-messaging").authenticate(incoming(made, body), NOW) == "S"
    with pytest.raises(SignatureInvalid):
        row("genesys-open-messaging").authenticate(incoming(made, json.dumps(json.loads(body)).encode()), NOW)


@pytest.mark.parametrize("signature", ["v1,", "v1", "v1,gg==", "v1,g0hM9SsE", ",", " "])
def test_a_short_signature_of_standard_webhooks_fits_nothing(signature):
    """CVE-2024-21491: a comparison up to the shorter length let these through."""
    good = row("standard-webhooks").sign("POST", "/", b"{}", NOW).headers
    with pytest.raises(SignatureInvalid):
        row("standard-webhooks").authenticate(incoming({**good, "webhook-signature": signature}, b"{}"), NOW)


def test_an_unsigned_body_is_refused_before_anybody_parses_it():
    """Dedupe or parse first, and an unsigned request can burn a key or reach the parser."""
    with pytest.raises(SignatureMissing):
        row("github").authenticate(incoming({}, b"{not json"), NOW)
    with pytest.raises(SignatureInvalid):
        row("github").authenticate(incoming({"X-Hub-Signature-256": "sha256=00"}, b"{not json"), NOW)


def test_a_key_in_the_query_opens_no_row_that_wants_it_in_a_header():
    """A URL ends up in logs; only a sender that can do no better has its key there."""
    with pytest.raises(NotAuthenticated):
        row("api-key").authenticate(incoming({}, query=f"code={SECRET}&x-api-key={SECRET}"), NOW)
    with pytest.raises(NotAuthenticated):
        row("api-key", more='query = "code"').authenticate(incoming({"X-Api-Key": SECRET, "code": SECRET}), NOW)


def test_a_proof_without_secrets_lets_nobody_in():
    """Verification that is skipped where no secret is set: n8n, CVE-2026-33143, CVE-2026-39969."""
    nothing = AuthConfig(header="X-Api-Key", subject_header="X-Subject", template="{body}")
    empty = {"x-api-key": "", "x-subject": "", "authorization": "Basic Og=="}
    for scheme in SCHEMES.values():
        with pytest.raises((NotAuthenticated, SignatureInvalid, SignatureMissing)):
            scheme.verify(nothing, incoming(empty), NOW)
        with pytest.raises((NotAuthenticated, SignatureInvalid, SignatureMissing)):
            scheme.verify(nothing, incoming({**empty, "x-api-key": "anything", "authorization": "Bearer x"}), NOW)
