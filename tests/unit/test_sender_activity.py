"""What each sender has sent: counted by all workers, with the last outcome and what a person is to do."""

import pytest

from cobrowse.errors import LedgerUnavailable
from integrations.senders.activity import Delivery, SenderActivities, SenderActivity
from tests.payloads import NOW


def test_all_senders_are_shown_in_their_order_with_their_count_also_those_that_have_sent_nothing():
    last = Delivery(NOW, "b", "2 ignored", 7)
    activity = SenderActivities(recorded=lambda: {"b": last, "gone": Delivery(NOW, "gone", "initiated")})
    assert activity.of_all(["a", "b"]) == (SenderActivity("a"), SenderActivity("b", 7, last))


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
