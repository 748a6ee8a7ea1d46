"""Envelopes: what asks for a session, what starts nothing and why, what is refused; and delivery ids."""

import json

import pytest

from cobrowse.errors import InvalidRequest, MalformedRequest, UnsupportedType
from integrations.senders.payloads.paths import Path
from integrations.senders.registry import load_senders
from integrations.senders.requests import Ignored, SessionRequested
from tests.unit.envelopes import C, came, read
from tests.unit.test_texts import PLACEHOLDERS

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
        b'{"a": NaN}',
        b"[" * 2_000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
    ],
)
def test_a_body_that_is_no_json_is_malformed(body):
    with pytest.raises(MalformedRequest):
        read(body)


def test_json_encoded_once_too_often_is_called_so():
    body = json.dumps(json.dumps(json.dumps({"conversationId": "x"})))
    with pytest.raises(InvalidRequest, match="JSON text inside a JSON string came, encoded more than twice"):
        read(body.encode())


def test_a_text_cut_in_the_middle_of_a_letter_does_not_stop_the_session():
    body = b'{"conversationId": "%s", "subject": "Form broken \xf0\x9f\x98"}' % C.encode()
    assert read(body).conversation_id == C


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
    (event,) = sender.parse_events(came({"conversationId": C}, {header: "abc-1"}))
    assert event.delivery_id == "abc-1"


U = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"start {U}, please", U),
        (f"<at>cobrowse</at>&nbsp;{U.upper()}", U.upper()),
        (f"start {U.replace('-', '')}", U.replace("-", "")),
        (f"{U} is {U.upper()} is {U.replace('-', '')}", U.replace("-", "")),
        (f"{U} or 3{U[1:]}", None),
        (f"x{U}", None),
        (f"{U}-1", None),
        (f"{U.replace('-', '')}0", None),
        (f"ü{U}", U),
        ("start", None),
        (7, None),
    ],
)
def test_the_one_uuid_in_a_text_is_found_and_no_part_of_anything_longer(text, found):
    assert Path.of("uuid_in(text)")({"text": text}) == found
