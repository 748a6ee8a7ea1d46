"""The value of a body alone, without a sender's row: what each content reads, and what is said of what it can't."""

import gzip
import json
from urllib.parse import quote, urlencode

import pytest

from cobrowse.errors import BodyTooLarge, InvalidRequest, MalformedRequest, UnsupportedType
from integrations.senders.payloads.content import CONTENTS, content_for, media_type_of, parse_content
from integrations.senders.requests import UnverifiedRequest

FORM, JSON, XML = "application/x-www-form-urlencoded", "application/json", "text/xml"
JSON_TYPES = [JSON, "text/json", "text/plain", "application/cloudevents+json", "Application/JSON ; charset=utf-8"]
XML_TYPES = [XML, "application/xml", "application/soap+xml"]
NESTED = "the body is nested too deeply"


def request_of(body, kind=JSON, encoding=""):
    headers = {"content-encoding": encoding} | ({"content-type": kind} if kind is not None else {})
    return UnverifiedRequest("POST", "/webhooks/one", "", headers, body if isinstance(body, bytes) else body.encode())


def read(content, body, kind=JSON, names=(), *, encoding="", largest=1_000_000, **field):
    return parse_content(request_of(body, kind, encoding), content, names, **field, largest=largest)


def refusal(error, *args, **more):
    with pytest.raises(error) as raised:
        read(*args, **more)
    return raised.value.message


# What is read.


@pytest.mark.parametrize("kind", JSON_TYPES)
def test_json_is_read_under_each_name_that_senders_have_for_it(kind):
    assert read("json", '{"a": [1]}', kind) == {"a": [1]}


@pytest.mark.parametrize("kind", XML_TYPES)
def test_xml_is_a_mapping_of_plain_names(kind):
    body = "<a:b xmlns:a='urn:a'><c> 1 </c><c/><d><e>2</e></d></a:b>"
    assert read("xml", body, kind) == {"b": {"c": ["1", ""], "d": {"e": "2"}}}


def test_what_an_xml_element_says_of_itself_is_its_type_and_that_it_is_nothing():
    types = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
    body = f'<a {types}><b i:nil="true">1</b><c i:nil="false">2</c><d i:type="x:Case"><e/></d><f i:type="g"/></a>'
    assert read("xml", body, XML) == {"a": {"b": None, "c": "2", "d": {"type": "Case", "e": ""}, "f": ""}}


def test_a_forms_fields_are_texts_and_one_that_comes_again_is_a_list():
    assert read("form", "a=1&b=&c=2&c=3", FORM) == {"a": "1", "b": "", "c": ["2", "3"]}


def test_json_in_a_form_is_in_the_field_that_is_named_and_payload_else():
    body = urlencode({"payload": '{"a": 1}', "data": '{"a": 2}'})
    assert read("json-in-form", body, FORM) == {"a": 1}
    assert read("json-in-form", body, FORM, field="data") == {"a": 2}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("payload=" + quote(' {"a": 1}'), {"a": 1}),
        ("payload=" + quote('{"a": 1}') + "&b=2", {"payload": '{"a": 1}', "b": "2"}),
        ("payload=7", {"payload": "7"}),
        ("other=" + quote('{"a": 1}'), {"other": '{"a": 1}'}),
    ],
)
def test_a_form_whose_one_field_holds_an_object_is_that_object(body, value):
    assert read("form-or-json-in-form", body, FORM) == value


@pytest.mark.parametrize(
    ("inner", "value"),
    [
        *((' {"a": 1}', {"a": 1}), ('\ufeff{"a": 1}', {"a": 1}), ("[1]", [1]), ("X[1]", "X[1]"), ("7", "7"), ("", "")),
        (json.dumps('{"a": 1}'), '"{\\"a\\": 1}"'),
    ],
)
def test_json_that_was_written_as_a_string_is_read_once_more(inner, value):
    assert read("json", json.dumps(inner)) == value


def test_json_that_says_it_is_latin_1_is_taken_at_its_word():
    assert read("json", '{"a": "é"}'.encode("latin-1"), "application/json; charset=iso-8859-1") == {"a": "é"}


