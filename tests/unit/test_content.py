"""What a body is wrapped in: forms, JSON in forms and in JSON, XML, arrays, gzip."""

import gzip
import json
import tracemalloc
import zlib
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobrowse.errors import BodyTooLarge, CobrowseError, InvalidRequest, MalformedRequest, UnsupportedType
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import Ignored, InvalidEvent, SessionRequested, UnverifiedRequest
from tests.payloads import NOW
from web.error_responses import status_of

C, D = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33", "3f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"
FORM, JSON, XML = "application/x-www-form-urlencoded", "application/json", "text/xml"
EVENT = {"conversationId": C, "requestedBy": "Ada"}
IN_FORM, AS_XML = 'content = "json-in-form"\n', 'content = "xml"\n'
XML_PATHS = AS_XML + 'conversation_id = "event.conversationId"\nrequested_by = "event.requestedBy"\n'


def row(more="", envelope="custom", signature="bearer"):
    text = f'[senders.one]\nsignature = "{signature}"\nsecrets = ["$S"]\nenvelope = "{envelope}"\n{more}'
    return load_senders(text, {"S": "whsec_" + "A" * 32}).get("one")


def read(body, kind=JSON, *, more="", headers=None, envelope="custom", signature="bearer"):
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    incoming = UnverifiedRequest("POST", "/webhooks/one", "", {"content-type": kind, **(headers or {})}, raw)
    return row(more, envelope, signature).parse_events(incoming)


