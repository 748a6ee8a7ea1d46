"""The budgets of calls that are used up, on each engine: one worker tells it, the others know it before they call."""

from integrations.ledger.budgets import KNOWN_SECONDS
from tests.clocks import LeapingClock
from tests.contract.ledgers import again, claim_of, failed, keyed, won


def test_a_used_up_budget_is_known_to_every_worker_after_its_next_claim(url, opened):
    one, other = opened(url), opened(url)
    assert other.budgets.seconds_left("api") == 0.0
    one.budgets.close("api", 42.0)

    won(other, claim_of())

    assert 40.0 < other.budgets.seconds_left("api") <= 42.0
    assert other.budgets.seconds_left("token") == 0.0


def test_who_claims_nothing_reads_it_once_what_it_knows_is_old(url, opened):
    """As before `latest`, in a person's retry and after a long wait."""
    clock = LeapingClock()
    one, other = opened(url), opened(url, clock=clock)
    assert other.budgets.seconds_left("api") == 0.0
    one.budgets.close("api", 42.0)

    clock.sleep(KNOWN_SECONDS)

    # The ledger's own time may have leapt too.
    assert 38.0 < other.budgets.seconds_left("api") <= 42.0
    assert other.budgets.seconds_left("token") == 0.0


def test_a_row_that_goes_on_reads_it_too_and_the_last_word_counts(url, opened):
    one, other = opened(url), opened(url)
    first = keyed()
    won(other, first)
    failed(other, first)
    one.budgets.close("token", 600.0)
    one.budgets.close("token", 30.0)

    won(other, again(first))

    assert 28.0 < other.budgets.seconds_left("token") <= 30.0


def test_once_the_window_is_over_nothing_is_closed(url, opened):
    one, other = opened(url), opened(url)
    one.budgets.close("api", 0.0)
    won(other, claim_of())
    assert other.budgets.seconds_left("api") == 0.0


def test_a_ledger_that_is_away_holds_no_request_up(opened):
    away = opened("postgresql://nobody:x@127.0.0.1:1/none")
    away.budgets.close("api", 42.0)
    assert {away.budgets.seconds_left(name) for name in ("api", "token")} == {0.0}
