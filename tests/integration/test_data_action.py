"""The main job, on a real sandbox: a data action comes in, a session is started, a flat answer goes back."""

import threading

import pytest

from sandbox.state import ABSENT, EMAIL, ENDED, LIVE, MESSAGE, VOICE, WEBCHAT
from schemas.answers import AnswerSchema
from tests.clocks import HANGS, LeapingClock
from tests.integration.conftest import KEY

KEYS = list(AnswerSchema().fields)


def test_a_session_is_started_attached_and_verified(service, box):
    answer = service().post(conversationId=WEBCHAT, channel="webchat", requestedBy="Ann")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    body = answer.json
    assert list(body) == KEYS
    assert (body["success"], body["status"], body["verified"], body["flow"]) == (True, "initiated", True, "media")
    [session] = box.sessions()
    assert body["cobrowseSessionId"] == session.id
    assert session.id in body["joinUrl"]
    assert body["conversationId"] == WEBCHAT
    assert body["mediaId"]
    assert body["errorCode"] == body["errorMessage"] == body["errorHint"] == ""
    assert box.invitations(WEBCHAT) == 1


def test_three_calls_are_made_once_the_token_is_there(service, box):
    bridge = service()
    assert bridge.start(WEBCHAT, channel="webchat")["upstreamCalls"] == 4
    assert bridge.start(LIVE, channel="webchat")["upstreamCalls"] == 3
    assert [call.operation for call in box.calls()][-3:] == ["create", "attach", "conversation"]


UNNAMED = {
    "not sent": {},
    "empty": {"channel": ""},
    "null": {"channel": None},
    "Genesys does not know it": {"channel": "UNKNOWN"},
    "left in place": {"channel": "$!{input.channel}"},
    "left in its macro": {"channel": '$esc.jsonEncode("${input.channel}")'},
}


@pytest.mark.parametrize("channel", UNNAMED.values(), ids=UNNAMED)
def test_a_channel_that_is_not_named_costs_the_media_flow_a_check(service, box, channel):
    bridge = service()
    assert bridge.start(WEBCHAT, **channel)["status"] == "initiated"
    assert [call.operation for call in box.calls()] == ["token", "conversation", "create", "attach", "conversation"]


@pytest.mark.parametrize("flow", ["media", "native", "auto"])
@pytest.mark.parametrize(
    ("conversation", "code"),
    [
        (ENDED, "conversation_not_active"),
        (ABSENT, "conversation_not_found"),
        (EMAIL, "cobrowse_not_supported"),
    ],
)
def test_no_session_is_left_behind_where_none_can_be(service, box, flow, conversation, code):
    assert service(cobrowse_flow=flow).start(conversation)["errorCode"] == code
    assert box.sessions() == []


@pytest.mark.parametrize("flow", ["media", "native"])
@pytest.mark.parametrize("conversation", [WEBCHAT, VOICE, MESSAGE])
def test_both_flows_start_on_every_kind_that_can_carry_cobrowse(service, box, flow, conversation):
    body = service(cobrowse_flow=flow).start(conversation)
    assert (body["status"], body["flow"]) == ("initiated", flow)
    assert bool(body["joinCode"]) is bool(body["offerEnds"]) is (flow == "native")
    assert bool(body["joinUrl"]) is (flow == "media")
    assert box.invitations(conversation) == 1


def test_auto_turns_native_for_good_once_the_endpoint_is_missing(service, box):
    box.options.api = "native"
    bridge = service()
    assert bridge.start(WEBCHAT)["flow"] == "native"
    assert bridge.start(VOICE)["flow"] == "native"
    assert [call.path for call in box.calls()].count("/api/v2/cobrowse/sessions") == 1


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "status", "status": status} for status in (400, 500, 503)),
        {"kind": "status", "status": 401, "code": "ip.not.authorized"},
        {"kind": "not_json", "status": 403},
    ],
)
def test_auto_switches_on_no_other_answer(service, box, fault):
    box.faults.add(operation="create", times="always", **fault)
    bridge = service(clock=LeapingClock())
    assert bridge.start(WEBCHAT)["success"] is False
    assert box.invitations() == 0
    box.faults.clear()
    assert bridge.start(VOICE)["flow"] == "media"


