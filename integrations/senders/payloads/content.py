"""What a body holds, as its Content-Type and the row say: JSON, a form, JSON in a form's field, XML; gzipped or not."""

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, ParseError

import orjson
from defusedxml.ElementTree import fromstring

from cobrowse.errors import BodyTooLarge, InvalidRequest, MalformedRequest, UnsupportedType
from integrations.event_loop import run_off_loop
from integrations.senders.requests import UnverifiedRequest
from schemas.duplicates import check_duplicate_names
from schemas.json_text import charset_of, parse_body

# The field that holds the JSON where a row names none: Slack's and GitHub's.
FIELD = "payload"
# Fields of one form, and elements below one another in an XML document.
_MAX_FIELDS, _MAX_DEPTH = 1_000, 50
# Media types, first the one that `send` sends.
_XML = ("text/xml", "application/xml", "application/soap+xml")
# SNS and some relays say that their JSON is text.
_JSON = ("application/json", "text/json", "text/plain")
_FORM = ("application/x-www-form-urlencoded",)
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_GZIP = frozenset({"gzip", "x-gzip"})
# Bytes from which the reading would hold up all other requests of the worker for milliseconds.
_OFF_LOOP_BYTES = 65_536

Reader = Callable[[bytes, str, Collection[str], str], object]
"""The value of a body: its bytes, its Content-Type, the names that must not be there twice, the field with the JSON."""


def parse_content(
    incoming: UnverifiedRequest, content: str, names: Collection[str], *, field: str = FIELD, largest: int
) -> object:
    """The value of a delivery's body, which may be gzipped up to `largest` bytes.

    Raises UnsupportedType, MalformedRequest, BodyTooLarge, and InvalidRequest if a name that counts is there twice.
    """
    plain = incoming.media_type
    types, read = CONTENTS[content]
    if plain not in types and not (types is _JSON and plain.endswith("+json")):
        wanted = types[0]
        problem = f"the Content-Type is {plain[:80]!r}" if plain else "there is no Content-Type"
        raise UnsupportedType(
            f"{problem}, and this sender's row reads {wanted}",
            hint=f"Let the sender send {wanted}, or say in its row what it sends (content).",
        )
    body = _decompress(incoming, largest)
    if not body.strip():
        raise MalformedRequest("the body is empty")
    kind = incoming.headers["content-type"]
    if len(body) > _OFF_LOOP_BYTES:
        return run_off_loop(lambda: read(body, kind, names, field))
    return read(body, kind, names, field)


def media_type_of(content: str) -> str:
    """The media type that `send` says that it sends; JSON's without a content."""
    return CONTENTS[content or "json"][0][0]


def content_for(content: str, incoming: UnverifiedRequest) -> str:
    """The content to read a delivery as: the row's, and without one what the sender says, a form or else JSON."""
    if content:
        return content
    return "form-or-json-in-form" if incoming.media_type in _FORM else "json"


def parse_json_once(body: bytes, kind: str, names: Collection[str], _field: str = "") -> object:
    """The value of a JSON text; of a JSON string that holds one, that one's."""
    value = _json(body, charset_of(kind), names)
    if isinstance(value, str) and value.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        # Relays that have their JSON in a variable write it as a string again. Once, never as often as it comes.
        value = _json(value.encode(), "utf-8", names)
    return value


def _json(text: bytes, charset: str, names: Collection[str]) -> object:
    value = parse_body(text, charset)
    try:
        # What can't be written again can't be hashed either: it is nested deeper than anything real.
        orjson.dumps(value)
        check_duplicate_names(text, names)
    except orjson.JSONEncodeError:
        raise MalformedRequest("the body is nested too deeply") from None
    return value


