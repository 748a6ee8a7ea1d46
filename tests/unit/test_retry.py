"""What is sent again and what is not, how long is waited, and what a broken call stands for."""

import httpx
import pytest

from cobrowse.errors import (
    GenesysBadResponse,
    GenesysError,
    GenesysRateLimited,
    GenesysTimeout,
    GenesysUnavailable,
    InternalError,
)
from cobrowse.flow import Attempt
from cobrowse.model import Command
from integrations.genesys.operations import ATTACH, COBROWSE, CONVERSATION, CREATE, TOKEN
from integrations.genesys.origin import Origin
from integrations.genesys.retry import Call, RetryingCaller, map_transport_error
from integrations.genesys.transport import BodyTooLarge
from tests.clocks import ManualClock

API, PATH = Origin("https://api.example.com"), "/x"
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
            self.clock.time += request.extensions["timeout"]["read"]
            raise httpx.ReadTimeout("too slow")
        if isinstance(answer, Exception):
            raise answer
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return httpx.Response(status, headers=headers, json=GOOD[self.operation] if status < 300 else {})


def calling(operation, *answers, deadline=10.0, jitter=1.0):
    clock = ManualClock()
    script = Script(clock, operation, *answers)
    attempt = Attempt(Command("architect", "c", deadline), "i", "h", clock)
    return (
        script,
        attempt,
        lambda: RetryingCaller(script, clock, lambda: jitter).call(attempt, Call(operation, API, PATH)),
    )


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


# What goes out


@pytest.mark.parametrize(
    ("operation", "given", "length"),
    [(CREATE, [b'{"a": 1}'], [b"8"]), (COBROWSE, [], [b"0"]), (CONVERSATION, [], [])],
)
def test_a_call_carries_its_headers_and_its_content_and_what_http_asks_for(operation, given, length):
    script, attempt, _ = calling(operation)
    RetryingCaller(script, attempt.clock, lambda: 1.0).call(
        attempt, Call(operation, API, PATH, ((b"X-Mark", b"one"),), *given)
    )
    (request,) = script.requests
    assert (request.method, request.url) == (operation.method, URL)
    asked_for = [(b"Content-Length", value) for value in length]
    assert request.headers.raw == [(b"Host", URL.netloc), (b"X-Mark", b"one"), *asked_for]
    assert request.content == b"".join(given)


@pytest.mark.parametrize(
    ("operation", "shares"),
    [
        (CREATE, [0.6, 0.6, 1.0]),  # the last try need leave nothing to another
        (ATTACH, [0.7]),  # what may have invited needs time for a look
    ],
)
def test_a_call_leaves_so_much_of_what_is_left_to_what_may_have_to_follow(operation, shares):
    script, attempt, call = calling(operation, "hang", "hang", "hang", jitter=0.0)
    left, expected = attempt.deadline.remaining(), []
    for share in shares:
        expected.append(pytest.approx(left * share))
        left -= left * share
    with pytest.raises(GenesysTimeout):
        call()
    assert [request.extensions["timeout"]["read"] for request in script.requests] == expected


@pytest.mark.parametrize(("deadline", "connect"), [(10.0, 3.0), (2.0, 1.4)])
def test_each_part_of_a_call_is_bounded_and_the_connection_by_three_seconds_too(deadline, connect):
    script, _, call = calling(ATTACH, deadline=deadline)
    call()
    left = pytest.approx(deadline * 0.7)
    assert script.requests[0].extensions == {"timeout": {"connect": pytest.approx(connect), "read": left}}


def test_a_call_is_still_made_in_the_last_second():
    script, _, call = calling(ATTACH, deadline=0.5)
    assert call()
    assert len(script.requests) == 1


# What is told of it


def test_a_call_is_noted_under_its_name_with_its_times():
    _, attempt, call = calling(ATTACH, "hang", deadline=10.0)
    attempt.clock.time += 1
    with pytest.raises(GenesysTimeout):
        call()
    (span,) = attempt.spans
    assert (span.kind, span.name, span.result) == ("call", "attach", "genesys_timeout")
    assert (span.start, span.seconds) == (1.0, pytest.approx(6.3))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ((429, {"Retry-After": "2"}), "as Genesys asks, before another try of create"),
        (500, "before another try of create"),
    ],
)
def test_a_wait_says_what_it_is_for_and_whose_request_it_is(fault, why):
    _, attempt, call = calling(CREATE, fault)
    call()
    assert [span.name for span in attempt.spans if span.kind == "wait"] == [why]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (httpx.ConnectTimeout("x"), "attach: no connection to api.example.com in time"),
        (httpx.ConnectError("refused"), "attach: can't connect to api.example.com: refused"),
        (httpx.ReadTimeout("x"), "attach: api.example.com did not answer in time"),
        (httpx.DecodingError("gzip"), "attach: unreadable answer from api.example.com: gzip"),
        (httpx.ReadError("reset"), "attach: the connection to api.example.com broke: reset"),
        (httpx.ReadError(""), "attach: the connection to api.example.com broke: ReadError"),
        (httpx.ReadError("x " * 150), "attach: the connection to api.example.com broke: " + "x " * 100),
    ],
)
def test_a_broken_call_is_reported_with_its_name_its_host_and_the_reason(fault, message):
    assert map_transport_error(ATTACH, "api.example.com", fault).message == message
    _, _, call = calling(ATTACH, fault, fault, fault)
    with pytest.raises(GenesysError) as told:
        call()
    assert told.value.message == message


def test_a_call_with_no_time_left_says_so():
    _, attempt, call = calling(ATTACH)
    attempt.clock.time = attempt.deadline.ends
    with pytest.raises(GenesysTimeout) as late:
        call()
    assert late.value.message == "attach: no time was left for it inside the deadline"


def test_a_request_that_cannot_be_written_is_reported_and_noted_as_such():
    _, attempt, call = calling(ATTACH, httpx.UnsupportedProtocol("gopher"))
    with pytest.raises(InternalError) as ours:
        call()
    assert ours.value.message == "attach: the request could not be written: gopher"
    assert [span.result for span in attempt.spans] == ["not sendable"]


def test_a_call_that_fails_in_no_way_that_is_known_is_noted_as_broken():
    _, attempt, call = calling(ATTACH, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        call()
    assert [span.result for span in attempt.spans] == ["broken"]
