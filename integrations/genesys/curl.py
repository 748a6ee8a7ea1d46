"""libcurl's words in httpx's: the options a request needs, the head an answer has, the exception an error is.

Plain functions of values; `transport` moves the bytes. One question runs through the errors: could the request have
reached the server? `httpx.ConnectError` and `httpx.ConnectTimeout` promise that it could not, so the call may be made
again. Every other exception leaves it open.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import httpx
import pycurl

# What libcurl adds on its own unless the list names it without a value.
_UNASKED = {name.lower(): name + b":" for name in (b"Accept", b"Accept-Encoding", b"Content-Type", b"Expect")}

# RFC 9110, 5.6.2. h11 checks this for httpx's own transport; libcurl sends what it is given, line breaks and all.
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(rb"[\x00\r\n]")
_LENGTHS = (b"content-length:", b"content-length;")

# Also for what has no limit; it keeps infinity out of the integers.
_MAX_SECONDS = 86_400.0


class BodyTooLarge(httpx.DecodingError):
    """The answer's body, decoded, was larger than the transport's `max_body_bytes`; the rest was not read."""


class ResponseHead:
    """An answer's head, as bytes with a plain line break before each line. Few headers are asked for: none is parsed.

    Raises:
        ValueError: Its first line is no status line.
    """

    def __init__(self, text: bytes) -> None:
        line, _, _ = text[1:].partition(b"\n")
        self.version, code, *reason = line.split(maxsplit=2)
        self.status = int(code)
        self.reason = reason[0] if reason else b""
        self._text = text
        self._lower = text.lower()

    def get(self, name: str, default: str = "", /) -> str:
        """The value of the last header of this name, given in lower case."""
        found = self._lower.rfind(b"\n%s:" % name.encode())
        if found < 0:
            return default
        return self._text[found + len(name) + 2 :].partition(b"\n")[0].strip().decode("latin-1")

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Each name with its value."""
        pairs = (line.partition(b":") for line in self._text.split(b"\n")[2:])
        return [(name, value.strip()) for name, _, value in pairs]


def constant_options(
    ca_bundle: str, client_cert: str | None, client_key: str | None, proxy: str | None, no_proxy: str, idle_seconds: int
) -> dict[int, Any]:
    """What is the same for all requests: whom to trust, who we are, and what libcurl must not do by itself."""
    return {
        # A file, not a blob: libcurl keeps a parsed file for a day.
        pycurl.CAINFO: ca_bundle,
        pycurl.PROXY_CAINFO: ca_bundle,
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.PROXY_SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        **({pycurl.SSLCERT: client_cert} if client_cert else {}),
        **({pycurl.SSLKEY: client_key} if client_key else {}),
        pycurl.NOSIGNAL: 1,  # libcurl would time name look-ups with SIGALRM, which threads share
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PATH_AS_IS: 1,
        pycurl.USERAGENT: "",
        pycurl.ACCEPT_ENCODING: "gzip, deflate",  # to decode; the header itself is the request's
        pycurl.PROXY: proxy or "",
        pycurl.NOPROXY: no_proxy if proxy else "*",
        pycurl.MAXAGE_CONN: idle_seconds,
        pycurl.UPLOAD_BUFFERSIZE: 16_384,  # the least; each connection keeps one, of 64 KiB by default
    }


def limits(extensions: Mapping[str, Any]) -> tuple[int, int]:
    """Milliseconds for connecting and for the whole call; a day is the longest.

    `timeout["read"]` bounds everything up to the body's last byte: this engine reads whole answers, so it is never
    laxer than httpx's pause between two reads. `write` and `pool` have nothing to bound: the pool never waits.

    Raises:
        httpx.ConnectTimeout: No time is left; nothing was sent.
    """
    timeout = extensions.get("timeout") or {}
    read, connect = timeout.get("read"), timeout.get("connect")
    total = min(_MAX_SECONDS if read is None else read, _MAX_SECONDS)
    connect = min(total if connect is None else connect, total)
    if connect <= 0:
        raise httpx.ConnectTimeout("no time was left for this call; nothing was sent")
    return int(connect * 1000) or 1, int(total * 1000) or 1  # 0 would be no limit


