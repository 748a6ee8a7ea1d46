"""Each kind of fault, as a client meets it over a real socket."""

import time

import httpx
import pytest

from sandbox.server import start
from sandbox.state import MESSAGE, WEBCHAT
from tests.clocks import HANGS, ManualClock, wait_until
from tests.http_client import HTTP
from tests.integration.served import USER, api, box, served

__all__ = ["api", "box", "served"]

ALWAYS = "always"


def create(api):
    return api.post("/cobrowse/sessions", json={})


def begin(api):
    return api.post(f"/conversations/{MESSAGE}/cobrowse")


def look(api, conversation=MESSAGE):
    return api.get(f"/conversations/{conversation}")


def seconds(do):
    began = time.monotonic()
    do()
    return time.monotonic() - began


# status


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "bad.request"), (409, "request.conflict"), (500, "internal.server.error"), (503, "service.unavailable")],
)
def test_a_status_is_answered_with_genesyss_usual_body_for_it(box, api, status, code):
    box.faults.add("create", "status", status=status)
    answer = create(api)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.json()["code"] == code
    assert box.sessions() == []
    assert create(api).status_code == 201


@pytest.mark.parametrize("value", [42, "Wed, 21 Oct 2026 07:28:00 GMT", "tomorrow"])
def test_a_retry_after_is_passed_on_as_given(box, api, value):
    box.faults.add("create", "status", status=429, retry_after=value)
    answer = create(api)
    assert answer.headers["Retry-After"] == str(value)
    assert answer.json()["code"] == "too.many.requests.retry.after"
    assert f"[{value}] seconds" in answer.json()["message"]


def test_a_429_without_a_time_to_wait_has_no_retry_after(box, api):
    box.faults.add("create", "status", status=429)
    answer = create(api)
    assert "Retry-After" not in answer.headers
    assert answer.json()["code"] == "too.many.requests"


def test_a_status_can_have_a_code_and_a_message_of_its_own(box, api):
    box.faults.add("create", "status", status=400, code="cobrowse.disabled", message="Cobrowse is off")
    assert {"code": "cobrowse.disabled", "message": "Cobrowse is off"}.items() <= create(api).json().items()


def test_a_status_after_the_fact_hides_a_session_that_was_made(box, api):
    box.faults.add("cobrowse", "status", status=504, when="after")
    assert begin(api).status_code == 504
    assert (len(box.sessions()), box.invitations(MESSAGE)) == (1, 1)


