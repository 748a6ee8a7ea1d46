"""JSON as senders really write it: with a byte order mark, a charset, texts cut in the middle of a letter."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE

import orjson

from cobrowse.errors import MalformedRequest, UnsupportedType

# JSON is UTF-8 and has no charset parameter (RFC 8259, 11). Some senders add one all the same: ASCII is UTF-8 already,
# and a text that says it is Latin-1 is taken at its word where it is no UTF-8. The names are IANA's.
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_LATIN_1 = frozenset({"iso-8859-1", "latin1", "windows-1252"})

_MARK = b"\xef\xbb\xbf"
_HIGH, _LOW = rb"[dD][89abAB][0-9a-fA-F]{2}", rb"[dD][c-fC-F][0-9a-fA-F]{2}"
# Each escape of a JSON text in turn: a pair of surrogates, one without its other half, any other.
_ESCAPES = re.compile(rb"\\(?:u" + _HIGH + rb"\\u" + _LOW + rb"|(u" + _HIGH + rb"|u" + _LOW + rb")|.)", re.DOTALL)


def parse_json(text: bytes) -> object:
    """The value of a JSON text in UTF-8. Half a letter reads as U+FFFD. Raises orjson.JSONDecodeError.

    Half a surrogate pair, or a few of a letter's bytes, can be neither stored nor sent on, and occur in fields that are
    not read; the rest of such a text is as it should be, so it is not refused.
    """
    text = text.removeprefix(_MARK)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        whole_letters = text.decode("utf-8", "replace").encode()
        repaired = _ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], whole_letters)
        if repaired == text:
            raise
        return orjson.loads(repaired)


def charset_of(content_type: str) -> str:
    """The charset that a Content-Type names, "utf-8" if it names none. UnsupportedType if JSON can't be in it."""
    parameters = [part.strip().lower() for part in content_type.split(";")[1:]]
    named = [part.removeprefix("charset=").strip("\"' ") for part in parameters if part.startswith("charset=")]
    charsets = list(filter(None, named))
    for charset in charsets:
        if charset not in _UTF_8 | _LATIN_1:
            raise UnsupportedType(
                f"the charset is {charset[:40]!r}; JSON is UTF-8",
                hint="Send the JSON in UTF-8, as Content-Type: application/json.",
            )
    return charsets[0] if charsets else "utf-8"


def parse_body(body: bytes, charset: str = "utf-8") -> object:
    """The JSON value of a request's body. Raises MalformedRequest."""
    if not body.removeprefix(_MARK).strip():
        raise MalformedRequest("the body is empty")
    if charset in _LATIN_1 and not _is_utf_8(body):
        body = body.decode("cp1252" if charset == "windows-1252" else "latin-1", "replace").encode()
    if b"\0" in body[:2] or body[:2] in (BOM_UTF16_LE, BOM_UTF16_BE):
        raise MalformedRequest("the body is in UTF-16 or UTF-32; JSON is UTF-8")
    try:
        return parse_json(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None


def _is_utf_8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