GOOD = {
    "a form": (urlencode(EVENT), FORM, ""),
    "a form, said by the row": (urlencode(EVENT), FORM, 'content = "form"\n'),
    "a form with a charset": (urlencode(EVENT), FORM + "; charset=UTF-8", ""),
    "a form behind a byte order mark": (b"\xef\xbb\xbf" + urlencode(EVENT).encode(), FORM, ""),
    "a form behind an encoded byte order mark": ("%EF%BB%BF" + urlencode(EVENT), FORM, ""),
    "JSON behind a byte order mark in a form": (
        b"\xef\xbb\xbf" + urlencode({"payload": json.dumps(EVENT)}).encode(),
        FORM,
        "",
    ),
    "JSON in a form": (urlencode({"payload": json.dumps(EVENT)}), FORM, ""),
    "JSON in a field that the row names": (
        urlencode({"data": json.dumps(EVENT), "token": "x"}),
        FORM,
        IN_FORM + 'content_field = "data"\n',
    ),
    "JSON in a JSON string": (json.dumps(json.dumps(EVENT)), JSON, ""),
    "JSON in a JSON string in a form": (urlencode({"payload": json.dumps(json.dumps(EVENT))}), FORM, IN_FORM),
    "JSON that says it is text": (json.dumps(EVENT), "text/plain; charset=UTF-8", ""),
    "an array of one": (json.dumps([EVENT]), JSON, ""),
    "an array of one, as a batch": (json.dumps([EVENT]), JSON, "batch = true\n"),
    "an object, as a batch": (json.dumps(EVENT), JSON, "batch = true\n"),
    "a JSON string behind a byte order mark": (b"\xef\xbb\xbf" + json.dumps(json.dumps(EVENT)).encode(), JSON, ""),
    "XML": (
        f"<event><conversationId>{C}</conversationId><requestedBy> Ada </requestedBy></event>",
        XML,
        XML_PATHS,
    ),
    "XML with namespaces": (
        f"<a:event xmlns:a='urn:a'><a:conversationId>{C}</a:conversationId><b>Ada</b></a:event>",
        "application/xml",
        AS_XML + 'conversation_id = "event.conversationId"\nrequested_by = "event.b"\n',
    ),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
def test_a_wrapping_is_taken_off(name, zipped):
    body, kind, more = GOOD[name]
    raw = body.encode() if isinstance(body, str) else body
    headers = {"content-encoding": "gzip"} if zipped else {}
    (event,) = read(gzip.compress(raw) if zipped else raw, kind, more=more, headers=headers)
    assert isinstance(event, SessionRequested)
    assert (event.conversation_id, event.requested_by) == (C, "Ada")


TWICE = f'{{"conversationId": "{C}", "conversationId": "{D}"}}'


@pytest.mark.parametrize(
    ("body", "kind", "more", "error"),
    [
        (urlencode(EVENT), FORM, 'content = "json"\n', UnsupportedType),
        (json.dumps(EVENT), JSON, 'content = "form"\n', UnsupportedType),
        (json.dumps(EVENT), JSON, AS_XML, UnsupportedType),
        (urlencode(EVENT), FORM, IN_FORM, InvalidRequest),
        ("payload=", FORM, IN_FORM, MalformedRequest),
        ("payload=%7B", FORM, IN_FORM, MalformedRequest),
        ("payload=%7B%7D&payload=%7B%7D", FORM, IN_FORM, InvalidRequest),
        (f"conversationId={C}&conversationId={D}", FORM, "", InvalidRequest),
        (f"conversationId={C}&conversationId={C}", FORM, "", InvalidRequest),
        ("payload=" + quote(json.dumps(EVENT)) + f"&conversationId={D}x", FORM, "", InvalidRequest),
        (b"conversationId=\xff", FORM, "", MalformedRequest),
        ("conversationId=%ff", FORM, "", InvalidRequest),
        ("&".join(["a=b"] * 1_001), FORM, "", InvalidRequest),
        ("", FORM, "", MalformedRequest),
        (json.dumps(json.dumps(json.dumps(EVENT))), JSON, "", InvalidRequest),
        (json.dumps("{"), JSON, "", MalformedRequest),
        (json.dumps(TWICE), JSON, "", InvalidRequest),
        (json.dumps("[" * 2_000), JSON, "", MalformedRequest),
        (json.dumps([EVENT, EVENT]), JSON, "", InvalidRequest),
        (json.dumps([EVENT] * 101), JSON, "batch = true\n", InvalidRequest),
        ("<a>" * 60 + "x" + "</a>" * 60, XML, AS_XML, MalformedRequest),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", XML, AS_XML, MalformedRequest),
        (
            f"<event><conversationId>{C}</conversationId><conversationId>{D}</conversationId></event>",
            XML,
            XML_PATHS,
            InvalidRequest,
        ),
        ("not XML", XML, AS_XML, MalformedRequest),
    ],
)
def test_a_wrapping_of_another_form_is_refused(body, kind, more, error):
    with pytest.raises(error):
        read(body, kind, more=more)


def test_the_words_for_a_content_that_the_row_does_not_read_name_the_key():
    with pytest.raises(UnsupportedType) as error:
        read(urlencode(EVENT), FORM, envelope="eventbridge")
    assert "application/x-www-form-urlencoded" in error.value.message
    assert "content" in error.value.hint


# Gzip.

ZIPPED = gzip.compress(json.dumps(EVENT).encode(), mtime=0)


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (ZIPPED[:-1], "gzip", MalformedRequest),
        (ZIPPED[:-8] + b"\0" * 8, "gzip", MalformedRequest),
        (ZIPPED + b"x", "gzip", MalformedRequest),
        (ZIPPED * 2, "gzip", MalformedRequest),
        (zlib.compress(json.dumps(EVENT).encode()), "gzip", MalformedRequest),
        (json.dumps(EVENT).encode(), "gzip", MalformedRequest),
        (b"", "gzip", MalformedRequest),
        (gzip.compress(b"", mtime=0), "gzip", MalformedRequest),
        (gzip.compress(b" " * 300_000, mtime=0), "gzip", BodyTooLarge),
        (gzip.compress(ZIPPED, mtime=0), "gzip", MalformedRequest),
        (json.dumps(EVENT).encode(), "br", UnsupportedType),
        (ZIPPED, "gzip, gzip", UnsupportedType),
        (ZIPPED, "deflate", UnsupportedType),
    ],
)
def test_a_compressed_body_that_is_cut_changed_or_a_bomb_is_refused(body, encoding, error):
    with pytest.raises(error):
        read(body, headers={"content-encoding": encoding})


def test_a_bomb_costs_no_more_memory_than_the_rows_limit():
    bomb, sender = gzip.compress(b" " * 50_000_000), row()
    incoming = UnverifiedRequest("POST", "/", "", {"content-type": JSON, "content-encoding": "gzip"}, bomb)
    tracemalloc.start()
    with pytest.raises(BodyTooLarge):
        sender.parse_events(incoming)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_the_rows_own_limit_counts_for_what_is_decompressed():
    body = gzip.compress(json.dumps({**EVENT, "more": "x" * 2_000}).encode())
    assert read(body, headers={"content-encoding": "gzip"})
    with pytest.raises(BodyTooLarge):
        read(body, headers={"content-encoding": "gzip"}, more="max_body_bytes = 1024\n")


def test_a_signature_is_over_the_bytes_as_they_came():
    sender = row(signature="github")
    headers = {name.lower(): value for name, value in sender.sign("POST", "/", ZIPPED, NOW).headers.items()}
    assert sender.authenticate(UnverifiedRequest("POST", "/", "", headers, ZIPPED), None) == "S"


# Arrays.


def test_each_event_of_an_array_has_its_own_outcome_and_its_own_id():
    events = [
        {"id": "1", **EVENT},
        {"id": "2", "conversationId": "x"},
        {"id": "3", "conversationId": D, "skip": True},
        7,
    ]
    got = read(events, more='batch = true\ndelivery_id = "id"\nfilter = "!skip"\n')
    assert [type(event) for event in got] == [SessionRequested, InvalidEvent, Ignored, InvalidEvent]
    assert [event.delivery_id for event in (got[0], got[2])] == ["1", "3"]