def test_a_refused_login_is_reported_as_oauth_does(box):
    box.faults.add("token", "status", status=401)
    answer = HTTP.post(f"{box.url}/oauth/token", data={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


# delay, drop, truncate, drip


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_delay_holds_a_good_answer_back(box, api, when):
    box.faults.add("cobrowse", "delay", seconds=0.2, when=when)
    assert seconds(lambda: begin(api).raise_for_status()) >= 0.2
    assert begin(api).status_code == 200
    assert [one.fired for one in box.faults.all()] == [1]


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_caller_that_does_not_wait_may_have_started_a_session_or_not(box, api, when, made):
    box.faults.add("cobrowse", "delay", seconds=300, when=when)
    with pytest.raises(httpx.ReadTimeout):
        api.post(f"/conversations/{MESSAGE}/cobrowse", timeout=0.15)
    wait_until(lambda: len(box.sessions()) == made)


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_dropped_call_has_no_answer(box, api, how, when, made):
    look(api)  # the connection is one that was good before
    box.faults.add("cobrowse", "drop", how=how, when=when)
    with pytest.raises(httpx.RemoteProtocolError if how == "fin" else httpx.ReadError):
        begin(api)
    assert (len(box.sessions()), box.invitations(MESSAGE)) == (made, made)
    (call,) = box.calls("cobrowse")
    assert (call.status, call.fault) == (None, "drop")
    assert begin(api).status_code == 200


def test_a_truncated_answer_ends_in_the_middle_of_its_body(box, api):
    box.faults.add("cobrowse", "truncate")
    with (
        api.stream("POST", f"/conversations/{MESSAGE}/cobrowse") as answer,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete"),
    ):
        answer.read()
    assert answer.status_code == 200
    assert len(box.sessions()) == 1


def test_a_dripping_body_comes_byte_by_byte_and_is_whole(box, api):
    box.faults.add("attach", "drip", seconds=0.002)
    session = create(api).json()["id"]
    body = {"type": "cobrowse", "cobrowseSessionId": session}
    with api.stream("POST", f"/conversations/{WEBCHAT}/media", json=body) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) > 50
    assert session.encode() in b"".join(pieces)


def test_a_dripping_head_takes_its_time_for_each_byte(box, api):
    box.faults.add("cobrowse", "drip", seconds=0.002, part="all")
    assert seconds(lambda: begin(api).raise_for_status()) > 0.002 * 200
    assert begin(api).status_code == 200


def test_a_reset_gives_up_the_calls_that_are_still_delayed(box, api):
    box.faults.add("cobrowse", "delay", seconds=0.3)
    with pytest.raises(httpx.ReadTimeout):
        api.post(f"/conversations/{MESSAGE}/cobrowse", timeout=0.1)
    wait_until(lambda: box.calls("cobrowse"))
    box.reset()
    time.sleep(0.3)
    assert box.sessions() == []


def test_a_delayed_call_is_done_in_the_end_though_nobody_waits(box, api):
    box.faults.add("cobrowse", "delay", seconds=0.2)
    with pytest.raises(httpx.ReadTimeout):
        api.post(f"/conversations/{MESSAGE}/cobrowse", timeout=0.05)
    assert wait_until(lambda: box.invitations(MESSAGE)) == 1


# answers of another shape


@pytest.mark.parametrize("body", [[], {"id": 7}, "text", None, 12])
def test_wrong_json_is_given_with_a_good_status(box, api, body):
    box.faults.add("create", "wrong_json", body=body)
    answer = create(api)
    assert (answer.status_code, answer.json()) == (201, body)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert len(box.sessions()) == 1


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_can_come_instead_of_json(box, api, status):
    box.faults.add("create", "not_json", status=status)
    answer = create(api)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_an_empty_answer_has_a_good_status_and_no_body(box, api, when, made):
    box.faults.add("create", "empty", when=when)
    answer = create(api)
    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (201, b"", "0")
    assert len(box.sessions()) == made


def test_a_good_body_can_have_the_wrong_type(box, api):
    box.faults.add("create", "wrong_type")
    answer = create(api)
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.json()["id"] == box.sessions()[0].id


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_points_to_where_the_test_says(box, api, status):
    box.faults.add("create", "redirect", location=f"{box.url}/elsewhere", status=status)
    answer = create(api)
    assert (answer.status_code, answer.headers["Location"]) == (status, f"{box.url}/elsewhere")
    assert box.sessions() == []


def test_a_huge_answer_is_good_json_of_so_many_megabytes(box, api):
    box.faults.add("cobrowse", "huge", megabytes=2)
    answer = begin(api)
    assert 2_000_000 < len(answer.content) == int(answer.headers["Content-Length"]) < 2_001_000
    assert answer.json()["id"] == box.sessions()[0].id


def test_a_caller_may_stop_reading_a_huge_answer(box, api):
    box.faults.add("cobrowse", "huge", megabytes=200)
    with api.stream("POST", f"/conversations/{MESSAGE}/cobrowse") as answer:
        assert next(answer.iter_raw())
    assert begin(api).status_code == 200


# tokens and lag


def login(box):
    form = {"grant_type": "client_credentials"}
    token = HTTP.post(f"{box.url}/oauth/token", data=form, auth=("sandbox", "sandbox-secret")).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def test_a_token_that_expires_before_the_call_is_refused_until_a_new_one_comes(box, api):
    header = login(box)
    box.faults.add("conversation", "expire_token")
    path = f"/conversations/{WEBCHAT}"
    assert [api.get(path, headers=header).status_code for _ in range(2)] == [401, 401]
    assert api.get(path, headers=login(box)).status_code == 200


def test_a_token_that_expires_after_the_call_is_refused_at_the_next(box, api):
    header = login(box)
    box.faults.add("create", "expire_token", when="after")
    assert api.post("/cobrowse/sessions", json={}, headers=header).status_code == 201
    assert look(api).status_code == 200
    assert api.get(f"/conversations/{WEBCHAT}", headers=header).json()["code"] == "bad.credentials"


def test_a_login_can_hand_out_a_token_that_is_not_good(box, api):
    box.faults.add("token", "expire_token", when="after")
    assert api.get(f"/conversations/{WEBCHAT}", headers=login(box)).status_code == 401
    assert api.get(f"/conversations/{WEBCHAT}", headers=login(box)).status_code == 200


def media(api, conversation):
    return [one for one in look(api, conversation).json()["media"] if one["type"] == "cobrowse"]


def test_a_lost_answer_and_a_lag_can_strike_one_call(box, api):
    box.faults.add("conversation", "lag", reads=2)
    box.faults.add("cobrowse", "drop", when="after")
    assert media(api, MESSAGE) == []
    with pytest.raises(httpx.RemoteProtocolError):
        begin(api)
    assert [len(media(api, MESSAGE)) for _ in range(3)] == [0, 0, 1]
    assert [one.fired for one in box.faults.all()] == [1, 1]


def test_a_lag_of_seconds_is_over_when_they_are():
    clock = ManualClock()
    with (
        start(clock=clock.monotonic) as box,
        httpx.Client(base_url=f"{box.url}/api/v2", headers=USER, verify=False) as api,
    ):
        box.faults.add("attach", "lag", seconds=0.15)
        body = {"type": "cobrowse", "cobrowseSessionId": create(api).json()["id"]}
        api.post(f"/conversations/{WEBCHAT}/media", json=body)
        assert media(api, WEBCHAT) == []
        clock.sleep(0.16)
        assert len(media(api, WEBCHAT)) == 1


# which call is struck


def test_a_fault_after_the_fact_waits_for_a_call_that_works(box, api):
    box.faults.add("cobrowse", "drop", when="after")
    assert api.post("/conversations/none/cobrowse").status_code == 404
    assert box.faults.all()[0].fired == 0
    with pytest.raises(httpx.RemoteProtocolError):
        begin(api)


def test_queued_faults_strike_one_call_each(box, api):
    box.faults.add("create", "status", status=503, times=2)
    box.faults.add("create", "empty", when="before")
    assert [create(api).status_code for _ in range(4)] == [503, 503, 201, 201]
    assert len(box.sessions()) == 1


def test_a_fault_on_any_operation_strikes_each_of_them(box, api):
    box.faults.add("any", "status", status=503, times=ALWAYS)
    answers = [create(api), begin(api), look(api), api.get("/conversations/webchat")]
    answers += [api.get(f"/conversations/cobrowsesessions/{MESSAGE}"), HTTP.post(f"{box.url}/oauth/token")]
    assert {one.status_code for one in answers} == {503}


def test_a_fault_strikes_a_path_that_this_org_does_not_have(box, api):
    box.options.api = "native"
    box.faults.add("create", "status", status=503)
    assert [create(api).status_code for _ in range(2)] == [503, 404]


def test_stopping_does_not_wait_for_a_delay():
    with start() as box:
        box.faults.add("cobrowse", "delay", seconds=600)
        client = httpx.Client(headers={"Authorization": "Bearer user-token-x"}, timeout=0.1, verify=False)
        with client, pytest.raises(httpx.ReadTimeout):
            client.post(f"{box.url}/api/v2/conversations/{MESSAGE}/cobrowse")
        assert seconds(box.stop) < HANGS
