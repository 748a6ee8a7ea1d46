"""The row of each scheme as its vendor has it, told a second time: a slip in the table would lock a vendor out."""

import pytest

from cobrowse.model import Secret
from integrations.senders.auth import credentials
from integrations.senders.auth.config import AuthConfig, AuthParts
from integrations.senders.auth.hmac_signatures import sign_hmac, verify_hmac
from integrations.senders.auth.schemes import SCHEMES, Scheme, sign
from integrations.senders.auth.standard_webhooks import sign_standard, verify_standard
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW

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
}
# Where the delivery's id is, for a row that names no place of its own.
DELIVERY_IDS = {
    "standard-webhooks": "webhook-id",
    "zendesk": "X-Zendesk-Webhook-Invocation-Id",
    "github": "X-GitHub-Delivery",
    "shopify": "X-Shopify-Webhook-Id",
}
RESPONSE_POLICIES = {
    "standard-webhooks": "standard-webhooks",
    "zendesk": "zendesk",
    "hubspot-v3": "hubspot",
    "github": "github",
    "genesys-open-messaging": "open-messaging",
    "shopify": "shopify",
}
# What a row may say besides its secrets.
KEYS = {
    "standard-webhooks": ("tolerance_seconds",),
    "zendesk": ("tolerance_seconds",),
    "hubspot-v3": ("tolerance_seconds",),
    "hmac": (
        "header",
        "algorithm",
        "encoding",
        "prefix",
        "timestamp_header",
        "timestamp_unit",
        "template",
        "tolerance_seconds",
    ),
    "api-key": ("header", "query"),
    "basic": ("username",),
    "mtls": ("subjects", "subject_header"),
}
REQUIRED = {"hmac": ("header",), "mtls": ("subjects", "subject_header")}
SETTINGS = {"hubspot-v3": ("public_base_url",), "mtls": ("trusted_proxies",)}
OVER_BODY = {"standard-webhooks", "zendesk", "hubspot-v3", "github", "genesys-open-messaging", "shopify", "hmac"}
OPENAPI = {
    "hmac": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Signature",
        "description": "An HMAC in the header and over the parts that the row names.",
    },
    "api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "The secret, in the header or the query parameter that the row names.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "The secret is the password."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The secret is the token."},
    "mtls": {"type": "mutualTLS", "description": "A trusted proxy passes the certificate's subject."},
}
MADE_AND_CHECKED = dict.fromkeys(SCHEMES, (sign_hmac, verify_hmac)) | {
    "standard-webhooks": (sign_standard, verify_standard),
    "api-key": (credentials.sign_api_key, credentials.verify_api_key),
    "basic": (credentials.sign_basic, credentials.verify_basic),
    "bearer": (credentials.sign_bearer, credentials.verify_bearer),
    "mtls": (credentials.sign_mtls, credentials.verify_mtls),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_is_what_its_vendor_says(name):
    made, checked = MADE_AND_CHECKED[name]
    assert SCHEMES[name] == Scheme(
        name=name,
        verify=checked,
        sign=made,
        preset=FIXED.get(name, {}),
        keys=KEYS.get(name, ()),
        required=REQUIRED.get(name, ()),
        settings=SETTINGS.get(name, ()),
        has_secrets=name != "mtls",
        covers_body=name in OVER_BODY,
        delivery_id=DELIVERY_IDS.get(name, ""),
        covers_delivery_id=name == "standard-webhooks",
        response_policy=RESPONSE_POLICIES.get(name, ""),
        secret_prefix="whsec_" if name == "standard-webhooks" else "",
        openapi=OPENAPI.get(name, {}),
    )


def test_there_is_no_other_scheme():
    assert [*SCHEMES] == [
        "standard-webhooks",
        "zendesk",
        "hubspot-v3",
        "github",
        "genesys-open-messaging",
        "shopify",
        "hmac",
        "api-key",
        "basic",
        "bearer",
        "mtls",
    ]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [("/x", "/x", ""), ("/x?a=b", "/x", "a=b"), ("/x?a=b?c=d", "/x", "a=b?c=d"), ("/x?", "/x", "")],
)
def test_what_is_signed_is_the_request_as_it_will_come(target, path, query):
    seen = []

    def keeping(*given):
        seen.append(given)
        return AuthParts({"X-Sig": "made"})

    auth_config, secret = AuthConfig(header="X-Sig"), Secret("a secret")
    signed = sign(Scheme("any", verify_hmac, keeping), auth_config, secret, "PUT", target, b"{}", NOW)
    assert signed == AuthParts({"X-Sig": "made"})
    assert seen == [(auth_config, secret, UnverifiedRequest("PUT", path, query, {}, b"{}"), NOW)]
