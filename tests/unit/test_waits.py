"""What a response says of waiting, read from its headers and its message: the seconds, or that it says nothing."""

import pytest

from integrations.genesys.waits import BudgetHeaders, parse_budget, parse_wait, retry_after
from tests.clocks import ManualClock

DAY = 86_400.0
LIMITS = {"inin-ratelimit-count": "1", "inin-ratelimit-allowed": "300", "inin-ratelimit-reset": "42"}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("   ", None),
        ("soon", None),
        ("nan", None),
        ("-1", None),
        ("0", 0.0),
        ("86400", DAY),
        ("86401", DAY),
        ("inf", DAY),
        ("Wed, 25 Nov 2026 09:00:30 GMT", 30.0),
        ("Wed, 25 Nov 2026 08:59:30 GMT", 0.0),
        ("Wed, 25 Nov 2036 09:00:30 GMT", DAY),
        # A date without a zone can't be compared with the clock.
        ("Wed, 25 Nov 2026 09:00:30", None),
        ("Wed, 99 Nov 2026 09:00:30 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_a_day_at_most(header, seconds):
    assert retry_after(header, ManualClock()) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Retry the request in [42] seconds", 42.0),
        ("retry in 250 ms", 0.25),
        ("retry after 1 millisecond", 0.001),
        ("retry after [2]milliseconds", 0.002),
        ("wait for 1.5 s", 1.5),
        ("wait for 2.125 Secs", 2.125),
        ("wait for 1 sec", 1.0),
        ("IN 3 M", 180.0),
        ("in 3 min", 180.0),
        ("in 3 mins", 180.0),
        ("after 1 minute", 60.0),
        ("in  2  minutes", 120.0),
        ("in 999999999 seconds", DAY),
        ("in 9999999999 seconds", None),
        ("in 1.2345 seconds", None),
        ("in 5 hours", None),
        ("in 5 months", None),
        ("within [60] seconds", None),
        ("in a moment", None),
        ("", None),
    ],
)
def test_the_wait_in_a_message_is_read_with_its_unit(message, seconds):
    assert parse_wait(429, {}, message, ManualClock()) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (503, {"retry-after": "7"}, 7.0),
        (503, {"retry-after": "Wed, 25 Nov 2026 09:00:30 GMT"}, 30.0),
        (429, {"retry-after": "7", "inin-ratelimit-reset": "42"}, 7.0),
        # Whole seconds: what is 0 is nearly one, perhaps.
        (429, {"retry-after": "0"}, 1.0),
        (503, {"retry-after": "0"}, 0.0),
        (429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1.0),
        (429, {"inin-ratelimit-reset": "42"}, 42.0),
        (429, {"inin-ratelimit-reset": "0"}, 1.0),
        (429, {"inin-ratelimit-reset": "86401"}, DAY),
        (429, {"inin-ratelimit-reset": "inf"}, 9.0),
        # Of Genesys and of a proxy, in one line.
        (503, {"retry-after": "2, 42"}, 42.0),
        (503, {"retry-after": "2,soon"}, None),
        (429, {}, 9.0),
        # A window's reset and a message say what a 429 means, and nothing of other statuses.
        (503, {"inin-ratelimit-reset": "42"}, None),
        (428, {}, None),
        (430, {}, None),
    ],
)
def test_retry_after_counts_first_then_a_429s_window_then_its_message(status, headers, seconds):
    assert parse_wait(status, headers, "Retry in 9 seconds", ManualClock()) == seconds


def test_a_budget_is_read_from_three_headers_and_its_reset_is_a_day_at_most():
    assert parse_budget(LIMITS) == BudgetHeaders(1.0, 300.0, 42.0)
    assert parse_budget({**LIMITS, "inin-ratelimit-reset": "86401"}) == BudgetHeaders(1.0, 300.0, DAY)
    assert parse_budget(dict.fromkeys(LIMITS, "0")) == BudgetHeaders(0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [None, "", "many", "-1", "inf", "nan"])
def test_a_budget_that_is_not_in_three_numbers_is_none(name, value):
    given = {key: text for key, text in {**LIMITS, name: value}.items() if text is not None}
    assert parse_budget(given) is None


@pytest.mark.parametrize(
    ("count", "allowed", "used_up"),
    [(299, 300, False), (300, 300, True), (301, 300, True), (0, 0, False), (1, 0, False), (1, 1, True)],
)
def test_a_budget_is_used_up_from_its_last_call_on(count, allowed, used_up):
    assert BudgetHeaders(count, allowed, 42).used_up is used_up
