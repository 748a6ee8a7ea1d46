"""Each call of Genesys that the sandbox answers, over a real socket."""

import uuid

import httpx
import pytest

from sandbox.options import SCOPES
from sandbox.server import start
from sandbox.state import ABSENT, EMAIL, ENDED, LIVE, LIVE_SESSION, MESSAGE, VOICE, WEBCHAT
from tests.integration.served import api, box, served

__all__ = ["api", "box", "served"]

FORM = {"grant_type": "client_credentials"}
ME = ("sandbox", "sandbox-secret")


def with_scopes(box, *scopes):
    return {"Authorization": f"Bearer {box.add_user_token(None, scopes).value}"}


def use(box, api):
    box.options.api = api


def attach(api, conversation, session, kind="cobrowse"):
    return api.post(f"/conversations/{conversation}/media", json={"type": kind, "cobrowseSessionId": session})


def refused(answer, status, code):
    body = answer.json()
    assert answer.status_code == body["status"] == status
    assert body["code"] == code
    assert body["contextId"] == answer.headers["ININ-Correlation-Id"]
    assert body["message"]
    assert body["errors"] == []
    return body


# token


@pytest.mark.parametrize("how", ["basic", "form"])
def test_a_client_gets_a_token_that_works(box, how):
    form = FORM if how == "basic" else FORM | {"client_id": ME[0], "client_secret": ME[1]}
    answer = httpx.post(f"{box.url}/oauth/token", data=form, auth=ME if how == "basic" else None)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "token_type", "expires_in"}
    header = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert httpx.get(f"{box.url}/api/v2/conversations/{WEBCHAT}", headers=header).status_code == 200


def test_a_wrong_secret_is_refused_in_the_words_of_the_login_host(box):
    answer = httpx.post(f"{box.url}/oauth/token", data=FORM, auth=("sandbox", "guess"))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["ININ-Correlation-Id"]


def test_a_client_has_only_the_scopes_that_it_was_granted():
    with start(grants=("conversation:read",), client_id="me", client_secret="mine") as box:
        token = httpx.post(f"{box.url}/oauth/token", data=FORM, auth=("me", "mine")).json()["access_token"]
        header = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{box.url}/api/v2/conversations/{WEBCHAT}", headers=header).status_code == 200
        refused(httpx.post(f"{box.url}/api/v2/cobrowse/sessions", json={}, headers=header), 403, "missing.permissions")


@pytest.mark.parametrize(
    ("header", "code"), [({}, "authentication.required"), ({"Authorization": "Bearer no"}, "bad.credentials")]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/conversations/webchat"),
        ("GET", f"/conversations/{WEBCHAT}"),
        ("POST", "/cobrowse/sessions"),
        ("POST", f"/conversations/{WEBCHAT}/media"),
        ("POST", f"/conversations/{MESSAGE}/cobrowse"),
        ("GET", f"/conversations/cobrowsesessions/{LIVE}"),
        ("PATCH", f"/conversations/cobrowsesessions/{LIVE}/participants/p/communications/c"),
    ],
)
def test_no_call_is_done_without_a_good_token(box, method, path, header, code):
    refused(httpx.request(method, f"{box.url}/api/v2{path}", headers=header), 401, code)
    assert box.invitations() == 0


# scopes


@pytest.mark.parametrize(
    ("method", "path", "missing"),
    [
        ("GET", "/conversations/webchat", "conversation:read"),
        ("GET", f"/conversations/{WEBCHAT}", "conversation:read"),
        ("POST", "/cobrowse/sessions", "cobrowse:initiate"),
        ("POST", f"/conversations/{WEBCHAT}/media", "cobrowse:initiate"),
        ("POST", f"/conversations/{WEBCHAT}/media", "conversation:webchat"),
        ("POST", f"/conversations/{VOICE}/media", "conversation:voice"),
        ("POST", f"/conversations/{MESSAGE}/media", "conversation:message"),
        ("GET", f"/conversations/cobrowsesessions/{LIVE}", "conversation:read"),
    ],
)
def test_the_scope_that_a_call_lacks_is_named(box, method, path, missing):
    header = with_scopes(box, *(one for one in SCOPES if one != missing))
    body = refused(httpx.request(method, f"{box.url}/api/v2{path}", headers=header), 403, "missing.permissions")
    assert body["message"].endswith(missing)