def test_an_id_in_a_header_is_not_one_for_all_events_of_an_array():
    """They would be one request then, and all but the first lost."""
    events = [EVENT, {"conversationId": D}]
    got = read(events, more='batch = true\ndelivery_id = "header:X-Id"\n', headers={"x-id": "d"})
    assert [event.delivery_id for event in got] == ["d", "d:1"]
    got = read(events, more="batch = true\n", headers={"webhook-id": "w"}, signature="standard-webhooks")
    assert [event.delivery_id for event in got] == ["w", "w:1"]
    assert [event.delivery_id for event in read(events, more="batch = true\n")] == ["", ""]


@pytest.mark.parametrize("envelope", ["zendesk-event", "dataverse", "servicenow", "open-messaging"])
def test_any_envelope_of_json_may_come_in_an_array(envelope):
    event = {"type": "x", "id": "1", "conversationId": C, "channel": {}}
    more = 'batch = true\nconversation_id = "conversationId"\nchannel = "\'webchat\'"\n'
    found = read([event, {**event, "id": "2"}], more=more, envelope=envelope)
    assert [one.conversation_id for one in found] == [C, C]


# Rows that say what can't be.


@pytest.mark.parametrize(
    ("more", "envelope", "told"),
    [
        ('content = "yaml"\n', "custom", "content: unknown 'yaml'; choose one of json, form, json-in-form, xml"),
        ('content = "form"\n', "eventbridge", "content: the envelope 'eventbridge' is read as it comes"),
        ('content_field = "data"\n', "custom", "content_field: nothing to use it on without content"),
        ('content_field = "data"\ncontent = "form"\n', "custom", "content_field: nothing to use it on without content"),
        ("batch = 1\n", "custom", "batch: must be true or false"),
        (
            'batch = false\nconversation_id = "propertyValue"\n',
            "hubspot",
            "batch: the envelope 'hubspot' is always one",
        ),
        ('batch = true\nconversation_id = "sObject.C"\n', "salesforce-outbound-message", "batch: only JSON has arrays"),
        ('batch = true\ncontent = "form"\n', "custom", "batch: only JSON has arrays of events"),
    ],
)
def test_a_row_with_a_wrapping_that_can_not_be_stops_the_start(more, envelope, told):
    with pytest.raises(SendersFileError) as error:
        row(more, envelope)
    (line,) = error.value.errors
    assert line.partition("] ")[2].startswith(told)


# Whatever else.

ROWS = {
    "json": "",
    "form": 'content = "form"\n',
    "json-in-form": IN_FORM,
    "xml": AS_XML,
    "batch": "batch = true\n",
    "paths": 'conversation_id = "from_json(a).b || header:X-C"\nfilter = "header:X-C || from_json(c)"\n',
}
PARSERS = {name: row(more) for name, more in ROWS.items()}
values = st.recursive(
    st.none() | st.text(max_size=5) | st.integers(),
    lambda kids: (
        st.lists(kids, max_size=3) | st.dictionaries(st.sampled_from(["a", "c", "conversationId", "payload"]), kids)
    ),
    max_leaves=8,
)
bodies = (
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass"))
    | values.map(lambda value: json.dumps(value).encode())
)


@pytest.mark.parametrize("name", ROWS)
@given(
    body=bodies,
    kind=st.sampled_from([JSON, FORM, XML, "text/plain", "application/soap+xml", "", "application/json; charset=x"]),
    encoding=st.sampled_from(["", "gzip", "x-gzip", "br"]),
    header=st.text(max_size=20),
    zipped=st.booleans(),
)
def test_no_wrapping_makes_a_row_fail_with_anything_but_an_error_of_ours(name, body, kind, encoding, header, zipped):
    headers = {"content-type": kind, "content-encoding": encoding, "x-c": header}
    incoming = UnverifiedRequest("POST", "/", "", headers, gzip.compress(body) if zipped else body)
    try:
        events = PARSERS[name].parse_events(incoming)
    except CobrowseError as error:
        assert status_of(error) in (400, 413, 415, 422)  # noqa: PT017 - no error at all is as good
    else:
        assert events


@pytest.mark.parametrize("text", ["", "hello", f"{C} or {D}"])
def test_a_person_is_told_what_the_text_must_have_and_not_how_the_row_finds_it(text):
    with pytest.raises(InvalidRequest, match=r"^the text must have one conversation id, which is a UUID, and no other"):
        read({"text": text}, more='conversation_id = "uuid_in(text)"\n')
