"""What a call that failed says, word for word, and what it waits for before it goes out."""

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
from cobrowse.model import Command, Secret
from integrations.genesys.circuit_breaker import CircuitBreaker
from integrations.genesys.operations import ATTACH, CONVERSATION, CREATE, TOKEN
from integrations.genesys.redaction import MASK
from integrations.genesys.retry import Call, RetryingCaller, is_retryable, map_transport_error
from integrations.genesys.transport import BodyTooLarge
from integrations.genesys.waits import BudgetHeaders
from tests.clocks import ManualClock
from tests.unit.test_retry import API, PATH, Script, calling

HOST = "api.example.com"


def budgeted(left):
    """A caller whose budget "api" is used up for so many seconds, and an attempt of its own."""
    clock = ManualClock()
    attempt = Attempt(Command("architect", "c", 10.0), "i", "h", clock)
    caller = RetryingCaller(Script(clock, CONVERSATION), clock, lambda: 1.0)
    caller.budgets.record("api", BudgetHeaders(300, 300, left))
    return caller, attempt


@pytest.mark.parametrize("left", [0.5, 9.5])
def test_a_budget_that_opens_within_the_deadline_is_waited_for(left):
    caller, attempt = budgeted(left)
    caller.await_budget(attempt, "api")
    assert [(span.name, span.seconds) for span in attempt.spans] == [("until Genesys allows more calls", left)]
    caller.await_budget(attempt, "api")
    assert attempt.clock.slept == [left]


def test_a_budget_that_opens_later_is_no_call_and_says_when_there_are_more():
    caller, attempt = budgeted(42.25)
    with pytest.raises(GenesysRateLimited) as limited:
        caller.call(attempt, Call(CONVERSATION, API, PATH))
    assert limited.value.message == (
        "the calls that Genesys allows a token are used up, and none was made; there are more in 42 s"
    )
    assert (limited.value.retry_after, attempt.clock.slept, attempt.upstream_calls) == (42.25, [], 0)


@pytest.mark.parametrize(("budget", "slept"), [("api", [5.0]), ("token", []), ("", [])])
def test_a_call_waits_for_the_budget_that_it_is_counted_in(budget, slept):
    caller, attempt = budgeted(5.0)
    assert caller.call(attempt, Call(CONVERSATION, API, PATH, budget=budget))
    assert attempt.clock.slept == slept


@pytest.mark.parametrize("budget", ["api", "token", ""])
def test_a_budget_that_an_answer_states_is_that_of_the_calls_payer(budget):
    clock = ManualClock()
    headers = {"inin-ratelimit-count": "9", "inin-ratelimit-allowed": "9", "inin-ratelimit-reset": "7"}
    caller = RetryingCaller(Script(clock, CONVERSATION, (200, headers)), clock, lambda: 1.0)
    attempt = Attempt(Command("architect", "c", 10.0), "i", "h", clock)
    caller.call(attempt, Call(CONVERSATION, API, PATH, budget=budget))
    left = {name: caller.budgets.seconds_left(name) for name in ("api", "token", "")}
    assert left == dict.fromkeys(left, 0.0) | ({budget: 7.0} if budget else {})


def test_what_a_call_holds_is_shown_in_no_message():
    _, attempt, _ = calling(ATTACH)
    script = Script(attempt.clock, ATTACH, httpx.ReadError("<own> and <service>"))
    caller = RetryingCaller(script, attempt.clock, lambda: 1.0, secrets=(Secret("<service>"),))
    with pytest.raises(GenesysUnavailable) as broken:
        caller.call(attempt, Call(ATTACH, API, PATH, secrets=(Secret("<own>"),)))
    assert broken.value.message == f"attach: the connection to {HOST} broke: {MASK} and {MASK}"


@pytest.mark.parametrize(
    ("fault", "kind", "message", "ambiguous"),
    [
        (httpx.ConnectTimeout("late"), GenesysTimeout, f"attach: no connection to {HOST} in time", False),
        (httpx.ConnectError("no route"), GenesysUnavailable, f"attach: can't connect to {HOST}: no route", False),
        (httpx.ReadTimeout("late"), GenesysTimeout, f"attach: {HOST} did not answer in time", True),
        (BodyTooLarge("too much"), GenesysBadResponse, "attach: too much", True),
        (httpx.DecodingError("gzip"), GenesysBadResponse, f"attach: unreadable answer from {HOST}: gzip", True),
        (httpx.ReadError("reset"), GenesysUnavailable, f"attach: the connection to {HOST} broke: reset", True),
        (httpx.ReadError(""), GenesysUnavailable, f"attach: the connection to {HOST} broke: ReadError", True),
        (httpx.ReadError("." * 300), GenesysUnavailable, f"attach: the connection to {HOST} broke: {'.' * 200}", True),
        (
            httpx.ReadError("password=pw"),
            GenesysUnavailable,
            f"attach: the connection to {HOST} broke: password={MASK}",
            True,
        ),
    ],
)
def test_a_transports_error_says_what_it_means_for_the_call(fault, kind, message, ambiguous):
    error = map_transport_error(ATTACH, HOST, fault)
    assert (type(error), error.message, error.ambiguous) == (kind, message, ambiguous)
    # A call that may be repeated harms nobody, whatever became of it.
    assert not map_transport_error(CONVERSATION, HOST, fault).ambiguous


