"""Envelopes: what asks for a session, what starts nothing and why, and what no body can do to the service."""

import json
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobrowse.errors import CobrowseError, InvalidRequest, MalformedRequest, UnsupportedType
from integrations.senders.registry import Ignored, InvalidEvent, SessionRequested, load_senders
from integrations.senders.requests import UnverifiedRequest
from schemas import chat_event, crm
from tests.payloads import HERE, SAMPLES, example, senders
from tests.unit.test_texts import PLACEHOLDERS
from web.error_responses import status_of

C = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"
EXAMPLES = list(senders())


def row(envelope="custom", more=""):
    text = f'[senders.one]\nsignature = "bearer"\nsecrets = ["$S"]\nenvelope = "{envelope}"\n{more}'
    return load_senders(text, {"S": "0123456789abcdef"}).get("one")


def came(body, headers=None, kind="application/json"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return UnverifiedRequest("POST", "/webhooks/one", "", {"content-type": kind, **(headers or {})}, raw, "192.0.2.7")


def read(body, envelope="custom", more="", **how):
    (event,) = row(envelope, more).read(came(body, **how))
    return event


def payload(name):
    return json.loads((HERE / name).read_text())["body"]


# What any envelope asks of a body.


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/cloudevents+json",
        "application/json; charset=us-ascii",
        "application/json; charset=ISO-8859-1",
        "text/plain",
        "text/plain; charset=UTF-8",
        "text/json",
    ],
)
def test_json_is_taken_by_any_of_its_names(kind):
    assert isinstance(read({"conversationId": C}, kind=kind), SessionRequested)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/html",
        "application/octet-stream",
        "multipart/form-data; boundary=x",
        "text/xml",
        "application/json; charset=utf-16",
    ],
)
def test_a_body_of_another_type_is_refused_however_it_looks_inside(kind):
    """Content-type confusion (CVE-2026-21858): what a body is, its type says, and nothing is guessed."""
    with pytest.raises(UnsupportedType):
        read({"conversationId": C}, kind=kind)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"{'a':1}",
        b"\xff",
        b'{"a":"\xed\xa0\x80"}',
        b'{"a": NaN}',
        b"[" * 2_000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
    ],
)
def test_a_body_that_is_no_json_is_malformed(body):
    with pytest.raises(MalformedRequest):
        read(body)


@pytest.mark.parametrize("body", [[], [1], [[]], [{}, {}], "text", 1, None, True])
@pytest.mark.parametrize("envelope", ["custom", "servicenow", "salesforce-flow", "eventbridge", "genesys-notification"])
def test_json_that_is_no_object_is_invalid(body, envelope):
    with pytest.raises(InvalidRequest):
        read(body, envelope)


@pytest.mark.parametrize("envelope", ["custom", "servicenow", "salesforce-flow"])
def test_the_flat_contract_of_the_data_action_is_read_without_a_path(envelope):
    event = read(
        {"conversationId": f" {C.upper()} ", "channel": "VOICE", "requestedBy": 17, "sessionSettings": {"a": 1}},
        envelope,
    )
    assert event == SessionRequested(C, "voice", "17", {"a": 1}, "", event.content)


@pytest.mark.parametrize("value", [None, "", " "])
def test_no_conversation_id_where_the_row_says_names_the_path(value):
    with pytest.raises(InvalidRequest, match=r"^a\.b\.c: there is no conversation id$"):
        read({"a": {"b": {"c": value}}}, more='conversation_id = "a.b.c"')
    with pytest.raises(InvalidRequest, match=r"^a\.b\.c: there is no conversation id$"):
        read({"a": 1}, more='conversation_id = "a.b.c"')


@pytest.mark.parametrize(
    "value",
    ["latest", C[:-1], C + "0", "x" * 5_000, "\n", 12, C + "/media"],
)
def test_what_is_no_uuid_is_no_conversation_id_and_is_shown_in_part_only(value):
    with pytest.raises(InvalidRequest) as error:
        read({"conversationId": value})
    assert error.value.message.startswith("conversationId: ")
    assert len(error.value.message) < 160
    assert "\n" not in error.value.message