def test_media_alone_does_not_fall_back(service, box):
    box.options.api = "native"
    body = service(cobrowse_flow="media").start(WEBCHAT)
    assert body["errorCode"] == "cobrowse_not_supported"
    assert "COBROWSE_FLOW" in body["errorHint"]


def test_native_posts_neither_body_nor_content_type(service, box):
    service(cobrowse_flow="native").start(WEBCHAT)
    [call] = box.calls("cobrowse")
    assert (call.has_body, call.content_type) == (False, None)


def test_session_settings_become_the_body_of_create(service, box):
    service().start(WEBCHAT, sessionSettings='{"mask": ["#card"]}')
    [session] = box.sessions()
    assert session.settings == {"mask": ["#card"]}


def test_the_channel_chooses_the_tokens_scope(service, box):
    box.options.grants = ("cobrowse:initiate", "conversation:read", "conversation:voice")
    bridge = service()
    assert bridge.start(VOICE, channel="voice")["success"] is True
    body = bridge.start(WEBCHAT, channel="webchat")
    assert body["errorCode"] == "genesys_forbidden"
    assert "conversation:webchat" in body["errorMessage"]


def test_unverified_is_a_success_that_says_so(service, box):
    box.faults.add(operation="attach", kind="lag", seconds=60)
    body = service(clock=LeapingClock()).start(WEBCHAT)
    assert (body["success"], body["status"], body["verified"]) == (True, "unverified", False)
    assert len(box.calls("conversation")) > 1


def test_a_verify_that_fails_is_no_failure_of_what_was_attached(service, box):
    box.faults.add(operation="conversation", kind="status", status=500, times="always")
    body = service(clock=LeapingClock()).start(WEBCHAT)
    assert (body["success"], body["status"]) == (True, "unverified")


@pytest.mark.parametrize(
    ("conversation", "code", "status"),
    [
        (ABSENT, "conversation_not_found", 404),
        (ENDED, "conversation_not_active", 409),
        (EMAIL, "cobrowse_not_supported", 422),
    ],
)
@pytest.mark.parametrize("flow", ["media", "native"])
def test_why_a_conversation_cannot_have_cobrowse_is_found_out(service, box, flow, conversation, code, status):
    bridge = service(cobrowse_flow=flow)
    answer = bridge.post(conversationId=conversation)
    assert (answer.status_code, answer.json["errorCode"], answer.json["success"]) == (200, code, False)
    assert answer.json["errorHint"]
    real = bridge.post(conversationId=conversation, headers={"Prefer": "status"})
    assert (real.status_code, list(real.json)) == (status, KEYS)
    assert box.invitations(conversation) == 0


def test_a_refusal_by_a_live_conversation_carries_genesys_own_words(service, box):
    box.faults.add(operation="attach", kind="status", status=400, code="bad.request", message="cobrowse is not enabled")
    body = service().start(WEBCHAT)
    assert body["errorCode"] == "cobrowse_not_supported"
    assert "bad.request: cobrowse is not enabled" in body["errorMessage"]
    assert "contextId" in body["errorMessage"]


