"""Ending a session, on a real sandbox: once, whoever asks and however often, and never one that is not there."""

import threading

import pytest

from sandbox.state import ABSENT, ENDED, LIVE, MESSAGE, VOICE, WEBCHAT
from tests.clocks import HANGS, LeapingClock, wait_until
from tests.integration.conftest import OTHER_KEY

END = "/data-actions/cobrowse/end"


@pytest.fixture
def native(service):
    return service(cobrowse_flow="native")


def end(bridge, **body):
    headers = body.pop("headers", None)
    return bridge.post(path=END, headers=headers, **body).json


def live(box, conversation_id):
    return [medium for medium in box.state.conversation(conversation_id).media if medium.ended is None]


@pytest.mark.parametrize("conversation", [WEBCHAT, VOICE, MESSAGE])
@pytest.mark.parametrize("by", ["initiationId", "conversationId"])
def test_a_session_is_ended_by_its_initiation_and_by_its_conversation_in_two_calls(native, box, conversation, by):
    started = native.start(conversation)
    assert live(box, conversation)
    answer = end(native, **{by: {"initiationId": started["initiationId"], "conversationId": conversation}[by]})
    assert (answer["success"], answer["status"], answer["conversationId"]) == (True, "ended", conversation)
    assert (answer["upstreamCalls"], answer["state"]) == (2, "disconnected")
    assert not live(box, conversation)
    assert [call.operation for call in box.calls()][-2:] == ["conversation", "disconnect"]


def test_what_is_over_already_is_a_success_of_one_call(native, box):
    native.start(WEBCHAT)
    for expected, calls in (("ended", 2), ("already_ended", 1), ("already_ended", 1)):
        answer = end(native, conversationId=WEBCHAT)
        assert (answer["success"], answer["status"], answer["upstreamCalls"]) == (True, expected, calls)
    assert len(box.calls("disconnect")) == 1


@pytest.mark.parametrize("conversation", [ENDED, ABSENT])
def test_a_conversation_that_is_over_or_gone_has_nothing_to_end(native, conversation):
    assert end(native, conversationId=conversation)["status"] == "already_ended"


def test_a_key_is_answered_once_and_again_the_same(native, box):
    native.start(WEBCHAT)
    first = end(native, conversationId=WEBCHAT, idempotencyKey="end-1")
    native.start(WEBCHAT)
    again = native.post(path=END, conversationId=WEBCHAT, idempotencyKey="end-1")
    assert again.json | {"correlationId": ""} == first | {"correlationId": ""}
    assert again.headers["Idempotent-Replayed"] == "true"
    # The second session was not asked for by that key.
    assert len(live(box, WEBCHAT)) == 1
    reused = native.post(conversationId=WEBCHAT, idempotencyKey="end-1")
    assert reused.json["errorCode"] == "idempotency_key_reused"


def test_whatever_was_started_by_others_in_the_conversation_ends_too(native, box):
    assert end(native, conversationId=LIVE)["status"] == "ended"
    assert not live(box, LIVE)
    native.post(key=OTHER_KEY, conversationId=WEBCHAT)
    assert end(native, conversationId=WEBCHAT)["status"] == "ended"


def test_an_initiation_of_another_credential_cant_be_ended_by_its_id(native, box):
    theirs = native.post(key=OTHER_KEY, conversationId=WEBCHAT).json
    answer = end(native, initiationId=theirs["initiationId"])
    assert (answer["success"], answer["errorCode"]) == (False, "initiation_not_found")
    assert live(box, WEBCHAT)
    ours = native.start(VOICE)
    wrong = native.post(path=END, initiationId=ours["initiationId"], conversationId=WEBCHAT)
    assert (wrong.status_code, wrong.json["errorCode"]) == (422, "invalid_request")
    assert native.post(path=END, requestedBy="Ann").status_code == 422
    assert native.post(path=END, key=None, conversationId=WEBCHAT).status_code == 401


