"""CloudEvents', Meta's and SNS's handshakes, and what stands beside the events."""

import json
import re
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.senders.registry import SendersFileError, load_senders
from sandbox.state import WEBCHAT
from tests.integration.test_handshakes import (
    ENVIRON,
    GOOD,
    SECRET,
    SUBSCRIBE,
    TOKEN,
    activity,
    bridge,
    called,
    client,
    post,
    sns,
)

__all__ = ["activity", "bridge", "called", "client"]

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


@pytest.mark.parametrize("name", ["plain", "grid", "nobody", "meta", "cloud", "intercom"])
def test_no_other_method_is_answered_than_that_of_the_rows_handshake(client, name):
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
        if (name, method) in (("meta", "GET"), ("cloud", "OPTIONS"), ("intercom", "HEAD")):
            continue
        answer = client.open(f"/webhooks/{name}", method=method)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]


# Intercom.


def test_intercoms_head_is_answered_before_it_has_anything_to_sign(client, called):
    answer = client.head("/webhooks/intercom")
    assert (answer.status_code, answer.get_data(), called) == (200, b"", [])
    assert client.post("/webhooks/intercom", json={}).status_code == 401


# SNS.


def test_snss_url_is_shown_to_people_and_called_only_if_the_row_says_so(client, called, activity):
    assert post(client, "sns", sns(), kind="text/plain").status_code == 200
    assert called == []
    assert SUBSCRIBE in activity.note("sns")
    assert "confirm_subscription" in activity.note("sns")
    assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC: Amazon SNS asks", activity.note("sns"))
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
        assert activity.note(name) == ""
    assert called == []


def test_the_end_of_a_subscription_is_told_and_not_undone(client, called, activity):
    assert post(client, "sns-confirming", sns(kind="UnsubscribeConfirmation"), kind="text/plain").status_code == 200
    assert called == []
    assert "has ended" in activity.note("sns-confirming")


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
        ('handshake = "front"\nverify_token = "$VERIFY"', "verify_token: the handshake 'front' has no use for it"),
        ("confirm_subscription = true", "confirm_subscription: a row without a handshake has no use for it"),
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
