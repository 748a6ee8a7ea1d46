"""Requests that no honest client sends, byte by byte, and what the service may answer to each: a table.

Some more, with the answer's form, are in tests/integration/test_server_requests.py.
"""

from dataclasses import dataclass

from tests.in_process import KEY

CONVERSATION = "11111111-1111-4111-8111-111111111111"
BODY = f'{{"conversationId": "{CONVERSATION}"}}'.encode()
# The request that a smuggler hides in another one.
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


def head(*lines, key=True, path=b"/data-actions/cobrowse"):
    """The start of a data action's request, with these header lines besides; the empty line is yet to come."""
    own = [b"POST " + path + b" HTTP/1.1", b"Host: x", b"Content-Type: application/json"]
    return b"".join(line + b"\r\n" for line in [*own, *([b"X-Api-Key: " + KEY.encode()] if key else []), *lines])


def _r(*lines, then=BODY, **of_the_head):
    """A request with these header lines besides, and this behind its head: an honest body if nothing is said."""
    return head(*lines, **of_the_head) + b"\r\n" + then


def _chunks(body):
    return _r(_CODED, then=body)


LENGTH = b"Content-Length: %d" % len(BODY)
_WHOLE = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
_REFUSED = frozenset({400, 501})
_CUT = frozenset({408})
_TOO_LONG = frozenset({400, 414, 431})
_EITHER, _NOBODY = frozenset({200, 400}), frozenset({400, 401})
_CLOSED, _NOWHERE = frozenset({0, 400}), frozenset({400, 404})
_CODED = b"Transfer-Encoding: chunked"
_FIVE = b"\r\nhello\r\n0\r\n\r\n" + INNER

