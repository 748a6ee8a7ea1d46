"""What the metrics are told of a token's budget: its count once a second, and each that says it is used up."""

from integrations.genesys.budget import Budgets
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
