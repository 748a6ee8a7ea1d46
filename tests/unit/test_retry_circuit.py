"""Which calls the circuit breaker counts against their operation."""

import contextlib

import httpx
import pytest

from cobrowse.errors import (
    GenesysError,
    GenesysRateLimited,
    GenesysTimeout,
    GenesysUnavailable,
    InternalError,
)
from cobrowse.flow import Attempt
from integrations.genesys.budget import Budgets
from integrations.genesys.circuit_breaker import FAIL_MAX, RESET_TIMEOUT, CircuitBreaker
from integrations.genesys.operations import ATTACH, CONVERSATION, UpstreamRejected
from integrations.genesys.retry import Call, RetryingCaller
from integrations.genesys.waits import BudgetHeaders
from tests.unit.test_retry import API, PATH, calling

# The circuit around it


def after(fault, *, before=FAIL_MAX - 1):
    """The caller whose operation has failed so often, once one more call has come to this."""
    script, attempt, _ = calling(ATTACH, fault)
    breaker = CircuitBreaker(attempt.clock)
    for _ in range(before):
        breaker.record_result(ATTACH.name, ok=False)
    caller = RetryingCaller(script, attempt.clock, lambda: 1.0, breaker)
    with contextlib.suppress(GenesysError, UpstreamRejected):
        caller.call(attempt, Call(ATTACH, API, PATH))
    return caller, attempt


@pytest.mark.parametrize("fault", [500, 503, httpx.ReadError("reset")])
def test_a_call_that_finds_nobody_there_counts_against_its_operation(fault):
    caller, attempt = after(fault)
    assert caller.breaker.open_circuits() == (ATTACH.name,)
    with pytest.raises(GenesysUnavailable) as refused:
        caller.call(attempt, Call(ATTACH, API, PATH))
    assert refused.value.retry_after == RESET_TIMEOUT


@pytest.mark.parametrize("status", [200, 404, 499])
def test_any_answer_of_sense_shows_that_somebody_is_there(status):
    caller, _ = after(status)
    caller.breaker.record_result(ATTACH.name, ok=False)
    assert caller.breaker.open_circuits() == ()


def test_an_operation_that_works_says_nothing_of_another_that_fails():
    script, attempt, _ = calling(CONVERSATION, *[200, 500] * FAIL_MAX)
    caller = RetryingCaller(script, attempt.clock, lambda: 1.0)
    for _ in range(FAIL_MAX):
        caller.call(attempt, Call(CONVERSATION, API, PATH))
        with pytest.raises(GenesysUnavailable):
            caller.call(attempt, Call(ATTACH, API, PATH))
    assert caller.breaker.open_circuits() == ("attach",)
    assert caller.call(attempt, Call(CONVERSATION, API, PATH))["id"] == "c"


def test_a_trial_whose_call_had_to_wait_for_its_budget_is_made_by_the_same_initiation_and_no_other():
    caller, attempt = after(500)
    attempt.clock.time += RESET_TIMEOUT
    caller.budgets = Budgets(attempt.clock)
    caller.budgets.record("api", BudgetHeaders(300, 300, 20))
    with pytest.raises(GenesysRateLimited):
        caller.call(attempt, Call(ATTACH, API, PATH))
    with pytest.raises(GenesysUnavailable):
        caller.call(Attempt(attempt.command, "another", "h", attempt.clock), Call(ATTACH, API, PATH))
    caller.budgets = Budgets(attempt.clock)
    assert caller.call(attempt, Call(ATTACH, API, PATH))
    assert caller.breaker.open_circuits() == ()


def test_a_caller_without_a_circuit_has_one_of_its_own():
    script, attempt, _ = calling(ATTACH, *[500] * FAIL_MAX)
    caller = RetryingCaller(script, attempt.clock, lambda: 1.0)
    for _ in range(FAIL_MAX):
        with pytest.raises(GenesysUnavailable):
            caller.call(attempt, Call(ATTACH, API, PATH))
    with pytest.raises(
        GenesysUnavailable,
        match=r"^circuit breaker open for attach after 20 consecutive failures; next attempt in 5 s$",
    ):
        caller.call(attempt, Call(ATTACH, API, PATH))
    assert len(script.requests) == FAIL_MAX


@pytest.mark.parametrize(("deadline", "opens"), [(10.0, True), (2.5, False)])
def test_a_timeout_counts_against_its_operation_unless_the_deadline_was_nearly_over(deadline, opens):
    script, attempt, _ = calling(ATTACH, "hang", deadline=deadline)
    breaker = CircuitBreaker(attempt.clock)
    for _ in range(FAIL_MAX - 1):
        breaker.record_result(ATTACH.name, ok=False)
    caller = RetryingCaller(script, attempt.clock, lambda: 1.0, breaker)
    with pytest.raises(GenesysTimeout):
        caller.call(attempt, Call(ATTACH, API, PATH))
    assert breaker.open_circuits() == ((ATTACH.name,) if opens else ())


@pytest.mark.parametrize("fault", [httpx.LocalProtocolError("bad header"), RuntimeError("a bug")])
def test_an_error_of_our_own_says_nothing_about_genesys(fault):
    script, attempt, _ = calling(ATTACH, fault)
    breaker = CircuitBreaker(attempt.clock, fail_max=1)
    with pytest.raises((InternalError, RuntimeError)):
        RetryingCaller(script, attempt.clock, lambda: 1.0, breaker).call(attempt, Call(ATTACH, API, PATH))
    assert breaker.open_circuits() == ()
