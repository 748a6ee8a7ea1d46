"""The scenarios of a public suite for the IETF draft of Idempotency-Key, as tests of our own contract.

The suite is idempot-dev/website, docs/specs/idempotency.feature (801d14c); the draft is
draft-ietf-httpapi-idempotency-key-header-07. A test has its scenario's place in the suite as its number. Where we
differ, on purpose, the test holds what we do instead, and its docstring says why.
"""

import re
import threading

import pytest

from cobrowse.ledger import State
from sandbox.server import start
from sandbox.state import VOICE, WEBCHAT
from schemas.answers import AnswerSchema
from tests.clocks import HANGS, wait_until
from tests.in_process import KEY, service

PATH = "/data-actions/cobrowse"
KEYS = list(AnswerSchema().fields)
SCENARIOS = 30


@pytest.fixture
def box():
    with start(rate_limit=None) as sandbox:
        yield sandbox


class Endpoint:
    def __init__(self, app, ledger):
        self.app, self.ledger = app, ledger

    def send(self, key=None, conversation=WEBCHAT, *, method="POST", path=PATH, body=None, **headers):
        sent = {"X-Api-Key": KEY, "Content-Type": "application/json", **headers}
        if key is not None:
            sent["Idempotency-Key"] = key
        content = f'{{"conversationId":"{conversation}"}}' if body is None else body
        return self.app.test_client().open(path, method=method, data=content, headers=sent)

    def records(self, key=""):
        return [row for row in self.ledger.recent(100) if not key or row.command.key == key]


@pytest.fixture
def endpoint(box, tmp_path):
    with service(box.url, tmp_path) as (app, ledger):
        yield Endpoint(app, ledger)


def refused(answer, status, code):
    """Our form of RFC 7807's type, title and detail: the flat keys, of which an Architect flow can read each."""
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    body = answer.json
    assert list(body) == KEYS
    assert body["errorCode"] == code
    assert body["errorMessage"]
    assert body["errorHint"]
    return body


# --- the header -------------------------------------------------------------------------------------------------------


def test_01_without_a_key_the_request_is_served(endpoint, box):
    """The suite wants 400. The draft leaves it to the resource, and a data action has no key of its own to send."""
    answer = endpoint.send()
    assert (answer.status_code, answer.json["status"]) == (200, "initiated")
    assert box.invitations(WEBCHAT) == 1


def test_02_an_empty_key_counts_as_none(endpoint, box):
    """The suite wants 400. An Architect flow sends an input that was not set as an empty header."""
    answers = [endpoint.send("", conversation) for conversation in (WEBCHAT, VOICE)]
    assert [answer.json["status"] for answer in answers] == ["initiated"] * 2
    assert all("Idempotent-Replayed" not in answer.headers for answer in answers)
    assert [row.command.key for row in endpoint.records()] == ["", ""]


def test_03_a_key_of_256_characters_is_400(endpoint, box):
    refused(endpoint.send("k" * 256), 400, "idempotency_key_malformed")
    assert endpoint.send("k" * 255).status_code == 200
    assert box.invitations(WEBCHAT) == 1


def test_04_a_key_may_hold_commas(endpoint):
    """The suite wants 400. The draft's key is a string, in which commas are as good as any other character."""
    key = "key,with,commas,longer-than-twenty-chars"
    first, again = endpoint.send(key), endpoint.send(key)
    assert first.json["status"] == "initiated"
    assert again.data == first.data


def test_05_a_valid_key_is_accepted(endpoint):
    assert endpoint.send("8e03978e-40d5-43e8-bc93-6894a57f9324").status_code == 200


# --- the first request ------------------------------------------------------------------------------------------------


def test_06_the_first_request_makes_a_record(endpoint):
    endpoint.send("abc123456789012345678")
    [row] = endpoint.records("abc123456789012345678")
    assert row.state is State.SUCCEEDED


