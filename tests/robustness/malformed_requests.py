"""Requests that no honest client sends, byte by byte, and what the service may say to each: a table."""

from dataclasses import dataclass

from tests.robustness.service import KEY

# Seconds within which a refusal must come; a request that is not whole is waited for as long as slow clients are.
AT_ONCE, WAITED_FOR = 1.0, 10.0
CONVERSATION = "11111111-1111-4111-8111-111111111111"
BODY = f'{{"conversationId": "{CONVERSATION}"}}'.encode()
# What a smuggler wants answered: nobody but it has asked for this.
INNER = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWERED = b'{"status":"ok"}'


@dataclass(frozen=True, slots=True)
class Shape:
    """A request. `statuses`: what its first answer may be, 0 for a connection ended without one.

    `honest`: it could have been read in one way only, so it may as well be served.
    """

    name: str
    data: bytes
    statuses: frozenset[int]
    honest: bool = False
    within: float = AT_ONCE


def head(*lines: bytes, key: bool = True, path: bytes = b"/data-actions/cobrowse") -> bytes:
    """The start of a data action's request, with these header lines besides; the empty line is yet to come."""
    own = [b"POST " + path + b" HTTP/1.1", b"Host: x", b"Content-Type: application/json"]
    if key:
        own.append(b"X-Api-Key: " + KEY.encode())
    return b"\r\n".join([*own, *lines]) + b"\r\n"


def _chunked(*lines: bytes, body: bytes) -> bytes:
    return head(b"Transfer-Encoding: chunked", *lines) + b"\r\n" + body


_LENGTH = b"Content-Length: %d" % len(BODY)
_WHOLE = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
_REFUSED = frozenset({400, 501})
_CUT = frozenset({408})
_TOO_LONG = frozenset({400, 414, 431})

