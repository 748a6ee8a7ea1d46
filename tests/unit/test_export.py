"""The export's moments, and its cells in the hands of a spreadsheet."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import click
import pytest

from cobrowse.ledger import State
from commands.export import parse_moment
from commands.initiations import PAGE, find_initiations
from commands.terminal import csv_cell


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-27T09:00:00Z", datetime(2026, 11, 27, 9, tzinfo=UTC)),
        ("2026-11-27T09:00+01:00", datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ("2026-11-27", datetime(2026, 11, 27).astimezone()),
        (" 2026-11-27T09:00 ", datetime(2026, 11, 27, 9).astimezone()),
    ],
)
def test_a_moment_is_iso_8601_in_this_machines_zone_unless_it_names_one(text, moment):
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    ("text", "ago"), [("30s", timedelta(seconds=30)), ("90min", timedelta(minutes=90)), ("7d", timedelta(days=7))]
)
def test_a_moment_may_be_so_long_ago(text, ago):
    before = datetime.now(UTC)
    moment = parse_moment(text)
    assert before <= moment + ago <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["", "tomorrow", "7 weeks", "2026-13-01", "999999d", "9999-99-99T99:99", "d", "٣d"])
def test_what_is_no_moment_is_shown_with_examples(text):
    with pytest.raises(click.BadParameter, match="is not a time such as 2026-11-27"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("@ann", "'@ann"),
        ("+49 30", "'+49 30"),
        ("-1", "'-1"),
        ("a=b", "a=b"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("a;=1+1;b;@c", "a;'=1+1;b;'@c"),
        ("", ""),
        ("two\nlines", "two\\nlines"),
        (-1, "-1"),
        (True, "true"),
    ],
)
def test_no_cell_is_a_formula(value, cell):
    assert csv_cell(value) == cell


class Store:
    """Holds initiations of two states in turn; their places are not without gaps."""

    rows = tuple(
        SimpleNamespace(seq=3 * number, state=State.FAILED_FINAL if number % 2 else State.FAILED_RETRYABLE)
        for number in range(1, 2 * PAGE + 50)
    )

    def recent(self, limit, *, before_seq, state, **_filters):
        fits = [row for row in self.rows if state in (None, row.state) and row.seq < (before_seq or 10**9)]
        return fits[::-1][:limit]


@pytest.mark.parametrize("failed", [False, True])
def test_every_page_is_read_and_the_newest_come_first(failed):
    assert list(find_initiations(Store(), failed=failed)) == list(Store.rows[::-1])