@pytest.mark.parametrize(
    ("inner", "value"),
    [
        ("<b>1</b>", {"type": "Case", "b": "1"}),
        ("<b>1</b><type>own</type>", {"type": "own", "b": "1"}),
        ('<b i:nil="true"/><c i:type="T"/>', {"type": "Case", "b": None, "c": ""}),
    ],
)
def test_an_elements_type_is_read_unless_a_child_has_the_name_and_a_nil_one_is_nothing(inner, value):
    for kind in ("sf:Case", "Case"):
        text = f'<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="{kind}">{inner}</a>'
        assert read("xml", text, XML, names=("type",)) == {"a": value}


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP "])
def test_a_gzipped_body_is_read_as_what_it_was(encoding):
    assert read("json", gzip.compress(b'{"a": 1}', mtime=0), encoding=encoding) == {"a": 1}


def test_an_encoding_that_changes_nothing_may_be_named():
    assert read("json", '{"a": 1}', encoding="identity") == {"a": 1}


@pytest.mark.parametrize("length", [10, 200_000])
def test_a_large_body_is_read_as_a_small_one_is(length):
    text = "x" * length
    assert read("json", json.dumps({"a": text})) == {"a": text}
    in_form = urlencode({"data": json.dumps({"a": text})})
    assert read("json-in-form", in_form, FORM, field="data") == {"a": text}
    twice = f'{{"a": 1, "a": 2, "b": "{text}"}}'
    assert refusal(InvalidRequest, "json", twice, names=("a",)) == "a: Comes more than once."
    assert read("json", twice)["a"] == 2
    latin = json.dumps({"a": "é" + text}, ensure_ascii=False).encode("latin-1")
    assert read("json", latin, "application/json; charset=latin1") == {"a": "é" + text}


def test_what_is_read_may_have_as_many_fields_levels_and_bytes_as_are_allowed():
    form = "&".join(f"a{number}=" for number in range(1_000))
    assert len(read("form", form, FORM)) == 1_000
    assert read("xml", "<a>" * 51 + "</a>" * 51, XML)
    body = b'{"a": "' + b"x" * 100 + b'"}'
    assert read("json", gzip.compress(body, mtime=0), encoding="gzip", largest=len(body))


# What is refused.


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        ("json", FORM, f"the Content-Type is {FORM!r}, and this sender's row reads {JSON}"),
        ("form", JSON, f"the Content-Type is {JSON!r}, and this sender's row reads {FORM}"),
        ("xml", "a/b+json", f"the Content-Type is 'a/b+json', and this sender's row reads {XML}"),
        ("json", "x" * 81, f"the Content-Type is {'x' * 80!r}, and this sender's row reads {JSON}"),
        ("json", "", f"there is no Content-Type, and this sender's row reads {JSON}"),
        ("json", None, f"there is no Content-Type, and this sender's row reads {JSON}"),
    ],
)
def test_another_type_is_refused_with_what_to_send(content, kind, what):
    with pytest.raises(UnsupportedType) as raised:
        read(content, "{}", kind)
    wanted = media_type_of(content)
    assert raised.value.message == what
    assert raised.value.hint == f"Let the sender send {wanted}, or say in its row what it sends (content)."


MANY = "&".join(f"a{number}=" for number in range(1_001))
NO_FIELD = "the form has no such field, in which the row says that the JSON is"
NO_XML = "the body is not XML, or has a DTD or entities, which are not read"


@pytest.mark.parametrize(
    ("content", "kind", "body", "error", "message"),
    [
        ("json", JSON, "", MalformedRequest, "the body is empty"),
        ("form", FORM, " \r\n", MalformedRequest, "the body is empty"),
        ("json", JSON, '{"a": ' * 2_000 + "1" + "}" * 2_000, MalformedRequest, None),
        ("json", JSON, '{"a": ' * 300 + "1" + "}" * 300, MalformedRequest, NESTED),
        ("form", FORM, b"a=\xff", MalformedRequest, "the form is not UTF-8"),
        ("form", FORM, MANY, InvalidRequest, "the form: more than 1000 fields"),
        ("json-in-form", FORM, "a=1", InvalidRequest, f"payload: {NO_FIELD}"),
        ("xml", XML, "<a>" * 52 + "</a>" * 52, MalformedRequest, NESTED),
        ("xml", XML, "not XML", MalformedRequest, NO_XML),
        ("xml", XML, "<!DOCTYPE a><a>1</a>", MalformedRequest, NO_XML),
        ("xml", XML, "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", MalformedRequest, NO_XML),
        ("xml", XML, "<?xml version='1.0' encoding='none'?><a/>", MalformedRequest, NO_XML),
    ],
)
def test_what_can_not_be_read_says_why(content, kind, body, error, message):
    assert refusal(error, content, body, kind) == message or message is None


