"""What each sender has sent of late: counted, with the last outcome."""

from datetime import timedelta

from integrations.senders.activity import SenderActivities, SenderActivity
from tests.payloads import NOW


def test_deliveries_are_counted_with_the_last_outcome():
    activity = SenderActivities()
    activity.delivered("crm", NOW, "initiated")
    activity.delivered("crm", NOW + timedelta(seconds=1), "2 ignored")
    activity.noted("crm", "open this")
    later = NOW + timedelta(seconds=1)
    assert activity.of("crm") == SenderActivity("crm", 2, later, "2 ignored", "open this")


def test_all_senders_are_shown_in_their_order_also_those_that_have_sent_nothing():
    activity = SenderActivities()
    activity.delivered("b", NOW, "initiated")
    activity.delivered("gone", NOW, "initiated")
    shown = activity.of_all(["a", "b"])
    assert [(one.sender, one.deliveries) for one in shown] == [("a", 0), ("b", 1)]
