"""The deliveries that the ledger counts, on each engine: those of all workers, by hour, as long as they are kept."""

from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.errors import LedgerUnavailable
from integrations.senders.activity import Delivery

NOON = datetime.now(UTC).replace(minute=30, second=10, microsecond=0)


def delivery(minutes=0.0, sender="crm", outcome="initiated", count=1):
    return Delivery(NOON + timedelta(minutes=minutes), sender, outcome, count)


def test_workers_add_to_the_same_count_and_the_newest_outcome_stays_whatever_their_order(url, opened, ledger):
    ledger.deliveries.add([delivery(5, count=3), delivery(0, sender="erp", outcome="failed")])
    opened(url).deliveries.add([delivery(1, outcome="ignored", count=2)])
    assert ledger.deliveries.by_sender() == {
        "crm": delivery(5, count=5),
        "erp": delivery(0, sender="erp", outcome="failed"),
    }
    ledger.deliveries.add([delivery(6, outcome="ignored")])
    assert opened(url).deliveries.by_sender()["crm"] == delivery(6, outcome="ignored", count=6)


def test_hours_are_added_up(ledger):
    ledger.deliveries.add([delivery(60, outcome="failed", count=2), delivery(-60, count=4), delivery()])
    assert ledger.deliveries.by_sender() == {"crm": delivery(60, outcome="failed", count=7)}


def test_what_is_older_than_the_ledger_keeps_is_no_longer_counted(url, opened):
    store = opened(url, retention_seconds=7_200.0)
    store.deliveries.add([delivery(-300, sender="old"), delivery(-300), delivery(-60)])
    assert store.deliveries.by_sender() == {"crm": delivery(-60)}


def test_a_ledger_that_is_away_says_so(opened):
    with pytest.raises(LedgerUnavailable):
        opened("postgresql://nobody:x@127.0.0.1:1/none").deliveries.add([delivery()])