def _read_form(body: bytes, names: Collection[str]) -> dict[str, object]:
    """A form's fields as texts; one that comes more than once is a list."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except UnicodeDecodeError:
        raise MalformedRequest("the form is not UTF-8") from None
    except ValueError:
        raise InvalidRequest(f"the form: more than {_MAX_FIELDS} fields") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.removeprefix("\ufeff"), []).append(value)  # a byte order mark stands before the first one
    return _merge_repeats(found, names)


def _merge_repeats(found: Mapping[str, Sequence[object]], names: Collection[str]) -> dict[str, object]:
    """The value of each name, a list of those that come more than once; InvalidRequest if a name that counts does."""
    repeated = sorted(name for name, values in found.items() if len(values) > 1 and name in names)
    if repeated:
        raise InvalidRequest(f"{repeated[0][:60]}: Comes more than once.")
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _json_in_form(body: bytes, _kind: str, names: Collection[str], field: str) -> object:
    """The JSON in one of a form's fields."""
    json_text = _read_form(body, {field, *names}).get(field)
    if not isinstance(json_text, str):
        raise InvalidRequest(f"{field[:60]}: the form has no such field, in which the row says that the JSON is")
    return parse_json_once(json_text.encode(), "", names)


def _form_or_json_in_form(body: bytes, _kind: str, names: Collection[str], field: str) -> object:
    """A form's fields; those of the JSON in it, if that is all there is."""
    found = _read_form(body, names)
    single_value = found.get(field) if len(found) == 1 else None
    if isinstance(single_value, str) and single_value.lstrip().startswith("{"):
        return parse_json_once(single_value.encode(), "", names)
    return found


def _xml(body: bytes, _kind: str, names: Collection[str], _field: str) -> object:
    """An XML document as a mapping: an element's children by their plain names, and its type; else its text."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):
        # defusedxml's own refusals are ValueErrors; an unknown encoding is a LookupError or a ValueError.
        raise MalformedRequest("the body is not XML, or has a DTD or entities, which are not read") from None
    return {_plain(root.tag): _element(root, names, 0)}


def _element(element: Element, names: Collection[str], depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise MalformedRequest("the body is nested too deeply")
    if element.get(f"{_XSI}nil") == "true":
        return None
    if not len(element):
        return (element.text or "").strip()
    found: dict[str, list[object]] = {}
    for child in element:
        found.setdefault(_plain(child.tag), []).append(_element(child, names, depth + 1))
    kind = element.get(f"{_XSI}type", "").rpartition(":")[2]
    if kind:
        found.setdefault("type", [kind])  # a child of that name is what the sender's own documents call so
    return _merge_repeats(found, names)


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _decompress(incoming: UnverifiedRequest, largest: int) -> bytes:
    """The body as it was before it was compressed, if it was."""
    encoding = incoming.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return incoming.body
    if encoding not in _GZIP:
        raise UnsupportedType(
            f"the body is compressed as {encoding[:40]!r}; only gzip is read here",
            hint="Let the sender send the body as it is, or gzipped.",
        )
    return run_off_loop(lambda: _gunzip(incoming.body, largest))


def _gunzip(body: bytes, largest: int) -> bytes:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        found = stream.decompress(body, largest + 1)
    except zlib.error:
        raise MalformedRequest("the body is not gzip, as its Content-Encoding says") from None
    if len(found) > largest:
        raise BodyTooLarge(f"the body is larger than {largest} bytes once it is decompressed")
    if not stream.eof or stream.unused_data:
        raise MalformedRequest("the gzipped body is cut short, or something follows it")
    return found


CONTENTS: Mapping[str, tuple[tuple[str, ...], Reader]] = {
    "json": (_JSON, parse_json_once),
    "form": (_FORM, lambda body, _kind, names, _field: _read_form(body, names)),
    "json-in-form": (_FORM, _json_in_form),
    "form-or-json-in-form": (_FORM, _form_or_json_in_form),
    "xml": (_XML, _xml),
}
# Those that a row can name.
CHOICES = ("json", "form", "json-in-form", "xml")
