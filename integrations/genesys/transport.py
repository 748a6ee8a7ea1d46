"""An httpx transport made for many calls at once: httpx's requests and responses, carried by libcurl.

httpx's own pool is scanned and polled at every call, which costs more the more calls share it.
Here each call takes a connection that no other call has, and puts it back.
"""

import select
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic  # noqa: TID251 - libcurl's idle connections count in real time
from typing import Any

import certifi
import httpx
import pycurl
from gevent.monkey import get_original

from integrations.genesys import curl, multi
from integrations.genesys.curl import BodyTooLarge
from integrations.genesys.origin import OriginRequest
from integrations.genesys.waits import Fields

__all__ = ["BodyTooLarge", "CurlTransport"]

# libcurl repeats a request by itself when a connection used before ends without an answer. A server may have acted on
# it by then, so only what changes nothing (RFC 9110, 9.2.1) may go out twice.
_SAFE = frozenset({"GET", "HEAD"})
# The unpatched one, since it never waits: gevent's would start watchers and yield.
_poll = get_original("select", "poll")


class BufferedResponse(httpx.Response):
    """A response that is here whole and decoded. What httpx makes of it, it makes when somebody asks for it."""

    def __init__(self, head: curl.ResponseHead, body: bytes) -> None:
        # Not httpx.Response's own: it looks at each header several times, which costs more than the call.
        self.status_code = head.status
        self.extensions = {"http_version": head.version, "reason_phrase": head.reason}
        self.head = head
        self._content = body

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - httpx says which type each is
        """What httpx.Response has from its making and this one not yet."""
        if "stream" in self.__dict__:
            raise AttributeError(name)
        kept = dict(self.__dict__)
        super().__init__(self.status_code, headers=self.head.headers, stream=httpx.ByteStream(self._content))
        self.__dict__.update(kept, is_closed=True, is_stream_consumed=True)
        return getattr(self, name)


def fields_of(response: httpx.Response) -> Fields:
    """A response's headers by their names in lower case."""
    return response.head if isinstance(response, BufferedResponse) else response.headers


class Connection:
    """One libcurl easy handle with one connection kept alive, used by one call at a time."""

    def __init__(self, options: Mapping[int, object], max_body_bytes: int) -> None:
        self.used_at = 0.0
        self._max_body_bytes = max_body_bytes
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._times_sent = 0
        self._is_safe = False
        # Its own pool, of one: libcurl would choose any idle connection of the multi handle's, whether or not the
        # server has ended it meanwhile, and a POST must know which one it gets.
        self._pool = pycurl.CurlShare()
        self._pool.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_CONNECT)
        self._curl = pycurl.Curl()
        self._curl.setopt(pycurl.SHARE, self._pool)
        for option, value in options.items():
            self._curl.setopt(option, value)
        # A callback takes the interpreter's lock; a built-in one is at least short. Headers come one a line.
        self._curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self._curl.setopt(pycurl.WRITEFUNCTION, self._on_chunk)
        self._curl.setopt(pycurl.PREREQFUNCTION, self._on_send)

    def send(self, request: httpx.Request) -> httpx.Response:
        """The whole response. Every option that differs between requests is set here, so none is left from the last.

        Raises:
            httpx.RequestError: As `curl.map_error` says, after the extension `answered` is set to the answer's status
                where its head came whole; `BodyTooLarge` past the limit; what `curl.parse_head` raises.
                After any other exception the connection is in an unknown state and must be closed.
        """
        connect, total = curl.limits(request.extensions)
        body = request.read()
        has_body = bool(body)
        set_option = self._curl.setopt
        options = curl.method_options(request.method, has_body=has_body)
        if isinstance(request, OriginRequest):
            target, headers = request.target, request.raw_headers
        else:
            target, headers = curl.target(request.url), request.headers.raw
        lines = curl.header_lines(headers, has_body=has_body)
        for option, value in options:
            set_option(option, value)
        if has_body:
            set_option(pycurl.POSTFIELDS, body)
        set_option(pycurl.HTTPHEADER, lines)
        set_option(pycurl.URL, target)
        set_option(pycurl.CONNECTTIMEOUT_MS, connect)
        set_option(pycurl.TIMEOUT_MS, total)
        self._is_safe = request.method in _SAFE
        set_option(pycurl.FRESH_CONNECT, not self._is_safe and self._has_pending_data())
        self._size = self._times_sent = 0
        try:
            multi.perform(self._curl)
            return BufferedResponse(curl.parse_head(self._lines), b"".join(self._chunks))
        except pycurl.error as error:
            if self._times_sent:  # else what is there is a proxy's
                with suppress(httpx.RemoteProtocolError):
                    request.extensions["answered"] = curl.parse_head(self._lines).status
            if self._size > self._max_body_bytes:
                raise BodyTooLarge(f"the response's body is larger than {self._max_body_bytes} bytes") from error
            raise curl.map_error(*error.args, sent=self._times_sent > 0) from error
        finally:
            self._lines.clear()
            self._chunks.clear()

    def close(self) -> None:
        """End the connection."""
        self._curl.close()
        self._pool.close()

    def _has_pending_data(self) -> bool:
        """Whether the server has sent something since the last response: that it hangs up, most likely.

        libcurl checks as well, but once a second at most, and makes up for it by sending again.
        """
        connection = self._curl.getinfo(pycurl.ACTIVESOCKET)
        if connection < 0:
            return False
        waiting = _poll()
        waiting.register(connection, select.POLLIN)
        return bool(waiting.poll(0))

    def _on_send(self, *_addresses: object) -> int:
        """Called when a connection stands and the request is about to go out on it: each time it does."""
        if self._times_sent and not self._is_safe:
            return int(pycurl.PREREQFUNC_ABORT)
        self._times_sent += 1
        self._lines.clear()  # a proxy's answer to CONNECT is none to the request
        return int(pycurl.PREREQFUNC_OK)

    def _on_chunk(self, chunk: bytes) -> int | None:
        """Called with at most 16 KiB of decoded body; taking none of it ends the call."""
        self._size += len(chunk)
        if self._size > self._max_body_bytes:
            return 0
        self._chunks.append(chunk)
        return None