@pytest.mark.parametrize("value", [True, 1.5, [C], {"id": C}])
def test_a_conversation_id_is_a_text(value):
    with pytest.raises(InvalidRequest, match="conversationId: is not a text"):
        read({"conversationId": value})


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_a_variable_that_the_sender_did_not_fill_in_is_named_where_it_is_needed_and_none_elsewhere(value):
    with pytest.raises(InvalidRequest, match=r"the sender's variable .* was not set; .* came") as error:
        read({"conversationId": value})
    assert repr(value.strip()[:60]) in error.value.message
    optional = dict.fromkeys(("requestedBy", "channel", "sessionSettings"), value)
    assert read({"conversationId": C, **optional}) == SessionRequested(C, content={"conversationId": C, **optional})


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("webchat", "webchat"),
        ("Chat", "webchat"),
        ("VOICE", "voice"),
        ("call", "voice"),
        ("message", "message"),
        ("WebMessaging", "message"),
        ("UNKNOWN", None),
        ("", None),
        (None, None),
    ],
)
def test_a_channel_is_known_by_its_names(channel, expected):
    assert read({"conversationId": C, "channel": channel}).channel == expected


@pytest.mark.parametrize("channel", ["email", "COBROWSE", "Callback", "sms", "whatsapp", "video"])
def test_a_channel_that_cannot_carry_cobrowse_starts_nothing(channel):
    event = read({"conversationId": C, "channel": channel})
    assert event == Ignored(f"{channel.lower()} can't carry cobrowse", "", C)


@pytest.mark.parametrize("channel", ["fax", 1, "x" * 1_000])
def test_a_channel_nobody_knows_is_a_mistake_in_the_row_or_the_sender(channel):
    with pytest.raises(InvalidRequest, match=r"^channel: "):
        read({"conversationId": C, "channel": channel})


@pytest.mark.parametrize(
    ("settings", "expected"), [({"a": [1]}, {"a": [1]}), ('{"a": [1]}', {"a": [1]}), ("", {}), (None, {}), ({}, {})]
)
def test_session_settings_are_an_object_or_one_written_into_a_text(settings, expected):
    assert read({"conversationId": C, "sessionSettings": settings}).session_settings == expected


@pytest.mark.parametrize("settings", ["[1]", "{", "x", 1, [1], {"a": "x" * 4_100}, '{"a": "' + "x" * 4_100 + '"}'])
def test_session_settings_that_are_none_are_refused(settings):
    with pytest.raises(InvalidRequest, match=r"^sessionSettings: "):
        read({"conversationId": C, "sessionSettings": settings})


def test_who_asked_is_cut_and_never_refused():
    assert read({"conversationId": C, "requestedBy": "x" * 300}).requested_by == "x" * 200
    assert read({"conversationId": C, "requestedBy": {"link": "https://x/1", "value": "681"}}).requested_by == "681"


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("a == `1`", True),
        ("a == `2`", False),
        ("nothing", False),
        ("a", True),
        ("e", False),
        ("l", False),
        ("`0`", True),
        ("!a", False),
    ],
)
def test_when_decides_as_jmespath_has_it(when, holds):
    event = read({"conversationId": C, "a": 1, "e": "", "l": []}, more=f"filter = '{when}'")
    assert isinstance(event, SessionRequested if holds else Ignored)


@pytest.mark.parametrize(
    "when",
    [
        "starts_with(a, 'x')",
        "length(a)",
        "sum(l)",
        "contains('abc', a)",
        "ceil(big)",
        "max_by(l, &x)",
        "to_number(a).b || abs(l)",
    ],
)
def test_a_path_that_cannot_be_worked_out_is_reported_and_crashes_nothing(when):
    with pytest.raises(InvalidRequest, match="can't be worked out for this event"):
        read({"conversationId": C, "a": 1, "l": ["x", 1], "big": "no"}, more=f'filter = "{when}"')


def test_what_a_when_refuses_is_not_looked_at_further():
    assert isinstance(read({"conversationId": 5, "channel": 5}, more='filter = "no"'), Ignored)


# Delivery ids.


def test_an_event_that_is_ignored_needs_no_delivery_id():
    """Zoom's events of other kinds have other fields, and the path to an id fits those that count."""
    more = "filter = \"event == 'meeting.created'\"\ndelivery_id = \"join(':', [to_string(ts), object.uuid])\""
    assert read({"event": "user.created", "ts": 1}, more=more) == Ignored("filtered out by the sender's filter", "", "")
    with pytest.raises(InvalidRequest, match="can't be worked out"):
        read({"event": "meeting.created", "ts": 1}, more=more)


