"""The list of ignored events is bounded, and each is counted."""

from datetime import UTC, datetime

from integrations.senders.activity import MAX_EVENTS, IgnoredEvent, IgnoredEvents


def test_the_newest_are_kept_first_and_every_one_is_counted():
    counted = []
    events = IgnoredEvents(lambda sender, kind: counted.append((sender, kind)))
    for number in range(MAX_EVENTS + 5):
        events.add(IgnoredEvent(datetime(2026, 1, 1, tzinfo=UTC), "crm", "filter", f"reason {number}"))
    assert counted == [("crm", "filter")] * (MAX_EVENTS + 5)
    assert [event.reason for event in events.newest()][:2] == [f"reason {MAX_EVENTS + 4}", f"reason {MAX_EVENTS + 3}"]
    assert len(events.newest()) == MAX_EVENTS
