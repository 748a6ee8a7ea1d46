"""The contract of a repeat, over HTTP: one session for a request however often it is asked for, and the same answer."""

import threading
from contextlib import ExitStack, closing

import pytest

from app import build_ledger
from cobrowse.admission import LIMIT
from cobrowse.model import Secret
from integrations.genesys.transport import CurlTransport
from sandbox.state import ENDED, LIVE, LIVE_SESSION, MESSAGE, VOICE, WEBCHAT
from tests.clocks import HANGS
from tests.integration.conftest import KEY, OTHER_KEY, settings_on


def keyed(key, **more):
    return {"headers": {"Idempotency-Key": key, **more}}


def at_once(bridge, number, **request_):
    """So many posts at the same moment: their responses."""
    return all_at_once(bridge, [request_] * number)


def all_at_once(bridge, requests):
    """These posts at the same moment: their responses."""
    answers, gate = [], threading.Barrier(len(requests))

    def one(request_):
        client = bridge.app.test_client()
        gate.wait()
        headers = {"X-Api-Key": KEY, **request_.get("headers", {})}
        answers.append(client.post("/data-actions/cobrowse", json=request_["json"], headers=headers))

    threads = [threading.Thread(target=one, args=(request_,)) for request_ in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_finished_request_is_answered_again_byte_for_byte_at_no_upstream_call(service, box):
    bridge = service()
    first = bridge.post(conversationId=WEBCHAT, **keyed("k-1"))
    asked = len(box.calls())
    again = bridge.post(conversationId=WEBCHAT, **keyed("k-1"))
    assert again.data == first.data
    assert again.status_code == first.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert len(box.calls()) == asked
    assert box.invitations(WEBCHAT) == 1


def test_a_final_failure_is_answered_again_too(service, box):
    bridge = service()
    first = bridge.post(conversationId=ENDED, **keyed("k-1"))
    asked = len(box.calls())
    again = bridge.post(conversationId=ENDED, **keyed("k-1"))
    assert again.data == first.data
    assert len(box.calls()) == asked


def test_the_retry_may_come_from_another_worker_or_after_a_restart(service, box):
    first = service().post(conversationId=WEBCHAT, **keyed("k-1"))
    again = service().post(conversationId=WEBCHAT, **keyed("k-1"))
    assert again.data == first.data
    assert box.invitations(WEBCHAT) == 1


def test_spacing_and_order_of_the_body_make_no_difference_but_content_does(service, box):
    bridge = service()
    headers = {"X-Api-Key": KEY, "Idempotency-Key": "k-1", "Content-Type": "application/json"}
    path = "/data-actions/cobrowse"
    bridge.client.post(path, data=f'{{"conversationId":"{WEBCHAT}","channel":"webchat"}}', headers=headers)
    same = bridge.client.post(path, data=f'{{ "channel": "webchat", "conversationId": "{WEBCHAT}" }}', headers=headers)
    assert same.headers["Idempotent-Replayed"] == "true"
    other = bridge.client.post(path, data=f'{{"conversationId":"{VOICE}"}}', headers=headers)
    assert (other.status_code, other.json["errorCode"]) == (422, "idempotency_key_reused")
    assert box.invitations(VOICE) == 0


def test_keys_belong_to_their_sender_and_an_empty_one_is_none(service, box):
    bridge = service()
    bridge.post(conversationId=WEBCHAT, **keyed(""))
    assert "Idempotent-Replayed" not in bridge.post(conversationId=VOICE, **keyed("  ")).headers
    assert box.invitations(VOICE) == 1


def test_a_request_that_was_never_taken_consumes_no_key(service, box):
    bridge = service()
    assert bridge.post(conversationId="nonsense", **keyed("k-1")).status_code == 422
    assert bridge.post(conversationId=WEBCHAT, key="wrong-key-wrong-key", **keyed("k-1")).status_code == 401
    assert bridge.post(conversationId=WEBCHAT, **keyed("k-1")).json["status"] == "initiated"


def test_a_retryable_failure_goes_on_from_the_last_finished_step(service, box):
    box.faults.add(operation="attach", kind="status", status=429, retry_after=30, times=1)
    bridge = service()
    failed = bridge.post(conversationId=WEBCHAT, **keyed("k-1")).json
    assert failed["errorCode"] == "genesys_rate_limited"
    again = bridge.post(conversationId=WEBCHAT, **keyed("k-1"))
    assert again.json["status"] == "initiated"
    assert "Idempotent-Replayed" not in again.headers
    assert again.json["initiationId"] == failed["initiationId"]
    assert again.json["upstreamCalls"] == 2
    assert len(box.sessions()) == 1
    assert box.invitations(WEBCHAT) == 1


@pytest.mark.parametrize("flow", ["media", "native"])
def test_an_attempt_that_died_of_a_lost_answer_is_resolved_by_its_retry(service, box, flow):
    operation = "attach" if flow == "media" else "cobrowse"
    box.faults.add(operation=operation, kind="delay", seconds=30, when="after", times=1)
    box.faults.add(operation="conversation", kind="delay", seconds=30, times="always")
    bridge = service(cobrowse_flow=flow, deadline_seconds=1.0)
    failed = bridge.post(conversationId=WEBCHAT, **keyed("k-1")).json
    assert (failed["errorCode"], failed["retryable"]) == ("genesys_timeout", True)
    box.faults.clear()
    again = bridge.post(conversationId=WEBCHAT, **keyed("k-1")).json
    assert again["status"] == "initiated"
    assert box.invitations(WEBCHAT) == 1


def test_a_corrected_client_secret_lets_the_same_key_through(service, box):
    box.faults.add(operation="token", kind="status", status=401, times=1)
    bridge = service()
    assert bridge.post(conversationId=WEBCHAT, **keyed("k-1")).json["errorCode"] == "genesys_unauthorized"
    assert bridge.post(conversationId=WEBCHAT, **keyed("k-1")).json["status"] == "initiated"


def test_fifty_identical_requests_at_once_get_one_session_and_fifty_equal_answers(service, box):
    box.faults.add(operation="attach", kind="delay", seconds=0.2, times=1)
    answers = at_once(service(), 50, json={"conversationId": WEBCHAT}, headers={"Idempotency-Key": "k-1"})
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 49
    assert box.invitations(WEBCHAT) == 1


class Claims:
    """A ledger that counts the claims that were answered."""

    def __init__(self, ledger):
        self._ledger, self.answered = ledger, threading.Semaphore(0)

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def claim(self, *given, **more):
        claimed = self._ledger.claim(*given, **more)
        self.answered.release()
        return claimed


class HeldInvitation(CurlTransport):
    """Sends the call that invites the customer once so many claims were answered."""

    def __init__(self, claims, number):
        super().__init__()
        self._claims, self._number = claims, number

    def handle_request(self, request):
        if request.url.path.endswith("/media"):
            for _ in range(self._number):
                assert self._claims.answered.acquire(timeout=HANGS)
        return super().handle_request(request)


def test_two_at_once_without_a_key_are_one_and_the_second_says_that_it_joined(service, box, tmp_path):
    claims = Claims(build_ledger(settings_on(box, tmp_path)))
    transport = HeldInvitation(claims, 5)
    bridge = service(ledger=claims, transport=transport, deadline_seconds=55.0)
    with closing(claims), closing(transport):
        answers = at_once(bridge, 5, json={"conversationId": WEBCHAT})
    assert sorted(answer.json["status"] for answer in answers) == ["initiated", *["joined"] * 4]
    assert len({answer.json["cobrowseSessionId"] for answer in answers}) == 1
    assert box.invitations(WEBCHAT) == 1


def test_a_flow_that_timed_out_and_calls_again_gets_the_session_it_has(service, box):
    bridge = service()
    first = bridge.start(WEBCHAT)
    again = bridge.start(WEBCHAT)
    assert (again["status"], again["success"], again["verified"]) == ("already_active", True, True)
    assert again["cobrowseSessionId"] == first["cobrowseSessionId"]
    assert again["joinUrl"] == first["joinUrl"]
    assert again["initiationId"] != first["initiationId"]
    assert box.invitations(WEBCHAT) == 1


def test_once_the_session_is_over_a_new_one_is_started(service, box):
    bridge = service()
    first = bridge.start(WEBCHAT)
    box.state.disconnect(WEBCHAT, first["mediaId"])
    assert bridge.start(WEBCHAT)["status"] == "initiated"
    assert box.invitations(WEBCHAT) == 2


def test_another_key_for_the_conversation_gets_the_session_that_is_live(service, box):
    bridge = service()
    first = bridge.post(conversationId=WEBCHAT, **keyed("k-1")).json
    other = bridge.post(conversationId=WEBCHAT, **keyed("k-2"))
    assert (other.json["status"], other.json["cobrowseSessionId"]) == ("already_active", first["cobrowseSessionId"])
    again = bridge.post(conversationId=WEBCHAT, **keyed("k-2"))
    assert (again.data, again.headers["Idempotent-Replayed"]) == (other.data, "true")
    assert box.invitations(WEBCHAT) == 1


@pytest.mark.parametrize("flow", ["media", "native"])
def test_forty_requests_at_once_with_five_keys_and_none_invite_once(service, box, flow):
    box.faults.add(operation="attach" if flow == "media" else "cobrowse", kind="delay", seconds=0.3, times=1)
    keys = ({"Idempotency-Key": f"k-{number % 5}"} if number < 30 else {} for number in range(40))
    callers = ({"X-Api-Key": OTHER_KEY if number % 3 == 0 else KEY} for number in range(40))
    requests = [
        {"json": {"conversationId": WEBCHAT}, "headers": key | caller}
        for key, caller in zip(keys, callers, strict=True)
    ]
    answers = all_at_once(service(cobrowse_flow=flow, deadline_seconds=20.0), requests)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json["status"] for answer in answers} <= {"initiated", "joined", "already_active"}
    assert len({answer.json["cobrowseSessionId"] for answer in answers}) == 1
    assert box.invitations(WEBCHAT) == 1