SHAPES = (
    # Two lengths, or a length and chunks: whoever stands in front may believe the other one.
    Shape(
        "length and chunks",
        head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"\r\n0\r\n\r\n" + INNER,
        _REFUSED,
    ),
    Shape(
        "chunks and length",
        head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"\r\n0\r\n\r\n" + INNER,
        _REFUSED,
    ),
    Shape("two lengths that differ", head(b"Content-Length: 0", _LENGTH) + b"\r\n" + INNER, _REFUSED),
    Shape("two lengths that agree", head(_LENGTH, _LENGTH) + b"\r\n" + BODY + INNER, _REFUSED | {200}, honest=True),
    Shape("a list of lengths", head(b"Content-Length: 0, 0") + b"\r\n" + INNER, _REFUSED),
    Shape("a length with a sign", head(b"Content-Length: +0") + b"\r\n" + INNER, _REFUSED),
    Shape("a negative length", head(b"Content-Length: -1") + b"\r\n" + INNER, _REFUSED),
    Shape("a length in hexadecimal", head(b"Content-Length: 0x10") + b"\r\n" + INNER, _REFUSED),
    Shape("a length in Arabic digits", head("Content-Length: ٣".encode()) + b"\r\n" + INNER, _REFUSED),
    Shape("a length with a vertical tab", head(b"Content-Length: \x0b0") + b"\r\n" + INNER, _REFUSED),
    Shape("an empty length", head(b"Content-Length: ") + b"\r\n" + INNER, _REFUSED),
    Shape(
        "a length past any machine",
        head(b"Content-Length: " + b"9" * 40) + b"\r\n" + BODY,
        _REFUSED | {413, 408},
        within=WAITED_FOR,
    ),
    Shape(
        "a length of thousands of digits", head(b"Content-Length: " + b"9" * 5000) + b"\r\n" + BODY, _REFUSED | {413}
    ),
    Shape("a name with a space behind", head(b"Content-Length : 0") + b"\r\n" + INNER, _REFUSED),
    Shape("chunked with a space behind", head(b"Transfer-Encoding : chunked") + b"\r\n" + _WHOLE + INNER, _REFUSED),
    Shape("a coding nobody knows", head(b"Transfer-Encoding: xchunked") + b"\r\n" + _WHOLE + INNER, _REFUSED),
    Shape(
        "chunked and then another", head(b"Transfer-Encoding: chunked, identity") + b"\r\n" + _WHOLE + INNER, _REFUSED
    ),
    Shape("chunked with a vertical tab", head(b"Transfer-Encoding: \x0bchunked") + b"\r\n" + _WHOLE + INNER, _REFUSED),
    Shape("chunked in quotes", head(b'Transfer-Encoding: "chunked"') + b"\r\n" + _WHOLE + INNER, _REFUSED),
    Shape("chunked with a parameter", head(b"Transfer-Encoding: chunked;q=1") + b"\r\n" + _WHOLE + INNER, _REFUSED),
    Shape("chunked twice", head(b"Transfer-Encoding: chunked, chunked") + b"\r\n" + _WHOLE + INNER, _REFUSED),
    Shape(
        "chunked in two headers",
        head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"\r\n" + _WHOLE + INNER,
        _REFUSED,
    ),
    Shape(
        "chunked in HTTP/1.0",
        head(b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + _WHOLE + INNER,
        _REFUSED,
    ),
    Shape("folded header", head(b"Transfer-Encoding:", b" chunked") + b"\r\n" + _WHOLE + INNER, _REFUSED),
    Shape(
        "a line that ends in LF",
        head().replace(b"Host: x\r\n", b"Host: x\nContent-Length: 0\r\n") + b"\r\n" + INNER,
        _REFUSED,
    ),
    Shape("a CR inside a header", head(b"X-A: b\rContent-Length: 0", _LENGTH) + b"\r\n" + BODY, _REFUSED),
    Shape("a NUL inside a header", head(b"X-A: b\0c", _LENGTH) + b"\r\n" + BODY, _REFUSED),
    # Chunks that are none.
    Shape("a negative chunk", _chunked(body=b"-5\r\nhello\r\n0\r\n\r\n" + INNER), _REFUSED),
    Shape("a chunk with a sign", _chunked(body=b"+5\r\nhello\r\n0\r\n\r\n" + INNER), _REFUSED),
    Shape("a chunk in 0x", _chunked(body=b"0x5\r\nhello\r\n0\r\n\r\n" + INNER), _REFUSED),
    Shape("a chunk with an underscore", _chunked(body=b"0_5\r\nhello\r\n0\r\n\r\n" + INNER), _REFUSED),
    Shape("a chunk with spaces", _chunked(body=b" 5 \r\nhello\r\n0\r\n\r\n" + INNER), _REFUSED),
    Shape("a chunk without a size", _chunked(body=b"\r\nhello\r\n0\r\n\r\n" + INNER), _REFUSED),
    Shape(
        "a chunk that is longer than said",
        _chunked(body=b"2\r\nhello\r\n0\r\n\r\n" + INNER),
        _REFUSED | _CUT,
        within=WAITED_FOR,
    ),
    Shape(
        "a chunk past any machine",
        _chunked(body=b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n" + INNER),
        _REFUSED | _CUT | {413},
        within=WAITED_FOR,
    ),
    Shape("a chunk line that never ends", _chunked(body=b"5;" + b"a" * 9_000), _REFUSED | _CUT),
    Shape(
        "a length in the trailers",
        _chunked(body=_WHOLE[:-2] + b"Content-Length: 0\r\n\r\n"),
        _REFUSED | {200},
        honest=True,
    ),
    Shape(
        "the key in the trailers",
        head(b"Transfer-Encoding: chunked", key=False)
        + b"\r\n"
        + _WHOLE[:-2]
        + b"X-Api-Key: "
        + KEY.encode()
        + b"\r\n\r\n",
        frozenset({400, 401}),
    ),
    # Headers without measure.
    Shape("65 headers", head(*[b"X-%d: y" % number for number in range(65)], _LENGTH) + b"\r\n" + BODY, _TOO_LONG),
    Shape(
        "10,000 headers", head(*[b"X-%d: y" % number for number in range(10_000)], _LENGTH) + b"\r\n" + BODY, _TOO_LONG
    ),
    Shape("a header of 9 KB", head(b"X-A: " + b"b" * 9_000, _LENGTH) + b"\r\n" + BODY, _TOO_LONG),
    Shape("a header of 200 KB", head(b"X-A: " + b"b" * 200_000, _LENGTH) + b"\r\n" + BODY, _TOO_LONG | {0}),
    Shape("a path of 5 KB", head(_LENGTH, path=b"/" + b"a" * 5_000) + b"\r\n" + BODY, _TOO_LONG),
    Shape("a header without a name", head(b": b", _LENGTH) + b"\r\n" + BODY, _REFUSED),
    Shape("a header without a colon", head(b"nonsense", _LENGTH) + b"\r\n" + BODY, _REFUSED),
    Shape("a name that is no token", head(b"X(A): b", _LENGTH) + b"\r\n" + BODY, _REFUSED),
    Shape("a name with bytes past ASCII", head("X-É: b".encode(), _LENGTH) + b"\r\n" + BODY, _REFUSED),
    Shape(
        "values past ASCII",
        head("X-A: é日本\u202e".encode(), _LENGTH) + b"\r\n" + BODY,
        frozenset({200, 400}),
        honest=True,
    ),
    Shape(
        "a control character", head(b"X-A: b\x01\x1b[2J", _LENGTH) + b"\r\n" + BODY, frozenset({200, 400}), honest=True
    ),
    Shape(
        "the key under a name with underscores",
        head(b"X_Api_Key: " + KEY.encode(), _LENGTH, key=False) + b"\r\n" + BODY,
        frozenset({400, 401}),
    ),
    Shape(
        "two keys, one of them right",
        head(b"X-Api-Key: nonsense-nonsense-1", _LENGTH) + b"\r\n" + BODY,
        frozenset({400, 401}),
    ),
    Shape(
        "two idempotency keys",
        head(b"Idempotency-Key: a", b"Idempotency-Key: b", _LENGTH) + b"\r\n" + BODY,
        frozenset({200, 400}),
        honest=True,
    ),
    Shape(
        "two content types",
        head(b"Content-Type: text/plain", _LENGTH) + b"\r\n" + BODY,
        frozenset({200, 400, 415}),
        honest=True,
    ),
    Shape("no host", head(_LENGTH).replace(b"Host: x\r\n", b"") + b"\r\n" + BODY, frozenset({200, 400}), honest=True),
    Shape("two hosts", head(b"Host: y", _LENGTH) + b"\r\n" + BODY, frozenset({200, 400}), honest=True),
    Shape(
        "a host that is none",
        head(_LENGTH).replace(b"Host: x", b"Host: [::1/@x?#") + b"\r\n" + BODY,
        frozenset({200, 400}),
        honest=True,
    ),
    Shape(
        "forwarded headers",
        head(b"X-Forwarded-For: 127.0.0.1", b"Forwarded: for=127.0.0.1", b"X-Forwarded-Proto: https", _LENGTH)
        + b"\r\n"
        + BODY,
        frozenset({200, 400}),
        honest=True,
    ),
    Shape(
        "a script's name in a header",
        head(b"SCRIPT_NAME: /data-actions", b"Script-Name: /x", _LENGTH) + b"\r\n" + BODY,
        frozenset({200, 400, 404}),
        honest=True,
    ),
    # First lines that are none.
    Shape(
        "an absolute URL",
        head(_LENGTH, path=b"http://evil.example/data-actions/cobrowse") + b"\r\n" + BODY,
        frozenset({200, 400, 404}),
        honest=True,
    ),
    Shape("a path with ..", head(_LENGTH, path=b"/x/../data-actions/cobrowse") + b"\r\n" + BODY, frozenset({400, 404})),
    Shape(
        "a path with a NUL", head(_LENGTH, path=b"/data-actions/cobrowse%00") + b"\r\n" + BODY, frozenset({400, 404})
    ),
    Shape("a path past UTF-8", head(_LENGTH, path=b"/webhooks/%ff%fe") + b"\r\n" + BODY, frozenset({400, 404})),
    Shape("raw bytes in the path", head(_LENGTH, path=b"/webhooks/\xff") + b"\r\n" + BODY, frozenset({400, 404})),
    Shape(
        "two slashes",
        head(_LENGTH, path=b"//data-actions/cobrowse") + b"\r\n" + BODY,
        frozenset({200, 400, 404}),
        honest=True,
    ),
    Shape("two slashes within", head(_LENGTH, path=b"/data-actions//cobrowse") + b"\r\n" + BODY, frozenset({400, 404})),
    Shape(
        "a method in small letters",
        head(_LENGTH).replace(b"POST", b"post") + b"\r\n" + BODY,
        frozenset({400, 405, 501}),
    ),
    Shape("a method of 5 KB", head(_LENGTH).replace(b"POST", b"P" * 5_000) + b"\r\n" + BODY, _TOO_LONG),
    Shape(
        "a method nobody knows", head(_LENGTH).replace(b"POST", b"BREW") + b"\r\n" + BODY, frozenset({400, 405, 501})
    ),
    Shape("TRACE", b"TRACE / HTTP/1.1\r\nHost: x\r\nX-Secret: echo\r\n\r\n", frozenset({400, 404, 405})),
    Shape("CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", frozenset({400, 404, 405})),
    Shape("HTTP/0.9", b"GET /healthz\r\n\r\n", frozenset({0, 400, 505})),
    Shape("HTTP/2 by prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frozenset({0, 400, 505})),
    Shape("HTTP/9.9", head(_LENGTH).replace(b"HTTP/1.1", b"HTTP/9.9") + b"\r\n" + BODY, frozenset({400, 505})),
    Shape(
        "an upgrade to HTTP/2",
        head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", _LENGTH)
        + b"\r\n"
        + BODY,
        frozenset({200, 400}),
        honest=True,
    ),
    Shape("a TLS hello", bytes.fromhex("16030100a5010000a10303") + b"\x11" * 100 + b"\r\n\r\n", frozenset({0, 400})),
    Shape("a PROXY line", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + head(_LENGTH) + b"\r\n" + BODY, _REFUSED),
    Shape("a SOCKS greeting", b"\x05\x01\x00\r\n\r\n", frozenset({0, 400})),
    Shape("empty lines first", b"\r\n\r\n" + head(_LENGTH) + b"\r\n" + BODY, frozenset({0, 200, 400}), honest=True),
    Shape("nothing but zeros", b"\0" * 100_000 + b"\r\n\r\n", frozenset({0, 400, 414})),
    # Requests that never end: ended for them.
    Shape("half a head", head()[:-2], frozenset({408}), within=WAITED_FOR),
    Shape("half a body", head(_LENGTH) + b"\r\n" + BODY[:5], _CUT, within=WAITED_FOR),
    Shape(
        "half a body, its length with zeros before",
        head(b"Content-Length: " + b"0" * 20 + b"60") + b"\r\n" + BODY,
        _CUT,
        within=WAITED_FOR,
    ),
    Shape("half a chunk", _chunked(body=b"50\r\n{"), _CUT, within=WAITED_FOR),
    Shape(
        "half a chunk, its coding in a second header",
        head(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked") + b"\r\n50\r\n{",
        _REFUSED | _CUT,
        within=WAITED_FOR,
    ),
    Shape("half a chunk line", _chunked(body=b"5;" + b"a" * 100), _REFUSED | _CUT, within=WAITED_FOR),
    Shape("half a trailer", _chunked(body=_WHOLE[:-2] + b"X-A: "), _CUT, within=WAITED_FOR),
    Shape("a request and half of the next", INNER + head()[:20], frozenset({200}), honest=True, within=WAITED_FOR),
    Shape(
        "it waits to be told to go on, and is gone",
        head(_LENGTH, b"Expect: 100-continue") + b"\r\n",
        frozenset({100}),
        within=WAITED_FOR,
    ),
    Shape(
        "it expects something else",
        head(_LENGTH, b"Expect: the-unexpected") + b"\r\n" + BODY,
        frozenset({200, 400, 417}),
        honest=True,
    ),
)
