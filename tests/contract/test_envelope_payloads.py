"""Every delivery under tests/payloads, through its row of senders.example.toml: signed, verified, read."""

import pytest

from cobrowse.errors import CobrowseError
from integrations.senders.requests import Ignored, InvalidEvent, SessionRequested
from tests.payloads import NOW, deliveries, senders
from web.error_responses import hint_of

SENDERS = senders()
DELIVERIES = deliveries()


def of(delivery):
    return SENDERS.get(delivery.sender)


@pytest.fixture(params=DELIVERIES, ids=lambda delivery: f"{delivery.sender}/{delivery.name}")
def delivery(request):
    return request.param


def test_a_delivery_is_authenticated_as_it_comes(delivery):
    sender = of(delivery)
    assert sender.authenticate(delivery.signed_by(sender), NOW) == sender.auth_config.names[0]


def test_a_delivery_asks_for_what_its_file_says(delivery):
    sender = of(delivery)
    incoming = delivery.signed_by(sender)
    if "error" in delivery.expect[0]:
        with pytest.raises(CobrowseError) as error:
            sender.parse_events(incoming)
        assert error.value.code == delivery.expect[0]["error"]
        assert delivery.expect[0]["says"] in error.value.message + hint_of(error.value)
        return
    events = sender.parse_events(incoming)
    assert len(events) == len(delivery.expect)
    for event, expected in zip(events, delivery.expect, strict=True):
        if "wanted" in expected:
            assert isinstance(event, SessionRequested)
            assert {name: getattr(event, name) for name in expected["wanted"]} == expected["wanted"]
        elif "refused" in expected:
            assert isinstance(event, InvalidEvent)
            assert event.error.code == expected["refused"]
            assert expected["says"] in event.reason
        else:
            assert isinstance(event, Ignored)
            assert expected["ignored"] in event.reason
            assert event.conversation_id == expected["conversation_id"]
            assert event.delivery_id == expected.get("delivery_id", event.delivery_id)


def test_a_delivery_that_is_sent_again_is_known_by_the_same_id_and_content(delivery):
    sender = of(delivery)
    if "error" in delivery.expect[0]:
        return
    first, again = sender.parse_events(delivery.signed_by(sender)), sender.parse_events(delivery.signed_by(sender))
    assert [event.delivery_id for event in first] == [event.delivery_id for event in again]
    assert [getattr(event, "content", None) for event in first] == [getattr(event, "content", None) for event in again]


def test_each_sender_of_the_example_file_has_a_delivery_it_starts_from_or_says_why_not():
    covered = {delivery.sender for delivery in DELIVERIES}
    assert covered == {sender.name for sender in SENDERS}


def test_each_delivery_names_where_its_shape_is_documented(delivery):
    assert delivery.source
    assert any(name.lower() == "content-type" for name in delivery.headers)
