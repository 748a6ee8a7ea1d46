"""Vendors' handshakes over HTTP: answered after the proof, before any event, and told nothing that was not checked."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from cobrowse.clock import SystemClock
from cobrowse.errors import InvalidRequest
from cobrowse.model import Outcome, Session, Status
from integrations.senders.activity import SenderActivities
from integrations.senders.handshakes import HANDSHAKES
from integrations.senders.registry import load_senders
from integrations.senders.requests import UnverifiedRequest
from web.error_handlers import register_error_handlers
from web.flask_app import App
from web.webhooks import Webhooks

SECRET, TOKEN = "handshake-secret-0123456789", "verify-token-0123456789"
ENVIRON = {"S": SECRET, "VERIFY": TOKEN}
ROWS = """
[senders.grid]
signature = "api-key"
query = "code"
secrets = ["$S"]
envelope = "custom"
batch = true
handshake = "event-grid"
conversation_id = "data.conversationId"
delivery_id = "id"

[senders.cloud]
signature = "api-key"
query = "code"
secrets = ["$S"]
envelope = "custom"
handshake = "cloudevents"
conversation_id = "data.conversationId"

[senders.cloud-signed]
signature = "github"
secrets = ["$S"]
envelope = "custom"
handshake = "cloudevents"
handshake_origins = ["events.example.com"]

[senders.front]
signature = "front"
secrets = ["$S"]
envelope = "custom"
handshake = "front"

[senders.zoom]
signature = "zoom"
secrets = ["$S"]
envelope = "custom"
handshake = "zoom"
conversation_id = "payload.object.conversation"

[senders.slack]
signature = "slack"
secrets = ["$S"]
envelope = "custom"
handshake = "slack"

[senders.sns]
signature = "api-key"
query = "code"
secrets = ["$S"]
envelope = "custom"
handshake = "sns"
conversation_id = "from_json(Message).conversationId"
delivery_id = "MessageId"

[senders.sns-confirming]
signature = "api-key"
query = "code"
secrets = ["$S"]
envelope = "custom"
handshake = "sns"
confirm_subscription = true

[senders.meta]
signature = "github"
secrets = ["$S"]
envelope = "custom"
handshake = "meta"
verify_token = "$VERIFY"

[senders.intercom]
signature = "intercom"
secrets = ["$S"]
envelope = "custom"
handshake = "intercom"

