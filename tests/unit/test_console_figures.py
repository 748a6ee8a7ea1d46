"""The time of late in figures."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.ledger import State
from console.figures import figures, format_duration, percentile
from schemas.console import RANGES

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Sample:
    created: datetime = NOW
    state: State = State.SUCCEEDED
    seconds: float | None = 0.1
    upstream_calls: int = 3
    rate_limited: int = 0


def strip(*samples):
    return {figure.key: figure for figure in figures(samples, NOW)}


def test_the_peak_is_that_of_a_minute_of_the_clock():
    shown = strip(*(Sample(NOW - timedelta(seconds=seconds)) for seconds in (31, 29, 0)))
    assert shown["rate"].detail == "3 in the last hour, peak 2"
    assert shown["calls"].detail == "peak 6 a minute; limit 300/min per token"


def test_what_is_older_than_an_hour_is_not_counted_and_a_ledger_clock_ahead_of_ours_does_no_harm():
    shown = strip(Sample(NOW - timedelta(hours=1)), Sample(NOW + timedelta(minutes=2)))
    assert shown["rate"].detail == "1 in the last hour, peak 1"


def test_the_figures_are_those_of_the_range_that_is_asked_for():
    samples = [Sample(NOW - timedelta(minutes=minutes)) for minutes in (0, 14, 15, 200)]
    found = {name: figures(samples, NOW, RANGES[name])[0] for name in ("15m", "6h", "7d")}
    assert (found["15m"].value, found["15m"].detail) == ("0.1", "2 in the last 15 minutes, peak 1")
    assert (found["6h"].value, found["6h"].unit) == ("0.7", "an hour")
    assert found["7d"].detail == "4 in the last 7 days, peak 1"


def test_more_than_can_be_read_are_the_figures_of_the_time_that_the_newest_span():
    found = figures([Sample(NOW - timedelta(minutes=minutes)) for minutes in (0, 0, 4)], NOW, RANGES["24h"], 3)[0]
    assert (found.value, found.unit, found.detail) == ("0.6", "a minute", "3 only, the newest, peak 2")


def test_an_empty_hour_shows_no_figures_that_could_mislead():
    shown = strip()
    assert [figure.value for figure in shown.values()] == ["0.0", "—", "—", "0", "0"]


def test_what_runs_still_is_neither_success_nor_failure():
    shown = strip(Sample(state=State.RUNNING, seconds=None), Sample())
    assert shown["success"].value == "100"
    assert shown["success"].detail == "1 of 1, 0 failed"
    assert shown["rate"].detail == "2 in the last hour, peak 2"


def test_one_failure_among_many_never_reads_as_all():
    shown = strip(*[Sample()] * 9_999, Sample(state=State.FAILED_FINAL))
    assert shown["success"].value == "99.9"


def test_p50_and_p95_are_of_all_attempts_that_ended():
    shown = strip(*[Sample(seconds=0.1)] * 90, *[Sample(seconds=2.0)] * 10)
    assert (shown["duration"].value, shown["duration"].unit, shown["duration"].detail) == (
        "100 ms",
        "p50",
        "p95 2.00 s",
    )


def test_calls_and_429s_are_summed_with_their_share():
    shown = strip(Sample(rate_limited=1), Sample())
    assert shown["calls"].value == "6"
    assert (shown["limited"].value, shown["limited"].detail) == ("1", "16.7 % of the calls")


@pytest.mark.parametrize(
    ("values", "share", "expected"), [([5], 0.95, 5), ([1, 2], 0.5, 1), ([3, 1, 2], 0.5, 2), (range(1, 101), 0.95, 95)]
)
def test_a_percentile_is_a_value_that_was_there(values, share, expected):
    assert percentile(list(values), share) == expected


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.0004, "0 ms"),
        (0.0626, "63 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.994, "9.99 s"),
        (12.34, "12.3 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 0 s"),
        (125, "2 min 5 s"),
    ],
)
def test_a_duration_reads_well(seconds, words):
    assert format_duration(seconds) == words