SHAPES = (
    # Two lengths, or a length and chunks: a proxy in front may believe the other one.
    Shape("chunks and length", _r(_CODED, b"Content-Length: 5", then=b"0\r\n\r\n" + INNER), _REFUSED),
    Shape("two lengths that agree", _r(LENGTH, LENGTH, then=BODY + INNER), _REFUSED | {200}, honest=True),
    Shape("a list of lengths", _r(b"Content-Length: 0, 0", then=INNER), _REFUSED),
    Shape("a negative length", _r(b"Content-Length: -1", then=INNER), _REFUSED),
    Shape("a length in hexadecimal", _r(b"Content-Length: 0x10", then=INNER), _REFUSED),
    Shape("a length in Arabic digits", _r("Content-Length: ٣".encode(), then=INNER), _REFUSED),
    Shape("a length with a vertical tab", _r(b"Content-Length: \x0b0", then=INNER), _REFUSED),
    Shape("an empty length", _r(b"Content-Length: ", then=INNER), _REFUSED),
    Shape("a length past any machine", _r(b"Content-Length: " + b"9" * 40), _REFUSED | {413, 408}),
    Shape("a length of thousands of digits", _r(b"Content-Length: " + b"9" * 5000), _REFUSED | {413}),
    Shape("chunked with a space behind", _r(b"Transfer-Encoding : chunked", then=_WHOLE + INNER), _REFUSED),
    Shape("chunked and then another", _r(b"Transfer-Encoding: chunked, identity", then=_WHOLE + INNER), _REFUSED),
    Shape("chunked with a vertical tab", _r(b"Transfer-Encoding: \x0bchunked", then=_WHOLE + INNER), _REFUSED),
    Shape("chunked in quotes", _r(b'Transfer-Encoding: "chunked"', then=_WHOLE + INNER), _REFUSED),
    Shape("chunked with a parameter", _r(b"Transfer-Encoding: chunked;q=1", then=_WHOLE + INNER), _REFUSED),
    Shape("chunked twice", _r(b"Transfer-Encoding: chunked, chunked", then=_WHOLE + INNER), _REFUSED),
    Shape("chunked in two headers", _r(_CODED, _CODED, then=_WHOLE + INNER), _REFUSED),
    Shape("chunked in HTTP/1.0", _r(_CODED, then=_WHOLE + INNER).replace(b"HTTP/1.1", b"HTTP/1.0", 1), _REFUSED),
    Shape("folded header", _r(b"Transfer-Encoding:", b" chunked", then=_WHOLE + INNER), _REFUSED),
    Shape("a CR inside a header", _r(b"X-A: b\rContent-Length: 0", LENGTH), _REFUSED),
    Shape("a NUL inside a header", _r(b"X-A: b\0c", LENGTH), _REFUSED),
    # Chunks that are none.
    Shape("a negative chunk", _chunks(b"-5" + _FIVE), _REFUSED),
    Shape("a chunk with a sign", _chunks(b"+5" + _FIVE), _REFUSED),
    Shape("a chunk in 0x", _chunks(b"0x5" + _FIVE), _REFUSED),
    Shape("a chunk with an underscore", _chunks(b"0_5" + _FIVE), _REFUSED),
    Shape("a chunk with spaces", _chunks(b" 5 " + _FIVE), _REFUSED),
    Shape("a chunk without a size", _chunks(_FIVE), _REFUSED),
    Shape("a chunk that is longer than said", _chunks(b"2" + _FIVE), _REFUSED | _CUT),
    Shape("a chunk past any machine", _chunks(b"f" * 40 + _FIVE), _REFUSED | _CUT | {413}),
    Shape("a chunk line that never ends", _chunks(b"5;" + b"a" * 9_000), _REFUSED | _CUT),
    Shape(
        "a length in the trailers", _chunks(_WHOLE[:-2] + b"Content-Length: 0\r\n\r\n"), _REFUSED | {200}, honest=True
    ),
    Shape(
        "the key in the trailers",
        head(_CODED, key=False) + b"\r\n" + _WHOLE[:-2] + b"X-Api-Key: " + KEY.encode() + b"\r\n\r\n",
        _NOBODY,
    ),
    # Headers without measure.
    Shape("10,000 headers", _r(*[b"X-%d: y" % number for number in range(10_000)], LENGTH), _TOO_LONG),
    Shape("a header of 200 KB", _r(b"X-A: " + b"b" * 200_000, LENGTH), _TOO_LONG | {0}),
    Shape("a path of 5 KB", _r(LENGTH, path=b"/" + b"a" * 5_000), _TOO_LONG),
    Shape("a header without a name", _r(b": b", LENGTH), _REFUSED),
    Shape("a header without a colon", _r(b"nonsense", LENGTH), _REFUSED),
    Shape("a name that is no token", _r(b"X(A): b", LENGTH), _REFUSED),
    Shape("a name with bytes past ASCII", _r("X-É: b".encode(), LENGTH), _REFUSED),
    Shape("values past ASCII", _r("X-A: é日本\u202e".encode(), LENGTH), _EITHER, honest=True),
    Shape("a control character", _r(b"X-A: b\x01\x1b[2J", LENGTH), _EITHER, honest=True),
    Shape("the key under a name with underscores", _r(b"X_Api_Key: " + KEY.encode(), LENGTH, key=False), _NOBODY),
    Shape("two keys, one of them right", _r(b"X-Api-Key: nonsense-nonsense-1", LENGTH), _NOBODY),
    Shape("two idempotency keys", _r(b"Idempotency-Key: a", b"Idempotency-Key: b", LENGTH), _EITHER, honest=True),
    Shape("two content types", _r(b"Content-Type: text/plain", LENGTH), _EITHER | {415}, honest=True),
    Shape("no host", _r(LENGTH).replace(b"Host: x\r\n", b""), _EITHER, honest=True),
    Shape("two hosts", _r(b"Host: y", LENGTH), _EITHER, honest=True),
    Shape("a host that is none", _r(LENGTH).replace(b"Host: x", b"Host: [::1/@x?#"), _EITHER, honest=True),
    Shape(
        "forwarded headers",
        _r(b"X-Forwarded-For: 127.0.0.1", b"Forwarded: for=127.0.0.1", b"X-Forwarded-Proto: https", LENGTH),
        _EITHER,
        honest=True,
    ),
    # First lines that are none.
    Shape("a path with a NUL", _r(LENGTH, path=b"/data-actions/cobrowse%00"), _NOWHERE),
    Shape("a path past UTF-8", _r(LENGTH, path=b"/webhooks/%ff%fe"), _NOWHERE),
    Shape("raw bytes in the path", _r(LENGTH, path=b"/webhooks/\xff"), _NOWHERE),
    Shape("a method in small letters", _r(LENGTH).replace(b"POST", b"post"), _REFUSED | {405}),
    Shape("a method of 5 KB", _r(LENGTH).replace(b"POST", b"P" * 5_000), _TOO_LONG),
    Shape("a method nobody knows", _r(LENGTH).replace(b"POST", b"BREW"), _REFUSED | {405}),
    Shape("TRACE", b"TRACE / HTTP/1.1\r\nHost: x\r\nX-Secret: echo\r\n\r\n", _NOWHERE | {405}),
    Shape("CONNECT", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", _NOWHERE | {405}),
    Shape("HTTP/0.9", b"GET /healthz\r\n\r\n", _CLOSED | {505}),
    Shape("HTTP/2 by prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _CLOSED | {505}),
    Shape("HTTP/9.9", _r(LENGTH).replace(b"HTTP/1.1", b"HTTP/9.9"), frozenset({400, 505})),
    Shape(
        "an upgrade to HTTP/2",
        _r(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", LENGTH),
        _EITHER,
        honest=True,
    ),
    Shape("a TLS hello", bytes.fromhex("16030100a5010000a10303") + b"\x11" * 100 + b"\r\n\r\n", _CLOSED),
    Shape("a PROXY line", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + _r(LENGTH), _REFUSED),
    Shape("a SOCKS greeting", b"\x05\x01\x00\r\n\r\n", _CLOSED),
    Shape("empty lines first", b"\r\n\r\n" + _r(LENGTH), _EITHER | {0}, honest=True),
    Shape("nothing but zeros", b"\0" * 100_000 + b"\r\n\r\n", _CLOSED | {414}),
    # Requests that never end: ended for them.
    Shape("half a head", head()[:-2], frozenset({408})),
    Shape("half a body", head(LENGTH) + b"\r\n" + BODY[:5], _CUT),
    Shape("half a body, its length with zeros before", _r(b"Content-Length: " + b"0" * 20 + b"60"), _CUT),
    Shape("half a chunk", _chunks(b"50\r\n{"), _CUT),
    Shape(
        "half a chunk, its coding in a second header",
        head(b"Transfer-Encoding: identity", _CODED) + b"\r\n50\r\n{",
        _REFUSED | _CUT,
    ),
    Shape("half a chunk line", _chunks(b"5;" + b"a" * 100), _REFUSED | _CUT),
    Shape("half a trailer", _chunks(_WHOLE[:-2] + b"X-A: "), _CUT),
    Shape("a request and half of the next", INNER + head()[:20], frozenset({200}), honest=True),
    Shape("it waits for 100 Continue, and is gone", head(LENGTH, b"Expect: 100-continue") + b"\r\n", frozenset({100})),
    Shape("it expects something else", _r(LENGTH, b"Expect: the-unexpected"), _EITHER | {417}, honest=True),
)