[senders.plain]
signature = "github"
secrets = ["$S"]
envelope = "custom"
"""
SENDERS = load_senders(ROWS, ENVIRON)
SUBSCRIBE = (
    "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:1:c&Token=2336"
)


@pytest.fixture
def bridge(service):
    return service(environ=ENVIRON, rows=ROWS)


@pytest.fixture
def called():
    return []


@pytest.fixture
def activity():
    return SenderActivities()


@pytest.fixture
def client(called, activity):
    """The endpoint alone, with what it would call handed in; nothing of it may be initiated."""

    class Never:
        def __call__(self, command):
            raise AssertionError(command)

        def ignore(self, command, reason):
            return Outcome(Status.IGNORED, "", command.correlation_id, Session(), reason=reason)

    app = App("handshakes")
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000
    register_error_handlers(app, lambda: "an-id")
    webhooks = Webhooks(
        Never(), SENDERS.get, lambda _sender, _events: None, SystemClock(), activity, call=called.append
    )
    app.register_blueprint(webhooks.blueprint())
    return app.test_client()


def post(client, name, body, headers=None, *, proven=True, kind="application/json"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"/webhooks/{name}"
    sent = {"Content-Type": kind, **(headers or {})}
    if proven:
        signed = SENDERS.get(name).sign("POST", path, raw, datetime.now(UTC), sent)
        path, sent = signed.target(path), {**sent, **signed.headers}
    return client.post(path, data=raw, headers=sent)


def grid(code="f5acae74-4dc5-43e1-a61e-fde9f6e784ee", **more):
    return [
        {
            "id": "a0d3a011",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": code, "validationUrl": "https://evil.example.com/"},
            **more,
        }
    ]


def sns(url=SUBSCRIBE, kind="SubscriptionConfirmation"):
    return {
        "Type": kind,
        "MessageId": "m",
        "Token": "2336",
        "TopicArn": "arn:aws:sns:us-east-1:1:c",
        "SubscribeURL": url,
    }


GOOD = {
    "grid": (
        grid(),
        {"aeg-event-type": "SubscriptionValidation"},
        {"validationResponse": grid()[0]["data"]["validationCode"]},
    ),
    "front": (
        {"type": "sync", "authorization": {"id": "cmp_1"}},
        {"X-Front-Challenge": "14f61c9e"},
        {"challenge": "14f61c9e"},
    ),
    "zoom": (
        {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}},
        {},
        {
            "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
            "encryptedToken": hmac.new(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest(),
        },
    ),
    "slack": (
        {"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"},
        {},
        {"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"},
    ),
    "sns": (sns(), {}, {}),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_handshake_with_the_rows_proof_is_answered_as_the_vendor_asks(client, name, called):
    body, headers, told = GOOD[name]
    kind = "text/plain; charset=UTF-8" if name == "sns" else "application/json"
    answer = post(client, name, body, headers, kind=kind)
    assert (answer.status_code, answer.json) == (200, told)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert called == []


@pytest.mark.parametrize("name", GOOD)
def test_a_handshake_without_the_rows_proof_is_told_nothing(client, name, called, activity):
    body, headers, _ = GOOD[name]
    answer = post(client, name, body, headers, proven=False)
    assert answer.status_code == 401
    sent_back = answer.get_data(as_text=True)
    assert not any(str(part) in sent_back for part in ("14f61c9e", "qgg8vlvZRS6UYooatFL8Aw", "3eZbrw1aBm", "f5acae74"))
    assert (activity.note(name), called) == ("", [])


@pytest.mark.parametrize("name", [name for name in GOOD if SENDERS.get(name).scheme.covers_body])
def test_a_handshake_that_was_altered_on_the_way_is_refused(client, name):
    body, headers, _ = GOOD[name]
    raw = json.dumps(body).encode()
    signed = SENDERS.get(name).sign("POST", f"/webhooks/{name}", raw, datetime.now(UTC))
    answer = client.post(f"/webhooks/{name}", data=raw + b" ", headers={**headers, **signed.headers})
    assert answer.status_code == 401


TOKENS = [
    "<script>alert(1)</script>",
    "v0:1531420618:{}",
    "a b",
    "a\nb",
    "",
    "x" * 201,
    None,
    7,
    ["a"],
    {"a": 1},
    "é",
    "\ud800",
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_challenge_that_is_no_token_is_not_sent_back(client, token):
    """Zoom's answer is a MAC with the key that signs its events: whatever is signed must not be one's text."""
    bodies = {
        "grid": grid(token),
        "zoom": {"event": "endpoint.url_validation", "payload": {"plainToken": token}},
        "slack": {"type": "url_verification", "challenge": token},
    }
    for name, body in bodies.items():
        answer = post(client, name, body)
        assert answer.status_code in (200, 400, 422), name
        assert not {"challenge", "encryptedToken", "validationResponse"}.intersection(answer.json), name
        assert "<script>" not in answer.get_data(as_text=True) or answer.mimetype == "application/json"


@pytest.mark.parametrize("token", ["<b>", "a b", "x" * 201, "é"])
def test_fronts_challenge_is_held_to_the_same(client, token):
    answer = post(client, "front", {"type": "sync"}, {"X-Front-Challenge": token})
    assert answer.status_code == 422
    assert "challenge" not in answer.json


def test_a_token_that_could_be_an_events_text_is_not_signed():
    """`v0:TIMESTAMP:BODY` has a colon, and no token has."""
    body = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": 'v0:1:{"event":"x"}'}}).encode()
    with pytest.raises(InvalidRequest, match="is no token"):
        HANDSHAKES["zoom"].answer(
            UnverifiedRequest("POST", "/", "", {}, body),
            SENDERS.get("zoom").handshake_row,
        )