def test_an_initiation_that_another_has_followed_ends_nothing_of_the_later_one(native, box):
    first = native.start(WEBCHAT)
    end(native, initiationId=first["initiationId"])
    second = native.start(WEBCHAT)
    assert second["status"] == "initiated"
    assert end(native, initiationId=first["initiationId"])["status"] == "already_ended"
    assert [medium.session_id for medium in live(box, WEBCHAT)] == [second["cobrowseSessionId"]]


def test_after_an_end_a_start_starts_anew_and_the_record_tells_of_it(native, box):
    first = native.start(WEBCHAT)
    end(native, conversationId=WEBCHAT)
    told = native.post(path="/data-actions/cobrowse/status", initiationId=first["initiationId"], live=True).json
    assert (told["sessionState"], told["upstreamCalls"], bool(told["since"])) == ("ended", 0, True)
    again = native.start(WEBCHAT)
    assert again["cobrowseSessionId"] != first["cobrowseSessionId"]
    assert box.invitations(WEBCHAT) == 2


def test_an_ended_session_that_the_conversation_forgets_is_not_taken_for_an_open_offer(native, box):
    first = native.start(WEBCHAT)
    end(native, conversationId=WEBCHAT)
    # Genesys shows it no more, though its offer would still be open.
    there = box.state.conversation(WEBCHAT)
    box.state._conversations[WEBCHAT] = type(there)(there.id, there.channel, there.started)
    assert native.start(WEBCHAT)["status"] == "initiated"
    assert first["offerEnds"]


@pytest.mark.parametrize("by", ["initiationId", "conversationId"])
def test_what_the_customer_may_still_accept_is_not_told_as_ended_while_it_does_not_show(service, box, by):
    clock = LeapingClock()
    bridge = service(cobrowse_flow="native", clock=clock)
    box.faults.add(operation="cobrowse", kind="lag", reads=20)
    started = bridge.start(WEBCHAT)
    assert started["status"] == "unverified"
    body = {by: {"initiationId": started["initiationId"], "conversationId": WEBCHAT}[by]}
    answer = end(bridge, **body)
    assert (answer["errorCode"], answer["retryable"]) == ("genesys_bad_response", True)
    assert live(box, WEBCHAT)
    while box.state.view(WEBCHAT).media == ():
        pass
    assert end(bridge, **body)["status"] == "ended"


# What is lost on the way


