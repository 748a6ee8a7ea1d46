"""What became of an initiation, on a real sandbox: by the record alone, and by one look at the conversation."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sandbox.state import ENDED, MESSAGE, VOICE, WEBCHAT
from schemas.answers import InitiationSchema, StatusAnswerSchema
from tests.integration.conftest import OTHER_KEY

STATUS = "/data-actions/cobrowse/status"


@pytest.fixture
def native(service):
    return service(cobrowse_flow="native")


def ask(bridge, **body):
    return bridge.post(path=STATUS, **body)


def in_session(answer):
    return answer["sessionState"], answer["customerConnected"], answer["agentConnected"]


@pytest.mark.parametrize("by", ["initiationId", "idempotencyKey", "conversationId"])
def test_it_is_found_by_its_id_its_key_and_its_conversation_without_a_call(native, box, by):
    started = native.start(WEBCHAT, idempotencyKey="k-1")
    known = {"initiationId": started["initiationId"], "idempotencyKey": "k-1", "conversationId": WEBCHAT}
    before = len(box.calls())
    response = ask(native, **{by: known[by]})
    assert response.status_code == 200
    assert list(response.json) == list(StatusAnswerSchema().fields)
    assert response.json["upstreamCalls"] == 0
    assert len(box.calls()) == before
    same = ("success", "status", "initiationId", "cobrowseSessionId", "joinCode", "conversationId")
    assert {key: response.json[key] for key in same} == {key: started[key] for key in same}
    # The record knows until when the offer stands.
    assert in_session(response.json) == ("offered", False, False)


def test_a_look_is_one_call_and_tells_how_far_the_session_has_come(native, box):
    native.start(WEBCHAT)
    body = {"conversationId": WEBCHAT, "live": True}
    told = []
    for how in (None, "joined", "ended"):
        if how:
            box.state.change_cobrowse(WEBCHAT, how)
        before = len(box.calls())
        answer = ask(native, **body).json
        assert answer["upstreamCalls"] == 1
        assert [call.operation for call in box.calls()[before:]] == ["conversation"]
        told.append(in_session(answer))
        assert bool(answer["since"]) is (how is not None)
    assert told == [("offered", False, True), ("joined", True, True), ("ended", False, False)]


def test_an_offer_that_nobody_took_has_expired(native, box):
    box.options.session_ttl = 0
    native.start(WEBCHAT)
    box.state.change_cobrowse(WEBCHAT, "expired")
    assert ask(native, conversationId=WEBCHAT, live=True).json["sessionState"] == "expired"


def test_a_conversation_that_is_over_has_no_session_and_one_that_is_gone_tells_nothing(native, box):
    native.start(WEBCHAT)
    native.start(VOICE)
    box.state.end(WEBCHAT)
    assert ask(native, conversationId=WEBCHAT, live=True).json["sessionState"] == "ended"
    box.faults.add(operation="conversation", kind="status", status=404)
    assert ask(native, conversationId=VOICE, live=True).json["sessionState"] == "unknown"


def test_the_media_flow_is_looked_at_too(service, box):
    bridge = service(cobrowse_flow="media")
    bridge.start(MESSAGE)
    # The record of this flow does not say how long an offer stands.
    assert ask(bridge, conversationId=MESSAGE).json["sessionState"] == "unknown"
    assert in_session(ask(bridge, conversationId=MESSAGE, live=True).json) == ("offered", False, True)
    box.state.change_cobrowse(MESSAGE, "joined")
    assert in_session(ask(bridge, conversationId=MESSAGE, live=True).json) == ("joined", True, True)


def test_a_failed_start_is_told_as_it_failed_and_never_looked_for(native, box):
    native.start(ENDED, idempotencyKey="k-1")
    before = len(box.calls())
    answer = ask(native, idempotencyKey="k-1", live=True).json
    assert (answer["errorCode"], answer["sessionState"]) == ("conversation_not_active", "unknown")
    assert len(box.calls()) == before


def test_a_look_that_fails_is_a_failure_that_can_be_asked_again(native, box):
    native.start(WEBCHAT)
    box.faults.add(operation="conversation", kind="status", status=500, times="always")
    answer = ask(native, conversationId=WEBCHAT, live=True).json
    assert (answer["success"], answer["errorCode"], answer["retryable"]) == (False, "genesys_unavailable", True)
    assert answer["sessionState"] == "unknown"


@pytest.mark.parametrize("by", ["initiationId", "idempotencyKey", "conversationId"])
def test_what_another_credential_started_is_not_there(native, by):
    started = native.start(WEBCHAT, idempotencyKey="k-1")
    known = {"initiationId": started["initiationId"], "idempotencyKey": "k-1", "conversationId": WEBCHAT}
    hidden = native.post(path=STATUS, key=OTHER_KEY, body={by: known[by]})
    assert (hidden.status_code, hidden.json["errorCode"]) == (200, "initiation_not_found")
    assert list(hidden.json) == list(StatusAnswerSchema().fields)
    really = native.post(path=STATUS, key=OTHER_KEY, body={by: known[by]}, headers={"Prefer": "status"})
    assert really.status_code == 404
    assert started["initiationId"] not in really.text.replace(known[by], "")


def test_a_question_that_names_nothing_is_told_what_to_send(native):
    answer = ask(native, idempotencyKey="", conversationId="${input.conversationId}")
    assert answer.status_code == 422
    assert "initiationId" in answer.json["errorMessage"]
    assert native.post(path=STATUS, key=None, conversationId=WEBCHAT).status_code == 401


# GET /initiations


def get(bridge, path="", key=None, **query):
    headers = {"X-Api-Key": key} if key else {"X-Api-Key": "test-key-0123456789abcdef"}
    return bridge.client.get(f"/initiations{path}", query_string=query, headers=headers)


def test_one_is_read_by_its_id_and_anothers_is_not_found(native):
    started = native.start(WEBCHAT, idempotencyKey="k-1", requestedBy="Ann")
    item = get(native, f"/{started['initiationId']}").json
    assert list(item) == list(InitiationSchema().fields)
    assert (item["action"], item["idempotencyKey"], item["requestedBy"], item["attempts"]) == ("start", "k-1", "Ann", 1)
    assert (item["status"], item["joinCode"]) == ("initiated", started["joinCode"])
    for path, key in ((f"/{started['initiationId']}", OTHER_KEY), (f"/{uuid4()}", None)):
        missing = get(native, path, key=key)
        assert (missing.status_code, missing.json["errorCode"]) == (404, "initiation_not_found")


def test_a_conversations_own_are_listed_the_newest_first_a_page_at_a_time(native):
    ids = [native.start(WEBCHAT, idempotencyKey=f"k-{number}")["initiationId"] for number in range(5)]
    native.post(key=OTHER_KEY, conversationId=WEBCHAT)
    native.start(VOICE)
    seen, cursor = [], ""
    for _ in range(3):
        page = get(native, conversationId=WEBCHAT, limit=2, **({"cursor": cursor} if cursor else {})).json
        seen += [item["initiationId"] for item in page["items"]]
        assert not any(item["joinCode"] or item["viewerUrl"] for item in page["items"])
        cursor = page["nextCursor"]
    assert seen == ids[::-1]
    assert cursor == ""


def test_a_list_is_narrowed_by_key_correlation_and_time(native):
    started = native.start(WEBCHAT, idempotencyKey="k-1", headers={"ININ-Correlation-Id": "corr-1"})
    native.start(VOICE, idempotencyKey="k-2", headers={"ININ-Correlation-Id": "corr-2"})
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for query, expected in (
        ({"idempotencyKey": "k-1"}, [started["initiationId"]]),
        ({"correlationId": "corr-1"}, [started["initiationId"]]),
        ({"correlationId": "corr-1", "since": "2020-01-01T00:00:00Z"}, [started["initiationId"]]),
        ({"correlationId": "corr-1", "since": soon}, []),
        ({"correlationId": "corr-1", "idempotencyKey": "k-2"}, []),
    ):
        page = get(native, **query)
        assert page.status_code == 200, page.text
        assert [item["initiationId"] for item in page.json["items"]] == expected


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({}, "conversationId"),
        ({"since": "2020-01-01T00:00:00Z"}, "conversationId"),
        ({"correlationId": "c", "since": "yesterday"}, "since"),
        ({"correlationId": "c", "cursor": "x"}, "cursor"),
        ({"correlationId": "c", "limit": "0"}, "limit"),
        ({"conversationId": "nonsense"}, "conversationId"),
        ({"correlationId": "c", "state": "x"}, "state"),
    ],
)
def test_a_query_that_cant_be_answered_names_its_field(native, query, named):
    refused = get(native, **query)
    assert (refused.status_code, refused.json["errorCode"]) == (422, "invalid_request")
    assert named in refused.json["errorMessage"]
