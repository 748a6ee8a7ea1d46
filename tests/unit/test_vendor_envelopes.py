"""Envelopes as their vendors fill them: EventBridge, notifications, CRMs and SOAP."""

import pytest

from cobrowse.errors import InvalidRequest, MalformedRequest
from integrations.senders.requests import Ignored, InvalidEvent, SessionRequested
from tests.payloads import HERE, example
from tests.unit.envelopes import SOAP, C, came, notification, payload, read, row, soap
from web.error_responses import status_of

# EventBridge.


def bus(**changes):
    event = payload("eventbridge/user_start__webchat.json")
    event["detail"]["eventBody"].update(changes)
    return event


@pytest.mark.parametrize(
    ("medium", "channel"),
    [("CHAT", "webchat"), ("voice", "voice"), ("Message", "message"), ("UNKNOWN", None), ("", None)],
)
def test_an_events_medium_is_the_channel_whatever_its_case(medium, channel):
    assert read(bus(mediaType=medium), "eventbridge").channel == channel


def test_a_row_chooses_its_topics():
    event = payload("eventbridge/customer_start__no_agent_yet.json")
    assert isinstance(read(event, "eventbridge"), Ignored)
    assert isinstance(read(event, "eventbridge", 'topics = ["customer.start"]'), SessionRequested)
    assert isinstance(read(bus(), "eventbridge", 'topics = ["customer.start"]'), Ignored)


def test_a_rows_own_channel_does_not_let_a_sessions_own_events_start_another():
    for envelope, name in (
        ("eventbridge", "eventbridge/user_start__cobrowse.json"),
        ("genesys-notification", "notifications/cobrowse__own_session.json"),
    ):
        assert isinstance(read(payload(name), envelope, "channel = \"'voice'\""), Ignored)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"detail-type": "Scheduled Event"}, "not about a conversation"),
        ({"detail-type": "v2.detail.events.conversation.{id}.user.start.more"}, ""),
        ({"detail-type": "xv2.detail.events.conversation.{id}.user.start"}, "not about a conversation"),
        ({"detail-type": f"v2.detail.events.conversation.{C}.user.start\n"}, "not about a conversation"),
        ({"detail-type": ""}, ""),
    ],
)
def test_a_detail_type_must_be_a_conversations_and_the_topic_inside_is_what_counts(changed, reason):
    event = read({**bus(), **changed}, "eventbridge")
    assert isinstance(event, Ignored) == bool(reason)
    assert reason in getattr(event, "reason", "")


def test_a_path_reads_the_same_with_and_without_the_bus_around_it():
    more = 'requested_by = "detail.eventBody.userId"'
    whole, inner = read(bus(), "eventbridge", more), read(bus()["detail"], "eventbridge", more)
    assert whole.requested_by == inner.requested_by == "b7d6a5a2-2c39-4a0f-8a39-9d5c6d0d8b21"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"detail": None},
        {"detail": []},
        {"detail": {"eventBody": "x"}},
        {"eventBody": None},
        {"detail": {"topicName": 5, "eventBody": {}}},
    ],
)
def test_an_event_of_another_shape_is_invalid_and_never_anything_the_bus_sends_again(body):
    with pytest.raises(InvalidRequest) as error:
        read(body, "eventbridge")
    assert status_of(error.value) == 422


# Notifications.


def test_a_conversation_starts_a_session_only_once_an_agent_is_connected():
    def state(*participants):
        return {
            "topicName": "v2.users.x.conversations.chats",
            "eventBody": {"id": C, "participants": list(participants)},
        }

    agent = {"purpose": "agent", "state": "connected"}
    assert (
        read(state({"purpose": "customer", "state": "connected"}, agent), "genesys-notification").channel == "webchat"
    )
    for others in (
        [],
        [{"purpose": "acd", "state": "connected"}],
        [{**agent, "state": "dialing"}],
        [{**agent, "state": "disconnected"}],
        [{"purpose": "customer", "state": "connected"}],
    ):
        assert read(state(*others), "genesys-notification").reason == "no agent is connected yet"


