"""The sandbox's two flows: what each makes, and what an org without one of them answers."""

import uuid

import pytest

from sandbox.state import ABSENT, EMAIL, ENDED, LIVE, LIVE_SESSION, MESSAGE, VOICE, WEBCHAT
from tests.integration.served import api, box, served
from tests.integration.test_sandbox_endpoints import attach, refused, use

__all__ = ["api", "box", "served"]

# the media flow


def test_a_session_is_created_and_belongs_to_no_conversation(box, api):
    answer = api.post("/cobrowse/sessions", json={"maskInputs": True})
    assert answer.status_code == 201
    assert {"id", "joinUrl", "viewerUrl"} <= set(answer.json())
    (session,) = box.sessions()
    assert (session.id, session.conversation_id, session.settings) == (answer.json()["id"], None, {"maskInputs": True})
    assert box.invitations() == 0


def test_attaching_invites_the_customer_and_the_conversation_shows_it(box, api):
    session = api.post("/cobrowse/sessions", json={}).json()["id"]
    answer = attach(api, WEBCHAT, session)
    assert answer.status_code == 201
    shown = {"id": answer.json()["id"], "type": "cobrowse", "cobrowseSessionId": session, "state": "connected"}
    assert answer.json() == shown
    assert api.get(f"/conversations/{WEBCHAT}").json()["media"][-1] == shown
    assert box.invitations(WEBCHAT) == 1


def test_attaching_the_same_session_again_answers_as_before_and_is_a_second_invitation(box, api):
    session = api.post("/cobrowse/sessions", json={}).json()["id"]
    first, second = attach(api, WEBCHAT, session), attach(api, WEBCHAT, session)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert box.invitations(WEBCHAT) == 2


@pytest.mark.parametrize(
    ("conversation", "kind", "status", "code"),
    [
        (ABSENT, "cobrowse", 404, "not.found"),
        (ENDED, "cobrowse", 404, "not.found"),
        (EMAIL, "cobrowse", 400, "bad.request"),
        (WEBCHAT, "Cobrowse", 400, "invalid.value"),
        (WEBCHAT, "screenshare", 400, "invalid.value"),
    ],
)
def test_an_attachment_that_cannot_be_is_refused(box, api, conversation, kind, status, code):
    session = api.post("/cobrowse/sessions", json={}).json()["id"]
    refused(attach(api, conversation, session, kind), status, code)
    assert box.invitations() == 0


@pytest.mark.parametrize("session", ["unknown", None, 7, ["x"]])
def test_a_session_that_does_not_exist_cannot_be_attached(api, session):
    body = refused(attach(api, WEBCHAT, session), 400, "bad.request")
    assert body["details"][0]["fieldName"] == "cobrowseSessionId"


def test_a_session_that_was_not_attached_in_time_cannot_be_attached(box, api):
    box.options.session_ttl = 0
    session = api.post("/cobrowse/sessions", json={}).json()["id"]
    refused(attach(api, WEBCHAT, session), 400, "bad.request")


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "bad.request"),
        (b"[]", "application/json", 400, "bad.request"),
        (b"{}", "text/plain", 415, "unsupported.media.type"),
        (b"{}", "", 415, "unsupported.media.type"),
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(api, content, kind, status, code):
    refused(api.post("/cobrowse/sessions", content=content, headers={"Content-Type": kind}), status, code)


# the native flow


@pytest.mark.parametrize(("conversation", "kind"), [(MESSAGE, "Message"), (VOICE, "Call")])
def test_one_native_call_starts_a_cobrowse(box, api, conversation, kind):
    answer = api.post(f"/conversations/{conversation}/cobrowse")
    assert answer.status_code == 200
    body = answer.json()
    assert body["communicationType"] == kind
    (call,) = box.calls("cobrowse")
    assert (call.has_body, call.content_type) == (False, None)
    participants = api.get(f"/conversations/{conversation}").json()["participants"]
    assert [one["cobrowsesessions"][0]["cobrowseSessionId"] for one in participants] == [body["id"], body["id"]]
    assert box.invitations(conversation) == 1