def test_07_the_record_holds_what_the_status_follows_from(endpoint):
    """The suite's record holds a status. Ours holds the outcome: the same failure is 200 or 404 as the caller asks."""
    absent = "99999999-9999-4999-8999-999999999999"
    told = endpoint.send("abc123456789012345678", absent)
    [row] = endpoint.records("abc123456789012345678")
    assert row.outcome.failure.code == told.json["errorCode"] == "conversation_not_found"
    again = endpoint.send("abc123456789012345678", absent, Prefer="status")
    assert (told.status_code, again.status_code) == (200, 404)
    assert again.data == told.data


def test_08_the_record_holds_the_answer(endpoint):
    body = endpoint.send("abc123456789012345678").json
    [row] = endpoint.records("abc123456789012345678")
    assert row.outcome.success is body["success"] is True
    assert row.outcome.session.cobrowse_session_id == body["cobrowseSessionId"]
    assert row.id == body["initiationId"]


def test_09_the_first_request_starts_one_session(endpoint, box):
    endpoint.send("abc123456789012345678")
    assert (len(box.sessions()), box.invitations(WEBCHAT)) == (1, 1)


def test_10_the_first_request_is_answered_as_ever(endpoint):
    answer = endpoint.send("abc123456789012345678")
    assert answer.status_code == 200
    assert list(answer.json) == KEYS
    assert answer.json["success"] is True


# --- its repeats ------------------------------------------------------------------------------------------------------


def test_11_a_duplicate_gets_the_kept_answer(endpoint):
    first, again = endpoint.send("abc123456789012345678"), endpoint.send("abc123456789012345678")
    assert (again.status_code, again.data) == (200, first.data)


def test_12_a_duplicate_says_that_it_is_one(endpoint):
    """The suite's header has an x- in front; the draft names none, and this is Stripe's."""
    first, again = endpoint.send("abc123456789012345678"), endpoint.send("abc123456789012345678")
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


def test_13_a_duplicate_makes_no_record_of_its_own(endpoint):
    for _ in range(2):
        endpoint.send("abc123456789012345678")
    assert len(endpoint.records()) == 1


def test_14_a_duplicate_starts_nothing(endpoint, box):
    for _ in range(2):
        endpoint.send("abc123456789012345678")
    assert (len(box.sessions()), box.invitations(WEBCHAT)) == (1, 1)


def test_15_nor_do_many(endpoint, box):
    answers = {endpoint.send("abc123456789012345678").data for _ in range(4)}
    assert len(answers) == 1
    assert box.invitations(WEBCHAT) == 1


# --- another key, the same body ---------------------------------------------------------------------------------------


def test_16_another_key_with_the_same_body_is_another_request(endpoint, box):
    """The suite wants 409. The draft says no such thing; here the second one gets the session that is live."""
    answers = [endpoint.send(key) for key in ("key1-12345678901234567", "key2-12345678901234567")]
    assert [answer.json["status"] for answer in answers] == ["initiated", "already_active"]
    assert len({answer.json["initiationId"] for answer in answers}) == 2


def test_17_so_there_is_no_conflict_to_explain(endpoint):
    """The suite wants an explanation; each of the two requests is a success with a record of its own."""
    keys = ("key1-12345678901234567", "key2-12345678901234567")
    assert [endpoint.send(key).json["errorMessage"] for key in keys] == ["", ""]
    assert {row.command.key for row in endpoint.records()} == set(keys)


def test_18_what_the_conflict_was_to_prevent_is_prevented_for_those_without_a_key(endpoint, box):
    """The suite's 409 keeps a second order out. Here a repeat that says no key gets the session that is there."""
    first, again = endpoint.send(), endpoint.send()
    assert (first.json["status"], again.json["status"]) == ("initiated", "already_active")
    assert again.json["cobrowseSessionId"] == first.json["cobrowseSessionId"]
    assert box.invitations(WEBCHAT) == 1


# --- the same key, another body ---------------------------------------------------------------------------------------


def test_19_the_same_key_with_another_body_is_422(endpoint, box):
    endpoint.send("abc123456789012345678")
    refused(endpoint.send("abc123456789012345678", VOICE), 422, "idempotency_key_reused")
    assert box.invitations(VOICE) == 0


def test_20_and_is_reported_in_words(endpoint):
    endpoint.send("abc123456789012345678")
    body = endpoint.send("abc123456789012345678", VOICE).json
    assert "Idempotency-Key" in body["errorMessage"]
    assert "new key" in body["errorHint"]


