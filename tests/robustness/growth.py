"""`python -m tests.robustness.growth`: what hostile input costs every parser and pattern as it grows.

Costs are CPU seconds of this process, the best of three where it matters: load changes little. A cost that grows
with the square of the input shows as 256 times, one that grows with it as 16 times. Times below FLOOR aren't judged.
"""

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import NamedTuple

import orjson

from cobrowse.clock import SystemClock
from cobrowse.errors import CobrowseError
from integrations.genesys.conversation import ConversationSnapshot
from integrations.genesys.operations import CONVERSATION, CREATE, UpstreamRejected, parse_response
from integrations.genesys.redaction import redact
from integrations.genesys.waits import retry_after
from integrations.observability.printable import printable, printable_json
from integrations.senders.payloads.paths import Path
from integrations.senders.requests import UnverifiedRequest
from schemas.data_action import StartRequestSchema
from schemas.duplicates import check_duplicate_names
from schemas.json_text import parse_body
from schemas.texts import placeholder_in
from schemas.validation_errors import load
from tests.payloads import NOW
from tests.robustness.parsers import genuine
from web import request_parsing
from web.data_actions import fingerprint

_REQUEST = StartRequestSchema()

SMALL = 16_384
TIMES = 16
# The growth that still passes: linear is 16, with a sort inside 20, and a busy cache may double that; square is 256.
ALLOWED = 64
FLOOR = 0.02
CONVERSATION_ID = "11111111-1111-4111-8111-111111111111"


@dataclass(frozen=True, slots=True)
class Case:
    """One parser with one kind of input: `make` gives about so many bytes, `run` reads them."""

    name: str
    make: Callable
    run: Callable


class Growth(NamedTuple):
    """What a case costs in CPU seconds, small and large."""

    name: str
    small: float
    large: float

    @property
    def factor(self):
        """How many times more the large one costs; 0 where that is too little to tell."""
        return self.large / max(self.small, 1e-9) if self.large >= FLOOR else 0.0

    @property
    def is_linear(self):
        """Whether the cost grows about as the input does."""
        return self.factor < ALLOWED


def measure(case):
    """The case at both sizes: the large one again, twice at most, as long as it is too expensive."""
    small, large = case.make(SMALL), case.make(SMALL * TIMES)
    growth = Growth(case.name, min(_cost(case, small) for _ in range(3)), _cost(case, large))
    for _ in range(2):
        if not growth.is_linear:
            growth = growth._replace(large=min(growth.large, _cost(case, large)))
    return growth


def _cost(case, made):
    gc.disable()  # it runs for large inputs only, and walks through whatever else there is
    start = process_time()
    # A refusal is an answer too, and costs what it costs.
    with suppress(CobrowseError, UpstreamRejected):
        case.run(made)
    cost = process_time() - start
    gc.enable()
    return cost


def cases():
    """Every parser of ours with what is likeliest to hurt it."""
    yield from _of_senders()
    yield from _of_the_data_action()
    yield from _of_genesys()
    for path in PATHS:
        yield Case(f"JMESPath: {path}", _json(b'{"items":[', b'{"id":1,"n":["x"]}', b"]}", load=True), Path.of(path))
    for unit in TEXTS:
        for function in FUNCTIONS:
            yield Case(f"{function.__name__.strip('_')}: {unit!r}", _text(unit), function)


def _delivery_header(value):
    return request_parsing.correlation_id({"X-Correlation-Id": value}, lambda: "")


FUNCTIONS = (redact, printable, printable_json, placeholder_in, request_parsing.idempotency_key, _delivery_header)
PATHS = (
    *("items[*].id", "items[?id == `1`].n[]", "items[].n[]", "items[*].n[*]", "sort_by(items, &id)[0].id"),
    *("map(&to_string(@), items)", "join(',', items[].n[])", "[items, items] | [@, @] | [][][]"),
)
# Characters on which patterns hesitate: what nearly begins, what nearly ends, and one that never does.
TEXTS = (
    *("a", " ", "1", "/", "?", "?=", "://a@", "%3A", "${input.", "{!a}", "<$.", "\x1b[", "\ud800", "v2.", "eyJ."),
    *("Bearer ", "bearer          ", "password\"\"\"'''", "authorization", "3f2504e0-"),
)


def _of_the_data_action():
    def run(body):
        parsed = parse_body(body)
        check_duplicate_names(body, _REQUEST.names)
        fingerprint(parsed)
        load(_REQUEST, parsed)

    for name, parts in OBJECTS.items():
        yield Case(f"data action: {name}", _json(*parts), run)


OBJECTS = {
    "one key repeated": (b"{", b'"conversationId":"x"', b"}"),
    "unknown keys": (b"{", b'"k%d":1', b"}"),
    "escaped keys": (b"{", b'"k\\u0041%d":1', b"}"),
    "unset inputs": (b"{", b'"k%d":"${input.a}"', b"}"),
    "nested": (b'{"a":[', b"[]", b"]}"),
    "one long text": (b'{"requestedBy":["', b"x", b'"]}'),
    "digits": (b'{"a":[', b"12345678901234567890", b"]}"),
}