@pytest.mark.parametrize(
    ("content", "kind", "body"),
    [
        ("json", JSON, '{"id": 1, "id": 2}'),
        ("json", JSON, json.dumps('{"id": 1, "id": 2}')),
        ("form", FORM, "b=1&id=1&b=2&id=1"),
        ("json-in-form", FORM, "payload=" + quote('{"id": 1, "id": 2}')),
        ("form-or-json-in-form", FORM, "payload=" + quote('{"id": 1, "id": 2}')),
        ("form-or-json-in-form", FORM, "id=1&id=2"),
        ("xml", XML, "<a><b/><id/><b/><id/></a>"),
        ("xml", XML, "<a><b><id/><id/></b></a>"),
    ],
)
def test_a_name_that_counts_and_comes_twice_is_named(content, kind, body):
    assert refusal(InvalidRequest, content, body, kind, ("id", "other")) == "id: Comes more than once."


def test_the_field_of_the_json_counts_and_a_long_name_is_cut():
    twice = "payload=%7B%7D&payload=%7B%7D"
    assert refusal(InvalidRequest, "json-in-form", twice, FORM) == "payload: Comes more than once."
    long = "n" * 61
    assert refusal(InvalidRequest, "form", f"{long}=1&{long}=2", FORM, (long,)).startswith(f"{long[:60]}: Comes")
    assert refusal(InvalidRequest, "json-in-form", "a=1", FORM, field=long) == f"{long[:60]}: {NO_FIELD}"


ZIPPED = gzip.compress(b'{"a": 1}', mtime=0)


@pytest.mark.parametrize(
    ("body", "encoding", "error", "message"),
    [
        (ZIPPED[:-1], "gzip", MalformedRequest, "the gzipped body is cut short, or something follows it"),
        (ZIPPED + b"x", "gzip", MalformedRequest, "the gzipped body is cut short, or something follows it"),
        (b"{}", "gzip", MalformedRequest, "the body is not gzip, as its Content-Encoding says"),
        (b"{}", "br", UnsupportedType, "the body is compressed as 'br'; only gzip is read here"),
        (b"{}", "b" * 41, UnsupportedType, f"the body is compressed as {'b' * 40!r}; only gzip is read here"),
        (
            gzip.compress(b" " * 101, mtime=0),
            "gzip",
            BodyTooLarge,
            "the body is larger than 100 bytes once it is decompressed",
        ),
    ],
)
def test_a_compressed_body_that_can_not_be_read_says_why(body, encoding, error, message):
    assert refusal(error, "json", body, encoding=encoding, largest=100) == message


def test_the_hint_of_a_compression_that_is_not_read_says_what_to_send():
    with pytest.raises(UnsupportedType) as refused:
        read("json", b"{}", encoding="br")
    assert refused.value.hint == "Let the sender send the body as it is, or gzipped."


# Which content a delivery is read as, and sent as.


@pytest.mark.parametrize(
    ("said", "kind", "content"),
    [
        ("xml", FORM, "xml"),
        ("form", JSON, "form"),
        ("", JSON, "json"),
        ("", "", "json"),
        ("", FORM + "; charset=UTF-8", "form-or-json-in-form"),
    ],
)
def test_the_rows_content_counts_and_without_one_the_senders_type(said, kind, content):
    assert content_for(said, request_of("", kind)) == content


def test_each_content_is_sent_under_its_vendors_usual_type():
    forms = dict.fromkeys(("form", "json-in-form", "form-or-json-in-form"), FORM)
    assert {content: media_type_of(content) for content in CONTENTS} == {"json": JSON, "xml": XML} | forms
    assert media_type_of("") == JSON