@pytest.mark.parametrize(
    "topic",
    [
        "v2.users.x.conversations.emails",
        "v2.users.x.conversations.callbacks",
        "v2.users.x.conversations.videos",
        "v2.users.x.conversations.internalmessages",
        "v2.users.x.conversations.screenmonitorings",
        "v2.routing.queues.x.conversations.social",
        f"v2.conversations.cobrowsesessions.{C}",
        f"v2.conversations.emails.{C}.messages",
        "v2.users.x.presence",
        "channel.metadata",
        "",
        "conversations",
    ],
)
def test_a_topic_that_is_not_a_conversations_or_cannot_carry_cobrowse_starts_nothing(topic):
    body = {"topicName": topic, "eventBody": {"id": C, "participants": [{"purpose": "agent", "state": "connected"}]}}
    assert isinstance(read(body, "genesys-notification"), Ignored)


@pytest.mark.parametrize(
    ("topic", "channel"), [(f"v2.conversations.{C}", None), (f"v2.conversations.messages.{C}", "message")]
)
def test_a_topic_of_one_conversation_is_one_of_its_medium(topic, channel):
    body = {"topicName": topic, "eventBody": {"id": C, "participants": [{"purpose": "agent", "state": "connected"}]}}
    assert read(body, "genesys-notification").channel == channel


def state_of(*agents):
    participants = [{"id": one, "purpose": "agent", "state": state} for one, state in agents]
    return {"topicName": "v2.users.u.conversations", "eventBody": {"id": C, "participants": participants}}


@pytest.mark.parametrize(
    ("agents", "delivery_id"),
    [
        ([("a", "connected")], f"{C}:a"),
        ([("a", "connected"), ("b", "alerting")], f"{C}:a"),
        ([("a", "disconnected"), ("b", "connected")], f"{C}:b"),
        ([("", "connected")], ""),
    ],
)
def test_a_conversations_states_have_one_id_for_each_agent_who_answers(agents, delivery_id):
    assert read(state_of(*agents), "genesys-notification").delivery_id == delivery_id


def test_a_detail_event_has_no_id_here():
    detail = example("eventbridge")["detail"]
    assert read(detail, "genesys-notification", "topics = ['user.start']").delivery_id == ""


def test_an_open_message_starts_a_session_where_the_row_has_a_path():
    body = {**example("open-messaging"), "metadata": {"conversationId": C}}
    assert isinstance(read(body, "open-messaging"), Ignored)
    assert read(body, "open-messaging", 'conversation_id = "metadata.conversationId"').conversation_id == C
    with pytest.raises(InvalidRequest, match=r"metadata.conversationId"):
        read({**body, "metadata": {}}, "open-messaging", 'conversation_id = "metadata.conversationId"')


# CRMs.


HUBSPOT = 'conversation_id = "propertyValue"\n'


def hubspot(**changes):
    return {**example("hubspot")[0], **changes}


def test_a_resent_hubspot_event_is_the_same_event():
    """attemptNumber counts up; a fingerprint over it would take a repeat for another request."""
    first, again = (row("hubspot", HUBSPOT).parse_events(came([hubspot(attemptNumber=number)])) for number in (0, 3))
    assert first == again


def test_hubspots_batches_end_at_100_events():
    events = row("hubspot", HUBSPOT).parse_events(came([hubspot(objectId=number) for number in range(100)]))
    assert len({event.delivery_id for event in events}) == 100
    with pytest.raises(InvalidRequest, match="101 events at once"):
        row("hubspot", HUBSPOT).parse_events(came([hubspot(objectId=number) for number in range(101)]))


def test_a_bad_event_of_a_batch_leaves_the_others_alone():
    events = row("hubspot", HUBSPOT).parse_events(
        came([hubspot(), "junk", hubspot(propertyValue=None), hubspot(objectId=9)])
    )
    assert [type(event) for event in events] == [SessionRequested, InvalidEvent, InvalidEvent, SessionRequested]
    assert isinstance(events[1].error, InvalidRequest)
    assert events[1].error.message == "the event: must be a JSON object"


def test_a_bad_event_alone_is_the_deliverys_own_error():
    with pytest.raises(InvalidRequest, match="propertyValue"):
        row("hubspot", HUBSPOT).parse_events(came([hubspot(propertyValue="x")]))


@pytest.mark.parametrize("body", [{}, "x", None, {"events": []}])
def test_hubspot_sends_arrays(body):
    with pytest.raises(InvalidRequest, match="must be a JSON array"):
        row("hubspot", HUBSPOT).parse_events(came(body))