ANSWERED = [
    ("create", {"kind": "status", "status": 401}, "genesys_unauthorized", 502, False),
    ("create", {"kind": "not_json", "status": 403, "when": "before"}, "genesys_forbidden", 502, False),
    ("attach", {"kind": "status", "status": 403}, "genesys_forbidden", 502, False),
    ("create", {"kind": "status", "status": 429, "retry_after": 42}, "genesys_rate_limited", 503, True),
    ("attach", {"kind": "status", "status": 429, "retry_after": 42}, "genesys_rate_limited", 503, True),
    ("create", {"kind": "status", "status": 500}, "genesys_unavailable", 503, True),
    ("create", {"kind": "drop"}, "genesys_unavailable", 503, True),
    ("create", {"kind": "delay", "seconds": 30}, "genesys_timeout", 504, True),
    ("create", {"kind": "drip", "seconds": 1, "part": "all"}, "genesys_timeout", 504, True),
    ("create", {"kind": "drip", "seconds": 1}, "session_not_identified", 502, False),
    ("create", {"kind": "not_json"}, "session_not_identified", 502, False),
    ("create", {"kind": "wrong_json", "body": []}, "session_not_identified", 502, False),
    ("token", {"kind": "not_json"}, "genesys_bad_response", 502, True),
    ("create", {"kind": "redirect", "location": "http://127.0.0.1:1/"}, "genesys_bad_response", 502, True),
    ("token", {"kind": "status", "status": 401}, "genesys_unauthorized", 502, False),
    ("token", {"kind": "status", "status": 503}, "genesys_unavailable", 503, True),
]


@pytest.mark.parametrize(("operation", "fault", "code", "status", "retryable"), ANSWERED)
def test_each_error_kind_is_reported_by_its_fault(service, box, operation, fault, code, status, retryable):
    box.faults.add(operation=operation, times="always", **fault)
    # What keeps silent is waited for in real time.
    deadline = 1.5 if fault["kind"] in ("delay", "drip") else 10.0
    answer = service(clock=LeapingClock(), deadline_seconds=deadline).post(
        conversationId=WEBCHAT, headers={"Prefer": "status"}
    )
    body = answer.json
    assert (body["errorCode"], answer.status_code, body["retryable"]) == (code, status, retryable)
    assert ("Retry-After" in answer.headers) is retryable
    assert body["retryAfterSeconds"] == (42 if fault.get("retry_after") else 2 if retryable else 0)
    assert box.invitations() == 0


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("token", {"kind": "delay", "seconds": 300}),
        ("create", {"kind": "delay", "seconds": 300}),
        ("create", {"kind": "drip", "seconds": 1.4}),
        ("attach", {"kind": "delay", "seconds": 300}),
        ("attach", {"kind": "drip", "seconds": 1.4}),
        ("attach", {"kind": "status", "status": 503, "retry_after": 1}),
        ("conversation", {"kind": "delay", "seconds": 300}),
        ("conversation", {"kind": "drip", "seconds": 1.4}),
        ("any", {"kind": "status", "status": 429}),
        ("any", {"kind": "status", "status": 429, "retry_after": 1}),
        ("any", {"kind": "drop"}),
    ],
)
def test_the_deadline_holds_whatever_the_fault(service, box, operation, fault):
    box.faults.add(operation=operation, times="always", **fault)
    body = service(deadline_seconds=0.6).start(WEBCHAT)
    # Without a deadline each of these lasts for as long as it is asked; how exactly it is kept is the unit tests'.
    assert 0 < body["durationMs"] < 1000 * HANGS
    assert box.invitations(WEBCHAT) <= 1


@pytest.mark.parametrize("flow", ["media", "native"])
@pytest.mark.parametrize(
    "fault", [{"kind": "drop"}, {"kind": "truncate"}, {"kind": "status", "status": 504}, {"kind": "not_json"}]
)
def test_an_invitation_whose_answer_was_lost_is_found_and_not_retried(service, box, flow, fault):
    box.faults.add(operation="attach" if flow == "media" else "cobrowse", when="after", times=1, **fault)
    body = service(cobrowse_flow=flow).start(WEBCHAT)
    assert (body["success"], body["status"], body["verified"]) == (True, "initiated", True)
    assert box.invitations(WEBCHAT) == 1


@pytest.mark.parametrize("flow", ["media", "native"])
@pytest.mark.parametrize("fault", [{"kind": "drop"}, {"kind": "status", "status": 503}])
def test_an_invitation_that_did_not_happen_is_made_after_a_check(service, box, flow, fault):
    box.faults.add(operation="attach" if flow == "media" else "cobrowse", when="before", times=1, **fault)
    body = service(cobrowse_flow=flow).start(WEBCHAT)
    assert body["status"] == "initiated"
    assert box.invitations(WEBCHAT) == 1