@pytest.mark.parametrize(("flow", "calls"), [("media", 3), ("native", 2)])
def test_an_undisturbed_start_makes_no_more_calls_than_it_needs(service, box, flow, calls):
    bridge = service(cobrowse_flow=flow)
    bridge.post(conversationId=LIVE, channel="webchat", **keyed("for the token"))
    before = len(box.calls())
    assert bridge.post(conversationId=WEBCHAT, channel="webchat", **keyed("k-1")).json["status"] == "initiated"
    assert len(box.calls()) - before == calls


def test_two_callers_have_keys_of_their_own_and_only_who_started_it_gets_the_links(service, box):
    bridge = service()
    first = bridge.post(conversationId=WEBCHAT, **keyed("k-1")).json
    other = bridge.post(conversationId=WEBCHAT, key=OTHER_KEY, **keyed("k-1"))
    assert (other.json["status"], other.json["cobrowseSessionId"]) == ("already_active", first["cobrowseSessionId"])
    assert "Idempotent-Replayed" not in other.headers
    assert first["joinUrl"]
    assert [other.json[name] for name in ("joinUrl", "viewerUrl", "joinCode")] == ["", "", ""]
    assert box.invitations(WEBCHAT) == 1


def test_beyond_what_may_be_running_a_request_is_refused_at_once_and_a_retry_is_answered(service, box):
    bridge = service()
    first = bridge.post(conversationId=VOICE, **keyed("k-1"))
    with ExitStack() as under_way:
        for _ in range(LIMIT):
            under_way.enter_context(bridge.initiate.admission)
        refused = bridge.post(conversationId=WEBCHAT, headers={"Prefer": "status"})
        assert (refused.status_code, refused.json["errorCode"], refused.headers["Retry-After"]) == (
            503,
            "overloaded",
            "2",
        )
        assert bridge.post(conversationId=VOICE, **keyed("k-1")).data == first.data
    assert box.invitations(WEBCHAT) == 0
    assert bridge.start(WEBCHAT)["status"] == "initiated"