def test_a_delivery_id_is_where_the_row_says():
    assert read({"conversationId": C, "d": {"id": 17}}, more='delivery_id = "d.id"').delivery_id == "17"
    headers = {"x-delivery": "abc"}
    assert read({"conversationId": C}, more='delivery_id = "header:X-Delivery"', headers=headers).delivery_id == "abc"


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, True, 1.5, "${input.id}", "{{id}}"])
def test_a_delivery_id_that_is_none_is_left_to_what_the_delivery_says(value):
    assert read({"conversationId": C, "id": value}, more='delivery_id = "id"').delivery_id == ""


@pytest.mark.parametrize("value", ["x" * 256, "é", "a\nb", "日本"])
def test_a_delivery_id_that_is_too_long_or_not_plain_is_hashed(value):
    event = read({"conversationId": C, "id": value}, more='delivery_id = "id"')
    assert event.delivery_id.startswith("sha256:")
    assert len(event.delivery_id) == 71
    assert event.delivery_id != read({"conversationId": C, "id": value + "x"}, more='delivery_id = "id"').delivery_id


@pytest.mark.parametrize(
    ("signature", "header"),
    [
        ("zendesk", "x-zendesk-webhook-invocation-id"),
        ("shopify", "x-shopify-webhook-id"),
        ("github", "x-github-delivery"),
        ("standard-webhooks", "webhook-id"),
    ],
)
def test_a_scheme_knows_the_header_its_vendor_puts_the_delivery_id_into(signature, header):
    text = f'[senders.one]\nsignature = "{signature}"\nsecrets = ["$S"]\nenvelope = "custom"\n'
    sender = load_senders(text, {"S": "whsec_" + "A" * 32}).get("one")
    (event,) = sender.read(came({"conversationId": C}, {header: "abc-1"}))
    assert event.delivery_id == "abc-1"


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
        "v2.users.x.presence",
        "channel.metadata",
        "",
        "conversations",
    ],
)
def test_a_topic_that_is_not_a_conversations_or_cannot_carry_cobrowse_starts_nothing(topic):
    body = {"topicName": topic, "eventBody": {"id": C, "participants": [{"purpose": "agent", "state": "connected"}]}}
    assert isinstance(read(body, "genesys-notification"), Ignored)


def test_each_state_of_a_conversation_is_checked_though_their_correlation_id_is_one():
    body = example("notifications")
    assert read(body, "genesys-notification").delivery_id == ""


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
    first, again = (row("hubspot", HUBSPOT).read(came([hubspot(attemptNumber=number)])) for number in (0, 3))
    assert first == again


def test_hubspots_batches_end_at_100_events():
    events = row("hubspot", HUBSPOT).read(came([hubspot(objectId=number) for number in range(100)]))
    assert len({event.delivery_id for event in events}) == 100
    with pytest.raises(InvalidRequest, match="101 events at once"):
        row("hubspot", HUBSPOT).read(came([hubspot(objectId=number) for number in range(101)]))


def test_a_bad_event_of_a_batch_leaves_the_others_alone():
    events = row("hubspot", HUBSPOT).read(came([hubspot(), "junk", hubspot(propertyValue=None), hubspot(objectId=9)]))
    assert [type(event) for event in events] == [SessionRequested, InvalidEvent, InvalidEvent, SessionRequested]
    assert isinstance(events[1].error, InvalidRequest)
    assert events[1].error.message == "the event: must be a JSON object"


def test_a_bad_event_alone_is_the_deliverys_own_error():
    with pytest.raises(InvalidRequest, match="propertyValue"):
        row("hubspot", HUBSPOT).read(came([hubspot(propertyValue="x")]))


@pytest.mark.parametrize("body", [{}, "x", None, {"events": []}])
def test_hubspot_sends_arrays(body):
    with pytest.raises(InvalidRequest, match="must be a JSON array"):
        row("hubspot", HUBSPOT).read(came(body))


@pytest.mark.parametrize("missing", ["subscriptionId", "objectId", "occurredAt"])
def test_hubspots_event_id_is_never_taken_for_a_key(missing):
    body = hubspot()
    del body[missing]
    (event,) = row("hubspot", HUBSPOT).read(came([body]))
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


SOAP = 'conversation_id = "sObject.C__c"\n'


def soap(
    notifications, shared="<SessionId>00Dxx!secret</SessionId><EnterpriseUrl>http://169.254.169.254/</EnterpriseUrl>"
):
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D</OrganizationId>{shared}{notifications}</notifications>'
        "</e:Body></e:Envelope>"
    ).encode()


