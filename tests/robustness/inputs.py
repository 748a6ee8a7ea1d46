"""Bad input: JSON, XML and headers that bring parsers down, and strategies that mix them into real deliveries."""

import json

from hypothesis import strategies as st

CONVERSATION = "11111111-1111-4111-8111-111111111111"


def _nested(depth, opening="[", closing="]", inside=""):
    return (opening * depth + inside + closing * depth).encode()


# Each is the text of one JSON value, or of none. Depths stand around the parser's limits: 254 writing, 1,024 reading.
JSON_BOMBS = {
    **{
        text: text.encode()
        for text in ("1e400", "-1e400", "1e-400", "-0", "NaN", "Infinity", "-Infinity", "true", "null")
    },
    **{f"arrays {depth} deep": _nested(depth) for depth in (100, 253, 254, 255, 256, 300, 1_000, 1_024, 1_025)},
    **{f"objects {depth} deep": _nested(depth, '{"a":', "}", "1") for depth in (250, 254, 255, 300, 1_000, 1_024)},
    "30,000 opening brackets": b"[" * 30_000,
    "9,000 opening braces": b'{"a":' * 9_000,
    "20,000 zeros": b"[" + b"0," * 19_999 + b"0]",
    "4,000 keys": b"{" + b",".join(b'"k%d":1' % number for number in range(4_000)) + b"}",
    "3,000 times the same key": b"{" + b'"conversationId":1,' * 2_999 + b'"conversationId":2}',
    "a number of 10,000 digits": b"9" * 10_000,
    "a negative number of 5,000 digits": b"-" + b"9" * 5_000,
    "a fraction of 10,000 digits": b"0." + b"1" * 10_000,
    "an exponent of 5,000 digits": b"1e" + b"9" * 5_000,
    "2 to the 64th": b"18446744073709551616",
    "-2 to the 63rd, less one": b"-9223372036854775809",
    "a high surrogate alone": b'"\\ud800"',
    "a low surrogate alone": b'"\\udc00"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a pair of surrogates": b'"\\ud83d\\ude00"',
    "an overlong slash": b'"\xc0\xaf"',
    "a byte that is never UTF-8": b'"\xff"',
    "UTF-8 cut off": b'"\xe2\x82',
    "a code point past Unicode": b'"\xf5\x80\x80\x80"',
    "a byte order mark": b'\xef\xbb\xbf"x"',
    **{coding: '"x"'.encode(coding) for coding in ("utf-16", "utf-32")},
    "an escaped NUL": b'"\\u0000"',
    "a raw NUL": b'"\x00"',
    "a raw line break": b'"\n"',
    "10,000 escapes": b'"' + b"\\u0041" * 10_000 + b'"',
    "a string of 60,000 characters": b'"' + b"x" * 60_000 + b'"',
    "right to left": '"\u202e\u2066\u200b\ufeff"'.encode(),
    "an unset input": b'"${input.conversationId}"',
    "a line for the log": b'"x\\r\\n{\\"event\\":\\"forged\\"}\\u001b[2J"',
    "single quotes": b"'x'",
    "a comment": b'/* */ "x"',
    "a comma too many": b"[1,]",
    "two values": b'"x" "y"',
    "nothing": b"",
    "white space": b" \t\r\n",
    "a class to make": b'{"__class__":"os.system","__proto__":{"a":1},"$type":"x"}',
}

_DOCTYPE = b'<?xml version="1.0"?>\n<!DOCTYPE x [%s]>\n'
_SOAP = (
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notifications xmlns="http://soap.sforce.com/2005/09/outbound">%s</notifications></soapenv:Body></soapenv:Envelope>'
)
XML_BOMBS = {
    "a billion laughs": _DOCTYPE
    % (b'<!ENTITY a "ha">' + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)))
    + _SOAP % b"&j;",
    "a quadratic blow-up": _DOCTYPE % (b'<!ENTITY a "' + b"x" * 20_000 + b'">') + _SOAP % (b"&a;" * 5_000),
    "a file from outside": _DOCTYPE % b'<!ENTITY a SYSTEM "file:///etc/passwd">' + _SOAP % b"&a;",
    "a host from outside": _DOCTYPE % b'<!ENTITY % a SYSTEM "http://127.0.0.1:1/"> %a;' + _SOAP % b"",
    "elements 8,000 deep": _SOAP % (b"<a>" * 8_000 + b"</a>" * 8_000),
    "6,000 attributes": _SOAP % (b"<a " + b" ".join(b'a%d="1"' % number for number in range(6_000)) + b"/>"),
    "2,500 name spaces": _SOAP % (b"<a " + b" ".join(b'xmlns:n%d="u:%d"' % (n, n) for n in range(2_500)) + b"/>"),
    "1,000 notifications": _SOAP % (b"<Notification><Id>1</Id></Notification>" * 1_000),
    "UTF-16 that says UTF-8": (b'<?xml version="1.0" encoding="UTF-8"?>' + _SOAP % b"").decode().encode("utf-16"),
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>' + _SOAP % b"+ADw-x+AD4-",
    "a coding nobody knows": b'<?xml version="1.0" encoding="x-nobody"?>' + _SOAP % b"",
    "not closed": (_SOAP % b"")[:-20],
    "NULs": _SOAP % b"\0\0",
    "a byte that is never UTF-8": _SOAP % b"\xff\xfe",
    "CDATA without end": _SOAP % b"<![CDATA[",
    "JSON": b"{}",
    "nothing": b"",
}

