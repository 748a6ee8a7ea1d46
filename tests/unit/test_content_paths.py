"""Paths of a sender's row into JSON texts and headers."""

import json

import pytest

from cobrowse.errors import InvalidRequest, UnsupportedType
from integrations.senders.payloads.paths import Path
from integrations.senders.registry import SendersFileError
from integrations.senders.requests import Ignored
from tests.unit.test_content import EVENT, TWICE, C, read, row

IN_MESSAGE = 'conversation_id = "from_json(Message).conversationId"\n'


@pytest.mark.parametrize(
    ("more", "body", "headers"),
    [
        (IN_MESSAGE, {"Message": json.dumps(EVENT)}, {}),
        (IN_MESSAGE, {"Message": EVENT}, {}),
        ('conversation_id = "from_json(from_json(a).b).c"\n', {"a": json.dumps({"b": json.dumps({"c": C})})}, {}),
        ('conversation_id = "header:X-Conversation"\n', {}, {"x-conversation": C}),
        ('conversation_id = "id || header:X-Conversation"\n', {}, {"x-conversation": C}),
        ("filter = \"header:X-Event == 'start'\"\n", EVENT, {"x-event": "start"}),
        ('filter = "!header:X-None"\n', EVENT, {}),
    ],
)
def test_a_path_leads_into_json_texts_and_headers(more, body, headers):
    (event,) = read(body, more=more, headers=headers)
    assert event.conversation_id == C


def test_the_label_of_who_asked_may_be_in_a_header():
    (event,) = read(EVENT, more='requested_by = "header:X-User"\n', headers={"x-user": "Ada Lovelace"})
    assert event.requested_by == "Ada Lovelace"


@pytest.mark.parametrize("held", ["{", "", "[" * 2_000, "7 7"])
def test_a_text_that_is_no_json_is_nothing_there(held):
    (event,) = read({**EVENT, "Message": held}, more="filter = \"from_json(Message).type == 'x'\"\n")
    assert isinstance(event, Ignored)


def test_a_name_that_counts_twice_in_a_json_text_is_refused():
    with pytest.raises(InvalidRequest, match="Comes more than once"):
        read({"Message": TWICE}, more=IN_MESSAGE)


def test_a_name_that_is_written_with_a_hyphen_counts_twice_too():
    with pytest.raises(InvalidRequest, match="detail-type: Comes more than once"):
        read(b'{"detail-type": "a", "detail-type": "b"}', envelope="eventbridge")


def test_a_sender_of_xml_hears_that_its_row_reads_xml():
    with pytest.raises(UnsupportedType, match="reads text/xml"):
        read("<a/>", more="conversation_id = 'id'\n", envelope="salesforce-outbound-message")


@pytest.mark.parametrize("text", ["'header:X-A'", '`"header:X-A"`', '"header:X-A"', "{header:a}", "{a: b, header: a}"])
def test_what_only_looks_like_a_header_is_left_as_it_is(text):
    assert not Path.of(text).reads_headers


@pytest.mark.parametrize("path", ["header:", "header: X", "header:X'", "from_json(", "headers('x')"])
def test_a_path_that_can_be_none_stops_the_start(path):
    with pytest.raises(SendersFileError, match="conversation_id: is not a JMESPath"):
        row(f'conversation_id = "{path}"\n')
