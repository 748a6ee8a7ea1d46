"""Trying without doing: what would happen is said, no customer is reached, and no key is used."""

import pytest

from sandbox.state import ABSENT, EMAIL, ENDED, LIVE, VOICE, WEBCHAT
from tests.integration.conftest import KEY

SECRET = "sender-secret-0123456789abcdef"
ROWS = """
[senders.keyed]
signature = "api-key"
secrets = ["$SECRET"]
envelope = "custom"

[senders.signed]
signature = "hmac"
header = "X-Signature"
secrets = ["$SECRET"]
envelope = "custom"

[senders.tried]
signature = "api-key"
secrets = ["$SECRET"]
envelope = "custom"
dry_run = true

[senders.closing]
signature = "api-key"
secrets = ["$SECRET"]
envelope = "custom"
action = "end"
conversation_id = "conversationId"
filter = "status == 'solved'"
delivery_id = "id"
"""


@pytest.fixture
def senders(service):
    return service(environ={"SECRET": SECRET}, rows=ROWS, cobrowse_flow="native")


def deliver(bridge, name, body, **headers):
    return bridge.post(body, key=None, path=f"/webhooks/{name}", headers={"X-Api-Key": SECRET, **headers})


def calls(box):
    return [call.operation for call in box.calls() if call.operation != "token"]


@pytest.mark.parametrize("flow", ["media", "native"])
def test_what_would_start_is_one_look_and_no_invitation(service, box, flow):
    bridge = service(cobrowse_flow=flow)
    told = bridge.start(WEBCHAT, dryRun=True, idempotencyKey="k-1")
    assert (told["success"], told["status"], told["conversationId"]) == (True, "would_start", WEBCHAT)
    assert (box.invitations(), box.sessions(), calls(box)) == (0, [], ["conversation"])
    # Neither the key nor the conversation is taken by it.
    found = bridge.post(path="/data-actions/cobrowse/status", idempotencyKey="k-1")
    assert found.json["errorCode"] == "initiation_not_found"
    assert bridge.start(WEBCHAT, idempotencyKey="k-1")["status"] == "initiated"


def test_a_live_session_is_told_and_a_kept_answer_is_given(service, box):
    bridge = service()
    live = bridge.start(LIVE, dryRun=True)
    assert (live["status"], live["success"], live["viewerUrl"]) == ("already_active", True, "")
    started = bridge.start(WEBCHAT, idempotencyKey="k-1")
    before = len(box.calls())
    again = bridge.start(WEBCHAT, idempotencyKey="k-1", dryRun=True)
    assert (again["status"], again["initiationId"]) == ("initiated", started["initiationId"])
    assert len(box.calls()) == before
    assert box.invitations() == 1


@pytest.mark.parametrize(
    ("conversation", "code"),
    [(ENDED, "conversation_not_active"), (EMAIL, "cobrowse_not_supported"), (ABSENT, "conversation_not_found")],
)
def test_the_error_it_would_get_is_told(service, box, conversation, code):
    told = service().start(conversation, dryRun=True)
    assert (told["success"], told["errorCode"]) == (False, code)
    assert box.sessions() == []


def test_an_agent_who_has_not_answered_is_told_too(service, box):
    box.state.move(WEBCHAT, agent="alerting")
    told = service().start(WEBCHAT, dryRun=True, startWhen="agent_connected")
    assert (told["errorCode"], told["retryable"]) == ("agent_not_connected", True)


def test_the_newest_webchat_is_found_without_being_taken(service, box):
    told = service(allow_latest=True).post(latest=True, dryRun=True).json
    assert (told["status"], told["conversationId"]) == ("would_start", WEBCHAT)
    assert box.invitations() == 0


def test_who_is_not_let_in_is_told_nothing(service):
    assert service().post(key=None, conversationId=WEBCHAT, dryRun=True).status_code == 401
    assert service().post(conversationId=WEBCHAT, dryRun="perhaps").status_code == 422


# Senders


def test_a_sender_that_signs_nothing_may_ask_for_it_in_a_header(senders, box):
    body = {"conversationId": WEBCHAT}
    for word in ("true", "TRUE"):
        assert deliver(senders, "keyed", body, **{"X-Dry-Run": word}).json["status"] == "would_start"
    assert box.invitations() == 0
    assert deliver(senders, "keyed", body, **{"X-Dry-Run": "yes"}).status_code == 422
    assert deliver(senders, "keyed", body, **{"X-Dry-Run": "false"}).json["status"] == "initiated"


def test_a_signed_delivery_cant_be_made_to_do_nothing_by_a_header(senders, box):
    sender = senders.app.view_functions["webhooks.receive"].__self__.sender("signed")
    raw = b'{"conversationId": "' + WEBCHAT.encode() + b'"}'
    from datetime import UTC, datetime

    signed = dict(sender.sign("POST", "/webhooks/signed", raw, datetime.now(UTC)).headers)
    post = senders.client.post
    refused = post(
        "/webhooks/signed", data=raw, content_type="application/json", headers=signed | {"X-Dry-Run": "true"}
    )
    assert (refused.status_code, refused.json["errorCode"]) == (422, "invalid_request")
    assert "dry_run" in refused.json["errorMessage"]
    taken = post("/webhooks/signed", data=raw, content_type="application/json", headers=signed)
    assert taken.json["status"] == "initiated"


def test_a_row_can_be_tried_out_before_it_does_anything(senders, box):
    assert deliver(senders, "tried", {"conversationId": WEBCHAT}).json["status"] == "would_start"
    assert deliver(senders, "tried", {"conversationId": ENDED}).json["errorCode"] == "conversation_not_active"
    assert box.invitations() == 0


def test_a_row_ends_what_its_filter_lets_through(senders, box):
    senders.post(key=KEY, conversationId=WEBCHAT)
    event = {"conversationId": WEBCHAT, "id": "e-1", "status": "open"}
    assert deliver(senders, "closing", event).json["status"] == "ignored"
    dry = deliver(senders, "closing", event | {"status": "solved"}, **{"X-Dry-Run": "true"})
    assert (dry.json["status"], box.calls("disconnect")) == ("would_end", [])
    ended = deliver(senders, "closing", event | {"status": "solved"})
    assert (ended.json["success"], ended.json["status"]) == (True, "ended")
    again = deliver(senders, "closing", event | {"status": "solved"})
    assert (again.json["status"], again.headers["Idempotent-Replayed"]) == ("ended", "true")
    other = deliver(senders, "closing", event | {"status": "solved", "id": "e-2"})
    assert other.json["status"] == "already_ended"
    assert len(box.calls("disconnect")) == 1
    assert deliver(senders, "closing", {"conversationId": VOICE, "id": "e-3", "status": "solved"}).json["success"]
