"""What a refusal says, word for word: which header, parameter or key of the row is at fault."""

import base64

import pytest

from cobrowse.errors import NotAuthenticated, SignatureInvalid, SignatureMissing
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.auth.standard_webhooks import NAMINGS
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import BASE_URL, NOW

SECRET = "whsec_" + "A" * 32
SENT = str(int(NOW.timestamp()))
STRIPE = 'header = "Stripe-Signature"\nsignature_format = "t={timestamp},v1={signature}"\n'
COVERED = 'header = "X-Sig"\ntemplate = "{header:X-Id}.{body}"\n'
MTLS = 'subjects = ["CN=crm"]\nsubject_header = "X-Subject"\n'
# A public key alone, and a private one.
FRESHCHAT = SCHEMES["freshchat"].secret_form({}).sample("")
V1A = SCHEMES["standard-webhooks-v1a"].secret_form({}).sample("one")


def row(signature, more="", secret=SECRET):
    listed = 'secrets = ["$S"]\n' if SCHEMES[signature].secrets != "none" else ""
    text = f'[senders.one]\nsignature = "{signature}"\nenvelope = "custom"\n{listed}{more}'
    settings = {"public_base_url": BASE_URL, "trusted_proxies": ("10.0.0.0/8",)}
    return load_senders(text, {"S": secret}, **settings).get("one")


def incoming(headers, query="", body=b"{}"):
    lowered = {name.lower(): value for name, value in headers.items()}
    return UnverifiedRequest("POST", "/webhooks/one", query, lowered, body, "10.1.2.3")


def basic(pair):
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def standard(naming="webhook", **parts):
    given = {"id": "msg_1", "timestamp": SENT, "signature": "v1,AAAA", **parts}
    return {f"{naming}-{name}": value for name, value in given.items() if value is not None}


CREDENTIALS = [
    (row("api-key"), {}, "", "the header X-Api-Key is missing"),
    (row("api-key"), {"X-Api-Key": "no"}, "", "the header X-Api-Key is not one of this sender's"),
    (row("api-key", 'query = "code"\n'), {}, "", "the query parameter 'code' is missing"),
    (row("api-key", 'query = "code"\n'), {}, "code=no", "the query parameter 'code' is not one of this sender's"),
    (row("basic"), {}, "", "the password of HTTP Basic is missing"),
    (row("basic"), basic("a:no"), "", "the password of HTTP Basic is not one of this sender's"),
    (row("basic", 'username = "b"\n'), basic(f"a:{SECRET}"), "", "the user name of HTTP Basic is not the row's"),
    (row("bearer"), {}, "", "the bearer token is missing"),
    (row("bearer"), {"Authorization": f"Basic {SECRET}"}, "", "the bearer token is missing"),
    (row("bearer"), {"Authorization": "Bearer no"}, "", "the bearer token is not one of this sender's"),
    (row("mtls", MTLS), {}, "", "the header X-Subject with a certificate's subject is missing"),
    (row("mtls", MTLS), {"X-Subject": "CN=no"}, "", "the client certificate's subject is not one of the row's"),
]


@pytest.mark.parametrize(("sender", "headers", "query", "message"), CREDENTIALS)
def test_the_refusal_of_a_credential_names_where_it_was_expected_and_what_to_compare(sender, headers, query, message):
    with pytest.raises(NotAuthenticated) as refused:
        sender.authenticate(incoming(headers, query), NOW)
    assert refused.value.message == message
    assert refused.value.hint == (
        "The sender's row in the senders file says which credential it sends, and where; compare it with the sender."
    )


def test_the_refusal_of_a_subject_that_no_trusted_proxy_passes_names_the_setting():
    stranger = UnverifiedRequest("POST", "/", "", {"x-subject": "CN=crm"}, b"", "192.0.2.7")
    with pytest.raises(NotAuthenticated) as refused:
        row("mtls", MTLS).authenticate(stranger, NOW)
    assert refused.value.message == "the request did not come through one of TRUSTED_PROXIES"
    assert refused.value.hint.startswith("The sender's row in the senders file says which credential it sends")


