"""Vendors' signatures by their own vectors or written out by hand, and what each form leaves room for."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from cobrowse.errors import SignatureInvalid, SignatureMissing, StaleTimestamp
from cobrowse.model import Secret
from integrations.senders.auth.public_keys import read_ed25519
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.auth.signature_format import SignatureFormat
from integrations.senders.registry import SendersFileError, load_senders
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
    for body, asked in ((BODY + b" ", query), (BODY, ""), (BODY, f"{query}&{query}"), (BODY, query[:-1])):
        with pytest.raises(SignatureInvalid):
            sender.authenticate(incoming({**headers, **signed.headers}, body, path=path, query=asked), NOW)


# Headers that hold more than the signature.


@pytest.mark.parametrize(
    ("form", "header", "signatures", "times"),
    [
        ("t={timestamp},v1={signature}", "t=1,v1=a,v1=b,v0=c", ["a", "b"], ["1"]),
        ("t={timestamp},v1={signature}", "v1=a, t=1", ["a"], ["1"]),
        ("t={timestamp};s={signature}", "t=1;s=a=;s=b", ["a=", "b"], ["1"]),
        ("{timestamp},v1={signature}", "v1=a,1", ["a"], ["1"]),
        ("v1={signature}", "v1=a,v1=b", ["a", "b"], []),
        ("{signature}", "a", ["a"], []),
        ("t={timestamp} v1={signature}", "t=1 v1=a", ["a"], ["1"]),
    ],
)
def test_a_header_is_read_by_its_format(form, header, signatures, times):
    assert SignatureFormat.of(form).read(header) == (signatures, times)
    assert SignatureFormat.of(form).read(SignatureFormat.of(form).write("x", "7")) == (["x"], ["7"] if times else [])


STRIPE = 'header = "Stripe-Signature"\nsignature_format = "t={timestamp},v1={signature}"\n'


def stripe(*items):
    return incoming({"Stripe-Signature": ",".join(items)})


def test_any_of_several_signatures_in_one_header_is_good():
    sender, good = row("hmac", more=STRIPE), "v1=" + mac(SECONDS.encode() + b"." + BODY).hex()
    for items in ((good,), ("v1=" + "0" * 64, good), (good, "v0=abc"), ("v1=zz", "v1=", good)):
        assert sender.authenticate(stripe(f"t={SECONDS}", *items), NOW) == "S"


@pytest.mark.parametrize(
    "items",
    [
        ["v1=GOOD"],
        ["t=SENT"],
        ["t=SENT", "v0=GOOD"],
        ["t=SENT", "t=SENT", "v1=GOOD"],
        ["t=", "v1=GOOD"],
        ["t=1", "v1=GOOD"],
        ["t=SENT", *["v1=00"] * 10, "v1=GOOD"],
        ["t=SENT", "v1=GOOD00"],
    ],
)
def test_a_header_of_another_form_is_refused(items):
    good = mac(SECONDS.encode() + b"." + BODY).hex()
    sent = [item.replace("GOOD", good).replace("SENT", SECONDS) for item in items]
    with pytest.raises(SignatureInvalid):
        row("hmac", more=STRIPE).authenticate(stripe(*sent), NOW)


def test_a_stale_timestamp_in_the_signatures_header_is_refused_by_its_unit():
    for unit, factor in (("s", 1), ("ms", 1000)):
        sender = row("hmac", more=STRIPE + f'timestamp_unit = "{unit}"\ntolerance_seconds = 60\n')
        for late, refused in ((59, False), (61, True), (-61, True)):
            sent = str(int((NOW.timestamp() - late) * factor))
            request = stripe(f"t={sent}", "v1=" + mac(sent.encode() + b"." + BODY).hex())
            if refused:
                with pytest.raises(StaleTimestamp):
                    sender.authenticate(request, NOW)
            else:
                assert sender.authenticate(request, NOW) == "S"


# Headers in templates, encodings of secrets, weak hashes.


def test_a_template_may_cover_a_header_which_then_must_come():
    sender = row(
        "hmac",
        more='header = "svix-signature"\ntemplate = "{header:Svix-Id}.{body}"\nprefix = "v1,"\nencoding = "base64"\n',
    )
    good = {"svix-id": "msg_1", "svix-signature": "v1," + b64(mac(b"msg_1." + BODY))}
    assert sender.authenticate(incoming(good), NOW) == "S"
    assert sender.sign("POST", "/", BODY, NOW, {"Svix-Id": "msg_1"}).headers["svix-signature"] == good["svix-signature"]
    with pytest.raises(SignatureInvalid):
        sender.authenticate(incoming({**good, "svix-id": "msg_2"}), NOW)
    with pytest.raises(SignatureMissing, match="Svix-Id"):
        sender.authenticate(incoming({**good, "svix-id": ""}), NOW)


@pytest.mark.parametrize(
    ("encoding", "secret"), [("text", SECRET), ("hex", SECRET), ("base64", SECRET), ("hex", SECRET.upper())]
)
def test_a_secret_is_decoded_as_the_row_says(encoding, secret):
    key = {"text": secret.encode(), "hex": bytes.fromhex(SECRET), "base64": base64.b64decode(secret)}[encoding]
    sender = row("hmac", secret=secret, more=f'header = "X-Sig"\nsecret_encoding = "{encoding}"\n')
    assert sender.authenticate(incoming({"X-Sig": mac(BODY, key).hex()}), NOW) == "S"


@pytest.mark.parametrize(
    ("encoding", "secret", "told"),
    [
        ("hex", "not hex at all, but long", "$S is not of the form hex"),
        ("base64", "not*base64*at*all*but*long", "$S is not of the form base64"),
        ("hex", SECRET[:30], "$S is under 16 bytes"),
        ("base64", "QUJDREVGR0g=", "$S is under 16 bytes"),
    ],
)
def test_a_secret_that_is_not_written_as_the_row_says_stops_the_start(encoding, secret, told):
    with pytest.raises(SendersFileError) as error:
        row("hmac", secret=secret, more=f'header = "X-Sig"\nsecret_encoding = "{encoding}"\n')
    assert [line.partition("secrets: ")[2] for line in error.value.errors] == [told]


def test_a_weak_hash_is_warned_of_wherever_it_comes_from():
    weak = {name for name in SCHEMES if any("is weak" in line for line in SCHEMES[name].warnings({}))}
    assert weak == {"front-rules", "intercom", "help-scout", "twilio", "hubspot-v2"}
    told = "signature: sha1 is weak; use sha256 if the sender offers it"
    assert row("hmac", more='header = "X-Sig"\nalgorithm = "sha1"\n').warnings == (told,)
    assert row("hmac", more='header = "X-Sig"\n').warnings == ()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("signature_format = 't={timestamp}'", "signature_format: has no {signature}"),
        ("signature_format = 'v1={signature},v2={signature}'", "signature_format: must be items such as"),
        ("signature_format = 'v1={sig}'", "signature_format: must be items such as"),
        ("signature_format = '{timestamp},{signature}'", "signature_format: has the same text before"),
        ("signature_format = ''", "signature_format: must be a text that is not empty"),
        ("signature_format = 'v1={signature}'\nprefix = 'x'", "prefix: the signature_format says what stands before"),
        (
            "signature_format = 't={timestamp},v1={signature}'\ntimestamp_header = 'T'",
            "timestamp_header: the signature_format has the timestamp already",
        ),
        (
            "signature_format = 't={timestamp},v1={signature}'\ntemplate = '{body}'",
            "template: has no {timestamp}, so the timestamp could be altered",
        ),
        ("secret_encoding = 'base32'", "secret_encoding: unknown 'base32'"),
    ],
)
def test_a_format_that_can_not_be_one_stops_the_start(more, told):
    with pytest.raises(SendersFileError) as error:
        row("hmac", more=f'header = "X-Sig"\n{more}\n')
    (line,) = error.value.errors
    assert line.partition("] ")[2].startswith(told)


# Svix's names, and Ed25519.


def signed_by(naming, message_id="msg_1", body=BODY, secret="whsec_" + "A" * 32):
    signature = mac(f"{message_id}.{SECONDS}.".encode() + body, base64.b64decode(secret[6:]))
    parts = {"id": message_id, "timestamp": SECONDS, "signature": "v1," + b64(signature)}
    return {f"{naming}-{part}": value for part, value in parts.items()}


STANDARD = "whsec_" + "A" * 32


@pytest.mark.parametrize("naming", ["webhook", "svix"])
def test_both_namings_of_standard_webhooks_are_taken_with_their_id(naming):
    sender = row("standard-webhooks", secret=STANDARD)
    request = incoming({**signed_by(naming), "Content-Type": "application/json"})
    assert sender.authenticate(request, NOW) == "S"
    assert sender.read(request)[0].delivery_id == "msg_1"


def test_the_id_is_never_taken_from_beside_the_signature():
    """An unsigned id beside a signed one would let anybody who holds a delivery have it started again."""
    sender = row("standard-webhooks", secret=STANDARD)
    both = {**signed_by("webhook"), "svix-id": "msg_2", "Content-Type": "application/json"}
    assert sender.authenticate(incoming(both), NOW) == "S"
    assert sender.read(incoming(both))[0].delivery_id == "msg_1"
    for forged in ({**signed_by("svix"), "webhook-id": "msg_2"}, {**signed_by("svix"), "svix-id": "msg_2"}):
        with pytest.raises((SignatureInvalid, SignatureMissing)):
            sender.authenticate(incoming(forged), NOW)


def test_ed25519_takes_any_good_signature_of_a_list_and_only_version_1a():
    private = SCHEMES["standard-webhooks-v1a"].sample("one", {})
    sender = row("standard-webhooks-v1a", secret=private)
    good = dict(sender.sign("POST", "/webhooks/one", BODY, NOW).headers)
    for listed in ("{}", "v1a,AAAA {}", "v1,AAAA {} v1a,AAAA"):
        headers = {**good, "webhook-signature": listed.format(good["webhook-signature"])}
        assert sender.authenticate(incoming(headers), NOW) == "S"
    for other in ("v1," + good["webhook-signature"][4:], good["webhook-signature"].replace("v1a", "v1b")):
        with pytest.raises(SignatureInvalid):
            sender.authenticate(incoming({**good, "webhook-signature": other}), NOW)


def test_with_the_public_key_alone_it_is_verified_and_can_not_be_signed():
    private = SCHEMES["standard-webhooks-v1a"].sample("one", {})
    raw = read_ed25519(private).public.public_bytes_raw()
    sender = row("standard-webhooks-v1a", secret="whpk_" + b64(raw))
    headers = row("standard-webhooks-v1a", secret=private).sign("POST", "/webhooks/one", BODY, NOW).headers
    assert sender.authenticate(incoming(headers), NOW) == "S"
    with pytest.raises(CanNotSignError):
        sender.sign("POST", "/webhooks/one", BODY, NOW)
    freshchat = row("freshchat", secret=SCHEMES["freshchat"].sample("one", {}))
    with pytest.raises(CanNotSignError):
        freshchat.sign("POST", "/webhooks/one", BODY, NOW)


@pytest.mark.parametrize("secret", ["whpk_" + "A" * 40, "whpk_!", "whsk_QUJD", STANDARD, "A" * 44, "whpk_ü" + "A" * 43])
def test_what_is_no_ed25519_key_stops_the_start(secret):
    with pytest.raises(SendersFileError, match=r"\$S is not of the form whpk_ and base64"):
        row("standard-webhooks-v1a", secret=secret)
