"""A sender's rate: above it, the response says when to retry."""

from datetime import timedelta

import pytest

from cobrowse.errors import SenderRateLimited
from integrations.senders.rate_limit import RateLimiter
from tests.payloads import NOW
from tests.unit.rows import GOOD, load
from web.error_responses import status_of


class Wall:
    def __init__(self, ahead=0):
        self.ahead = ahead

    def now(self):
        return NOW + timedelta(seconds=self.ahead)


def test_a_sender_over_its_rate_is_told_when_to_retry():
    rates = RateLimiter()
    sender, other = (
        load(GOOD + "rate_limit = '3/hour'").get("one"),
        load(GOOD + "rate_limit = '3/hour'", "two").get("two"),
    )
    for _ in range(3):
        rates.check(sender)
    with pytest.raises(SenderRateLimited) as error:
        rates.check(sender)
    assert 3_590 <= error.value.retry_after <= 3_600
    assert status_of(error.value) == 429
    rates.check(other)


def test_a_rate_counts_events_and_not_batches():
    rates = RateLimiter()
    sender = load(GOOD + "rate_limit = '10/hour'").get("one")
    rates.check(sender, 6)
    with pytest.raises(SenderRateLimited):
        rates.check(sender, 5)
    rates.check(sender, 4)


def test_a_batch_larger_than_the_whole_rate_passes_when_nothing_else_has_come():
    rates = RateLimiter()
    sender = load(GOOD + "rate_limit = '10/hour'").get("one")
    rates.check(sender)
    rates.check(sender, 99)
    with pytest.raises(SenderRateLimited):
        rates.check(sender)


def test_the_wait_is_never_longer_than_the_rates_own_time():
    """The counters run on the machine's clock; one that is off must not send a caller away for years."""
    rates = RateLimiter("memory://", Wall())
    sender = load(GOOD + "rate_limit = '1/minute'").get("one")
    rates.check(sender)
    with pytest.raises(SenderRateLimited) as error:
        rates.check(sender)
    assert 1 <= error.value.retry_after <= 60


def test_a_sender_without_a_rate_is_never_held_back():
    rates, sender = RateLimiter(), load(GOOD).get("one")
    assert {rates.check(sender) for _ in range(1_000)} == {None}


@pytest.mark.parametrize("url", ["nonsense", "", "ftp://user:hunter2@host"])
def test_a_storage_that_cannot_be_used_is_reported_without_its_password(url):
    with pytest.raises(ValueError, match=r"^RATE_LIMIT_STORAGE: ") as error:
        RateLimiter(url)
    assert "hunter2" not in str(error.value)