MISSING = [
    (row("github"), {}, "X-Hub-Signature-256 is missing or empty"),
    (row("slack"), {"X-Slack-Signature": "v0=00"}, "X-Slack-Request-Timestamp is missing or empty"),
    (row("twilio"), {}, "X-Twilio-Signature is missing or empty"),
    (row("freshchat", secret=FRESHCHAT), {}, "X-Freshchat-Signature is missing or empty"),
    (row("hmac", COVERED), {"X-Sig": "00"}, "X-Id is missing or empty"),
    (row("hmac", COVERED), {"X-Sig": "00", "X-Id": ""}, "X-Id is missing or empty"),
    (row("standard-webhooks"), {}, "webhook-id is missing or empty"),
    *(
        (row("standard-webhooks"), standard(naming, **{part: None}), f"{naming}-{part} is missing or empty")
        for naming in NAMINGS
        for part in ("timestamp", "signature")
    ),
]


@pytest.mark.parametrize(("sender", "headers", "message"), MISSING)
def test_a_header_without_which_no_signature_can_be_checked_is_named(sender, headers, message):
    with pytest.raises(SignatureMissing) as refused:
        sender.authenticate(incoming(headers), NOW)
    assert refused.value.message == f"the header {message}"


FORMLESS = "the header Stripe-Signature is not of the form t={timestamp},v1={signature}"
INVALID = [
    (
        row("github"),
        {"X-Hub-Signature-256": "sha256=00"},
        "the signature in X-Hub-Signature-256 does not fit this request",
    ),
    (row("hmac", STRIPE), {"Stripe-Signature": "v1=00"}, FORMLESS),
    (row("hmac", STRIPE), {"Stripe-Signature": f"t={SENT}"}, FORMLESS),
    (
        row("hmac", STRIPE),
        {"Stripe-Signature": f"t={SENT},v1=00"},
        "the signature in Stripe-Signature does not fit this request",
    ),
    (
        row("twilio"),
        {"X-Twilio-Signature": "AAAA", "Content-Type": "application/x-www-form-urlencoded"},
        "the signature in X-Twilio-Signature does not fit this request",
    ),
    (
        row("freshchat", secret=FRESHCHAT),
        {"X-Freshchat-Signature": "AAAA"},
        "the signature in X-Freshchat-Signature does not fit this request",
    ),
    (row("standard-webhooks"), standard(), "no v1 signature in webhook-signature fits this request"),
    (row("standard-webhooks"), standard("svix"), "no v1 signature in svix-signature fits this request"),
    (
        row("standard-webhooks-v1a", secret=V1A),
        standard("svix"),
        "no v1a signature in svix-signature fits this request",
    ),
    (row("standard-webhooks"), standard(id="\xe9"), "webhook-id or webhook-timestamp is not of the standard's form"),
    (
        row("standard-webhooks"),
        standard("svix", timestamp="1.5"),
        "svix-id or svix-timestamp is not of the standard's form",
    ),
]


@pytest.mark.parametrize(("sender", "headers", "message"), INVALID)
def test_the_refusal_of_a_signature_names_its_header(sender, headers, message):
    with pytest.raises(SignatureInvalid) as refused:
        sender.authenticate(incoming(headers), NOW)
    assert refused.value.message == message


def test_a_body_that_standard_webhooks_can_not_have_signed_is_named_as_the_reason():
    with pytest.raises(SignatureInvalid) as refused:
        row("standard-webhooks").authenticate(incoming(standard(), body=b"\xff"), NOW)
    assert refused.value.message == "the body is not UTF-8, so no Standard Webhooks signature can fit it"


def test_with_the_public_key_alone_the_error_says_that_only_the_sender_can_sign():
    with pytest.raises(CanNotSignError) as refused:
        row("freshchat", secret=FRESHCHAT).sign("POST", "/", b"", NOW)
    assert str(refused.value) == "the row has this sender's public key, and only the sender can sign"


