"""What is for operators is gathered, added up, bounded, and written behind the responses."""

import threading
from datetime import timedelta

import pytest

from cobrowse.errors import LedgerUnavailable
from integrations.recorder import MAX_PENDING, Recorder
from integrations.refusals import OTHERS, Refusal
from integrations.senders.activity import Delivery
from tests.clocks import HANGS, ManualClock, wait_until
from tests.payloads import NOW


def refusal(seconds=0.0, sender="crm", address="203.0.113.9"):
    at = NOW + timedelta(seconds=seconds)
    return Refusal(at, at, sender, "signature_invalid", 401, address, "no match", "compare", f"c-{seconds:g}")


class Written:
    def __init__(self):
        self.rows = []

    def __call__(self, entries):
        self.rows += entries


@pytest.fixture
def clock():
    """A clock by which the writer sleeps until the test is over: what is written is what `flush` writes."""
    over = threading.Event()

    class Sleeping(ManualClock):
        def sleep(self, seconds):
            over.wait(HANGS)

    yield Sleeping()
    over.set()


def test_refusals_of_a_minute_are_one_row_with_the_first_time_and_the_last_words(clock):
    written = Written()
    recorder = Recorder({Refusal: written}, clock)
    for seconds in (0, 1, 2):
        recorder.add(refusal(seconds))
    recorder.add(refusal(1, sender="erp"))
    recorder.flush()
    assert [(each.sender, each.count, each.correlation_id) for each in written.rows] == [
        ("crm", 3, "c-2"),
        ("erp", 1, "c-1"),
    ]
    assert (written.rows[0].first, written.rows[0].last) == (NOW, NOW + timedelta(seconds=2))
    recorder.flush()
    assert len(written.rows) == 2


def test_a_flood_of_addresses_is_counted_and_takes_no_memory_and_deliveries_beside_it_keep_their_senders(clock):
    refusals, deliveries = Written(), Written()
    recorder = Recorder({Refusal: refusals, Delivery: deliveries}, clock)
    for number in range(MAX_PENDING + 50):
        recorder.add(refusal(address=f"198.51.100.{number}"))
    recorder.add(Delivery(NOW, "crm", "initiated"))
    recorder.flush()
    assert len(refusals.rows) == MAX_PENDING + 1
    assert (refusals.rows[-1].sender, refusals.rows[-1].address, refusals.rows[-1].count) == (OTHERS, "", 50)
    assert deliveries.rows == [Delivery(NOW, "crm", "initiated")]


def test_deliveries_of_an_hour_are_one_row_with_the_last_ones_outcome(clock):
    written = Written()
    recorder = Recorder({Delivery: written}, clock)
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    for minutes, sender, outcome in (
        (0, "crm", "initiated"),
        (59, "crm", "2 ignored"),
        (60, "crm", "failed"),
        (1, "b", "x"),
    ):
        recorder.add(Delivery(hour + timedelta(minutes=minutes), sender, outcome))
    recorder.flush()
    assert written.rows == [
        Delivery(hour + timedelta(minutes=59), "crm", "2 ignored", 2),
        Delivery(hour + timedelta(minutes=60), "crm", "failed", 1),
        Delivery(hour + timedelta(minutes=1), "b", "x", 1),
    ]


def test_a_ledger_that_is_away_costs_the_record_only(clock):
    def away(_entries):
        raise LedgerUnavailable("away")

    recorder = Recorder({Refusal: away}, clock)
    recorder.add(refusal())
    recorder.flush()


def test_it_is_written_by_itself_a_moment_later():
    written = Written()
    recorder = Recorder({Refusal: written}, ManualClock())
    recorder.add(refusal())
    wait_until(lambda: written.rows)
    recorder.add(refusal(1))
    wait_until(lambda: len(written.rows) == 2)