def test_the_native_call_names_the_permissions_that_genesys_would_name(box):
    header = with_scopes(box, "conversation:read")
    answer = httpx.post(f"{box.url}/api/v2/conversations/{MESSAGE}/cobrowse", headers=header)
    body = refused(answer, 403, "missing.any.permissions")
    assert "conversation:cobrowse:add, conversation:cobrowseVoice:add" in body["message"]


def test_one_channel_does_not_need_the_scope_of_another(box, api):
    session = api.post("/cobrowse/sessions", json={}).json()["id"]
    header = with_scopes(box, "cobrowse:initiate", "conversation:voice")
    body = {"type": "cobrowse", "cobrowseSessionId": session}
    assert api.post(f"/conversations/{VOICE}/media", json=body, headers=header).status_code == 201


# limits


def test_the_call_after_the_limit_gets_a_429_with_the_seconds_to_wait(box, api):
    box.options.rate_limit = 2
    assert [api.get(f"/conversations/{WEBCHAT}").status_code for _ in range(3)] == [200, 200, 429]
    answer = api.get(f"/conversations/{WEBCHAT}")
    body = refused(answer, 429, "too.many.requests.retry.after")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert f"[{answer.headers['Retry-After']}] seconds" in body["message"]


def test_a_body_over_the_limit_of_genesys_is_refused(box, api):
    body = refused(api.post("/cobrowse/sessions", json={"x": "y" * 512_000}), 413, "request.entity.too.large")
    assert "512000" in body["message"]


# correlation


def test_the_correlation_id_of_the_caller_comes_back(api):
    answer = api.get(f"/conversations/{WEBCHAT}", headers={"ININ-Correlation-Id": "mine-1"})
    assert answer.headers["ININ-Correlation-Id"] == "mine-1"


def test_a_call_without_a_correlation_id_gets_one(api):
    first, second = (api.get(f"/conversations/{one}").headers["ININ-Correlation-Id"] for one in (WEBCHAT, ABSENT))
    assert uuid.UUID(first) != uuid.UUID(second)


# conversations


@pytest.mark.parametrize("conversation", [WEBCHAT, VOICE, MESSAGE, EMAIL, LIVE])
def test_an_active_conversation_is_shown(api, conversation):
    body = api.get(f"/conversations/{conversation}").json()
    assert (body["id"], body["state"]) == (conversation, "active")
    assert "endTime" not in body


def test_an_ended_conversation_is_shown_as_ended(api):
    body = api.get(f"/conversations/{ENDED}").json()
    assert body["state"] == "ended"
    assert body["endTime"]


def test_a_conversation_that_is_not_there_is_not_found(api):
    refused(api.get(f"/conversations/{ABSENT}"), 404, "not.found")


def test_a_conversation_that_is_already_cobrowsed_shows_it(api):
    body = api.get(f"/conversations/{LIVE}").json()
    assert body["media"][-1]["cobrowseSessionId"] == LIVE_SESSION
    assert body["participants"][1]["cobrowsesessions"][0]["cobrowseSessionId"] == LIVE_SESSION


def test_the_newest_active_webchat_is_found(box, api):
    page = api.get("/conversations/webchat", params={"active": "true", "pageSize": 1}).json()
    assert [one["id"] for one in page["entities"]] == [WEBCHAT]
    assert page["total"] == 2
    newer = box.add_conversation("webchat").id
    page = api.get("/conversations/webchat?active=true&pageSize=1").json()
    assert [one["id"] for one in page["entities"]] == [newer]


def test_without_an_active_webchat_the_list_is_empty(box, api):
    box.state.end(WEBCHAT)
    box.state.end(LIVE)
    assert api.get("/conversations/webchat?active=true&pageSize=1").json()["entities"] == []


@pytest.mark.parametrize("size", ["0", "-1", "many", "9999", "²"])
def test_a_page_size_that_makes_no_sense_is_refused(api, size):
    refused(api.get("/conversations/webchat", params={"pageSize": size}), 400, "invalid.value")


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