@pytest.mark.parametrize("missing", ["subscriptionId", "objectId", "occurredAt"])
def test_hubspots_event_id_is_never_taken_for_a_key(missing):
    body = hubspot()
    del body[missing]
    (event,) = row("hubspot", HUBSPOT).parse_events(came([body]))
    assert event.delivery_id == ""


def test_dataverse_attributes_are_one_mapping_with_dates_in_iso():
    more = """
        conversation_id = "attributes.new_genesysconversationid"
        requested_by = "join(' ', [attributes.ticketnumber, attributes.modifiedon])"
    """
    event = read(example("dataverse"), "dataverse", more)
    assert event.requested_by == "CAS-01213 2025-11-24T09:00:45+00:00"


@pytest.mark.parametrize("date", ["/Date(9999999999999999)/", "/Date(-9999999999999999)/", "/Date()/", "/Date(1e9)/"])
def test_dates_outside_the_calendar_crash_nothing(date):
    body = {
        "InputParameters": [
            {"key": "Target", "value": {"Attributes": [{"key": "c", "value": C}, {"key": "d", "value": date}]}}
        ]
    }
    assert (
        read(body, "dataverse", 'conversation_id = "attributes.c"\nrequested_by = "attributes.d"').requested_by == date
    )


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        [],
        [{}],
        [{"key": "Target"}],
        [{"key": "Target", "value": 1}],
        [{"key": "Target", "value": {"Attributes": {"a": 1}}}],
        [{"key": "Target", "value": {"Attributes": [{"value": 1}, 5]}}],
    ],
)
def test_dataverse_lists_of_any_other_shape_have_no_attributes(parameters):
    with pytest.raises(InvalidRequest, match=r"attributes\.c: there is no conversation id"):
        read({"InputParameters": parameters}, "dataverse", 'conversation_id = "attributes.c"')


def read_soap(body, more=SOAP):
    return row("salesforce-outbound-message", more).parse_events(came(body, kind="text/xml; charset=UTF-8"))


def test_a_message_of_100_notifications_is_taken_and_no_more():
    assert len(read_soap(soap("".join(map(notification, range(100)))))) == 100
    with pytest.raises(InvalidRequest, match="101 events"):
        read_soap(soap("".join(map(notification, range(101)))))


def test_salesforces_session_id_and_urls_are_neither_kept_nor_called():
    """SSRF through a URL in the payload: there is nothing here that could call one."""
    (event,) = read_soap(soap(notification(1)))
    assert "secret" not in str(event.content)
    assert "169.254" not in str(event.content)
    code = "".join(path.read_text() for path in (HERE.parents[1] / "integrations" / "senders").rglob("*.py"))
    assert not any(
        f"import {name}" in code for name in ("httpx", "requests", "socket", "urllib.request", "http.client")
    )


def test_a_field_that_comes_twice_is_a_list_and_a_nil_one_is_nothing():
    nil = '<f:N xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'
    (event,) = read_soap(soap(notification(1, f"<f:C__c>{C}</f:C__c><f:T>a</f:T><f:T>b</f:T><f:T>c</f:T>{nil}")))
    assert event.content["sObject"] == {"C__c": C, "T": ["a", "b", "c"], "N": None}


@pytest.mark.parametrize(
    "body",
    [
        b"not xml",
        b"<a",
        b"\xff\xfe<",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<!DOCTYPE a SYSTEM "http://evil.example.com/x.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ],
)
def test_xml_that_is_none_or_asks_for_entities_is_malformed(body):
    with pytest.raises(MalformedRequest):
        read_soap(body)


@pytest.mark.parametrize(
    "body",
    [
        b"<a/>",
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>',
        soap("<Notification/>"),
        soap(notification(1, "")),
    ],
)
def test_xml_of_another_shape_is_invalid(body):
    with pytest.raises(InvalidRequest):
        read_soap(body)


def test_deep_xml_crashes_nothing():
    with pytest.raises(MalformedRequest, match="nested too deeply"):
        read_soap(soap(notification(1, f"<f:C__c>{C}</f:C__c>" + "<x>" * 10_000 + "</x>" * 10_000)))


def test_a_record_says_of_which_object_it_is():
    typed = '<sObject xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="sf:Case" '
    (event,) = read_soap(soap(notification(1)).replace(b"<sObject ", typed.encode()))
    assert event.content["sObject"] == {"type": "Case", "C__c": C}


def test_a_message_without_notifications_starts_nothing():
    assert read_soap(soap("")) == (Ignored("the batch is empty"),)