def notification(number, inside=f"<f:C__c>{C}</f:C__c>"):
    return f'<Notification><Id>04l{number}</Id><sObject xmlns:f="urn:sobject">{inside}</sObject></Notification>'


def read_soap(body, more=SOAP):
    return row("salesforce-outbound-message", more).read(came(body, kind="text/xml; charset=UTF-8"))


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
    assert event.content["sObject"] == {"type": "", "C__c": C, "T": ["a", "b", "c"], "N": None}


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
    assert isinstance(
        read_soap(soap(notification(1, f"<f:C__c>{C}</f:C__c>" + "<x>" * 10_000 + "</x>" * 10_000)))[0],
        SessionRequested,
    )


def test_a_message_without_notifications_starts_nothing():
    assert read_soap(soap("")) == (Ignored("the batch is empty"),)


# Whatever comes.

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from([C, "${input.x}", "CHAT", "COBROWSE"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def fields_of(*schemas):
    names = set()
    for schema in schemas:
        for name, one in schema.fields.items():
            names.add(one.data_key or name)
            nested = getattr(one, "schema", None) or getattr(getattr(one, "inner", None), "schema", None)
            names |= set(fields_of(nested)) if nested else set()
    return sorted(names)


WORDS = [
    *fields_of(
        chat_event.EVENTBRIDGE,
        chat_event.NOTIFICATION,
        chat_event.OPEN_MESSAGING,
        crm.HUBSPOT_EVENT,
        crm.ZENDESK_EVENT,
        crm.DATAVERSE,
    ),
    "Attributes",
    "conversationId",
    "data",
    "propertyName",
    "note_attributes",
    "client_payload",
]
lookalikes = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, min_size=1, max_size=5),
    max_leaves=25,
)


def mutated(draw, value, other):
    """A real payload with one part of it exchanged."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: mutated(draw, value[key], other)}
    if isinstance(value, list) and value and draw(st.booleans()):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], mutated(draw, value[place], other), *value[place + 1 :]]
    return other


REAL = [json.loads(path.read_text()) for path in [*sorted(HERE.glob("*/*.json")), *sorted(SAMPLES.glob("*.json"))]]


@st.composite
def bodies(draw):
    other = draw(lookalikes)
    real = draw(st.sampled_from([held["body"] for held in REAL if "body" in held]))
    return draw(st.sampled_from([other, [other], mutated(draw, real, other)]))


def answers(sender, incoming):
    """Every event, or an error of ours; nothing else, and what is wanted can be fingerprinted."""
    try:
        events = sender.read(incoming)
    except CobrowseError as error:
        assert status_of(error) in (400, 415, 422)  # noqa: PT017 - no error at all is just as good
        return
    assert events
    for event in events:
        if isinstance(event, SessionRequested):
            orjson.dumps([event.content, event.session_settings], option=orjson.OPT_SORT_KEYS)


@given(body=bodies())
def test_no_payload_makes_a_row_fail_with_anything_but_an_error_of_ours(body):
    raw = json.dumps(body).encode(errors="surrogatepass")
    for sender in EXAMPLES:
        answers(sender, came(raw, kind=sender.content_type))


@given(body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "text/xml"]) | st.text(max_size=40))
def test_no_bytes_make_a_row_fail_with_anything_but_an_error_of_ours(body, kind):
    for sender in EXAMPLES:
        answers(sender, came(body, kind=kind))


@given(
    inside=st.text(st.characters(exclude_categories=("Cs",)), max_size=80),
    cut=st.integers(0, 600),
    flip=st.integers(0, 599),
)
def test_no_xml_makes_a_row_fail_with_anything_but_an_error_of_ours(inside, cut, flip):
    whole = bytearray(soap(notification(1, inside)))
    whole[flip % len(whole)] ^= 0x15
    answers(row("salesforce-outbound-message", SOAP), came(bytes(whole[: cut or None]), kind="text/xml"))
    answers(row("salesforce-outbound-message", SOAP), came(bytes(whole), kind="text/xml"))


def test_each_payload_file_is_whole():
    for path in sorted(Path(HERE).glob("*/*.json")):
        held = json.loads(path.read_text())
        assert {"source", "headers", "expect"} <= set(held), path
        assert ("body" in held) != ("raw" in held), path
