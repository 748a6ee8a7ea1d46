"""Vendors' handshakes over HTTP: answered after the proof, before any event, and told nothing that was not checked."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cobrowse.clock import SystemClock
from cobrowse.errors import InvalidRequest
from cobrowse.model import Outcome, Session, Status
from integrations.senders.activity import SenderActivities
from integrations.senders.handshakes import HANDSHAKES
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import UnverifiedRequest
from sandbox.state import WEBCHAT
from web.error_handlers import App, register_error_handlers
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
def bridge(service, tmp_path):
    file = tmp_path / "senders.toml"
    file.write_text(ROWS)
    return service(environ=ENVIRON, senders_file=str(file))


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
    assert (activity.of(name).refusals, activity.of(name).note, called) == (1, "", [])


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
            SENDERS.get("zoom").auth_config,
            SENDERS.get("zoom").handshake_row,
        )


# CloudEvents.


def ask(client, name, origin=None, query=""):
    headers = {"WebHook-Request-Origin": origin} if origin is not None else {}
    return client.options(
        f"/webhooks/{name}{query}", headers={**headers, "WebHook-Request-Callback": "https://evil.example.com/"}
    )


def test_cloudevents_are_allowed_to_the_rows_origins(client, called):
    answer = ask(client, "cloud", "eventgrid.azure.net", f"?code={SECRET}")
    assert answer.status_code == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert answer.headers["WebHook-Allowed-Rate"] == "*"
    assert answer.get_data() == b""
    assert ask(client, "cloud-signed", "events.example.com").headers["WebHook-Allowed-Origin"] == "events.example.com"
    assert called == []


@pytest.mark.parametrize(
    ("name", "origin", "query"),
    [
        ("cloud", "eventgrid.azure.net", ""),
        ("cloud", "eventgrid.azure.net", "?code=wrong"),
        ("cloud", "evil.example.com", f"?code={SECRET}"),
        ("cloud", None, f"?code={SECRET}"),
        ("cloud", "*", f"?code={SECRET}"),
        ("cloud-signed", "eventgrid.azure.net", ""),
        ("cloud-signed", "", ""),
    ],
)
def test_cloudevents_from_elsewhere_or_without_the_credential_are_not_allowed(client, name, origin, query):
    answer = ask(client, name, origin, query)
    assert answer.status_code == 401
    assert "WebHook-Allowed-Origin" not in answer.headers


# Meta.


def verify(client, query):
    return client.get(f"/webhooks/meta?{urlencode(query)}")


def test_meta_is_told_its_challenge_as_text_for_the_rows_token(client):
    answer = verify(client, {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"})
    assert (answer.status_code, answer.get_data(), answer.mimetype) == (200, b"1158201444", "text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": "wrong", "hub.challenge": "1"}, 401),
        ({"hub.mode": "subscribe", "hub.verify_token": "", "hub.challenge": "1"}, 401),
        ({"hub.mode": "subscribe", "hub.challenge": "1"}, 401),
        ({"hub.mode": "unsubscribe", "hub.verify_token": TOKEN, "hub.challenge": "1"}, 401),
        ({}, 401),
        ({"hub.mode": "subscribe", "hub.verify_token": SECRET, "hub.challenge": "1"}, 401),
        ({"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "<script>1</script>"}, 422),
        ({"hub.mode": "subscribe", "hub.verify_token": TOKEN}, 422),
        ({f"a{number}": "b" for number in range(30)}, 401),
    ],
)
def test_meta_is_told_nothing_else(client, query, status):
    answer = verify(client, query)
    assert answer.status_code == status
    assert answer.mimetype == "application/json"


@pytest.mark.parametrize("name", ["plain", "grid", "nobody", "meta", "cloud"])
def test_no_other_method_is_answered_than_that_of_the_rows_handshake(client, name):
    for method in ("GET", "OPTIONS", "PUT", "DELETE"):
        if (name, method) in (("meta", "GET"), ("cloud", "OPTIONS")):
            continue
        answer = client.open(f"/webhooks/{name}", method=method)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]


# SNS.


def test_snss_url_is_shown_to_people_and_called_only_if_the_row_says_so(client, called, activity):
    assert post(client, "sns", sns(), kind="text/plain").status_code == 200
    assert called == []
    assert SUBSCRIBE in activity.of("sns").note
    assert "confirm_subscription" in activity.of("sns").note
    assert post(client, "sns-confirming", sns(), kind="text/plain").status_code == 200
    assert called == [SUBSCRIBE]


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com.evil.example.com/",
        "https://evil.example.com/sns.us-east-1.amazonaws.com",
        "https://sns.us-east-1.amazonaws.com@evil.example.com/",
        "https://sns.us-east-1.amazonaws.com:444/",
        "https://evil.sns.us-east-1.amazonaws.com/",
        "https://s3.us-east-1.amazonaws.com/",
        "https://sns.us-east-1.amazonaws.com/\r\nX: y",
        "https://sns.us-east-1.amazonaws.com/" + "a" * 3_000,
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "//sns.us-east-1.amazonaws.com/",
        "https://[",
        "",
        None,
        7,
    ],
)
def test_no_url_but_snss_own_is_called_or_shown(client, called, activity, url):
    for name in ("sns", "sns-confirming"):
        assert post(client, name, sns(url), kind="text/plain").status_code == 422
        assert activity.of(name).note == ""
    assert called == []


def test_the_end_of_a_subscription_is_told_and_not_undone(client, called, activity):
    assert post(client, "sns-confirming", sns(kind="UnsubscribeConfirmation"), kind="text/plain").status_code == 200
    assert called == []
    assert "has ended" in activity.of("sns-confirming").note


# Beside the events.


def test_what_is_no_handshake_is_an_event(bridge, box):
    answer = post(
        bridge.client,
        "sns",
        {**sns(kind="Notification"), "Message": json.dumps({"conversationId": WEBCHAT})},
        kind="text/plain",
    )
    assert (answer.status_code, answer.json["status"]) == (200, "initiated")
    again = post(bridge.client, "grid", [{"id": "1", "eventType": "x", "data": {"conversationId": WEBCHAT}}])
    assert (again.status_code, again.json["results"][0]["status"]) == (200, "already_active")
    assert box.invitations(WEBCHAT) == 1


def test_a_handshake_starts_nothing_and_leaves_no_row(bridge, box):
    for name, (body, headers, _) in GOOD.items():
        assert post(bridge.client, name, body, headers).status_code == 200
    assert box.calls() == []
    assert bridge.initiate.ledger.recent(10) == ()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('handshake = "nobody"', "handshake: unknown handshake 'nobody'"),
        ('handshake = "meta"', "verify_token: is missing; the handshake 'meta' needs it"),
        ('handshake = "meta"\nverify_token = "$NONE"', "verify_token: $NONE is not set in the environment"),
        (
            'handshake = "meta"\nverify_token = "a-secret-in-the-file"',
            "verify_token: a secret does not belong in this file",
        ),
        ('handshake = "front"\nverify_token = "$VERIFY"', "verify_token: no handshake of this row has a use for it"),
        ("confirm_subscription = true", "confirm_subscription: no handshake of this row has a use for it"),
        ('handshake = "cloudevents"\nhandshake_origins = ["*"]', "handshake_origins: must be a list of hosts"),
        ('handshake = "cloudevents"\nhandshake_origins = []', "handshake_origins: must be a list of hosts"),
    ],
)
def test_a_handshake_that_can_not_be_stops_the_start(row, told):
    text = f'[senders.one]\nsignature = "github"\nsecrets = ["$S"]\nenvelope = "custom"\n{row}\n'
    with pytest.raises(SendersFileError) as error:
        load_senders(text, ENVIRON)
    assert any(line.partition("] ")[2].startswith(told) for line in error.value.errors)


def test_zooms_answer_needs_a_secret_to_be_made_with():
    proof = 'signature = "mtls"\nsubjects = ["CN=x"]\nsubject_header = "X-S"\n'
    text = f'[senders.one]\n{proof}envelope = "custom"\nhandshake = "zoom"\n'
    with pytest.raises(SendersFileError, match="'zoom' needs a signature with secrets"):
        load_senders(text, ENVIRON, trusted_proxies=("10.0.0.0/8",))


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=20) | st.integers(),
    lambda kids: (
        st.lists(kids, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "Type",
                    "event",
                    "eventType",
                    "challenge",
                    "payload",
                    "plainToken",
                    "data",
                    "validationCode",
                    "SubscribeURL",
                ]
            ),
            kids
            | st.sampled_from(
                [
                    "url_verification",
                    "endpoint.url_validation",
                    "SubscriptionConfirmation",
                    "Microsoft.EventGrid.SubscriptionValidationEvent",
                ]
            ),
        )
    ),
    max_leaves=12,
)


@given(body=VALUES, challenge=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_is_asked_no_handshake_fails_with_an_error_of_its_own(client, body, challenge):
    raw = json.dumps(body).encode()
    for name in ("grid", "front", "zoom", "slack", "sns", "sns-confirming"):
        answer = post(client, name, raw, {"X-Front-Challenge": challenge} if name == "front" else {})
        assert answer.status_code in (200, 400, 422), (name, answer.get_data())
