"""Ids, channels, labels and placeholders as they are written in the wild, and the JSON around them.

Reported were a macro around a placeholder, an id in quotes or blanks, and channels in capitals. Tried beside them:
the placeholders of Velocity, Liquid, Salesforce and EventBridge, in the midst of a text and cut off, and the words
that an unset variable is written as; ids in
typographic quotes, braces, brackets, lists and URNs, without and with other hyphens; channels in the plural,
hyphenated and with blanks; labels that are numbers, objects and lists; a byte order mark, halves of an emoji and
other character sets.
"""

import gzip

import orjson
import pytest

from cobrowse.errors import MalformedRequest, UnsupportedType
from schemas.json_text import charset_of, parse_body
from schemas.texts import (
    LABEL_LENGTH,
    conversation_id_in,
    input_name,
    label_in,
    medium_in,
    placeholder_in,
)

C = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"

# Left in place by: Velocity as a reference (loud, quiet, of another name, in the midst of a text, cut off), as a macro,
# without braces; Liquid; Salesforce; EventBridge's input transformer; a variable without a value, in words.
PLACEHOLDERS = [
    "${input.requestedBy}",
    "$!{input.requestedBy}",
    "${requestedBy}",
    " ${input.agent.name} ",
    "Agent ${input.name} of ${input.team}",
    "${input.name",
    "${credentials.user}",
    "$esc.jsonEncode(${input.requestedBy})",
    '$esc.jsonEncode("$!{input.requestedBy}")',
    "$esc.jsonString($input.requestedBy)",
    "$encoding.base64(${input.x})",
    "$input.requestedBy",
    "$!input.requestedBy",
    "{{ticket.external_id}}",
    "ticket {{ ticket.id }}",
    "{% if ticket.id %}",
    "{!Case.Conversation__c}",
    "<conversationId>",
    "<$.detail.id>",
    "NOT_SET",
    " null ",
    "undefined",
    "None",
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_is_found_wherever_it_stands(text):
    assert placeholder_in(text)
    assert placeholder_in(text) in text


@pytest.mark.parametrize(
    "text",
    [
        *("", "Ada", "Ada <ada@example.com>", "Christopher Null", "NULL", "not_set", "US$ 5", "{C}", f"{{{C}}}"),
        *("a $ b { c }", "100 %", None, 7, ["${x}"]),
    ],
)
def test_what_is_none_is_not_taken_for_one(text):
    assert placeholder_in(text) == ""


@pytest.mark.parametrize(
    ("placeholder", "name"),
    [
        ("${input.conversationId}", "conversationId"),
        ("$!{input.conversationId}", "conversationId"),
        ("${conversationId}", "conversationId"),
        ("$esc.jsonEncode(${input.conversationId})", "conversationId"),
        ('$esc.jsonEncode("${input.conversationId}")', "conversationId"),
        ("$input.conversationId", "conversationId"),
        ("${input.agent.name}", "agent.name"),
        ("{{ticket.id}}", "{{ticket.id}}"),
        ("NOT_SET", "the field"),
    ],
)
def test_the_input_that_was_not_set_is_named(placeholder, name):
    assert input_name(placeholder, "the field") == name


@pytest.mark.parametrize(
    "text",
    [
        C,
        C.upper(),
        f" {C} ",
        f"\t{C}\r\n",
        f"\u00a0{C}\u200b",
        f"\ufeff{C}",
        f'"{C}"',
        f"'{C}'",
        f'\\"{C}\\"',
        f"\u201c{C}\u201d",
        f"`{C}`",
        f"{{{C}}}",
        f"{{{C.upper()}}}",
        f"({C})",
        f'["{C}"]',
        f"<{C}>",
        f"{C},",
        C.replace("-", ""),
        C.replace("-", "").upper(),
        C.replace("-", "", 2),
        C.replace("-", "\u2013"),
        C.replace("-", " - "),
        f"urn:uuid:{C}",
        f'" {{{C.replace("-", "").upper()}}} "',
    ],
)
def test_a_conversation_id_is_fixed(text):
    assert conversation_id_in(text) == C


@pytest.mark.parametrize(
    "text",
    ["", " ", "latest", C[:-1], C + "0", f"{C} {C}", f"{C}/messages", "g" * 32, "x" * 5_000, "${" + C + "}", "0"],
)
def test_what_is_no_id_stays_none(text):
    assert conversation_id_in(text) == ""


@pytest.mark.parametrize(
    ("text", "medium"),
    [
        ("MESSAGE", "message"),
        ("messages", "message"),
        ("Web Messaging", "webmessaging"),
        ("WEB_MESSAGING", "webmessaging"),
        ("web-chat", "webchat"),
        ("CHATS", "chat"),
        (' "Voice" ', "voice"),
        ("calls", "call"),
        ("Call", "call"),
        ("VOICE ", "voice"),
        ("WebMessage", "webmessage"),
        ("SMS", "sms"),
        ("Emails", "email"),
        ("", ""),
        ("fax", "fax"),
    ],
)
def test_a_medium_has_one_name(text, medium):
    assert medium_in(text) == medium


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("Ada", "Ada"),
        ("x" * 300, "x" * LABEL_LENGTH),
        ("é" * 300, "é" * LABEL_LENGTH),
        ("Ada\u0000\n\tLovelace ", "Ada Lovelace"),
        (17, "17"),
        (1.5, "1.5"),
        ({"link": "https://x.service-now.com/api/now/table/sys_user/1", "value": "681"}, "681"),
        ({"link": "https://x", "value": "681", "display_value": "Beth Anglin"}, "Beth Anglin"),
        ({"Id": "7b6f", "LogicalName": "systemuser"}, "7b6f"),
        ({"name": "y" * 300}, "y" * LABEL_LENGTH),
        ([{"name": "Ada"}, {"name": "Bob"}], "Ada"),
        ({}, ""),
        ([], ""),
        ([[["deep"]]], ""),
        ({"name": {"first": "Ada"}}, ""),
        (True, ""),
        (None, ""),
        ("${input.requestedBy}", ""),
    ],
)
def test_a_label_is_cut_or_left_out_and_never_refused(value, label):
    assert label_in(value) == label


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf \r\n{"a": 1}', {"a": 1}),
        (rb'{"a": "cut \ud83d"}', {"a": "cut \ufffd"}),
        (rb'{"a": "cut \ude00"}', {"a": "cut \ufffd"}),
        (rb'{"a": "\ud83d\ud83d\ude00"}', {"a": "\ufffd\U0001f600"}),
        (rb'{"\uD83D": 1}', {"\ufffd": 1}),
        (rb'{"a": "\\ud83d \ud83d"}', {"a": "\\ud83d \ufffd"}),
        (rb'{"a": "\\\ud83d"}', {"a": "\\\ufffd"}),
        (rb'{"a": "\ud83d\ude00"}', {"a": "\U0001f600"}),
        # Cut by bytes; Java's halves of a pair as bytes; Latin-1 that does not say so.
        (b'{"a": "x \xf0\x9f\x98", "b": "y"}', {"a": "x \ufffd", "b": "y"}),
        (b'{"a": "\xed\xa0\xbd"}', {"a": "\ufffd\ufffd\ufffd"}),
        (b'\xef\xbb\xbf{"a": "J\xfcrgen \\ud83d"}', {"a": "J\ufffdrgen \ufffd"}),
        (b'{"a\xff": 1, "a": 2}', {"a\ufffd": 1, "a": 2}),
    ],
)
def test_what_is_json_but_for_a_mark_or_half_a_character_is_read(body, value):
    assert parse_body(body) == value
    orjson.dumps(parse_body(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf",
        b" ",
        b"\xef\xbb\xbf{",
        rb'{"a": "\ud83"}',
        rb"{\ud83d: 1}",
        b'{"a": NaN}',
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_what_is_none_stays_malformed(body):
    with pytest.raises(MalformedRequest):
        parse_body(body)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_of_unicode_is_named(encoding):
    with pytest.raises(MalformedRequest, match="the body is in UTF-16 or UTF-32; JSON is UTF-8"):
        parse_body('{"a": 1}'.encode(encoding))


def test_what_is_compressed_is_not_taken_for_it():
    with pytest.raises(MalformedRequest, match="the body is not JSON: "):
        parse_body(gzip.compress(b"{}"))


@pytest.mark.parametrize(
    ("kind", "body", "name"),
    [
        ("application/json", "é".encode(), "é"),
        ("application/json; charset=US-ASCII", b"e", "e"),
        ("application/json; charset=us-ascii", "é".encode(), "é"),
        ("application/json; charset=ISO-8859-1", "é".encode("latin-1"), "é"),
        ("application/json; charset=latin1", "é".encode(), "é"),
        ('application/json;charset="windows-1252"', "€".encode("cp1252"), "€"),
        ("application/json; charset=", "é".encode(), "é"),
        ('application/json; charset=""; charset=latin1', "é".encode("latin-1"), "é"),
    ],
)
def test_a_charset_that_json_does_not_need_loses_nothing(kind, body, name):
    assert parse_body(b'{"name": "' + body + b'"}', charset_of(kind)) == {"name": name}


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "latin-1", "utf-7", "shift_jis", "x" * 500])
def test_a_charset_that_is_no_superset_of_ascii_is_refused(charset):
    with pytest.raises(UnsupportedType, match="JSON is UTF-8"):
        charset_of(f"application/json; charset={charset}")
