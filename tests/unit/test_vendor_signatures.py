"""Vendors' signatures by their own vectors or written out by hand, and what each form leaves room for."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from cobrowse.errors import SignatureInvalid
from cobrowse.model import Secret
from integrations.senders.registry import load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import BASE_URL, NOW

SECRET = "0123456789abcdef0123456789abcdef"
BODY = b'{"conversationId":"2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"}'
SECONDS, MILLISECONDS = str(int(NOW.timestamp())), str(int(NOW.timestamp() * 1000))


def row(signature, *, secret=SECRET, more="", public_base_url=BASE_URL):
    text = f'[senders.one]\nsignature = "{signature}"\nenvelope = "custom"\nsecrets = ["$S"]\n{more}'
    return load_senders(text, {"S": secret}, public_base_url=public_base_url).get("one")


def incoming(headers, body=BODY, *, method="POST", path="/webhooks/one", query=""):
    return UnverifiedRequest(method, path, query, {name.lower(): value for name, value in headers.items()}, body)


def mac(message, key=None, hashed="sha256"):
    return hmac.new(key or SECRET.encode(), message, hashed).digest()


def b64(raw):
    return base64.b64encode(raw).decode()


# What each vendor's documentation says to compute, computed here with nothing of ours.
BY_HAND = {
    "front": lambda: {
        "X-Front-Signature": b64(mac(MILLISECONDS.encode() + b":" + BODY)),
        "X-Front-Request-Timestamp": MILLISECONDS,
    },
    "front-rules": lambda: {"X-Front-Signature": b64(mac(BODY, hashed="sha1"))},
    "teams": lambda: {"Authorization": "HMAC " + b64(mac(BODY, base64.b64decode(SECRET)))},
    "intercom": lambda: {"X-Hub-Signature": "sha1=" + mac(BODY, hashed="sha1").hex()},
    "help-scout": lambda: {"X-HelpScout-Signature": b64(mac(BODY, hashed="sha1"))},
    "dixa": lambda: {
        "X-DIXA-SIGNATURE": f"t={MILLISECONDS},v1="
        + mac(MILLISECONDS.encode() + b"." + BODY, bytes.fromhex(SECRET)).hex()
    },
    "calendly": lambda: {"Calendly-Webhook-Signature": f"t={SECONDS},v1=" + mac(SECONDS.encode() + b"." + BODY).hex()},
    "slack": lambda: {
        "X-Slack-Signature": "v0=" + mac(b"v0:" + SECONDS.encode() + b":" + BODY).hex(),
        "X-Slack-Request-Timestamp": SECONDS,
    },
    "zoom": lambda: {
        "x-zm-signature": "v0=" + mac(b"v0:" + SECONDS.encode() + b":" + BODY).hex(),
        "x-zm-request-timestamp": SECONDS,
    },
    "jira": lambda: {"X-Hub-Signature": "sha256=" + mac(BODY).hex()},
    "hubspot-v2": lambda: {
        "X-HubSpot-Signature": hashlib.sha256(
            SECRET.encode() + b"POST" + BASE_URL.encode() + b"/webhooks/one" + BODY
        ).hexdigest()
    },
}


@pytest.mark.parametrize("scheme", BY_HAND)
def test_a_vendors_signature_written_out_by_hand_is_good(scheme):
    assert row(scheme).authenticate(incoming(BY_HAND[scheme]()), NOW) == "S"


@pytest.mark.parametrize("scheme", BY_HAND)
def test_what_we_sign_is_what_the_vendor_would(scheme):
    made = {name.lower(): value for name, value in row(scheme).sign("POST", "/webhooks/one", BODY, NOW).headers.items()}
    assert made == {name.lower(): value for name, value in BY_HAND[scheme]().items()}


def test_hubspot_v2_by_the_vector_of_its_documentation():
    """developers.hubspot.com, validating requests, v2: a GET without a body."""
    sender = row("hubspot-v2", secret="yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", public_base_url="https://www.example.com")
    signature = {"X-HubSpot-Signature": "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"}
    assert sender.authenticate(incoming(signature, b"", method="GET", path="/webhook_uri"), NOW) == "S"


def test_slack_by_the_vector_of_its_documentation():
    """api.slack.com, verifying requests from Slack."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "X-Slack-Request-Timestamp": "1531420618",
    }
    then = datetime.fromtimestamp(1531420618, UTC)
    assert row("slack", secret="8f742231b10e8888abcd99yyyzzz85a5").authenticate(incoming(headers, body), then) == "S"


# Twilio.

TWILIO = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def twilio(headers, body, *, secret="12345", query="foo=1&bar=2", content_type=FORM):
    """The token of Twilio's vector is too short for a row, so its key is put in beside the file."""
    sender = row("twilio", public_base_url="https://mycompany.com")
    scheme, config = sender.scheme, sender.auth_config
    request = incoming({**content_type, **headers}, body, path="/myapp.php", query=query)
    return scheme.verify(replace(config, secrets=(Secret(secret),)), request, NOW)


