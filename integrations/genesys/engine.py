"""An httpx transport made for threads: httpx's requests and answers, carried by libcurl.

httpx's own pool is scanned and polled at every call, which costs more the more threads share it (benchmarks/engines.py
measures both). Here each call takes a handle that no other thread has, with its own live connection, and puts it back.
"""

import os
import select
from collections.abc import Iterator, Mapping
from typing import Any, cast

import certifi
import httpx
import pycurl  # type: ignore[import-untyped]  # ships a stub without py.typed, so no checker may read it

from integrations.genesys import curl
from integrations.genesys.curl import BodyTooLarge

__all__ = ["BodyTooLarge", "CurlTransport"]

# libcurl repeats a request by itself when a connection used before ends without an answer. A server may have acted on
# it by then, so only what changes nothing (RFC 9110, 9.2.1) may go out twice.
_SAFE = frozenset({"GET", "HEAD"})


class Answer(httpx.Response):
    """An answer that is here whole and decoded, so that reading it takes no way through httpx's decoders."""

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The body, in pieces of `chunk_size` bytes if one is given."""
        if self.is_closed or chunk_size is not None:
            return super().iter_bytes(chunk_size)
        self.is_closed = self.is_stream_consumed = True
        return iter(cast("httpx.ByteStream", self.stream))


class Handle:
    """One libcurl easy handle: a connection kept alive, used by one thread at a time."""

    def __init__(self, options: Mapping[int, object], max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._times_sent = 0
        self._resendable = False
        self._curl = pycurl.Curl()
        for option, value in options.items():
            self._curl.setopt(option, value)
        # A callback takes the interpreter's lock; a built-in one is at least short. Headers come one a line.
        self._curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self._curl.setopt(pycurl.WRITEFUNCTION, self._take)
        self._curl.setopt(pycurl.PREREQFUNCTION, self._before)

    def send(self, request: httpx.Request) -> httpx.Response:
        """The whole answer. Every option that differs between requests is set here, so none is left from the last.

        Raises:
            httpx.RequestError: As `curl.failure` says; `BodyTooLarge` past the limit.
        """
        connect, total = curl.limits(request.extensions)
        body = request.read()
        set_option = self._curl.setopt
        for option, value in curl.method_options(request.method, body):
            set_option(option, value)
        has_body = curl.has_length(request.method, body)
        set_option(pycurl.HTTPHEADER, curl.header_lines(request, has_body=has_body))
        set_option(pycurl.URL, curl.target(request.url))
        set_option(pycurl.CONNECTTIMEOUT_MS, connect)
        set_option(pycurl.TIMEOUT_MS, total)
        self._size = self._times_sent = 0
        self._resendable = request.method in _SAFE
        set_option(pycurl.FRESH_CONNECT, not self._resendable and self._spoken_to())
        try:
            self._curl.perform()
            return self._answer()
        except pycurl.error as error:
            raise self._failure(*error.args) from error
        finally:
            self._lines.clear()
            self._chunks.clear()

    def close(self) -> None:
        """End the connections."""
        self._curl.close()

    def _spoken_to(self) -> bool:
        """Whether the server has said something since the last answer: that it hangs up, most likely.

        libcurl looks for itself, but once a second at most, and makes good for it by sending again.
        """
        connection = self._curl.getinfo(pycurl.ACTIVESOCKET)
        if connection < 0:
            return False
        waiting = select.poll()
        waiting.register(connection, select.POLLIN)
        return bool(waiting.poll(0))

    def _before(self, *_addresses: object) -> int:
        """Called when a connection stands and the request is about to go out on it: each time it does."""
        if self._times_sent and not self._resendable:
            return int(pycurl.PREREQFUNC_ABORT)
        self._times_sent += 1
        return int(pycurl.PREREQFUNC_OK)

    def _take(self, chunk: bytes) -> int | None:
        """Called with at most 16 KiB of decoded body; taking none of it ends the call."""
        self._size += len(chunk)
        if self._size > self._max_body_bytes:
            return 0
        self._chunks.append(chunk)
        return None

    def _answer(self) -> httpx.Response:
        head = curl.read_head(self._lines)
        body = b"".join(self._chunks)
        answer = Answer(
            head.status,
            headers=curl.decoded(head.headers, len(body)),
            stream=httpx.ByteStream(body),
            extensions={"http_version": head.version, "reason_phrase": head.reason},
        )
        answer.read()
        return answer

    def _failure(self, code: int, message: str) -> httpx.RequestError:
        if self._size > self._max_body_bytes:
            return BodyTooLarge(f"the answer's body is larger than {self._max_body_bytes} bytes")
        return curl.failure(code, message, sent=self._times_sent > 0)


class CurlTransport(httpx.BaseTransport):
    """HTTP/1.1 over libcurl: answers read whole, nothing followed, nothing taken from the environment.

    Args:
        max_body_bytes: The largest decoded body; a larger one is `BodyTooLarge`.
        ca_bundle: A PEM file of the authorities to trust; certifi's without one.
        proxy: A proxy's URL; without one every call goes straight, whatever the environment says.
        idle_seconds: How long a connection may lie idle and still be used. The default is under the 60 seconds after
            which a load balancer at AWS, where Genesys Cloud runs, drops it, so that a call seldom meets its end.
    """

    def __init__(
        self,
        *,
        max_body_bytes: int = 1 << 20,
        ca_bundle: str | None = None,
        proxy: str | None = None,
        idle_seconds: int = 50,
    ) -> None:
        self._max_body_bytes = max_body_bytes
        self._options = _options(ca_bundle or certifi.where(), proxy, idle_seconds)
        # Handles at rest, the last used on top: it has the warmest connection. list's append and pop are atomic.
        # By process: a child must not speak on its parent's connections, and makes its own.
        self._resting: dict[int, list[Handle]] = {}
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to this request, its content loaded.

        The extension `deadline` is the seconds left for all of it, `timeout` httpx's dictionary; `curl.limits` says how
        they bound the call.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: The request has not been sent.
            httpx.RequestError: Any other kind: it may have been.
        """
        if self._closed:
            raise RuntimeError("this transport is closed")
        handle = self._take()
        try:
            response = handle.send(request)
        except httpx.RequestError as error:
            error.request = request
            raise
        finally:
            self._rest(handle)
        response.request = request
        return response

    def _take(self) -> Handle:
        try:
            return self._resting[os.getpid()].pop()
        except LookupError:
            return Handle(self._options, self._max_body_bytes)

    def _rest(self, handle: Handle) -> None:
        self._resting.setdefault(os.getpid(), []).append(handle)
        if self._closed:  # by another thread, meanwhile
            self.close()

    def close(self) -> None:
        """End this process's connections; those in use end with their call."""
        self._closed = True
        resting = self._resting.get(os.getpid(), [])
        while resting:
            resting.pop().close()


def _options(ca_bundle: str, proxy: str | None, idle_seconds: int) -> dict[int, Any]:
    """What every call of a transport has in common."""
    return {
        pycurl.NOSIGNAL: 1,  # libcurl would time name look-ups with SIGALRM, which threads share
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PATH_AS_IS: 1,
        pycurl.USERAGENT: "",
        pycurl.ACCEPT_ENCODING: "gzip, deflate",  # to decode; the header itself is the request's
        pycurl.PROXY: proxy or "",
        pycurl.NOPROXY: "" if proxy else "*",
        pycurl.CAINFO: ca_bundle,  # libcurl keeps the parsed file for a day with each handle; a blob it would not keep
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.MAXAGE_CONN: idle_seconds,
        pycurl.MAXCONNECTS: 1,  # so that a fresh connection replaces the one it was made instead of
    }
