"""The budgets of calls that are used up, on each engine: one worker tells it, the others know it before they call."""

import time

from integrations.ledger.budgets import CACHE_SECONDS
from tests.clocks import LeapingClock
from tests.contract.ledgers import again, claim_of, failed, keyed, won

# A ledger in a file counts in milliseconds.
ROUNDING = 0.001


def check_seconds_left(store, name, limit, since, *, leapt=0.0):
    """Fail unless a budget has as many seconds left as one has that was closed for `limit` seconds.

    `since`: when it was about to be closed, by the monotonic clock. `leapt`: seconds that the ledger's clock may have
    leapt ahead meanwhile.
    """
    left = store.budgets.seconds_left(name)
    passed = time.monotonic() - since
    assert limit - passed - leapt - ROUNDING <= left <= limit


def test_a_used_up_budget_is_known_to_every_worker_after_its_next_claim(url, opened):
    one, other = opened(url), opened(url)
    assert other.budgets.seconds_left("api") == 0.0
    since = time.monotonic()
    one.budgets.close("api", 42.0)

    won(other, claim_of())

    check_seconds_left(other, "api", 42.0, since)
    assert other.budgets.seconds_left("token") == 0.0


def test_who_claims_nothing_reads_it_once_what_it_knows_is_old(url, opened):
    """As before `latest`, in a person's retry and after a long wait."""
    clock = LeapingClock()
    one, other = opened(url), opened(url, clock=clock)
    assert other.budgets.seconds_left("api") == 0.0
    since = time.monotonic()
    one.budgets.close("api", 42.0)

    clock.sleep(CACHE_SECONDS)

    # A ledger in a file goes by the clock of the process.
    check_seconds_left(other, "api", 42.0, since, leapt=CACHE_SECONDS)
    assert other.budgets.seconds_left("token") == 0.0


def test_a_row_that_goes_on_reads_it_too_and_the_last_word_counts(url, opened):
    one, other = opened(url), opened(url)
    first = keyed()
    won(other, first)
    failed(other, first)
    one.budgets.close("token", 600.0)
    since = time.monotonic()
    one.budgets.close("token", 30.0)

    won(other, again(first))

    check_seconds_left(other, "token", 30.0, since)


def test_once_the_window_is_over_nothing_is_closed(url, opened):
    one, other = opened(url), opened(url)
    one.budgets.close("api", 0.0)
    won(other, claim_of())
    assert other.budgets.seconds_left("api") == 0.0


def test_a_ledger_that_is_away_holds_no_request_up(opened):
    away = opened("postgresql://nobody:x@127.0.0.1:1/none")
    away.budgets.close("api", 42.0)
    assert {away.budgets.seconds_left(name) for name in ("api", "token")} == {0.0}