def test_each_native_call_is_another_session_and_another_invitation(box, api):
    ids = {api.post(f"/conversations/{LIVE}/cobrowse").json()["id"] for _ in range(2)}
    assert ids == {one.id for one in box.sessions()}
    assert box.invitations(LIVE) == 2


@pytest.mark.parametrize(("conversation", "status"), [(ABSENT, 404), (ENDED, 404), (EMAIL, 400)])
def test_a_native_start_that_cannot_be_is_refused(box, api, conversation, status):
    refused(api.post(f"/conversations/{conversation}/cobrowse"), status, {404: "not.found", 400: "bad.request"}[status])
    assert box.sessions() == []


def ends(api, conversation):
    """The paths by which the two ends of a conversation's first cobrowse can be disconnected."""
    for one in api.get(f"/conversations/{conversation}").json()["participants"]:
        yield (
            f"/conversations/cobrowsesessions/{conversation}/participants/{one['id']}"
            f"/communications/{one['cobrowsesessions'][0]['id']}"
        )


@pytest.mark.parametrize("side", [0, 1])
def test_a_cobrowse_is_ended_from_either_side(api, side):
    path = list(ends(api, LIVE))[side]
    answer = api.patch(path, json={"state": "disconnected"})
    assert (answer.status_code, answer.json()) == (200, {})
    assert api.get(f"/conversations/{LIVE}").json()["media"][-1]["state"] == "disconnected"


def test_a_cobrowse_can_only_be_ended_and_not_changed_otherwise(api):
    path = next(ends(api, LIVE))
    refused(api.patch(path, json={"state": "connected"}), 400, "communication.state.required")


def test_a_communication_that_is_not_there_cannot_be_ended(api):
    path = f"/conversations/cobrowsesessions/{LIVE}/participants/nobody/communications/nothing"
    refused(api.patch(path, json={"state": "disconnected"}), 404, "not.found")


def test_the_cobrowse_of_a_conversation_can_be_read_by_itself(api):
    body = api.get(f"/conversations/cobrowsesessions/{LIVE}").json()
    assert [(one["purpose"], one["cobrowseSessionId"]) for one in body["participants"]] == [
        ("customer", LIVE_SESSION),
        ("agent", LIVE_SESSION),
    ]
    refused(api.get(f"/conversations/cobrowsesessions/{WEBCHAT}"), 404, "not.found")


# which flow there is


def test_an_org_without_the_media_flow_does_not_know_its_paths(box, api):
    use(box, "native")
    refused(api.post("/cobrowse/sessions", json={}), 404, "not.found")
    refused(attach(api, WEBCHAT, "any"), 404, "not.found")
    assert api.post(f"/conversations/{MESSAGE}/cobrowse").status_code == 200
    shown = api.get(f"/conversations/{MESSAGE}").json()
    assert shown["participants"]
    assert not {"media", "state"} & set(shown)


def test_an_org_without_the_native_flow_does_not_know_its_path(box, api):
    use(box, "media")
    refused(api.post(f"/conversations/{MESSAGE}/cobrowse"), 404, "not.found")
    session = api.post("/cobrowse/sessions", json={}).json()["id"]
    assert attach(api, WEBCHAT, session).status_code == 201
    shown = api.get(f"/conversations/{WEBCHAT}").json()
    assert shown["media"][-1]["cobrowseSessionId"] == session
    assert "participants" not in shown


def test_a_path_that_there_is_not_is_answered_as_genesys_would(box, api):
    refused(api.get("/nothing/here"), 404, "not.found")
    refused(api.get("/cobrowse/sessions"), 405, "method.not.allowed")
    assert [one.status for one in box.calls("unknown")] == [404, 405]


def test_with_auto_create_an_unknown_conversation_is_an_active_webchat(box, api):
    box.options.auto_create = True
    name = str(uuid.uuid4())
    assert api.get(f"/conversations/{name}").json()["state"] == "active"
    assert api.post(f"/conversations/{name}/cobrowse").status_code == 200
    assert box.invitations(name) == 1
