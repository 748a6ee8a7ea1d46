"""The session in the customer's participant data, for the agent's script: on a real sandbox."""

import pytest

from sandbox.state import LIVE, MESSAGE, WEBCHAT
from tests.clocks import LeapingClock

NAMES = ["cobrowse.joinUrl", "cobrowse.viewerUrl", "cobrowse.joinCode", "cobrowse.initiationId", "cobrowse.state"]


def attributes(box, conversation_id=WEBCHAT):
    return box.state.conversation(conversation_id).attributes


@pytest.mark.parametrize("flow", ["media", "native"])
def test_who_asks_for_it_gets_it_in_one_call_more(service, box, flow):
    bridge = service(cobrowse_flow=flow)
    bridge.start(LIVE, channel="webchat")
    body = bridge.start(WEBCHAT, channel="webchat", participantData=True)
    assert (body["success"], body["handedOver"], body["handOverError"]) == (True, True, "")
    assert body["upstreamCalls"] == {"media": 4, "native": 3}[flow]
    assert box.calls()[-1].operation == "attributes"
    assert attributes(box) == {
        "cobrowse.joinUrl": body["joinUrl"],
        "cobrowse.viewerUrl": body["viewerUrl"],
        "cobrowse.joinCode": body["joinCode"],
        "cobrowse.initiationId": body["initiationId"],
        "cobrowse.state": "offered",
    }
    assert list(attributes(box)) == NAMES
    assert bool(body["joinUrl"]) is (flow == "media")


def test_it_is_off_unless_the_setting_or_the_request_says_so(service, box):
    bridge = service()
    assert bridge.start(WEBCHAT)["handedOver"] is False
    assert bridge.start(WEBCHAT)["handOverError"] == ""
    assert not box.calls("attributes")
    bridge = service(participant_data=True)
    assert bridge.start(MESSAGE, participantData=False)["handedOver"] is False
    assert not box.calls("attributes")
    box.state.end(MESSAGE)
    assert bridge.start(box.add_conversation().id)["handedOver"] is True


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"kind": "status", "status": 403}, "403"),
        ({"kind": "status", "status": 404}, "404"),
        ({"kind": "status", "status": 500, "times": "always"}, "500"),
        ({"kind": "drop", "times": "always"}, "attributes"),
        ({"kind": "status", "status": 429, "retry_after": 60}, "429"),
    ],
)
def test_what_goes_wrong_with_it_never_fails_the_start(service, box, fault, told):
    box.faults.add(operation="attributes", **fault)
    body = service(clock=LeapingClock()).start(WEBCHAT, participantData=True)
    assert (body["success"], body["status"], body["handedOver"]) == (True, "initiated", False)
    assert told in body["handOverError"]
    assert box.invitations(WEBCHAT) == 1


def test_where_the_customers_participant_does_not_show_it_says_so(service, box):
    box.options.api = "media"
    body = service(cobrowse_flow="media").start(WEBCHAT, participantData=True)
    assert (body["success"], body["handedOver"]) == (True, False)
    assert "participant" in body["handOverError"]
    assert not box.calls("attributes")


def test_one_that_is_not_visible_in_time_is_handed_over_all_the_same(service, box):
    box.faults.add(operation="cobrowse", kind="lag", seconds=60)
    body = service(cobrowse_flow="native", clock=LeapingClock()).start(WEBCHAT, participantData=True)
    assert (body["status"], body["handedOver"]) == ("unverified", True)
    assert attributes(box)["cobrowse.joinCode"] == body["joinCode"]


def test_a_repeat_has_the_same_answer_and_hands_over_nothing_again(service, box):
    bridge = service()
    first = bridge.start(WEBCHAT, participantData=True, idempotencyKey="k")
    again = bridge.start(WEBCHAT, participantData=True, idempotencyKey="k")
    assert again["handedOver"] is first["handedOver"] is True
    assert len(box.calls("attributes")) == 1


def test_the_native_answer_has_the_sessions_websocket(service):
    body = service(cobrowse_flow="native").start(WEBCHAT)
    assert body["websocketUrl"].startswith("wss://")
    assert service(cobrowse_flow="media").start(MESSAGE)["websocketUrl"] == ""
