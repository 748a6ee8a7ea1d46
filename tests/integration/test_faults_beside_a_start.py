"""Every fault of the sandbox at the calls that no start stands on: what ends a session, and what hands it over.

`make faults` has the calls of a start. Here the promise is simpler: a failed end is reported, and the same key ends the
session once Genesys is well; a failed hand-over never fails the start, and the answer says what was handed over.
"""

import pytest

from sandbox.state import WEBCHAT
from tests.clocks import LeapingClock, wait_until
from tests.integration.test_end import END, live
from tests.robustness.failure_modes import WAYS


def path_of(way):
    """What a way to fail makes of a call: those with the same differ in the words of the answer only."""
    return way.family, way.nature, way.kind, way.fault["kind"], way.fault.get("when")


# Those that are led elsewhere meet the transport before any call is one of an operation. Of those that take the same
# path the first: `make faults` and the fault matrix have them all.
HERE = list({path_of(way): way for way in reversed(WAYS) if way.fault}.values())[::-1]
# Seconds for the request that fails: nothing that is asserted depends on how far it comes in them.
HURRIED = 0.7


def arm(box, operation, way, times):
    box.faults.add(operation=operation, times=times, **way.fields("http://127.0.0.1:9/"))


@pytest.mark.parametrize("times", [1, "always"])
@pytest.mark.parametrize("way", HERE, ids=lambda way: way.name)
def test_an_end_that_genesys_fails_is_told_and_the_same_key_ends_it_once_genesys_is_well(service, box, way, times):
    bridge = service(cobrowse_flow="native", clock=LeapingClock())
    assert bridge.start(WEBCHAT)["success"]
    arm(box, "disconnect", way, times)
    headers = {"Idempotency-Key": "end-1"}
    hurried = service(cobrowse_flow="native", clock=LeapingClock(), deadline_seconds=HURRIED)
    first = hurried.post(path=END, headers=headers, conversationId=WEBCHAT).json
    if first["success"]:
        assert not live(box, WEBCHAT), "an end that is reported has happened"
    box.faults.clear()
    if first["success"] or not first["retryable"]:
        again = bridge.post(path=END, headers=headers, conversationId=WEBCHAT).json
        assert again["success"] or again["errorCode"] == first["errorCode"]
        bridge.post(path=END, headers={"Idempotency-Key": "end-2"}, conversationId=WEBCHAT)
    else:
        wait_until(lambda: bridge.post(path=END, headers=headers, conversationId=WEBCHAT).json["success"])
    assert not live(box, WEBCHAT)
    assert bridge.start(WEBCHAT)["status"] == "initiated", "what was ended is in nobody's way"
    assert box.invitations(WEBCHAT) == 2


@pytest.mark.parametrize("way", HERE, ids=lambda way: way.name)
def test_a_hand_over_that_genesys_fails_fails_no_start_and_is_never_claimed(service, box, way):
    arm(box, "attributes", way, "always")
    body = service(clock=LeapingClock(), deadline_seconds=2.5).start(WEBCHAT, participantData=True)
    assert body["success"]
    there = "cobrowse.joinUrl" in box.state.conversation(WEBCHAT).attributes
    if body["handedOver"]:
        assert there
    else:
        assert body["handOverError"]
    assert box.invitations(WEBCHAT) == 1
