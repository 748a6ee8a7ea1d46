"""The machine's clock, and what is left until a deadline."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.clock import Deadline, SystemClock, parse_time
from tests.clocks import ManualClock


def test_the_machines_clock_is_the_machines():
    clock = SystemClock()
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_machines_clock_waits():
    clock = SystemClock()
    start = clock.monotonic()
    clock.sleep(0.02)
    assert clock.monotonic() - start >= 0.02


def test_a_deadline_lies_so_far_ahead_and_is_over_then_and_not_less_than_over():
    clock = ManualClock()
    deadline = Deadline.after(4.0, clock)
    assert (deadline.ends, deadline.remaining()) == (1_004.0, 4.0)
    clock.time += 3
    assert deadline.remaining() == 1.0
    clock.time += 3
    assert deadline.remaining() == 0.0


@pytest.mark.parametrize(("seconds", "holds"), [(0.0, True), (3.75, True), (4.0, False), (5.0, False)])
def test_a_wait_fits_if_something_is_left_after_it(seconds, holds):
    assert Deadline.after(4.0, ManualClock()).allows(seconds) is holds


@pytest.mark.parametrize(
    ("text", "time_named"),
    [
        ("2026-11-25T09:00:00", datetime(2026, 11, 25, 9, tzinfo=UTC)),
        ("2026-11-25T09:00:00Z", datetime(2026, 11, 25, 9, tzinfo=UTC)),
        ("2026-11-25T09:00:00+02:00", datetime(2026, 11, 25, 7, tzinfo=UTC)),
        ("soon", None),
        ("", None),
    ],
)
def test_a_text_names_a_time_in_utc_unless_it_names_a_zone(text, time_named):
    assert parse_time(text) == time_named