# Values of headers, as WSGI hands them over: each character is a byte.
HEADER_BOMBS = {
    "empty": "",
    "a space": " ",
    "a comma": ",",
    "20,000 commas": "," * 20_000,
    "8 KB": "a" * 8_192,
    "a NUL": "\0",
    "line breaks": "a\r\nX-Injected: 1",
    "control characters": "".join(map(chr, range(1, 32))),
    "past ASCII": "é\xff\xfe",
    "UTF-8 in Latin-1": "日本".encode().decode("latin-1"),
    "broken UTF-8": "\xc3\x28\xa0\xa1",
    "only a version": "v1,",
    "versions without end": "v1,a " * 1_500,
    "no base64": "v1,@@@@",
    "base64 cut off": "sha256=YQ",
    "an empty hex": "sha256=",
    "odd hex": "sha256=abc",
    "hex in Arabic digits": "sha256=" + "٣".encode().decode("latin-1") * 64,
    "a number of 5,000 digits": "9" * 5_000,
    "a negative number": "-1",
    "a fraction": "1.5",
    "1e400": "1e400",
    "NaN": "nan",
    "infinity": "inf",
    "the year 10000": "10000-01-01T00:00:00Z",
    "the year 0": "0000-01-01T00:00:00Z",
    "the 30th of February": "2026-02-30T00:00:00Z",
    "hour 24": "2026-11-25T24:00:00Z",
    "a zone of 99 hours": "2026-11-25T00:00:00+99:99",
    "Basic without anything": "Basic ",
    "Basic that is no base64": "Basic ????",
    "Basic with a NUL": "Basic AAAA",
    "Basic past ASCII": "Basic é",
    "Bearer without anything": "Bearer ",
    "Bearer twice": "Bearer Bearer x",
    "an unset input": "${input.key}",
    "a distinguished name": "CN=a,O=b\\,c+OU=d",
    "a path": "../../etc/passwd",
}


def _quoted(bomb):
    """The bomb as the text of a JSON string."""
    return json.dumps(bomb.decode("utf-8", "replace")).encode()


def _beside(name, value):
    return b'{"conversationId":"%s","%s":%s}' % (CONVERSATION.encode(), name, value)


# Where bombs go in a data action: the request's body for each bomb.
PLACES = {
    "the whole body": lambda bomb: bomb,
    "conversationId": lambda bomb: b'{"conversationId":%s}' % bomb,
    "channel": lambda bomb: _beside(b"channel", bomb),
    "latest": lambda bomb: _beside(b"latest", bomb),
    "requestedBy": lambda bomb: _beside(b"requestedBy", bomb),
    "sessionSettings": lambda bomb: _beside(b"sessionSettings", bomb),
    "sessionSettings, as text": lambda bomb: _beside(b"sessionSettings", _quoted(bomb)),
    "a setting": lambda bomb: _beside(b"sessionSettings", _quoted(b'{"a":%s}' % bomb)),
    "an unknown field": lambda bomb: _beside(b"more", bomb),
    "a second conversationId": lambda bomb: _beside(b"conversationId", bomb),
}


def places(value, path=()):
    """Every place of a JSON value; of a long list the first five."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:5]) if isinstance(value, list) else ()
    return [path, *(place for key, inner in inside for place in places(inner, (*path, key)))]


def put(value, path, new):
    """The value with the new one at this place; the value itself stays as it is."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


# --- strategies -------------------------------------------------------------------------------------------------------

_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from([CONVERSATION, "", " ", "${input.x}", "webchat", "COBROWSE", "/Date(1)/", "\0", "\u202e", "é"])
)
values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)

# JSON inside a text, as settings are sent where no object can be.
_texts = st.sampled_from([f'{{"a":{bomb.decode("utf-8", "replace")}}}' for bomb in JSON_BOMBS.values()])


@st.composite
def changed_json(draw, body):
    """A real body with one to three of its places holding something else, or a bomb."""
    for _ in range(draw(st.integers(1, 3))):
        body = put(body, draw(st.sampled_from(places(body))), draw(values | _texts))
    text = json.dumps(body, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.sampled_from(places(body)))
        marked = json.dumps(put(body, place, "@@@")).encode()
        text = marked.replace(b'"@@@"', draw(st.sampled_from(list(JSON_BOMBS.values()))))
    return text


@st.composite
def changed_bytes(draw, body):
    """A real body with some bytes cut out, put in or turned over."""
    changed = bytearray(body)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        cut = draw(st.integers(0, 6))
        changed[at : at + cut] = draw(st.binary(max_size=6))
    return bytes(changed)


header_values = st.sampled_from(list(HEADER_BOMBS.values())) | st.text(
    st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60
)