FAULTS = {
    "timestamp_header = 'x-sig'": "timestamp_header: is the signature's own header, and one text can't be both",
    "signature_format = '{signature},t={timestamp}'\ntimestamp_header = 'T'": (
        "timestamp_header: the signature_format has the timestamp already; keep one of them"
    ),
    "signature_format = '{signature}'\nprefix = 'x'": (
        "prefix: the signature_format says what stands before the signature; keep one of them"
    ),
    "prefix = '{'": "prefix: has a '{'; it is what stands before the signature, word for word",
    "prefix = ''": "prefix: must be a text that is not empty",
    "timestamp_header = 'T'\ntemplate = '{body}'": "template: has no {timestamp}, so the timestamp could be altered",
    "template = '{timestamp}{body}'": "timestamp_header: is missing; the template has a {timestamp}",
    "template = '{decoded_uri}{body}'": "template: has the URI, which needs PUBLIC_BASE_URL, which is not set",
    "template = '{uri}{body}'": "template: has the URI, which needs PUBLIC_BASE_URL, which is not set",
    "timestamp_unit = 'ms'": "timestamp_unit: nothing to use it on without a timestamp_header",
    "tolerance_seconds = 9": "tolerance_seconds: nothing to use it on without a timestamp_header",
    "template = 'x'": "template: has no {body}, so the body could be altered",
    "template = ''": "template: must be a text that is not empty",
    "template = '{header:a b}{body}'": "template: has a {header:a b}, which must be the name of a header",
    f"template = '{{header:{'a b' * 40}}}{{body}}'": (
        f"template: has a {{{('header:' + 'a b' * 40)[:60]}}}, which must be the name of a header"
    ),
    f"template = '{{{'x' * 90}}}{{body}}'": (
        f"template: has an unknown {{{'x' * 60}}}; "
        "the parts are body, timestamp, method, path, uri, decoded_uri, header:NAME"
    ),
    "template = '${body}'": (
        "template: has a '$' outside its parts, which would be signed as it stands; "
        "the parts are body, timestamp, method, path, uri, decoded_uri, header:NAME"
    ),
    "signature_format = 't={timestamp}'": "signature_format: has no {signature}",
    "signature_format = ''": "signature_format: must be a text that is not empty",
    "signature_format = 'v1={sig}'": (
        "signature_format: must be items such as t={timestamp},v1={signature}, each a text and one of the two"
    ),
    "signature_format = '{timestamp},{signature}'": (
        "signature_format: has the same text before {timestamp} and {signature}, which can't be distinguished"
    ),
}


@pytest.mark.parametrize("more", FAULTS)
def test_a_fault_of_a_row_names_the_key_and_the_reason(more):
    text = f'[senders.one]\nsignature = "hmac"\nenvelope = "custom"\nsecrets = ["$S"]\nheader = "X-Sig"\n{more}\n'
    with pytest.raises(SendersFileError) as refused:
        load_senders(text, {"S": SECRET})
    (line,) = refused.value.errors
    assert line.partition("] ")[2].startswith(FAULTS[more])


def test_a_row_may_have_a_signature_that_is_good_for_a_second_and_for_a_day():
    def load(seconds):
        return row("slack", f"tolerance_seconds = {seconds}\n").auth_config.tolerance_seconds

    assert [load(seconds) for seconds in (1, 86_400)] == [1.0, 86_400.0]
    for seconds in (0.5, 86_401):
        with pytest.raises(SendersFileError, match="must be a number of seconds from 1 to 86400"):
            load(seconds)


# Where each scheme's proof is, as the API reference describes it to callers.
PLACES = {
    name: ("apiKey", "header", scheme.preset["header"]) for name, scheme in SCHEMES.items() if "header" in scheme.preset
} | {
    "hmac": ("apiKey", "header", "X-Signature"),
    "api-key": ("apiKey", "header", "X-Api-Key"),
    "twilio": ("apiKey", "header", "X-Twilio-Signature"),
    "freshchat": ("apiKey", "header", "X-Freshchat-Signature"),
    "standard-webhooks-v1a": ("apiKey", "header", "webhook-signature"),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_api_reference_says_in_which_header_a_signature_is(name):
    documented = {key: value for key, value in SCHEMES[name].openapi.items() if key != "description"}
    kind, place, header = PLACES[name]
    assert documented == {"type": kind, "in": place, "name": header}
