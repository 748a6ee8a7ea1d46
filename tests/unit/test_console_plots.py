"""The last hour in plots: counted by the minute, told in words, drawn in bars that fit."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.ledger import State
from console.plots import BAR, HEIGHT, MIN_BAR, MINUTES, WIDTH, by_minute, in_words, percentile, plots

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Sample:
    created: datetime = NOW
    state: State = State.SUCCEEDED
    seconds: float | None = 0.1
    upstream_calls: int = 3
    rate_limited: int = 0


def strip(*glances):
    return {plot.key: plot for plot in plots(by_minute(glances, NOW))}


def test_each_initiation_is_counted_in_the_clocks_own_minute():
    early, late = NOW - timedelta(seconds=31), NOW - timedelta(seconds=29)
    minutes = by_minute([Sample(early), Sample(late), Sample(NOW)], NOW)
    assert len(minutes) == MINUTES
    assert [minute.came for minute in minutes[-3:]] == [0, 1, 2]
    assert f"{minutes[-1].starts:%H:%M}" == "12:00"


def test_what_is_older_than_an_hour_is_left_out_and_a_ledger_clock_ahead_of_ours_does_no_harm():
    minutes = by_minute([Sample(NOW - timedelta(hours=1)), Sample(NOW + timedelta(minutes=2))], NOW)
    assert sum(minute.came for minute in minutes) == minutes[-1].came == 1


def test_an_empty_hour_is_told_as_such():
    shown = strip()
    assert [plot.value for plot in shown.values()] == ["0.0", "—", "—", "0", "0"]
    assert all(plot.bars == () for plot in shown.values())
    assert not any(plot.alert for plot in shown.values())
    assert "All are 0" in shown["rate"].description


def test_what_runs_still_is_neither_success_nor_failure():
    shown = strip(Sample(state=State.RUNNING, seconds=None), Sample())
    assert shown["success"].value == "100"
    assert shown["success"].detail == "1 of 1, 0 failed"
    assert shown["rate"].detail == "2 in the last hour, peak 2"


def test_one_failure_among_many_never_reads_as_all():
    shown = strip(*[Sample()] * 9_999, Sample(state=State.FAILED_FINAL))
    assert shown["success"].value == "99.9"
    assert shown["success"].alert
    assert "12:00" in shown["success"].description


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
    assert (shown["limited"].value, shown["limited"].detail, shown["limited"].alert) == (
        "1",
        "16.7 % of the calls",
        True,
    )


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.01, 0.5, 60.0, 86_400.0])
def test_every_bar_lies_inside_the_drawing(seconds):
    states = list(State)
    glances = [
        Sample(NOW - timedelta(minutes=n), states[n % len(states)], seconds, 10**n % 997, n % 3) for n in range(MINUTES)
    ]
    for plot in strip(*glances).values():
        assert plot.bars
        for bar in plot.bars:
            assert 0 <= bar.x <= WIDTH - BAR
            assert 0 <= bar.y < HEIGHT
            assert bar.height > 0
            assert bar.y + bar.height <= HEIGHT + 1e-9


def test_one_among_thousands_still_shows():
    shown = strip(*[Sample()] * 5_000, Sample(NOW - timedelta(minutes=5)))
    assert min(bar.height for bar in shown["rate"].bars) == MIN_BAR


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
    assert in_words(seconds) == words
