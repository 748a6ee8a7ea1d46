"""Each call of Genesys that the sandbox answers, over a real socket."""

import uuid

import pytest

from sandbox.options import SCOPES
from sandbox.server import start
from sandbox.state import ABSENT, EMAIL, ENDED, LIVE, LIVE_SESSION, MESSAGE, VOICE, WEBCHAT
from tests.http_client import HTTP
from tests.integration.served import api, box, served

__all__ = ["api", "box", "served"]

FORM = {"grant_type": "client_credentials"}
ME = ("sandbox", "sandbox-secret")


def with_scopes(box, *scopes):
    return {"Authorization": f"Bearer {box.tokens.add_user(None, scopes).value}"}


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
    answer = HTTP.post(f"{box.url}/oauth/token", data=form, auth=ME if how == "basic" else None)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "token_type", "expires_in"}
    header = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert HTTP.get(f"{box.url}/api/v2/conversations/{WEBCHAT}", headers=header).status_code == 200


def test_a_wrong_secret_is_refused_in_the_words_of_the_login_host(box):
    answer = HTTP.post(f"{box.url}/oauth/token", data=FORM, auth=("sandbox", "guess"))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["ININ-Correlation-Id"]


def test_a_client_has_only_the_scopes_that_it_was_granted():
    with start(grants=("conversation:read",), client_id="me", client_secret="mine") as box:
        token = HTTP.post(f"{box.url}/oauth/token", data=FORM, auth=("me", "mine")).json()["access_token"]
        header = {"Authorization": f"Bearer {token}"}
        assert HTTP.get(f"{box.url}/api/v2/conversations/{WEBCHAT}", headers=header).status_code == 200
        refused(HTTP.post(f"{box.url}/api/v2/cobrowse/sessions", json={}, headers=header), 403, "missing.permissions")


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
    refused(HTTP.request(method, f"{box.url}/api/v2{path}", headers=header), 401, code)
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
    body = refused(HTTP.request(method, f"{box.url}/api/v2{path}", headers=header), 403, "missing.permissions")
    assert body["message"].endswith(missing)


def test_the_native_call_names_the_permissions_that_genesys_would_name(box):
    header = with_scopes(box, "conversation:read")
    answer = HTTP.post(f"{box.url}/api/v2/conversations/{MESSAGE}/cobrowse", headers=header)
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
