"""The row of each scheme as its vendor has it, told a second time: a slip in the table would lock a vendor out."""

import ast
import codecs
import json
from pathlib import Path

import pytest

from cobrowse.errors import SignatureInvalid
from integrations.genesys.flows import FLOWS
from integrations.senders.auth import checks
from integrations.senders.auth.config import AuthParts, matching_secret
from integrations.senders.auth.scheme import Scheme, SecretForm
from integrations.senders.auth.schemes import SCHEMES
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import BASE_URL, NOW
from tools.api_reference.components import security_schemes
from tools.api_reference.postman import prove

ROOT = Path(__file__).parents[2]
PUBLISHED = json.loads((ROOT / "deploy/openapi.json").read_text())["components"]["securitySchemes"]

# What the vendor's documentation fixes; header names in the case in which the vendor writes them.
FIXED = {
    "standard-webhooks": {
        "header": "webhook-signature",
        "encoding": "base64",
        "prefix": "v1,",
        "timestamp_header": "webhook-timestamp",
        "template": "{id}.{timestamp}.{body}",
    },
    "zendesk": {
        "header": "X-Zendesk-Webhook-Signature",
        "encoding": "base64",
        "timestamp_header": "X-Zendesk-Webhook-Signature-Timestamp",
        "timestamp_unit": "iso",
        "template": "{timestamp}{body}",
    },
    "hubspot-v3": {
        "header": "X-HubSpot-Signature-v3",
        "encoding": "base64",
        "timestamp_header": "X-HubSpot-Request-Timestamp",
        "timestamp_unit": "ms",
        "template": "{method}{decoded_uri}{body}{timestamp}",
    },
    "github": {"header": "X-Hub-Signature-256", "encoding": "hex", "prefix": "sha256=", "template": "{body}"},
    "genesys-open-messaging": {
        "header": "X-Hub-Signature-256",
        "encoding": "base64",
        "prefix": "sha256=",
        "template": "{body}",
    },
    "shopify": {"header": "X-Shopify-Hmac-SHA256", "encoding": "base64", "template": "{body}"},
    "hubspot-v2": {
        "header": "X-HubSpot-Signature",
        "construction": "hash",
        "encoding": "hex",
        "template": "{method}{uri}{body}",
    },
    "front": {
        "header": "X-Front-Signature",
        "encoding": "base64",
        "timestamp_header": "X-Front-Request-Timestamp",
        "timestamp_unit": "ms",
        "template": "{timestamp}:{body}",
    },
    "front-rules": {"header": "X-Front-Signature", "algorithm": "sha1", "encoding": "base64", "template": "{body}"},
    "teams": {
        "header": "Authorization",
        "prefix": "HMAC ",
        "encoding": "base64",
        "secret_encoding": "base64",
        "template": "{body}",
    },
    "intercom": {
        "header": "X-Hub-Signature",
        "algorithm": "sha1",
        "encoding": "hex",
        "prefix": "sha1=",
        "template": "{body}",
    },
    "help-scout": {"header": "X-HelpScout-Signature", "algorithm": "sha1", "encoding": "base64", "template": "{body}"},
    "dixa": {
        "header": "X-Dixa-Signature",
        "encoding": "hex",
        "secret_encoding": "hex",
        "timestamp_unit": "ms",
        "signature_format": "t={timestamp},v1={signature}",
        "template": "{timestamp}.{body}",
    },
    "calendly": {
        "header": "Calendly-Webhook-Signature",
        "encoding": "hex",
        "signature_format": "t={timestamp},v1={signature}",
        "template": "{timestamp}.{body}",
    },
    "slack": {
        "header": "X-Slack-Signature",
        "encoding": "hex",
        "prefix": "v0=",
        "timestamp_header": "X-Slack-Request-Timestamp",
        "template": "v0:{timestamp}:{body}",
    },
    "zoom": {
        "header": "X-Zm-Signature",
        "encoding": "hex",
        "prefix": "v0=",
        "timestamp_header": "X-Zm-Request-Timestamp",
        "template": "v0:{timestamp}:{body}",
    },
    "jira": {"header": "X-Hub-Signature", "encoding": "hex", "prefix": "sha256=", "template": "{body}"},
}
# Where the delivery's id is, for a row that names no place of its own.
DELIVERY_IDS = {
    "standard-webhooks": ("webhook-id", "svix-id"),
    "zendesk": ("X-Zendesk-Webhook-Invocation-Id",),
    "github": ("X-GitHub-Delivery",),
    "shopify": ("X-Shopify-Webhook-Id",),
    "jira": ("X-Atlassian-Webhook-Identifier",),
    "twilio": ("I-Twilio-Idempotency-Token",),
    "standard-webhooks-v1a": ("webhook-id", "svix-id"),
}
RESPONSE_POLICIES = {
    "standard-webhooks": "standard-webhooks",
    "zendesk": "zendesk",
    "hubspot-v3": "hubspot",
    "github": "github",
    "genesys-open-messaging": "open-messaging",
    "shopify": "shopify",
    "hubspot-v2": "hubspot-workflow",
    "front": "front",
    "front-rules": "front",
    "teams": "teams",
    "intercom": "intercom",
    "slack": "slack",
    "zoom": "zoom",
    "twilio": "twilio",
    "standard-webhooks-v1a": "standard-webhooks",
}
# What a row may say besides its secrets.
KEYS = {
    "standard-webhooks": ("tolerance_seconds",),
    "zendesk": ("tolerance_seconds",),
    "hubspot-v3": ("tolerance_seconds",),
    "front": ("tolerance_seconds",),
    "dixa": ("tolerance_seconds",),
    "calendly": ("tolerance_seconds",),
    "slack": ("tolerance_seconds",),
    "zoom": ("tolerance_seconds",),
    "standard-webhooks-v1a": ("tolerance_seconds",),
    "jwt": ("issuer", "audience", "jwks_url", "claims", "tolerance_seconds"),
    "hmac": (
        "header",
        "algorithm",
        "encoding",
        "prefix",
        "secret_encoding",
        "timestamp_header",
        "timestamp_unit",
        "signature_format",
        "template",
        "tolerance_seconds",
    ),
    "api-key": ("header", "query"),
    "basic": ("username",),
    "mtls": ("subjects", "subject_header"),
}
REQUIRED = {"hmac": ("header",), "jwt": ("issuer", "audience"), "mtls": ("subjects", "subject_header")}
URL = ("public_base_url",)
SETTINGS = {"hubspot-v3": URL, "hubspot-v2": URL, "twilio": URL, "mtls": ("trusted_proxies",)}
NOT_OVER_BODY = {"api-key", "basic", "bearer", "jwt", "mtls"}
SECRETS = {"mtls": "none", "jwt": "optional"}


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_is_what_its_vendor_says(name):
    scheme = SCHEMES[name]
    assert scheme.name == name
    assert scheme.preset == FIXED.get(name, {})
    assert tuple(scheme.keys) == KEYS.get(name, ())
    assert scheme.required == REQUIRED.get(name, ())
    assert scheme.settings == SETTINGS.get(name, ())
    assert scheme.secrets == SECRETS.get(name, "required")
    assert scheme.covers_body == (name not in NOT_OVER_BODY)
    assert scheme.delivery_ids == DELIVERY_IDS.get(name, ())
    assert scheme.covers_delivery_id == (name in ("standard-webhooks", "standard-webhooks-v1a"))
    assert scheme.secret_form({}).prefix == ("whsec_" if name == "standard-webhooks" else "")
    assert scheme.response_policy == RESPONSE_POLICIES.get(name, "")


