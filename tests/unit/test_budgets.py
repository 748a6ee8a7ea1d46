"""What the metrics are told of a token's budget: its count once a second, and each that says it is used up."""

from datetime import timedelta

import pytest

from integrations.genesys.budget import Budgets, BudgetState
from integrations.genesys.waits import BudgetHeaders
from tests.clocks import ManualClock


def test_counts_are_passed_on_once_a_second_and_a_used_up_budget_at_once():
    clock, told = ManualClock(), []
    budgets = Budgets(clock, lambda name, count, *_: told.append((name, count)))
    for count in (1, 2, 300):
        budgets.record("api", BudgetHeaders(count, 300, 40))
    budgets.record("token", BudgetHeaders(1, 300, 40))
    clock.sleep(1.0)
    budgets.record("api", BudgetHeaders(4, 300, 40))
    assert told == [("api", 1), ("api", 300), ("token", 1), ("api", 4)]
    assert {state.name: state.count for state in budgets.states()} == {"api": 4, "token": 1}


class Workers:
    """What the other workers know, and what they were sent."""

    def __init__(self, **left):
        self.left, self.closed = left, []

    def seconds_left(self, name):
        return self.left.get(name, 0.0)

    def close(self, name, seconds):
        self.closed.append((name, seconds))


def test_the_metrics_get_the_count_what_is_allowed_and_the_seconds_to_the_reset():
    reported = []
    Budgets(ManualClock(), lambda *values: reported.append(values)).record("api", BudgetHeaders(7, 300, 40))
    assert reported == [("api", 7, 300, 40)]


def test_after_a_used_up_one_the_next_is_passed_on_a_second_later():
    clock, counts = ManualClock(), []
    budgets = Budgets(clock, lambda _name, count, *_: counts.append(count))
    budgets.record("api", BudgetHeaders(300, 300, 40))
    clock.sleep(0.75)
    budgets.record("api", BudgetHeaders(1, 300, 40))
    clock.sleep(0.25)
    budgets.record("api", BudgetHeaders(2, 300, 40))
    assert counts == [300, 2]


def test_a_used_up_budget_is_closed_until_its_reset_and_no_other_is():
    clock = ManualClock()
    budgets = Budgets(clock)
    assert budgets.seconds_left("api") == 0.0
    budgets.record("api", BudgetHeaders(300, 300, 40))
    clock.sleep(30)
    assert (budgets.seconds_left("api"), budgets.seconds_left("token")) == (10.0, 0.0)
    clock.sleep(11)
    assert budgets.seconds_left("api") == 0.0


def test_a_budget_with_calls_left_closes_nothing_for_anybody():
    workers = Workers()
    budgets = Budgets(ManualClock(), shared=workers)
    budgets.record("api", BudgetHeaders(299, 300, 40))
    budgets.record("api", BudgetHeaders(300, 300, 0))
    assert (budgets.seconds_left("api"), workers.closed) == (0.0, [])


def test_the_longer_wait_counts_of_our_own_and_the_others():
    workers = Workers(api=15.0)
    budgets = Budgets(ManualClock(), shared=workers)
    assert budgets.seconds_left("api") == 15.0
    budgets.record("api", BudgetHeaders(300, 300, 40))
    assert budgets.seconds_left("api") == 40.0
    workers.left["api"] = 50.0
    assert budgets.seconds_left("api") == 50.0


@pytest.mark.parametrize(
    ("known", "closed"), [(0.0, True), (37.9, True), (38.0, False), (40.0, False), (42.0, False), (42.1, True)]
)
def test_the_others_are_sent_a_window_once_though_its_reset_is_not_the_same_to_the_second(known, closed):
    workers = Workers(api=known)
    Budgets(ManualClock(), shared=workers).record("api", BudgetHeaders(300, 300, 40.0))
    assert workers.closed == ([("api", 40.0)] if closed else [])


def test_its_state_is_of_the_present_window_and_else_what_the_others_know():
    clock = ManualClock()
    budgets = Budgets(clock, shared=Workers(token=5.0, user=4.0, api=3.0, strange=9.0))
    budgets.record("api", BudgetHeaders(7, 300, 40))
    later = clock.now() + timedelta(seconds=40)
    clock.sleep(10)
    others = (
        BudgetState("token", 0.0, 0.0, clock.now() + timedelta(seconds=5)),
        BudgetState("user", 0.0, 0.0, clock.now() + timedelta(seconds=4)),
    )
    assert budgets.states() == (BudgetState("api", 7, 300, later), *others)
    clock.sleep(30)
    known = [(state.name, state.count, state.allowed) for state in budgets.states()]
    assert known == [("api", 0, 0), ("token", 0, 0), ("user", 0, 0)]
    assert Budgets(clock).states() == ()