@pytest.mark.parametrize(
    "fault", [{"kind": "drop"}, {"kind": "status", "status": 503}, {"kind": "status", "status": 504}]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_looked_for_and_the_end_is_an_end(service, box, fault, when):
    bridge = service(cobrowse_flow="native", clock=LeapingClock())
    bridge.start(WEBCHAT)
    box.faults.add(operation="disconnect", when=when, **fault)
    answer = end(bridge, conversationId=WEBCHAT)
    assert (answer["success"], answer["status"]) == (True, "ended")
    assert not live(box, WEBCHAT)
    assert len(box.calls("disconnect")) == (2 if when == "before" else 1)


def test_an_end_that_cant_be_settled_is_gone_on_with_by_its_retry(service, box):
    bridge = service(cobrowse_flow="native", clock=LeapingClock())
    bridge.start(WEBCHAT)
    box.faults.add(operation="disconnect", kind="status", status=500, times="always")
    answer = end(bridge, conversationId=WEBCHAT, idempotencyKey="e")
    assert (answer["success"], answer["errorCode"], answer["retryable"]) == (False, "genesys_unavailable", True)
    box.faults.clear()
    assert end(bridge, conversationId=WEBCHAT, idempotencyKey="e")["status"] == "ended"


def test_a_refusal_of_a_session_that_is_over_by_then_is_no_failure(native, box):
    native.start(WEBCHAT)
    # Ended, and told as one that is not there: as one is that ends between the look and the call.
    box.faults.add(operation="disconnect", kind="status", status=404, code="not.found", when="after")
    answer = end(native, conversationId=WEBCHAT)
    assert (answer["success"], answer["status"], answer["upstreamCalls"]) == (True, "ended", 3)


def test_a_refusal_of_one_that_is_live_says_what_to_do(native, box):
    native.start(WEBCHAT)
    box.faults.add(operation="disconnect", kind="status", status=409, code="conflict")
    answer = end(native, conversationId=WEBCHAT)
    assert (answer["errorCode"], answer["retryable"]) == ("cobrowse_not_supported", False)
    assert "workspace" in answer["errorHint"]


def test_two_ends_at_once_are_one_call_and_two_successes(native, box):
    native.start(WEBCHAT)
    box.faults.add(operation="disconnect", kind="delay", seconds=0.3)
    answers = []
    threads = [
        threading.Thread(target=lambda key=key: answers.append(end(native, conversationId=WEBCHAT, idempotencyKey=key)))
        for key in ("", "a", "b")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANGS)
    assert sorted(answer["status"] for answer in answers) == ["already_ended", "already_ended", "ended"]
    assert len(box.calls("disconnect")) == 1


def test_an_end_waits_for_the_start_before_it_and_a_start_for_the_end_before_it(native, box):
    box.faults.add(operation="cobrowse", kind="delay", seconds=0.3)
    told = {}
    start = threading.Thread(target=lambda: told.update(start=native.start(WEBCHAT)))
    start.start()
    wait_until(lambda: box.calls("cobrowse"), "the start did not come to its call")
    box.faults.add(operation="disconnect", kind="delay", seconds=0.3)
    ending = threading.Thread(target=lambda: told.update(end=end(native, conversationId=WEBCHAT)))
    ending.start()
    wait_until(lambda: box.calls("disconnect"), "the end did not come to its call")
    again = native.start(WEBCHAT, idempotencyKey="later")
    for thread in (start, ending):
        thread.join(HANGS)
    assert (told["start"]["status"], told["end"]["status"], again["status"]) == ("initiated", "ended", "initiated")
    assert [medium.session_id for medium in live(box, WEBCHAT)] == [again["cobrowseSessionId"]]


def test_a_start_that_comes_while_a_start_and_its_end_run_starts_anew(native, box):
    box.faults.add(operation="cobrowse", kind="delay", seconds=1.0)
    told = {}
    start = threading.Thread(target=lambda: told.update(start=native.start(WEBCHAT, idempotencyKey="first")))
    start.start()
    wait_until(lambda: box.calls("cobrowse"), "the start did not come to its call")
    ending = threading.Thread(target=lambda: told.update(end=end(native, conversationId=WEBCHAT)))
    ending.start()
    wait_until(lambda: len(native.initiate.ledger.recent(9)) == 2, "the end was not claimed")
    again = native.start(WEBCHAT, idempotencyKey="later")
    for thread in (start, ending):
        thread.join(HANGS)
    assert (told["start"]["status"], told["end"]["status"], again["status"]) == ("initiated", "ended", "initiated")
    assert [medium.session_id for medium in live(box, WEBCHAT)] == [again["cobrowseSessionId"]]


# The media flow


def test_a_session_of_the_media_flow_is_left_to_the_setting(service, box):
    bridge = service(cobrowse_flow="media")
    bridge.start(WEBCHAT)
    answer = end(bridge, conversationId=WEBCHAT)
    assert answer["errorCode"] == "cobrowse_not_supported"
    assert "END_MEDIA_SESSIONS" in answer["errorHint"]
    assert live(box, WEBCHAT)
    assert end(bridge, conversationId=VOICE)["status"] == "already_ended"


def test_with_the_setting_the_native_call_is_tried_where_there_is_something_to_call(service, box):
    bridge = service(cobrowse_flow="media", end_media_sessions=True)
    bridge.start(WEBCHAT)
    assert end(bridge, conversationId=WEBCHAT)["status"] == "ended"
    box.options.api = "media"
    bridge.start(WEBCHAT)
    answer = end(bridge, conversationId=WEBCHAT)
    assert answer["errorCode"] == "cobrowse_not_supported"
    assert "no participant" in answer["errorMessage"]