# --- while the first is at work ---------------------------------------------------------------------------------------


@pytest.fixture
def at_work(box, tmp_path):
    """A first request that is held up at Genesys, and a caller who has little time."""
    box.faults.add(operation="attach", kind="delay", seconds=300, times=1)
    with (
        service(box.url, tmp_path, deadline_seconds=HANGS) as (slow, slow_ledger),
        service(box.url, tmp_path, deadline_seconds=0.5) as (app, ledger),
    ):
        first = threading.Thread(target=Endpoint(slow, slow_ledger).send, args=("abc123456789012345678",))
        first.start()
        wait_until(lambda: box.calls("attach"))
        yield Endpoint(app, ledger)
        box.reset()  # gives up what is delayed
        first.join()


def test_21_a_request_while_the_first_is_running_is_409_to_who_asks_for_the_status(at_work, box):
    """The suite wants 409 at once. We wait for the first as long as the caller does, and tell a flow in the body."""
    by_body = at_work.send("abc123456789012345678")
    assert (by_body.status_code, by_body.json["errorCode"], by_body.json["retryable"]) == (200, "in_progress", True)
    by_status = at_work.send("abc123456789012345678", Prefer="status")
    refused(by_status, 409, "in_progress")
    assert int(by_status.headers["Retry-After"]) == by_status.json["retryAfterSeconds"] > 0


def test_22_and_is_told_what_to_do(at_work):
    body = at_work.send("abc123456789012345678").json
    assert "still running" in body["errorMessage"]
    assert "same key" in body["errorHint"]


# --- the form of an error ---------------------------------------------------------------------------------------------


def test_23_whatever_is_missing_is_reported_with_the_flat_keys(endpoint):
    """The suite has problem+json for a missing key. We need none, and an Architect flow reads one flat contract."""
    refused(endpoint.send(body="{}"), 422, "invalid_request")


def test_24_a_reused_key_is_reported_with_the_flat_keys(endpoint):
    """The suite has problem+json; errorCode, errorMessage and errorHint are its type, detail and more."""
    endpoint.send("abc123456789012345678")
    refused(endpoint.send("abc123456789012345678", VOICE), 422, "idempotency_key_reused")


def test_25_another_key_with_the_same_body_has_no_error_to_form(endpoint):
    """The suite has problem+json for its 409, which we don't have."""
    endpoint.send("key1-12345678901234567")
    answer = endpoint.send("key2-12345678901234567", Prefer="status")
    assert (answer.status_code, answer.json["errorCode"]) == (200, "")


# --- other methods and bodies -----------------------------------------------------------------------------------------


def test_26_a_get_takes_no_notice_of_a_key(endpoint):
    answer = endpoint.send("abc123456789012345678", method="GET", path="/healthz")
    assert answer.status_code == 200
    assert "Idempotent-Replayed" not in answer.headers
    assert endpoint.records() == []


@pytest.mark.parametrize(
    "method",
    ["PUT", "DELETE", "PATCH"],
    ids=["27, a PUT", "28, a DELETE", "30, a PATCH"],
)
def test_27_28_30_only_a_post_starts_anything(endpoint, box, method):
    """The suite lets PUT and DELETE pass and protects PATCH. Here there is none: 405, no record, a free key."""
    answer = endpoint.send("abc123456789012345678", method=method)
    refused(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    assert endpoint.records() == []
    assert endpoint.send("abc123456789012345678").json["status"] == "initiated"
    assert box.invitations(WEBCHAT) == 1


def test_29_an_empty_body_is_reported_and_consumes_no_key(endpoint, box):
    """The suite wants 200. Here a body says which conversation is meant."""
    refused(endpoint.send("abc123456789012345678", body=""), 400, "malformed_request")
    assert endpoint.records() == []
    assert endpoint.send("abc123456789012345678").json["status"] == "initiated"


def test_every_scenario_of_the_suite_has_its_test():
    numbers = {
        int(found) for name in globals() if name.startswith("test_") for found in re.findall(r"_(\d\d)(?=_)", name)
    }
    assert numbers == set(range(1, SCENARIOS + 1))