def test_twilio_by_the_vector_of_its_own_libraries():
    """twilio/twilio-java and its other libraries' tests: RequestValidator."""
    signature = {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
    assert twilio(signature, urlencode(TWILIO).encode()) == "S"
    for order in (sorted(TWILIO, reverse=True), ["To", "CallSid", "Digits", "From", "Caller"]):
        assert twilio(signature, urlencode({name: TWILIO[name] for name in order}).encode()) == "S"


@pytest.mark.parametrize("name", ["René", "日本", "a b+c&d=e", "", "%"])
def test_twilios_fields_may_hold_any_text(name):
    """Names of workers and of customers do; what is signed is their UTF-8."""
    message = f"https://mycompany.com/myapp.php?foo=1&bar=2Caller+14158675309WorkerName{name}".encode()
    signature = {"X-Twilio-Signature": b64(mac(message, b"12345", "sha1"))}
    assert twilio(signature, urlencode({"WorkerName": name, "Caller": "+14158675309"}).encode()) == "S"


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (urlencode({**TWILIO, "Digits": "1235"}), "foo=1&bar=2"),
        (urlencode({**TWILIO, "More": ""}), "foo=1&bar=2"),
        (urlencode(TWILIO) + "&Digits=9", "foo=1&bar=2"),
        (urlencode(TWILIO), "foo=1&bar=3"),
        (urlencode(TWILIO), ""),
        ("", "foo=1&bar=2"),
        ("&".join(f"a{number}=b" for number in range(600)), "foo=1&bar=2"),
    ],
)
def test_twilios_signature_covers_each_field_and_the_url(body, query):
    with pytest.raises(SignatureInvalid):
        twilio({"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}, body.encode(), query=query)


def test_a_form_that_says_it_is_something_else_is_refused_for_its_body_is_not_covered_then():
    url_alone = b64(mac(b"https://mycompany.com/myapp.php?foo=1&bar=2", b"12345", "sha1"))
    for content_type in ({}, {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}):
        with pytest.raises(SignatureInvalid, match="bodySHA256"):
            twilio({"X-Twilio-Signature": url_alone}, BODY, content_type=content_type)


def test_twilios_json_is_covered_by_its_hash_in_the_url():
    sender = row("twilio")
    headers = {"Content-Type": "application/json"}
    signed = sender.sign("POST", "/webhooks/one", BODY, NOW, headers)
    path, _, query = signed.target("/webhooks/one").partition("?")
    assert query == "bodySHA256=" + hashlib.sha256(BODY).hexdigest()
    good = incoming({**headers, **signed.headers}, BODY, path=path, query=query)
    assert sender.authenticate(good, NOW) == "S"
    altered = (
        (BODY + b" ", query),
        (BODY, ""),
        (BODY, f"{query}&{query}"),
        (BODY, query[:-1]),
        (BODY, query + "\ud800"),
    )
    for body, asked in altered:
        with pytest.raises(SignatureInvalid):
            sender.authenticate(incoming({**headers, **signed.headers}, body, path=path, query=asked), NOW)


def test_twilios_hash_may_be_in_capitals_and_among_ninety_nine_other_parameters():
    """More are not read: their number would be the sender's choice, and the work ours."""
    sender = row("twilio")
    digest = hashlib.sha256(BODY).hexdigest().upper()
    for others, good in ((99, True), (100, False)):
        query = "&".join([f"bodySHA256={digest}", *(f"p{number}=" for number in range(others))])
        signature = b64(mac(f"{BASE_URL}/webhooks/one?{query}".encode(), hashed="sha1"))
        request = incoming({"X-Twilio-Signature": signature, "Content-Type": "application/json"}, query=query)
        if good:
            assert sender.authenticate(request, NOW) == "S"
        else:
            with pytest.raises(
                SignatureInvalid, match="the body is no form, and the URL has no bodySHA256 that fits it"
            ):
                sender.authenticate(request, NOW)


def test_a_form_of_twilios_has_five_hundred_fields_at_most():
    for fields, good in ((500, True), (501, False)):
        names = sorted(f"a{number}" for number in range(fields))
        signed = f"{BASE_URL}/webhooks/one" + "".join(f"{name}b" for name in names)
        request = incoming(
            {"X-Twilio-Signature": b64(mac(signed.encode(), hashed="sha1")), **FORM},
            "&".join(f"{name}=b" for name in names).encode(),
        )
        if good:
            assert row("twilio").authenticate(request, NOW) == "S"
        else:
            with pytest.raises(
                SignatureInvalid, match="the form has more than 500 fields, and Twilio sends some forty"
            ):
                row("twilio").authenticate(request, NOW)


def test_a_form_is_signed_as_twilio_does_and_nothing_is_put_into_its_url():
    sender = row("twilio", public_base_url="https://mycompany.com")
    body = urlencode(TWILIO).encode()
    signed = sender.sign("POST", "/myapp.php?foo=1&bar=2", body, NOW, FORM)
    message = "https://mycompany.com/myapp.php?foo=1&bar=2" + "".join(name + TWILIO[name] for name in sorted(TWILIO))
    assert signed.headers == {"X-Twilio-Signature": b64(mac(message.encode(), hashed="sha1"))}
    assert signed.query == {}
    json_signed = sender.sign("POST", "/myapp.php?foo=1", BODY, NOW, {"Content-Type": "application/json"})
    url = f"https://mycompany.com/myapp.php?foo=1&bodySHA256={hashlib.sha256(BODY).hexdigest()}"
    assert json_signed.headers == {"X-Twilio-Signature": b64(mac(url.encode(), hashed="sha1"))}
