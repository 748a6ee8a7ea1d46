"""What is sent again and what is not, how long is waited, and what a broken call stands for."""

import httpx
import pytest

from cobrowse.errors import (
    GenesysBadResponse,
    GenesysRateLimited,
    GenesysTimeout,
    GenesysUnavailable,
    InternalError,
)
from cobrowse.flow import Attempt
from cobrowse.model import Command
from integrations.genesys.engine import BodyTooLarge
from integrations.genesys.operations import ATTACH, COBROWSE, CONVERSATION, CREATE, TOKEN
from integrations.genesys.transport import Caller
from tests.clocks import ManualClock

URL = httpx.URL("https://api.example.com/x")
GOOD = {
    TOKEN: {"access_token": "t"},
    CONVERSATION: {"id": "c"},
    CREATE: {"id": "s"},
    ATTACH: {"id": "m"},
    COBROWSE: {"id": "s"},
}


class Script(httpx.BaseTransport):
    """Answers in turn with what a test says: a status, (status, headers), an exception, or "hang" for a timeout."""

    def __init__(self, clock, operation, *answers):
        self.clock, self.operation, self.answers = clock, operation, list(answers)
        self.requests = []

    def handle_request(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "hang":
            self.clock.time += request.extensions["deadline"]
            raise httpx.ReadTimeout("too slow")
        if isinstance(answer, Exception):
            raise answer
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return httpx.Response(status, headers=headers, json=GOOD[self.operation] if status < 300 else {})


def calling(operation, *answers, deadline=10.0, jitter=1.0):
    clock = ManualClock()
    script = Script(clock, operation, *answers)
    attempt = Attempt(Command("architect", "c", deadline), "i", "h", clock)
    return script, attempt, lambda: Caller(script, clock, lambda: jitter).call(attempt, operation, URL, {}, None)


@pytest.mark.parametrize("operation", [TOKEN, CONVERSATION, CREATE])
@pytest.mark.parametrize(
    "fault", [500, 502, 503, 504, 408, 429, httpx.ReadError("reset"), httpx.ConnectError("refused")]
)
def test_what_harms_nobody_is_sent_again(operation, fault):
    script, attempt, call = calling(operation, fault, fault)
    assert call()
    assert len(script.requests) == 3
    assert attempt.upstream_calls == 3


@pytest.mark.parametrize("operation", [ATTACH, COBROWSE])
@pytest.mark.parametrize(
    "fault", [500, 503, 504, 408, httpx.ReadError("reset"), httpx.RemoteProtocolError("cut"), httpx.WriteError("x")]
)
def test_what_reaches_the_customer_is_never_sent_again_blindly(operation, fault):
    script, _, call = calling(operation, fault)
    with pytest.raises((GenesysUnavailable, GenesysTimeout)) as lost:
        call()
    assert lost.value.ambiguous
    assert len(script.requests) == 1


@pytest.mark.parametrize("operation", [ATTACH, COBROWSE])
@pytest.mark.parametrize(
    "fault", [429, (429, {"Retry-After": "1"}), httpx.ConnectError("refused"), httpx.ConnectTimeout("x")]
)
def test_what_surely_never_happened_is_sent_again_whatever_it_is(operation, fault):
    script, _, call = calling(operation, fault)
    assert call()
    assert len(script.requests) == 2


def test_a_call_is_tried_three_times_at_most():
    script, _, call = calling(CREATE, 500, 500, 500, 500)
    with pytest.raises(GenesysUnavailable):
        call()
    assert len(script.requests) == 3


def test_without_a_named_wait_the_backoff_grows_and_is_jittered():
    _, attempt, call = calling(CREATE, 500, 500)
    call()
    assert attempt.clock.slept == [0.2, 0.4]
    _, attempt, call = calling(CREATE, 500, 500, jitter=0.25)
    call()
    assert attempt.clock.slept == [0.05, 0.1]


@pytest.mark.parametrize("header", ["3", "Wed, 25 Nov 2026 09:00:03 GMT"])
def test_a_named_wait_is_kept_to_the_second(header):
    _, attempt, call = calling(CREATE, (429, {"Retry-After": header}))
    call()
    assert attempt.clock.slept == [3.0]
    assert [span.seconds for span in attempt.spans if span.kind == "wait"] == [3.0]


def test_a_wait_past_the_deadline_is_not_begun_and_its_number_handed_on():
    _, attempt, call = calling(CREATE, (429, {"Retry-After": "42"}))
    with pytest.raises(GenesysRateLimited) as limited:
        call()
    assert limited.value.retry_after == 42
    assert attempt.clock.slept == []


@pytest.mark.parametrize("operation", [CREATE, ATTACH, CONVERSATION])
def test_a_hanging_upstream_never_takes_the_whole_deadline_from_what_must_follow(operation):
    script, attempt, call = calling(operation, "hang", "hang", "hang")
    with pytest.raises(GenesysTimeout):
        call()
    assert attempt.clock.time <= attempt.deadline.ends + 0.001
    if operation is ATTACH:
        assert attempt.deadline.remaining() > 2
    assert all(request.extensions["timeout"]["connect"] <= 3 for request in script.requests)


def test_no_call_is_begun_once_the_deadline_is_over():
    script, attempt, call = calling(ATTACH)
    attempt.clock.time = attempt.deadline.ends
    with pytest.raises(GenesysTimeout) as late:
        call()
    assert not late.value.ambiguous
    assert script.requests == []


@pytest.mark.parametrize("fault", [BodyTooLarge("1 MiB"), httpx.DecodingError("gzip")])
def test_an_unreadable_answer_is_a_bad_response(fault):
    _, _, call = calling(ATTACH, fault)
    with pytest.raises(GenesysBadResponse) as bad:
        call()
    assert bad.value.ambiguous


def test_a_request_that_cannot_be_written_is_our_own_fault():
    _, _, call = calling(ATTACH, httpx.LocalProtocolError("bad header"))
    with pytest.raises(InternalError):
        call()


def test_every_call_is_noted_with_its_result():
    _, attempt, call = calling(CREATE, 500, httpx.ReadError("x"))
    call()
    assert [span.result for span in attempt.spans if span.kind == "call"] == ["500", "genesys_unavailable", "200"]
