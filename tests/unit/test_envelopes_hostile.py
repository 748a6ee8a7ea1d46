"""Whatever comes to an envelope: events, or an error of ours."""

import json
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from cobrowse.errors import CobrowseError
from integrations.senders.requests import SessionRequested
from schemas import chat_event, crm
from tests.payloads import HERE, SAMPLES, senders
from tests.unit.envelopes import SOAP, C, came, notification, row, soap
from web.error_responses import status_of

EXAMPLES = list(senders())

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
        events = sender.parse_events(incoming)
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
