"""When Genesys fails for many in a row, new requests are refused at once, and one call closes the circuit again."""

import uuid

import pytest

from integrations.genesys.circuit_breaker import FAIL_MAX, RESET_TIMEOUT
from tests.clocks import LeapingClock


# Without a channel the conversation is checked first, which goes well: it is `create` alone that fails.
@pytest.mark.parametrize(("named", "calls"), [({"channel": "webchat"}, []), ({}, ["conversation"])])
def test_requests_are_refused_without_a_call_while_genesys_is_away_and_served_once_it_is_back(
    service, box, named, calls
):
    box.options.auto_create = True
    box.faults.add(operation="create", kind="status", status=500, times="always")
    clock = LeapingClock()
    bridge = service(clock=clock)
    for _ in range(FAIL_MAX):
        bridge.start(str(uuid.uuid4()), **named)
    asked = len(box.calls())
    waits = len(clock.slept)
    answer = bridge.post(conversationId=str(uuid.uuid4()), **named, headers={"Prefer": "status"})
    assert len(clock.slept) == waits
    assert (answer.status_code, answer.json["errorCode"]) == (503, "genesys_unavailable")
    assert 0 < int(answer.headers["Retry-After"]) <= RESET_TIMEOUT
    assert [call.operation for call in box.calls()[asked:]] == calls
    box.faults.clear()
    clock.sleep(RESET_TIMEOUT)
    assert bridge.start(str(uuid.uuid4()), **named)["status"] == "initiated"
    assert bridge.start(str(uuid.uuid4()), **named)["status"] == "initiated"


def test_no_session_is_created_that_could_not_be_attached(service, box):
    box.options.auto_create = True
    box.faults.add(operation="attach", kind="status", status=500, times="always")
    clock = LeapingClock()
    bridge = service(clock=clock)
    while len(box.calls("attach")) < FAIL_MAX:
        bridge.start(str(uuid.uuid4()), channel="webchat")
    sessions = len(box.calls("create"))
    answer = bridge.post(conversationId=str(uuid.uuid4()), channel="webchat", headers={"Prefer": "status"})
    assert (answer.status_code, answer.json["errorCode"]) == (503, "genesys_unavailable")
    assert answer.json["errorMessage"].startswith("circuit breaker open for attach")
    assert len(box.calls("create")) == sessions
    box.faults.clear()
    clock.sleep(RESET_TIMEOUT)
    assert bridge.start(str(uuid.uuid4()), channel="webchat")["status"] == "initiated"
    assert len(box.calls("create")) == sessions + 1


def test_a_service_that_was_taken_out_for_an_open_circuit_is_ready_again_without_a_call(service, box):
    box.faults.add(operation="create", kind="status", status=500, times="always")
    clock = LeapingClock()
    bridge = service(clock=clock, readyz_strict=True)
    while len(box.calls("create")) < FAIL_MAX:
        bridge.start(str(uuid.uuid4()), channel="webchat")
    assert bridge.client.get("/readyz").status_code == 503
    clock.sleep(RESET_TIMEOUT)
    assert bridge.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(("strict", "status"), [(False, (200, "degraded")), (True, (503, "failing"))])
def test_an_open_circuit_shows_in_readyz_metrics_and_the_console(service, box, strict, status):
    box.faults.add(operation="token", kind="drop", times="always")
    bridge = service(clock=LeapingClock(), readyz_strict=strict)
    for _ in range(FAIL_MAX):
        bridge.start(str(uuid.uuid4()))
    ready = bridge.client.get("/readyz")
    assert (ready.status_code, ready.json["status"]) == status
    assert "token" in ready.json["checks"]["circuit"]
    assert 'cobrowse_circuit_open{operation="token"} 1.0' in bridge.client.get("/metrics").text
    assert "Circuit breaker open for token" in bridge.client.get("/console").text