def test_without_its_ledger_nothing_is_started(service, box, tmp_path):
    (tmp_path / "file").write_text("in the way")
    bridge = service(ledger_url=Secret(f"sqlite:///{tmp_path}/file/ledger.sqlite3"))
    answer = bridge.post(conversationId=WEBCHAT, headers={"Prefer": "status"})
    assert (answer.status_code, answer.json["errorCode"]) == (503, "ledger_unavailable")
    assert "Retry-After" in answer.headers
    assert box.calls() == []


def test_where_that_was_chosen_sessions_are_started_without_the_ledger(service, box, tmp_path):
    (tmp_path / "file").write_text("in the way")
    bridge = service(ledger_url=Secret(f"sqlite:///{tmp_path}/file/ledger.sqlite3"), ledger_required=False)
    assert bridge.start(WEBCHAT)["status"] == "initiated"
    assert box.invitations(WEBCHAT) == 1


def test_nothing_secret_is_in_the_ledgers_files(service, box, tmp_path):
    answers = [service(cobrowse_flow=flow).start(where) for flow, where in (("media", WEBCHAT), ("native", VOICE))]
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.sqlite3*") if not path.name.endswith(".key"))
    assert answers[0]["cobrowseSessionId"].encode() in stored
    secrets = [answers[0]["joinUrl"], answers[1]["joinCode"], answers[0]["viewerUrl"], KEY, OTHER_KEY]
    for secret in secrets:
        assert secret
        assert secret.encode() not in stored
    assert (tmp_path / "ledger.sqlite3.key").stat().st_mode & 0o777 == 0o600


def test_a_live_session_of_another_origin_is_the_answer_unless_the_data_action_names_its_channel(service, box):
    bridge = service()
    told = bridge.start(LIVE)
    assert (told["status"], told["cobrowseSessionId"], told["flow"]) == ("already_active", LIVE_SESSION, "")
    assert [told[name] for name in ("joinUrl", "viewerUrl", "joinCode")] == ["", "", ""]
    named = bridge.start(LIVE, channel="webchat")
    assert (named["status"], named["cobrowseSessionId"] == LIVE_SESSION) == ("initiated", False)


def test_a_budget_that_one_worker_has_used_up_stops_the_calls_of_all(service, box):
    box.options.rate_limit = 4
    first, other = service(), service()
    assert first.start(WEBCHAT)["success"]
    assert first.start(VOICE)["errorCode"] == "genesys_rate_limited"
    calls = len(box.calls())
    told = other.start(MESSAGE)
    assert (told["errorCode"], told["retryable"], 30 < told["retryAfterSeconds"] <= 60) == (
        "genesys_rate_limited",
        True,
        True,
    )
    assert len(box.calls()) == calls