class CurlTransport(httpx.BaseTransport):
    """HTTP/1.1 over libcurl: responses read whole, nothing followed, nothing taken from the environment.

    A call blocks its greenlet. In a thread without greenlets it blocks the thread, as any other transport does. A
    process that has made a call must not fork and call on in both.

    Args:
        max_body_bytes: The largest decoded body; a larger one is `BodyTooLarge`.
        ca_bundle: A PEM file of the authorities to trust; certifi's without one.
        proxy: A proxy's URL, http or https, with a user and password if it asks for them; without one every call goes
            straight, whatever the environment says.
        no_proxy: Hosts to reach without the proxy: names (with their subdomains), addresses or networks, with commas.
        client_cert: A PEM file with the certificate chain to show to servers that ask for one.
        client_key: A PEM file with its private key; without one it is in `client_cert`.
        idle_seconds: How long a connection may lie idle and still be used; later calls end it. The default is under the
            60 seconds after which a load balancer at AWS, where Genesys Cloud runs, drops it, so that a call seldom
            meets its end.
    """

    def __init__(
        self,
        *,
        max_body_bytes: int = 8 << 20,
        ca_bundle: str | None = None,
        proxy: str | None = None,
        no_proxy: str = "",
        client_cert: str | None = None,
        client_key: str | None = None,
        idle_seconds: int = 50,
    ) -> None:
        self._max_body_bytes = max_body_bytes
        ca_bundle = ca_bundle or certifi.where()
        self._options = curl.constant_options(ca_bundle, client_cert, client_key, proxy, no_proxy, idle_seconds)
        self._idle_seconds = idle_seconds
        # Idle connections, the last used at the right: it is the warmest. A deque's methods are atomic.
        self._idle: deque[Connection] = deque()
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response to this request, its content loaded.

        The extension `timeout` is httpx's dictionary; `curl.limits` says how it bounds the call.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: The request has not been sent.
            httpx.RequestError: Any other kind: it may have been.
            BaseException: What is thrown into the waiting greenlet (a kill, a `gevent.Timeout`): it may have been.
        """
        if self._closed:
            raise RuntimeError("this transport is closed")
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(self._options, self._max_body_bytes)
        try:
            response = connection.send(request)
        except httpx.RequestError as error:
            self._release(connection)
            error.request = request
            raise
        except BaseException:
            connection.close()
            raise
        self._release(connection)
        response.request = request
        return response

    def _release(self, connection: Connection) -> None:
        connection.used_at = monotonic()
        self._idle.append(connection)
        with suppress(IndexError):  # another thread may take what is seen here
            if connection.used_at - self._idle[0].used_at > self._idle_seconds:
                self._idle.popleft().close()  # a burst's, too old to be used again; one at each call is enough
        if self._closed:  # by another greenlet or thread, meanwhile
            self.close()

    def close(self) -> None:
        """End the idle connections; those in use end with their call."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
