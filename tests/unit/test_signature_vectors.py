"""Signatures by the vendors' own vectors, or by an HMAC that is written out by hand."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from integrations.senders.auth.hmac_signatures import digest
from integrations.senders.auth.signature_templates import signed_bytes
from tests.payloads import NOW
from tests.unit.test_signatures import SECRET, hmac_by_hand, incoming, row


def test_github_by_the_vector_of_its_documentation():
    """docs.github.com, validating webhook deliveries: the values to test an implementation with."""
    sender = row("github", secret="It's a Secret to Everybody")
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sender.authenticate(incoming({"X-Hub-Signature-256": signature}, b"Hello, World!"), NOW) == "S"
    assert sender.sign("POST", "/", b"Hello, World!", NOW).headers == {"X-Hub-Signature-256": signature}


def test_standard_webhooks_by_the_vector_of_its_specification():
    """standard-webhooks/standard-webhooks, the same vector in the tests of its libraries."""
    sender = row("standard-webhooks", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    then = datetime.fromtimestamp(1614265330, UTC)
    assert sender.authenticate(incoming(headers, b'{"test": 2432232314}'), then) == "S"


def test_hubspot_by_the_vector_of_its_own_library():
    """HubSpot/hubspot-api-python, tests/spec/utils/test_signature.py, test_get_signature__v3."""
    sender = row("hubspot-v3", secret="yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", public_base_url="https://www.example.com")
    headers = {
        "X-HubSpot-Signature-v3": "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw=",
        "X-HubSpot-Request-Timestamp": "15000000",
    }
    request = incoming(headers, b"{'example_field':'example_value'}", path="/webhook_uri")
    assert sender.authenticate(request, datetime.fromtimestamp(15_000, UTC)) == "S"


def test_zendesk_by_a_gateways_vector_with_zendesks_published_test_secret():
    """The secret is Zendesk's (documentation/webhooks/verifying), the signature of another implementation's tests:
    webhookx-io/webhookx, integration-auth. Its timestamp is no ISO 8601, so the bytes and the HMAC are proven alone.
    """
    auth_config = row("zendesk").auth_config
    message = signed_bytes(
        auth_config, incoming({}, b'{"event_type": "foo.bar","data": {"key": "value"}}'), "1531420618"
    )
    made = digest(auth_config, b"dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", message)
    assert base64.b64encode(made) == b"qtmu3iClLKujnujOBkwe7yjI34o5CzsLD04Uy4LbE2A="


def test_shopify_by_the_vector_of_another_implementation():
    """Shopify publishes none; this one is of sqlpage/SQLPage, tests of sqlpage.hmac with Shopify's header."""
    sender = row("shopify", secret="test-webhook-secret")
    body = b'{"id":1234567890,"email":"customer@example.com","total_price":"123.45"}'
    headers = {"X-Shopify-Hmac-SHA256": "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw="}
    assert sender.authenticate(incoming(headers, body), NOW) == "S"


def test_genesys_open_messaging_by_an_hmac_written_out_by_hand():
    """Genesys publishes the form (developer.genesys.cloud, Open Messaging, validate) and no vector."""
    body = b'{"id":"1","text":"h\xc3\xa9"}'
    signature = "sha256=" + base64.b64encode(hmac_by_hand(SECRET.encode(), body)).decode()
    assert row("genesys-open-messaging").authenticate(incoming({"X-Hub-Signature-256": signature}, body), NOW) == "S"


def test_zendesk_with_its_own_timestamp_by_an_hmac_written_out_by_hand():
    sent, body = "2026-11-25T09:00:30Z", b'{"ticket":1}'
    made = base64.b64encode(hmac_by_hand(SECRET.encode(), sent.encode() + body)).decode()
    headers = {"X-Zendesk-Webhook-Signature": made, "X-Zendesk-Webhook-Signature-Timestamp": sent}
    assert row("zendesk").authenticate(incoming(headers, body), NOW) == "S"


@pytest.mark.parametrize(
    ("name", "hashed", "block"),
    [("sha256", hashlib.sha256, 64), ("sha384", hashlib.sha384, 128), ("sha512", hashlib.sha512, 128)],
)
@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("hex", bytes.hex),
        ("base64", lambda raw: base64.b64encode(raw).decode()),
    ],
)
def test_a_generic_hmac_by_one_written_out_by_hand(name, hashed, block, encoding, encode):
    more = f'''header = "X-Sig"
        algorithm = "{name}"
        encoding = "{encoding}"
        prefix = "t="
        timestamp_header = "X-Sent"
        timestamp_unit = "ms"
        template = "v0:{{timestamp}}:{{method}}:{{path}}:{{body}}"'''
    sent, body = str(int(NOW.timestamp() * 1000)), b"\xff{}"
    message = b"v0:" + sent.encode() + b":POST:/webhooks/one?a=b:" + body
    headers = {"X-Sig": "t=" + encode(hmac_by_hand(SECRET.encode(), message, hashed, block)), "X-Sent": sent}
    assert row("hmac", more=more).authenticate(incoming(headers, body, query="a=b"), NOW) == "S"


def test_what_we_sign_with_standard_webhooks_its_own_library_verifies():
    """`verify` of the package takes the machine's clock, so this one runs on real time."""
    body = b'{"name":"Zo\xc3\xab"}'
    signed = row("standard-webhooks").sign("POST", "/webhooks/one", body, datetime.now(UTC))
    assert Webhook(SECRET).verify(body, dict(signed.headers)) == {"name": "Zoë"}