def header_lines(headers: Sequence[tuple[bytes, bytes]], *, has_body: bool) -> list[bytes]:
    """The request's headers, as libcurl's list: exactly these on the wire; the length of a body is libcurl's own.

    Raises:
        httpx.LocalProtocolError: A name or a value would break the line it stands on.
    """
    missing = _lines_against(tuple([name for name, _ in headers]))
    # "Name:" would take the header out, "Name;" sends it empty (CURLOPT_HTTPHEADER).
    lines = [name + b": " + value if value.strip() else name + b";" for name, value in headers]
    if missing is None or _BREAKS.search(b"".join(lines)):
        raise httpx.LocalProtocolError("a header's name or value holds bytes that HTTP does not allow")
    if has_body:
        # libcurl counts the body itself; two lengths would be an invitation to request smuggling.
        lines = [line for line in lines if line[:15].lower() not in _LENGTHS]
    return lines + missing


@lru_cache(64)
def _lines_against(names: tuple[bytes, ...]) -> list[bytes] | None:
    """The lines that keep libcurl from adding headers that are not among these; None if one of these is no token.

    Few sets of names come, with many calls each.
    """
    if not all(map(_TOKEN.fullmatch, names)):
        return None
    named = {name.lower() for name in names}
    return [line for name, line in _UNASKED.items() if name not in named]


@lru_cache(16)
def method_options(method: str, *, has_body: bool) -> tuple[tuple[int, object], ...]:
    """The options that make a handle send this method, whichever it sent before; a body comes after them.

    Raises:
        httpx.LocalProtocolError: The method is no token, or a HEAD has a body.
    """
    if not _TOKEN.fullmatch(method.encode()):
        raise httpx.LocalProtocolError("the method holds bytes that HTTP does not allow")
    if method == "HEAD" and has_body:
        raise httpx.LocalProtocolError("a HEAD carries no body")
    # HTTPGET first: it also takes back a HEAD's NOBODY and a POST's body.
    head = ((pycurl.NOBODY, 1),) if method == "HEAD" else ()
    return ((pycurl.HTTPGET, 1), *head, (pycurl.CUSTOMREQUEST, method))


def target(url: httpx.URL) -> str:
    """The URL as libcurl takes it: encoded by httpx already, and without a user and password, which httpx reads."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.raw_path.decode('ascii')}"


def parse_head(lines: Sequence[bytes]) -> ResponseHead:
    """The final answer's head among the lines libcurl hands over: interim 1xx heads stand before it, trailers after it.

    Raises:
        httpx.RemoteProtocolError: The answer ended within its head.
    """
    *heads, _ = b"".join(lines).replace(b"\r\n", b"\n").split(b"\n\n")
    for text in heads:
        with suppress(ValueError):
            head = ResponseHead(b"\n" + text)
            if head.status >= 200:
                return head
    raise httpx.RemoteProtocolError("the answer ended before its head did")


# By whether the request was handed to a connection. Until then nothing of it can have left; after that a timeout or a
# lost connection says nothing about what the server did.
_UNSENT: Mapping[int, type[httpx.RequestError]] = {
    pycurl.E_OPERATION_TIMEDOUT: httpx.ConnectTimeout,
    pycurl.E_UNSUPPORTED_PROTOCOL: httpx.UnsupportedProtocol,
    pycurl.E_URL_MALFORMAT: httpx.UnsupportedProtocol,
}
_SENT: Mapping[int, type[httpx.RequestError]] = {
    pycurl.E_OPERATION_TIMEDOUT: httpx.ReadTimeout,
    pycurl.E_BAD_CONTENT_ENCODING: httpx.DecodingError,
    pycurl.E_WRITE_ERROR: httpx.DecodingError,
}


def map_error(code: int, message: str, *, sent: bool) -> httpx.RequestError:
    """The exception for libcurl's error, given whether the request was handed to a connection."""
    if code == pycurl.E_ABORTED_BY_CALLBACK:
        message = "the connection ended without an answer, and a request like this is not sent twice"
    kind = _SENT.get(code, httpx.RemoteProtocolError) if sent else _UNSENT.get(code, httpx.ConnectError)
    return kind(message)