def test_where_genesys_can_not_be_reached_the_way_there_is_the_remedy():
    assert map_transport_error(ATTACH, HOST, httpx.ConnectError("x")).hint == (
        "Nothing was sent: this machine can't reach Genesys; check its DNS, GENESYS_PROXY and GENESYS_CA_FILE, with "
        "`cobrowse-bridge doctor`."
    )
    assert map_transport_error(ATTACH, HOST, httpx.ReadError("x")).hint == ""


def test_an_answer_past_the_limit_names_the_setting():
    assert map_transport_error(ATTACH, HOST, BodyTooLarge("x")).hint == (
        "The answer is larger than MAX_UPSTREAM_BYTES, in bytes; raise it."
    )
    assert map_transport_error(ATTACH, HOST, httpx.DecodingError("x")).hint == ""


@pytest.mark.parametrize("kind", [GenesysRateLimited, GenesysUnavailable, GenesysTimeout, GenesysBadResponse])
def test_only_what_had_no_effect_and_may_get_better_is_tried_again(kind):
    assert is_retryable(kind("x")) is (kind is not GenesysBadResponse)
    assert not is_retryable(kind("x", ambiguous=True))


def test_a_request_that_can_not_be_written_says_why_and_is_recorded_as_such():
    _, attempt, call = calling(ATTACH, httpx.LocalProtocolError("bad header"))
    with pytest.raises(InternalError) as fault:
        call()
    assert fault.value.message == "attach: the request could not be written: bad header"
    assert [span.result for span in attempt.spans] == ["not sendable"]
    _, attempt, call = calling(ATTACH, RuntimeError("a bug"))
    with pytest.raises(RuntimeError):
        call()
    assert [span.result for span in attempt.spans] == ["broken"]


def test_a_call_for_which_no_time_is_left_says_so():
    _, attempt, call = calling(ATTACH)
    attempt.clock.time = attempt.deadline.ends
    with pytest.raises(GenesysTimeout) as late:
        call()
    assert late.value.message == "attach: no time was left for it inside the deadline"


@pytest.mark.parametrize(("header", "why"), [({}, "before"), ({"Retry-After": "1"}, "as Genesys asks, before")])
def test_a_wait_before_another_try_says_who_asks_for_it(header, why):
    _, attempt, call = calling(CREATE, (429, header))
    call()
    assert [span.name for span in attempt.spans if span.kind == "wait"] == [f"{why} another try of create"]


class CutOff(httpx.BaseTransport):
    """Answers with a head of this status, and breaks off in its body."""

    def __init__(self, answered):
        self.answered, self.sent = answered, 0

    def handle_request(self, request):
        self.sent += 1
        request.extensions["answered"] = self.answered
        raise httpx.RemoteProtocolError("the body was cut off")


@pytest.mark.parametrize(
    ("operation", "answered", "taken"),
    [(ATTACH, 200, True), (ATTACH, 299, True), (ATTACH, 300, False), (ATTACH, 199, False), (CONVERSATION, 200, False)],
)
def test_an_effect_whose_answer_broke_off_after_a_success_has_happened(operation, answered, taken):
    clock = ManualClock()
    attempt, transport = Attempt(Command("architect", "c", 10.0), "i", "h", clock), CutOff(answered)
    breaker = CircuitBreaker(clock, fail_max=2)
    breaker.record_result(operation.name, ok=False)
    caller = RetryingCaller(transport, clock, lambda: 1.0, breaker)
    if taken:
        assert set(caller.call(attempt, Call(operation, API, PATH)).values()) == {""}
        assert (transport.sent, [span.result for span in attempt.spans]) == (1, [str(answered)])
        breaker.record_result(operation.name, ok=False)
        assert breaker.open_circuits() == ()
    else:
        with pytest.raises(GenesysUnavailable):
            caller.call(attempt, Call(operation, API, PATH))
        assert breaker.open_circuits() == (operation.name,)


@pytest.mark.parametrize(("headers", "taken"), [({"X-Genesys-Sandbox": "1"}, True), ({}, False)])
def test_with_sandbox_set_a_token_is_taken_from_a_sandbox_alone(headers, taken):
    clock = ManualClock()
    attempt = Attempt(Command("architect", "c", 10.0), "i", "h", clock)
    caller = RetryingCaller(Script(clock, TOKEN, (200, headers)), clock, lambda: 1.0, sandbox=True)
    if taken:
        assert caller.call(attempt, Call(TOKEN, API, PATH))["access_token"] == "t"
    else:
        with pytest.raises(GenesysBadResponse, match="SANDBOX is set"):
            caller.call(attempt, Call(TOKEN, API, PATH))