# A scheme that no file of the service knows, written here as its one module would be.


def _verify_rot13(auth_config, incoming, _now):
    name = matching_secret(
        auth_config, lambda key: incoming.headers.get("x-rot13") == codecs.encode(key.decode(), "rot13")
    )
    if name is None:
        raise SignatureInvalid("the header X-Rot13 does not fit")
    return f"{name} of ring {auth_config.prepared}"


ROT13 = Scheme(
    "rot13",
    _verify_rot13,
    lambda _auth_config, secret, draft, _now: AuthParts(
        {"X-Rot13": codecs.encode(secret.reveal(), "rot13"), "X-Of": f"{draft.target} {draft.headers}"}
    ),
    openapi={"type": "apiKey", "in": "header", "name": "X-Rot13", "description": "Turned by thirteen."},
    keys={"ring": checks.number(1, 9)},
    required=("ring",),
    settings=("public_base_url",),
    delivery_ids=("X-Turn", "X-Turned"),
    response_policy="github",
    errors=lambda row, _context: ["ring: 7 is broken"] if row.get("ring") == 7 else [],
    warnings=lambda _row: ["signature: rot13 is no secret to anybody"],
    secret_form=lambda _row: SecretForm("small letters", lambda secret: secret.encode() if secret.islower() else None),
    prepare=lambda _auth_config, row: row["ring"],
)
HANDED_IN = {**SCHEMES, "rot13": ROT13}
# "basic" and "bearer" are words of HTTP too.
NAMES = (set(SCHEMES) - {"basic", "bearer"}) | {row.name for row in FLOWS}


