"""The details of each signature scheme, and the mistakes others have made with them."""

import base64
import hashlib
import json
import re
from datetime import timedelta

import pytest

from cobrowse.errors import NotAuthenticated, SignatureInvalid, SignatureMissing, StaleTimestamp
from integrations.senders.auth.config import AuthConfig, AuthParts
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.auth.timestamps import format_timestamp, parse_timestamp
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW

SECRET = "whsec_" + "A" * 32


def row(signature, *, secret=SECRET, more="", **settings):
    listed = 'secrets = ["$S"]\n' if SCHEMES[signature].secrets != "none" else ""
    text = f'[senders.one]\nsignature = "{signature}"\nenvelope = "custom"\n{listed}{more}'
    return load_senders(text, {"S": secret}, **settings).get("one")


def incoming(headers, body=b"", *, method="POST", path="/webhooks/one", query="", peer="192.0.2.7"):
    return UnverifiedRequest(method, path, query, {name.lower(): value for name, value in headers.items()}, body, peer)


def hmac_by_hand(key, message, hashed=hashlib.sha256, block=64):
    """RFC 2104 written out: an implementation that shares nothing with the one under test."""
    key = (hashed(key).digest() if len(key) > block else key).ljust(block, b"\0")
    inner = hashed(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return hashed(bytes(byte ^ 0x5C for byte in key) + inner).digest()


# Details of schemes.


def test_standard_webhooks_takes_any_good_signature_of_a_list_and_only_version_1():
    sender = row("standard-webhooks")
    good = sender.sign("POST", "/webhooks/one", b"{}", NOW).headers
    listed = {**good, "webhook-signature": f"v1a,AAAA v1,AAAA {good['webhook-signature']} v9,"}
    assert sender.authenticate(incoming(listed, b"{}"), NOW) == "S"
    other = {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")}
    with pytest.raises(SignatureInvalid):
        sender.authenticate(incoming(other, b"{}"), NOW)


@pytest.mark.parametrize("secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_standard_webhooks_secret_is_the_same_with_and_without_its_prefix(secret):
    sender = row("standard-webhooks", secret=secret)
    assert sender.sign("POST", "/", b"{}", NOW) == row(
        "standard-webhooks", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    ).sign("POST", "/", b"{}", NOW)


def test_standard_webhooks_signs_its_id_too():
    sender = row("standard-webhooks")
    good = sender.sign("POST", "/webhooks/one", b"{}", NOW).headers
    with pytest.raises(SignatureInvalid):
        sender.authenticate(incoming({**good, "webhook-id": "msg_another"}, b"{}"), NOW)


HUBSPOT = {"public_base_url": "https://cobrowse.example.com/"}


def hubspot_signature(uri, body=b"[]"):
    sent = str(int(NOW.timestamp() * 1000))
    made = base64.b64encode(hmac_by_hand(SECRET.encode(), b"POST" + uri + body + sent.encode())).decode()
    return {"X-HubSpot-Signature-v3": made, "X-HubSpot-Request-Timestamp": sent}


def test_hubspot_undoes_the_documented_escapes_and_no_others():
    """developers.hubspot.com, request validation v3: %3A %2F %3F %40 %21 %24 %27 %28 %29 %2A %2C %3B."""
    query = "a=%3A%2F%3f%40%21%24%27%28%29%2A%2c%3B&b=%20%26%3D%25%2B%22%C3%A9"
    undone = b"https://cobrowse.example.com/webhooks/one?a=:/?@!$'()*,;&b=%20%26%3D%25%2B%22%C3%A9"
    request = incoming(hubspot_signature(undone), b"[]", query=query)
    assert row("hubspot-v3", **HUBSPOT).authenticate(request, NOW) == "S"


def test_hubspot_is_checked_against_the_configured_url_whatever_the_host_header_says():
    headers = {**hubspot_signature(b"https://cobrowse.example.com/webhooks/one"), "Host": "10.0.0.1:8000"}
    forwarded = {**headers, "X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "http"}
    assert row("hubspot-v3", **HUBSPOT).authenticate(incoming(forwarded, b"[]"), NOW) == "S"
    signed_for_another = hubspot_signature(b"https://evil.example.com/webhooks/one")
    with pytest.raises(SignatureInvalid):
        row("hubspot-v3", **HUBSPOT).authenticate(
            incoming({**signed_for_another, "Host": "evil.example.com"}, b"[]"), NOW
        )


@pytest.mark.parametrize("changed", [{"method": "PUT"}, {"path": "/webhooks/two"}, {"query": "x=1"}])
def test_hubspot_covers_method_path_and_query(changed):
    request = incoming(hubspot_signature(b"https://cobrowse.example.com/webhooks/one"), b"[]", **changed)
    with pytest.raises(SignatureInvalid):
        row("hubspot-v3", **HUBSPOT).authenticate(request, NOW)


def test_the_clash_of_github_and_genesys_is_settled_by_the_row():
    """The same header and prefix, hex with the one and base64 with the other."""
    raw = hmac_by_hand(SECRET.encode(), b"{}")
    as_hex, as_base64 = f"sha256={raw.hex()}", f"sha256={base64.b64encode(raw).decode()}"
    for scheme, good, bad in (("github", as_hex, as_base64), ("genesys-open-messaging", as_base64, as_hex)):
        assert row(scheme).authenticate(incoming({"X-Hub-Signature-256": good}, b"{}"), NOW) == "S"
        with pytest.raises(SignatureInvalid):
            row(scheme).authenticate(incoming({"X-Hub-Signature-256": bad}, b"{}"), NOW)


def test_what_stands_before_a_signature_is_part_of_its_form():
    sender, raw = row("hmac", more='header = "X-Sig"\nprefix = "X-MAC "'), hmac_by_hand(SECRET.encode(), b"{}").hex()
    assert sender.authenticate(incoming({"X-Sig": f"X-MAC {raw}"}, b"{}"), NOW) == "S"
    for other in (raw, f"x-mac {raw}", f" X-MAC {raw}", f"X-MAC X-MAC {raw}"):
        with pytest.raises(SignatureInvalid):
            sender.authenticate(incoming({"X-Sig": other}, b"{}"), NOW)


def test_a_hex_signature_may_be_in_capitals():
    raw = hmac_by_hand(SECRET.encode(), b"{}").hex().upper()
    assert row("github").authenticate(incoming({"X-Hub-Signature-256": f"sha256={raw}"}, b"{}"), NOW) == "S"


@pytest.mark.parametrize(("off", "side"), [(-11, "behind"), (11, "ahead of")])
def test_the_tolerance_is_the_rows(off, side):
    sender = row("zendesk", more="tolerance_seconds = 10")

    def sent(seconds):
        return incoming(sender.sign("POST", "/", b"{}", NOW + timedelta(seconds=seconds)).headers, b"{}")

    with pytest.raises(StaleTimestamp) as refused:
        sender.authenticate(sent(off), NOW)
    assert refused.value.message == (f"the signature's timestamp is 11 s {side} this service's clock; 10 s are allowed")
    assert sender.authenticate(sent(off * 10 / 11), NOW) == "S"
    signed = sent(0)
    with pytest.raises(StaleTimestamp, match="is 11 s behind this service's clock; 10 s are allowed"):
        sender.authenticate(signed, NOW + timedelta(seconds=10.01))
    assert sender.authenticate(signed, NOW + timedelta(seconds=10)) == "S"


@pytest.mark.parametrize("unit", ["s", "ms", "iso"])
def test_a_rows_timestamp_may_be_in_each_unit_and_one_in_another_form_is_refused(unit):
    more = f'header = "X-Sig"\ntimestamp_header = "X-Sent"\ntimestamp_unit = "{unit}"'
    sender = row("hmac", more=more)
    assert sender.authenticate(incoming(sender.sign("POST", "/", b"", NOW).headers), NOW) == "S"
    signature = hmac_by_hand(SECRET.encode(), b"yesterday.").hex()
    with pytest.raises(SignatureInvalid) as refused:
        sender.authenticate(incoming({"X-Sig": signature, "X-Sent": "yesterday"}), NOW)
    assert refused.value.message.startswith("the signature fits, but its timestamp 'yesterday' is not ")
    assert refused.value.hint == "Let the sender write it so, or set timestamp_unit in a row whose scheme has one."


@pytest.mark.parametrize(
    ("text", "unit", "seconds"),
    [
        ("1763974845", "s", 1763974845),
        ("1763974845013", "ms", 1763974845.013),
        ("2021-03-25T05:09:27Z", "iso", 1616648967),
        ("2021-03-25T06:09:27.5+01:00", "iso", 1616648967.5),
        ("2021-03-25T06:09:27+0100", "iso", 1616648967),
        # As .NET and Java write it.
        ("2021-03-25T05:09:27.5000000Z", "iso", 1616648967.5),
        ("2021-03-25T05:09:27.500000000Z", "iso", 1616648967.5),
    ],
)
def test_timestamps_are_read_as_the_scheme_writes_them(text, unit, seconds):
    assert parse_timestamp(text, unit) == seconds


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *(("2021-03-25", "iso"), ("2021-03-25T05:09:27", "iso"), ("2021-13-25T05:09:27Z", "iso")),
        *(("1763974845", "iso"), ("1763974845.5", "s"), ("+1763974845", "s"), ("\u0661\u0667\u0666", "s"), ("", "s")),
        ("2021-03-25T05:09:27Z", "ms"),
        ("\u0662021-03-25T05:09:27Z", "iso"),
    ],
)
def test_a_timestamp_of_another_form_is_refused(text, unit):
    kind = {"iso": "a time in ISO 8601", "s": "in seconds since 1970", "ms": "in milliseconds since 1970"}[unit]
    with pytest.raises(SignatureInvalid, match=f"its timestamp {re.escape(repr(text))} is not {kind}"):
        parse_timestamp(text, unit)


@pytest.mark.parametrize("unit", ["s", "ms", "iso"])
def test_a_written_timestamp_reads_back_as_the_same_second(unit):
    assert parse_timestamp(format_timestamp(NOW, unit), unit) == NOW.timestamp()


def test_what_goes_into_the_query_is_put_there():
    signed = row("api-key", secret="a key with & and ü in it", more='query = "code"').sign("POST", "/x", b"", NOW)
    assert signed.target("/x") == "/x?code=a+key+with+%26+and+%C3%BC+in+it"
    assert signed.target("/x?a=b").startswith("/x?a=b&code=")
    assert AuthParts().target("/x?a=b") == "/x?a=b"


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


@pytest.mark.parametrize("sent", [f"Bearer {SECRET}", f"bearer {SECRET}", f"Bearer   {SECRET} "])
def test_a_bearer_token_is_read_as_http_lets_it_be_written(sent):
    assert row("bearer").authenticate(incoming({"Authorization": sent}), NOW) == "S"


def test_the_name_of_a_query_parameter_is_what_a_url_may_have_unescaped():
    sender = row("api-key", more='query = "Api.Key_~-9"')
    assert sender.authenticate(incoming({}, query=f"Api.Key_~-9={SECRET}"), NOW) == "S"
    for name in ("", "a b", "a&b", "ä", "a" * 101):
        with pytest.raises(SendersFileError, match="query: must be the name of a query parameter"):
            row("api-key", more=f'query = "{name}"')


@pytest.mark.parametrize(
    ("scheme", "more", "headers", "query"),
    [
        ("api-key", "", {"X-Api-Key": SECRET}, {}),
        ("api-key", 'header = "X-Key"', {"X-Key": SECRET}, {}),
        ("api-key", 'query = "code"', {}, {"code": SECRET}),
        # Where no user name counts, one is sent all the same.
        ("basic", "", {"Authorization": f"Basic {base64.b64encode(f'cobrowse:{SECRET}'.encode()).decode()}"}, {}),
        (
            "basic",
            'username = "them"',
            {"Authorization": f"Basic {base64.b64encode(f'them:{SECRET}'.encode()).decode()}"},
            {},
        ),
        ("bearer", "", {"Authorization": f"Bearer {SECRET}"}, {}),
        ("mtls", 'subjects = ["CN=a", "CN=b"]\nsubject_header = "X-Subject"', {"X-Subject": "CN=a"}, {}),
    ],
)
def test_a_credential_is_sent_where_the_row_has_it(scheme, more, headers, query):
    signed = row(scheme, more=more, trusted_proxies=("10.0.0.0/24",)).sign("POST", "/", b"", NOW)
    assert (signed.headers, signed.query) == (headers, query)


def test_a_key_in_the_query_is_looked_for_among_a_hundred_parameters():
    sender = row("api-key", more='query = "code"')
    others = "&".join(["p="] * 99)
    assert sender.authenticate(incoming({}, query=f"{others}&code={SECRET}"), NOW) == "S"
    with pytest.raises(NotAuthenticated, match="is missing"):
        sender.authenticate(incoming({}, query=f"{others}&p=&code={SECRET}"), NOW)


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


def test_a_credential_without_secrets_lets_nobody_in():
    """Verification that is skipped where no secret is set: n8n, CVE-2026-33143, CVE-2026-39969."""
    nothing = AuthConfig(header="X-Api-Key", subject_header="X-Subject", template="{body}")
    empty = {"x-api-key": "", "x-subject": "", "authorization": "Basic Og=="}
    for scheme in SCHEMES.values():
        with pytest.raises((NotAuthenticated, SignatureInvalid, SignatureMissing)):
            scheme.verify(nothing, incoming(empty), NOW)
        with pytest.raises((NotAuthenticated, SignatureInvalid, SignatureMissing)):
            scheme.verify(nothing, incoming({**empty, "x-api-key": "anything", "authorization": "Bearer x"}), NOW)