def test_a_lost_create_may_be_retried_since_an_unattached_session_reaches_nobody(service, box):
    box.faults.add(operation="create", kind="drop", when="after", times=1)
    assert service().start(WEBCHAT)["status"] == "initiated"
    assert len(box.sessions()) == 2
    assert box.invitations(WEBCHAT) == 1


def test_a_short_retry_after_is_waited_for(service, box):
    box.faults.add(operation="attach", kind="status", status=429, retry_after=1, times=1)
    clock = LeapingClock()
    assert service(clock=clock).start(WEBCHAT)["status"] == "initiated"
    assert max(clock.slept) >= 1


def test_a_long_retry_after_fails_at_once_with_its_number(service, box):
    box.faults.add(operation="attach", kind="status", status=429, retry_after=42, times=1)
    clock = LeapingClock()
    body = service(clock=clock).start(WEBCHAT)
    assert clock.slept == []
    assert (body["errorCode"], body["retryAfterSeconds"], body["retryable"]) == ("genesys_rate_limited", 42, True)


def test_a_token_that_genesys_no_longer_takes_is_renewed_and_the_call_retried_once(service, box):
    bridge = service()
    bridge.start(WEBCHAT)
    box.faults.add(operation="create", kind="expire_token", times=1)
    body = bridge.start(VOICE)
    assert body["success"] is True
    assert len(box.calls("token")) == 2


def test_fifty_threads_fetch_one_token(service, box):
    bridge = service()
    box.options.auto_create = True
    box.faults.add(operation="token", kind="delay", seconds=0.2, times=1)
    answers = []

    def one(number):
        answers.append(
            bridge.app.test_client()
            .post(
                "/data-actions/cobrowse",
                json={"conversationId": f"{number:08d}-0000-4000-8000-000000000000"},
                headers={"X-Api-Key": KEY},
            )
            .json
        )

    threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer["status"] for answer in answers] == ["initiated"] * 50
    assert len(box.calls("token")) == 1


def test_the_newest_webchat_is_taken_only_where_that_is_allowed(service, box):
    refused = service().post(latest=True)
    assert (refused.status_code, refused.json["errorCode"]) == (200, "latest_not_allowed")
    assert service().post(latest=True, headers={"Prefer": "status"}).status_code == 403
    assert box.calls() == []
    body = service(allow_latest=True).start("", latest="true")
    assert (body["status"], body["conversationId"]) == ("initiated", WEBCHAT)
    assert box.calls("list")[0].path.startswith("/api/v2/conversations/webchat")


def test_no_active_webchat_is_said_plainly(service, box):
    box.faults.add(operation="list", kind="wrong_json", body={"entities": []})
    body = service(allow_latest=True).start("", latest=True)
    assert (body["errorCode"], body["retryable"]) == ("no_active_conversation", False)


def test_a_users_own_token_is_used_for_its_request_alone(service, box):
    bridge = service(allow_user_tokens=True)
    assert bridge.start(WEBCHAT, headers={"Genesys-Access-Token": "user-token-ann"})["success"] is True
    assert box.calls("token") == []
    assert bridge.start(VOICE)["success"] is True
    assert len(box.calls("token")) == 1


def test_a_users_token_is_not_looked_at_where_it_is_not_allowed(service, box):
    assert service().start(WEBCHAT, headers={"Genesys-Access-Token": "user-token-ann"})["success"] is True
    assert len(box.calls("token")) == 1


def test_a_refused_user_token_is_not_exchanged_for_the_services_own(service, box):
    body = service(allow_user_tokens=True).start(WEBCHAT, headers={"Genesys-Access-Token": "expired-elsewhere"})
    assert body["errorCode"] == "genesys_unauthorized"
    assert box.calls("token") == []


def test_a_conversation_that_has_cobrowse_is_not_checked_for_a_data_action_in_it(service, box):
    assert service().start(LIVE, channel="webchat")["success"] is True
    assert [call.operation for call in box.calls()][0:2] == ["token", "create"]
