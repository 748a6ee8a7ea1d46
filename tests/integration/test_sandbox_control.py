"""The sandbox's own endpoints: what it counts, what it was asked, and what a test can put there."""

import httpx
import pytest

from sandbox.state import MESSAGE, WEBCHAT
from tests.clocks import HANGS
from tests.integration.served import USER, served

__all__ = ["served"]


@pytest.fixture
def http(served):
    served.reset()
    with httpx.Client(base_url=served.url, headers=USER, timeout=HANGS, verify=False) as client:
        yield client


@pytest.fixture
def box(served, http):
    return served


def test_state_tells_how_often_each_customer_was_invited(http):
    session = http.post("/api/v2/cobrowse/sessions", json={"mask": True}).json()["id"]
    body = {"type": "cobrowse", "cobrowseSessionId": session}
    for _ in range(2):
        http.post(f"/api/v2/conversations/{WEBCHAT}/media", json=body)
    http.post(f"/api/v2/conversations/{MESSAGE}/cobrowse")
    told = {one["id"]: one["invitations"] for one in http.get("/sandbox/state").json()["conversations"]}
    assert {name: times for name, times in told.items() if times} == {WEBCHAT: 2, MESSAGE: 1}


def test_calls_tell_who_asked_what_and_never_with_which_token(http):
    http.get(f"/api/v2/conversations/{WEBCHAT}", headers={"ININ-Correlation-Id": "c-1"})
    http.post("/oauth/token", data={"grant_type": "x"}, auth=("sandbox", "sandbox-secret"))
    answer = http.get("/sandbox/calls")
    assert answer.json()["total"] == {"conversation": 1, "token": 1}
    first, second = answer.json()["calls"]
    assert {name: first[name] for name in first if name != "time"} == {
        "n": 1,
        "operation": "conversation",
        "method": "GET",
        "path": f"/api/v2/conversations/{WEBCHAT}",
        "status": 200,
        "correlationId": "c-1",
        "conversationId": WEBCHAT,
        "hasBody": False,
        "contentType": None,
        "authorization": "Bearer",
        "fault": None,
    }
    assert (second["authorization"], second["status"], second["hasBody"]) == ("Basic", 400, True)
    assert second["contentType"] == "application/x-www-form-urlencoded"
    assert "user-token" not in answer.text


def test_an_authorization_that_is_no_known_scheme_is_not_retried(http):
    http.get(f"/api/v2/conversations/{WEBCHAT}", headers={"Authorization": "my-secret-token"})
    answer = http.get("/sandbox/calls")
    assert answer.json()["calls"][0]["authorization"] == "other"
    assert "secret" not in answer.text


def test_calls_can_be_asked_for_by_operation(http, box):
    http.get(f"/api/v2/conversations/{WEBCHAT}")
    http.get("/api/v2/conversations/webchat")
    assert [one["operation"] for one in http.get("/sandbox/calls?operation=list").json()["calls"]] == ["list"]
    assert [one.operation for one in box.calls("list")] == ["list"]


def test_the_control_endpoints_are_not_counted_as_calls(http, box):
    http.get("/sandbox/state")
    http.get("/sandbox/calls")
    assert box.calls() == []


def test_only_the_newest_calls_are_kept_and_all_are_counted():
    from sandbox.calls import Calls

    calls = Calls(lambda: 0.0, kept=10)
    facts = {"method": "GET", "path": "/", "correlation_id": "c", "conversation_id": None, "has_body": False}
    for _ in range(25):
        calls.begin("list", **facts, content_type=None, authorization=None)
    assert [one.n for one in calls.newest()] == list(range(16, 26))
    assert calls.total() == {"list": 25}


def test_a_conversation_can_be_put_there_and_ended(http):
    made = http.post("/sandbox/conversations", json={"channel": "voice"})
    assert made.status_code == 201
    path = f"/conversations/{made.json()['id']}"
    assert http.get(f"/api/v2{path}").json()["state"] == "active"
    assert http.patch(f"/sandbox{path}", json={"state": "ended"}).json()["state"] == "ended"
    assert http.get(f"/api/v2{path}").json()["state"] == "ended"


def test_a_conversation_can_be_put_there_with_an_id_and_ended_from_the_start(http):
    body = {"id": "mine", "channel": "webchat", "state": "ended"}
    assert http.post("/sandbox/conversations", json=body).json()["id"] == "mine"
    assert http.post("/api/v2/conversations/mine/cobrowse").status_code == 404


def test_settings_can_be_changed_while_it_runs(http):
    assert http.post("/sandbox/settings", json={"autoCreate": True, "rateLimit": None}).json()["autoCreate"] is True
    assert http.get("/api/v2/conversations/brand-new").status_code == 200
    assert http.get("/sandbox/settings").json()["rateLimit"] is None


@pytest.mark.parametrize(
    ("method", "path", "content", "message"),
    [
        ("POST", "/faults", b"{", "the document is not JSON"),
        ("POST", "/faults", b'{"operation": "create", "kind": "slow"}', "kind: 'slow' is none of status, delay"),
        ("POST", "/settings", b'{"speed": 1}', "speed: unknown field; the fields are api"),
        ("POST", "/conversations", b'{"channel": "fax"}', "channel: 'fax' is none of webchat, voice, message, email"),
        ("POST", "/conversations", b'{"state": "paused"}', "state: 'paused' is none of active, ended"),
        ("POST", "/conversations", b'{"id": ""}', "id: must be text"),
        ("PATCH", f"/conversations/{WEBCHAT}", b'{"state": "active"}', "state: 'active' is none of ended"),
        ("POST", "/settings", b'{"grants": "all"}', "grants: Not a valid list."),
        ("POST", "/channels", b'{"disturb": "slow"}', "disturb: 'slow' is none of close, cut"),
        ("POST", "/channels", b"[]", "the document: must be a JSON object; the fields are disturb"),
    ],
)
def test_a_control_document_that_cannot_be_used_is_refused_with_the_field(http, method, path, content, message):
    answer = http.request(method, f"/sandbox{path}", content=content)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)


def test_a_conversation_that_is_not_there_cannot_be_ended(http):
    assert http.patch("/sandbox/conversations/none", json={"state": "ended"}).status_code == 404


def test_faults_are_listed_with_how_often_each_fired_and_cleared(http):
    made = http.post("/sandbox/faults", json={"operation": "list", "kind": "status", "status": 503, "times": 2})
    assert made.status_code == 201
    assert http.get("/api/v2/conversations/webchat").status_code == 503
    expected = {
        "operation": "list",
        "kind": "status",
        "when": "before",
        "times": 2,
        "status": 503,
        "fired": 1,
        "left": 1,
    }
    assert http.get("/sandbox/faults").json() == {"faults": [expected]}
    assert http.delete("/sandbox/faults").json() == {"faults": []}
    assert http.get("/api/v2/conversations/webchat").status_code == 200


def test_reset_puts_everything_back(http, box):
    http.post("/sandbox/settings", json={"api": "native", "autoCreate": True})
    http.post("/sandbox/faults", json={"operation": "any", "kind": "drop", "times": "always"})
    http.post("/sandbox/conversations", json={"id": "mine"})
    box.state.end(WEBCHAT)
    http.post("/sandbox/reset")
    settings = http.get("/sandbox/settings").json()
    assert (settings["api"], settings["autoCreate"]) == ("both", False)
    assert http.get("/api/v2/conversations/mine").status_code == 404
    assert http.get(f"/api/v2/conversations/{WEBCHAT}").json()["state"] == "active"
    assert (box.invitations(), box.sessions(), len(box.calls())) == (0, [], 2)
