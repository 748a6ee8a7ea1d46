"""Refusing at once what would fail anyway, and seeing by one call whether it still would."""

import pytest

from cobrowse.errors import GenesysUnavailable
from integrations.genesys.circuit_breaker import CircuitBreaker
from tests.clocks import ManualClock

CREATE, OTHER = "create", "conversation"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(clock, fail_max=3, reset_timeout=5.0)


def fail(breaker, times=1, operation=CREATE):
    for _ in range(times):
        breaker.before_call(operation)
        breaker.record_result(operation, ok=False)


def test_it_lets_everything_through_until_so_many_have_failed_in_a_row(breaker):
    fail(breaker, 2)
    breaker.before_call(CREATE)
    breaker.record_result(CREATE, ok=True)
    fail(breaker, 3)
    with pytest.raises(GenesysUnavailable) as refused:
        breaker.before_call(CREATE)
    assert refused.value.retry_after == 5.0
    assert not refused.value.ambiguous
    assert breaker.open_circuits() == (CREATE,)


@pytest.mark.parametrize("before", [1, 2])
def test_a_success_starts_the_count_anew_however_many_had_failed(breaker, before):
    fail(breaker, before)
    breaker.record_result(CREATE, ok=True)
    fail(breaker, 2)
    breaker.before_call(CREATE)
    assert breaker.open_circuits() == ()


def test_each_operation_has_its_own(breaker):
    fail(breaker, 3)
    breaker.before_call(OTHER)


def test_after_its_rest_one_call_sees_and_the_others_still_wait(breaker, clock):
    fail(breaker, 3)
    clock.time += 5
    breaker.before_call(CREATE)
    with pytest.raises(GenesysUnavailable):
        breaker.before_call(CREATE)
    breaker.record_result(CREATE, ok=True)
    breaker.before_call(CREATE)
    assert breaker.open_circuits() == ()


def test_one_whose_trial_is_due_refuses_nobody_and_is_not_among_the_open_ones(breaker, clock):
    fail(breaker, 3)
    clock.time += 4.9
    assert breaker.open_circuits() == (CREATE,)
    clock.time += 0.1
    assert breaker.open_circuits() == ()
    fail(breaker)
    assert breaker.open_circuits() == (CREATE,)


def test_the_trial_belongs_to_its_initiation_until_it_has_a_result(breaker, clock):
    fail(breaker, 3)
    clock.time += 5
    breaker.before_call(CREATE, "a")
    breaker.before_call(CREATE, "a")
    for other in ("b", ""):
        with pytest.raises(GenesysUnavailable):
            breaker.before_call(CREATE, other)
    breaker.record_result(CREATE, ok=False)
    with pytest.raises(GenesysUnavailable):
        breaker.before_call(CREATE, "a")


def test_a_trial_of_nobody_in_particular_lets_nobody_else_through(breaker, clock):
    fail(breaker, 3)
    clock.time += 5
    breaker.before_call(CREATE)
    with pytest.raises(GenesysUnavailable):
        breaker.before_call(CREATE)


def test_a_check_that_fails_leaves_it_alone_once_more(breaker, clock):
    fail(breaker, 3)
    clock.time += 5
    fail(breaker)
    with pytest.raises(GenesysUnavailable):
        breaker.before_call(CREATE)
    clock.time += 5
    breaker.before_call(CREATE)


@pytest.mark.parametrize(("seconds", "opens"), [(2.0, True), (1.9, False)])
def test_a_timeout_counts_only_after_a_wait_that_says_something_about_genesys(breaker, seconds, opens):
    fail(breaker, 2)
    breaker.before_call(CREATE)
    breaker.record_timeout(CREATE, seconds)
    assert breaker.open_circuits() == ((CREATE,) if opens else ())


def test_a_short_timeout_is_no_success_either(breaker):
    fail(breaker, 2)
    breaker.record_timeout(CREATE, 0.1)
    fail(breaker)
    assert breaker.open_circuits() == (CREATE,)


def test_its_message_names_the_operation_the_failures_and_the_next_attempt(breaker):
    fail(breaker, 3)
    with pytest.raises(GenesysUnavailable) as refused:
        breaker.before_call(CREATE)
    assert refused.value.message == (
        f"circuit breaker open for {CREATE} after 3 consecutive failures; next attempt in 5 s"
    )


def test_it_opens_at_the_twentieth_failure_for_five_seconds_where_nothing_else_is_configured(clock):
    breaker = CircuitBreaker(clock)
    fail(breaker, 19)
    breaker.before_call(CREATE)
    breaker.record_result(CREATE, ok=False)
    clock.time += 4
    with pytest.raises(GenesysUnavailable) as refused:
        breaker.before_call(CREATE)
    assert refused.value.retry_after == 1.0
    clock.time += 1
    breaker.before_call(CREATE)


def test_a_wait_shorter_than_a_second_is_rounded_up_to_one(breaker, clock):
    fail(breaker, 3)
    clock.time += 4.5
    with pytest.raises(GenesysUnavailable, match="next attempt in 1 s") as refused:
        breaker.before_call(CREATE)
    assert refused.value.retry_after == 1.0


def test_a_trial_that_never_reports_back_is_followed_by_another(breaker, clock):
    fail(breaker, 3)
    clock.time += 5
    breaker.before_call(CREATE)
    clock.time += 4
    with pytest.raises(GenesysUnavailable):
        breaker.before_call(CREATE)
    clock.time += 1
    breaker.before_call(CREATE)


def test_only_its_opening_and_its_closing_are_reported(clock):
    changes = []
    breaker = CircuitBreaker(clock, fail_max=2, on_change=lambda *change: changes.append(change))
    breaker.record_result(CREATE, ok=True)
    breaker.record_result(CREATE, ok=False)
    breaker.record_result(CREATE, ok=True)
    assert changes == []
    for _ in range(3):
        breaker.record_result(CREATE, ok=False)
    assert changes == [(CREATE, True)]
    for _ in range(2):
        breaker.record_result(CREATE, ok=True)
    assert changes == [(CREATE, True), (CREATE, False)]


def test_one_success_starts_the_count_again(breaker):
    fail(breaker, 2)
    breaker.record_result(CREATE, ok=True)
    fail(breaker, 2)
    assert breaker.open_circuits() == ()
