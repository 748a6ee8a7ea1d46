"""What each sender has sent of late: counted, with the last outcome."""

from datetime import timedelta

import pytest

from cobrowse.errors import LedgerUnavailable
from integrations.senders.activity import SenderActivities, SenderActivity
from tests.payloads import NOW


def test_deliveries_are_counted_with_the_last_outcome():
    activity = SenderActivities()
    activity.record_delivery("crm", NOW, "initiated")
    activity.record_delivery("crm", NOW + timedelta(seconds=1), "2 ignored")
    activity.record_note("crm", "open this")
    later = NOW + timedelta(seconds=1)
    assert activity.of("crm") == SenderActivity("crm", 2, later, "2 ignored", "open this")


def test_all_senders_are_shown_in_their_order_also_those_that_have_sent_nothing():
    activity = SenderActivities()
    activity.record_delivery("b", NOW, "initiated")
    activity.record_delivery("gone", NOW, "initiated")
    shown = activity.of_all(["a", "b"])
    assert [(one.sender, one.deliveries) for one in shown] == [("a", 0), ("b", 1)]


class Notes:
    def __init__(self):
        self.kept, self.away = {}, False

    def save(self, sender, note):
        self.kept[sender] = note

    def read(self, sender):
        if self.away:
            raise LedgerUnavailable("away")
        return self.kept.get(sender, "")


@pytest.mark.parametrize("away", [False, True])
def test_a_note_is_seen_by_each_worker_and_without_a_ledger_by_the_one_that_it_came_to(away):
    notes = Notes()
    here, there = (SenderActivities(notes, frozenset({"sns"})) for _ in range(2))
    here.record_note("sns", "open this")
    notes.away = away
    assert [one.note for one in here.of_all(["sns", "b"])] == ["open this", ""]
    assert [one.note for one in there.of_all(["sns", "b"])] == ["" if away else "open this", ""]
