"""Callbacks: their payload, what a try means, and when the next one is."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from cobrowse.callbacks import Callback, Delivery, EventType
from cobrowse.clock import SystemClock
from cobrowse.ledger import State
from cobrowse.model import Failure, Outcome, Secret, Session, Status
from integrations.callbacks.posting import BACKOFFS, MAX_PAUSE, UNREACHABLE_PAUSE, Poster, TryResult
from integrations.callbacks.posting import Receiver as Target
from integrations.senders.auth.standard_webhooks import SECRET_FORM
from schemas.answers import CallbackOutcomeSchema, CallbackSchema
from tests.clocks import HANGS, LeapingClock
from tests.ports import free_port
from tests.receivers import SECRET, Receiver
from web.responses import callback_body

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
SESSION = Session("c-1", "s-1", join_url=Secret("https://join"), join_code=Secret("123"), offer_ends="later")
OUTCOME = Outcome(Status.INITIATED, "i-1", "corr-1", SESSION, "native", 0.25, 2)


def callback(**fields):
    values = {
        "initiation_id": "i-1",
        "attempt": 1,
        "type": EventType.SUCCEEDED,
        "sender": "architect",
        "action": "start",
        "key": "case-1",
        "outcome": OUTCOME,
        "created": NOW,
        "state": Delivery.PENDING,
        "at": NOW,
        "tries": 0,
        "answer": "",
    }
    return Callback(**values | fields)


def poster(url, secrets=(SECRET,), **more):
    return Poster(Target(url, tuple(map(Secret, secrets))), callback_body, SystemClock(), lambda: 0.5, **more)


def test_the_words_of_an_event_and_of_a_delivery_are_those_on_record():
    assert [*EventType] == ["initiation.succeeded", "initiation.failed", "initiation.ended"]
    assert [*Delivery] == ["pending", "delivered", "given_up"]
    assert [callback(type=kind, attempt=2).id for kind in EventType] == [
        "i-1:succeeded:2",
        "i-1:failed:2",
        "i-1:ended:2",
    ]
    types = {state: EventType.of(state) for state in State}
    assert [state for state, kind in types.items() if kind is EventType.SUCCEEDED] == [State.SUCCEEDED]


# --- the payload ------------------------------------------------------------------------------------


def test_it_says_what_the_data_action_says_without_what_lets_anyone_in():
    said = orjson.loads(callback_body(callback(), OUTCOME))
    assert (said["type"], said["timestamp"]) == ("initiation.succeeded", "2026-11-27T09:00:00+00:00")
    data = said["data"]
    assert not {"joinUrl", "viewerUrl", "joinCode", "websocketUrl"} & data.keys()
    assert (data["status"], data["conversationId"], data["initiationId"]) == ("initiated", "c-1", "i-1")
    assert (data["action"], data["sender"], data["idempotencyKey"], data["attempt"]) == (
        "start",
        "architect",
        "case-1",
        1,
    )
    assert "https://join" not in str(said)
    assert CallbackSchema().validate(said) == {}
    assert data.keys() == CallbackOutcomeSchema().fields.keys()
    assert all(isinstance(value, str | int | bool) for value in data.values())


def test_a_failure_says_why_and_whether_a_retry_helps():
    failure = Failure("conversation_not_active", "it ended", "start earlier", retryable=False, is_terminal=True)
    failed = replace(OUTCOME, status=Status.FAILED, failure=failure)
    data = orjson.loads(callback_body(callback(type=EventType.FAILED), failed))["data"]
    assert (data["success"], data["errorCode"], data["retryable"]) == (False, "conversation_not_active", False)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State.SUCCEEDED, EventType.SUCCEEDED),
        (State.FAILED_FINAL, EventType.FAILED),
        (State.FAILED_RETRYABLE, EventType.FAILED),
    ],
)
def test_an_attempts_end_is_one_event(state, kind):
    assert EventType.of(state) is kind


# --- a try ------------------------------------------------------------------------------------------


@pytest.fixture
def receiver():
    with Receiver() as served:
        yield served


def test_it_is_signed_so_that_the_standards_package_takes_it(receiver):
    assert poster(receiver.url)(callback()) == TryResult(Delivery.DELIVERED, "HTTP 204")
    [got] = receiver.received
    assert (got.id, got.type) == ("i-1:succeeded:1", "initiation.succeeded")
    assert got.path == "/outcomes"


def test_each_secret_signs_so_that_one_can_be_replaced(receiver):
    new = SECRET_FORM.sample("that follows the receiver's own")
    assert poster(receiver.url, (new, SECRET))(callback()).state is Delivery.DELIVERED
    assert len(receiver.received) == 1


def test_the_id_stays_and_the_timestamp_is_new_at_each_try(receiver):
    receiver.answer = lambda _: (500, {})
    clock = LeapingClock()
    post = Poster(Target(receiver.url, (Secret(SECRET),)), callback_body, clock, lambda: 0.0)
    post(callback())
    clock.sleep(5.0)
    post(callback(tries=1))
    assert receiver.ids() == ["i-1:succeeded:1"] * 2
    assert receiver.received[1].timestamp - receiver.received[0].timestamp >= 5


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 500])
def test_any_other_answer_is_tried_again_and_no_redirect_is_followed(receiver, status):
    with Receiver() as elsewhere:
        receiver.answer = lambda _: (status, {"Location": elsewhere.url})
        tried = poster(receiver.url)(callback())
        assert tried == TryResult(Delivery.PENDING, f"HTTP {status}", BACKOFFS[0] * 1.1)
        assert elsewhere.received == []


def test_the_waits_last_a_day_and_then_it_is_given_up(receiver):
    receiver.answer = lambda _: (500, {})
    assert 0.9 * 86_400 < sum(BACKOFFS) < 86_400 * 1.1
    assert list(BACKOFFS) == sorted(BACKOFFS)
    tried = poster(receiver.url)(callback(tries=len(BACKOFFS) - 1))
    assert (tried.state, tried.wait) == (Delivery.PENDING, BACKOFFS[-1] * 1.1)
    assert poster(receiver.url)(callback(tries=len(BACKOFFS))).state is Delivery.GIVEN_UP


def test_a_receiver_that_is_gone_is_asked_nothing_more(receiver):
    receiver.answer = lambda _: (410, {})
    assert poster(receiver.url)(callback()) == TryResult(Delivery.GIVEN_UP, "HTTP 410", pause=MAX_PAUSE)


@pytest.mark.parametrize(
    ("status", "asked", "pause"),
    [(429, "90", 90.0), (503, "1000000", MAX_PAUSE), (503, "soon", 0.0), (502, "-5", 0.0), (500, "90", 0.0)],
)
def test_a_busy_receiver_is_spared_as_long_as_it_asks(receiver, status, asked, pause):
    receiver.answer = lambda _: (status, {"Retry-After": asked})
    tried = poster(receiver.url)(callback())
    assert (tried.state, tried.pause) == (Delivery.PENDING, pause)
    assert tried.wait >= pause


def test_a_receiver_that_hangs_is_left_after_a_bounded_time(receiver):
    hang = threading.Event()
    receiver.answer = lambda _: (hang.wait(HANGS), (200, {}))[1]
    tried = poster(receiver.url, seconds=0.3)(callback())
    hang.set()
    assert (tried.state, tried.answer) == (Delivery.PENDING, "127.0.0.1 did not answer within 0.3 s")


def test_a_receiver_that_is_away_is_tried_again():
    tried = poster(f"http://127.0.0.1:{free_port()}/")(callback())
    answer = "127.0.0.1 can't be reached: ConnectionRefusedError"
    assert tried == TryResult(Delivery.PENDING, answer, BACKOFFS[0] * 1.1, pause=UNREACHABLE_PAUSE)


def test_what_cannot_be_read_is_not_sent_and_waits_for_a_newer_release_that_can(receiver):
    post = poster(receiver.url)
    assert post(callback(outcome=None)).state is Delivery.PENDING
    assert post(callback(outcome=None, tries=len(BACKOFFS))).state is Delivery.GIVEN_UP
    assert receiver.received == []


def test_a_fault_of_ours_is_a_try_and_the_next_one_waits(receiver):
    """Otherwise it would be due again at once, and eight of them would keep a worker busy for ever."""
    post = poster(receiver.url, send=lambda *_: {}["no such thing"])
    assert post(callback()) == TryResult(Delivery.PENDING, "not sent: internal error (KeyError)", BACKOFFS[0] * 1.1)
    assert post(callback(tries=len(BACKOFFS))).state is Delivery.GIVEN_UP