def _of_genesys():
    clock = SystemClock()

    def conversation(body):
        seen = ConversationSnapshot(parse_response(CONVERSATION, 200, {}, body, clock))
        _ = seen.kinds, seen.live, seen.parts, seen.unanswered(), seen.customer_id, seen.session("none")

    def failed(body):
        parse_response(CREATE, 500, {}, body, clock)

    chats = b'{"chats":[{"id":"m","state":"connected"}],"cobrowsesessions":[{"id":"s%d"}]}'
    yield Case("Genesys: participants", _json(b'{"id":"c","participants":[', chats, b"]}"), conversation)
    yield Case("Genesys: wrong media", _json(b'{"id":"c","media":[', b"1", b"]}"), conversation)
    for name, unit in {"words": b"a ", "Bearer": b"Bearer x ", "URLs": b"https://a?b ", "hex": b"0a"}.items():
        yield Case(f"Genesys: an error of {name}", _text(unit, b'{"message":"', b'"}'), failed)
    for name, text in {"digits": "1", "commas": ",", "spaces": "1 ", "parentheses": "(", "colons": "1:"}.items():
        yield Case(f"Retry-After: {name}", _text(text), lambda value: retry_after(value, clock))


def _of_senders():
    """Each envelope, and each signature scheme, with the first sender that has it."""
    found = genuine()[::-1]
    for row, delivery in {row.envelope: (row, delivery) for row, delivery in found}.values():
        for kind, parts in (SOAP if row.content_type == "text/xml" else EVENTS).items():
            yield Case(f"{row.envelope}: {kind}", _json(*parts), partial(_read, row, delivery))
    for row, delivery in {row.signature: (row, delivery) for row, delivery in found}.values():
        for unit in ("v1,", "a=1&", " ", "%3A"):
            yield Case(f"{row.signature}: headers of {unit!r}", _text(unit), partial(_check, row, delivery))


def _read(row, delivery, body):
    return row.parse_events(UnverifiedRequest("POST", delivery.path, "", delivery.headers, body, "192.0.2.7"))


def _check(row, delivery, value):
    headers = dict.fromkeys(delivery.headers, value)
    return row.authenticate(UnverifiedRequest("POST", value, value, headers, value.encode(), "192.0.2.7"), NOW)


EVENTS = {
    "a batch": (b"[", b"{}", b"]"),
    "keys": (b"{", b'"k%d":{}', b"}"),
    "pairs": (b'{"InputParameters":[', b'{"key":"k%d","value":1}', b"]}"),
    "images": (b'{"PostEntityImages":[', b'{"key":"k%d","value":{"Attributes":[{"key":"a%d"}]}}', b"]}"),
}
_HEAD = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    b'<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
)
_FOOT = b"</notifications></e:Body></e:Envelope>"
_RECORD = _HEAD + b'<Notification><Id>1</Id><sObject xmlns:s="urn:s">'
_RECORD_END = b"</sObject></Notification>" + _FOOT
SOAP = {
    "one field repeated": (_RECORD, b"<s:f>1</s:f>", _RECORD_END),
    "many fields": (_RECORD, b"<s:f%d>1</s:f%d>", _RECORD_END),
    "one field of each, twice": (_RECORD, b"<s:f%d/><s:f%d/>", _RECORD_END),
    "notifications": (_HEAD, b"<Notification/>", _FOOT),
    "nested": (_HEAD, b"<a><b>", _FOOT),
    "attributes": (_HEAD + b"<a ", b'k%d="1" ', b"/>" + _FOOT),
    "namespaces": (_HEAD + b"<a ", b'xmlns:k%d="u%d" ', b"/>" + _FOOT),
    "entities": (_HEAD, b"&amp;", _FOOT),
    "comments": (_HEAD, b"<!---->", _FOOT),
}


def _json(opening, unit, closing, *, load=False):
    """Makes a document of this unit again and again; %d in it is the number of the place, and commas join JSON's."""

    def make(size):
        numbers = range(max(1, size // (len(unit) + 1)))
        units = [unit.replace(b"%d", b"%d" % number) for number in numbers]
        body = opening + (b"" if opening.startswith(b"<") else b",").join(units) + closing
        return orjson.loads(body) if load else body

    return make


def _text(unit, opening="", closing=""):
    return lambda size: opening + unit * (size // len(unit)) + closing


def main():
    """Print the table; 1 if anything grows faster than its input."""
    found = sorted(map(measure, cases()), key=lambda growth: -growth.factor)
    print(f"{'':<60}{SMALL // 1024:>6} KB{SMALL * TIMES // 1024:>9} KB   times")
    for growth in found:
        mark = " " if growth.is_linear else "✗"
        judged = f"{growth.factor:8.1f}" if growth.factor else "       -"
        print(f"{mark} {growth.name:<58}{growth.small * 1000:6.1f} ms{growth.large * 1000:9.1f} ms{judged}")
    return 0 if all(growth.is_linear for growth in found) else 1


if __name__ == "__main__":
    sys.exit(main())