def turned(more="ring = 3\n", secret="a-secret-of-letters", **settings):
    text = f'[senders.one]\nsignature = "rot13"\nsecrets = ["$S"]\nenvelope = "custom"\n{more}'
    return load_senders(text, {"S": secret}, schemes=HANDED_IN, **{"public_base_url": BASE_URL, **settings})


def test_a_scheme_that_is_handed_in_needs_no_other_file_to_verify_and_to_sign():
    sender = turned().get("one")
    signed = sender.sign("POST", "/webhooks/one?a=b", b"{}", NOW, {"Content-Type": "text/plain"})
    assert signed.headers["X-Of"] == "/webhooks/one?a=b {'content-type': 'text/plain'}"
    request = UnverifiedRequest("POST", "/webhooks/one", "", {"x-rot13": signed.headers["X-Rot13"]}, b"{}")
    assert sender.authenticate(request, NOW) == "S of ring 3"
    with pytest.raises(SignatureInvalid):
        sender.authenticate(UnverifiedRequest("POST", "/", "", {"x-rot13": "wrong"}, b""), NOW)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"more": ""}, "ring: is missing; the scheme 'rot13' needs it"),
        ({"more": "ring = 10\n"}, "ring: must be a number of seconds from 1 to 9; 10 came"),
        ({"more": "ring = 7\n"}, "ring: 7 is broken"),
        ({"more": "ring = 3\nquery = 'x'\n"}, "query: the scheme 'rot13' has no use for it; it uses ring, secrets"),
        ({"secret": "A-SECRET-OF-LETTERS"}, "secrets: $S is not of the form small letters"),
        ({"public_base_url": ""}, "signature: the scheme 'rot13' needs PUBLIC_BASE_URL, which is not set"),
    ],
)
def test_a_scheme_that_is_handed_in_says_itself_what_its_row_may_say(given, told):
    with pytest.raises(SendersFileError) as error:
        turned(**given)
    assert error.value.errors == [f"senders.toml: [senders.one] {told}"]


def test_a_scheme_that_is_handed_in_has_its_ids_its_policy_its_warning_and_its_words_in_the_documents():
    sender = turned().get("one")
    body = b'{"conversationId": "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"}'
    headers = {"content-type": "application/json", "x-turned": "t-1"}
    (event,) = sender.parse_events(UnverifiedRequest("POST", "/webhooks/one", "", headers, body))
    assert (event.delivery_id, sender.response_policy.name) == ("t-1", "github")
    assert sender.warnings == ("signature: rot13 is no secret to anybody",)
    told = 'Senders whose row has `signature = "rot13"`. Turned by thirteen.'
    assert security_schemes(HANDED_IN)["rot13"]["description"] == told
    assert prove(sender)


def test_a_scheme_without_the_key_has_no_use_for_the_one_that_is_handed_in():
    text = '[senders.one]\nsignature = "bearer"\nsecrets = ["$S"]\nenvelope = "custom"\nring = 3\n'
    with pytest.raises(SendersFileError, match="ring: the scheme 'bearer' has no use for it; it uses secrets"):
        load_senders(text, {"S": "0123456789abcdef"}, schemes=HANDED_IN)


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_is_described_as_the_published_reference_has_it(name):
    openapi = SCHEMES[name].openapi
    told = f'Senders whose row has `signature = "{name}"`. {openapi["description"]}'
    assert PUBLISHED[name] == {**openapi, "description": told}


PRODUCT = [
    *(ROOT / name for name in ("app.py", "gunicorn.conf.py")),
    *(
        path
        for folder in (
            "integrations",
            "tools/api_reference",
            "commands",
            "web",
            "console",
            "diagnostics",
            "schemas",
            "settings",
        )
        for path in (ROOT / folder).rglob("*.py")
        if path.parent.name != "auth"
    ),
]


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_beside_the_schemes_own_branches_on_the_name_of_one_or_of_a_flow(path):
    found = [
        f"line {node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare | ast.MatchValue)
        for constant in ast.walk(node)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str) and constant.value in NAMES
    ]
    assert found == []
