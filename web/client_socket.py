"""A client's connection as gunicorn uses it: under time limits, a response in one piece, a body read to its end."""

from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

from gevent.socket import SHUT_RD, cancel_wait_ex, socket

from cobrowse.errors import RequestTimeout

# Seconds a client has for a request's head, from its first byte (a new connection: from its opening), then for its
# body, and at last to take the response.
READ_SECONDS = 8.0
SEND_SECONDS = 10.0
# A longer piece of a response is sent as it comes.
BUFFER_BYTES = 65_536


class ClientSocket:
    """The socket of one connection. `keepalive`: seconds for which it may lie idle between two requests.

    `waits_until` is when the wait for the client must end, `idle_since` since when a request's first byte is awaited.
    Both are monotonic seconds, and infinite where nothing is. The worker looks at them every second, which costs less
    than a timer for each wait.
    """

    def __init__(self, wrapped: socket, keepalive: float) -> None:
        self.wrapped = wrapped
        self.waits_until = inf
        self.idle_since = monotonic()
        self._ends = self.idle_since + READ_SECONDS
        self._keepalive = keepalive
        self._held: list[bytes] = []

    def await_request(self) -> None:
        """Wait from now on for the next request."""
        self.idle_since = monotonic()
        self._ends = self.idle_since + self._keepalive

    def await_rest(self) -> None:
        """Wait from now on for the rest of a head, or for a body or a request that has begun to come."""
        self.idle_since = inf
        self._ends = monotonic() + READ_SECONDS

    def recv(self, size: int) -> bytes:
        """The next bytes; none if the client has closed its end, or sent nothing until the time was over.

        Raises:
            RequestTimeout: What it has begun to send was not there in time.
        """
        self.waits_until = self._ends
        try:
            data: bytes = self.wrapped.recv(size)
        except cancel_wait_ex:
            data = self.wrapped.recv(size)  # `let_go` was called meanwhile: what has come, or nothing
        finally:
            self.waits_until = inf
        if self.idle_since == inf:
            if monotonic() > self._ends:
                raise RequestTimeout(f"the request did not arrive within {READ_SECONDS:g} s")
        elif data:
            self.await_rest()  # until then there is nothing to answer
        return data

    def let_go(self) -> None:
        """Read what has come, and nothing after it: an idle connection ends, a request that is there is served."""
        with suppress(OSError):
            self.wrapped.shutdown(SHUT_RD)

    def send(self, data: bytes) -> int:
        """Send it at once, as an interim response."""
        self.sendall(data)
        self.flush()
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Send it with what comes next, so that a head and its body are one packet; or at once if it is much."""
        self._held.append(data)
        if len(data) > BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is held. TimeoutError if the client does not take it in time."""
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self.wrapped.settimeout(SEND_SECONDS)
            self.wrapped.sendall(data)
            self.wrapped.settimeout(None)

    def close(self) -> None:
        """Close it."""
        self.wrapped.close()


class CountedBody:
    """gunicorn's body, for reading only.

    Until it has been read to its end, the request's connection must not be kept: what is left of the body would be read
    as the next request. gunicorn sends what `must_close` says as `Connection: close`, and stops reading.
    """

    def __init__(self, request: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        self._body = request.body
        # What is still to come of a body of known length; None for a chunked one.
        self._left: int | None = getattr(request.body.reader, "length", None)
        # Known no longer than it is needed: a request that its own body knows waits for the garbage collector.
        self._request: Any = None
        if self._left != 0 and not request.must_close:
            request.must_close = True
            self._request = request

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes; fewer at the body's end only."""
        if self._left == 0:
            return b""
        data: bytes = self._body.read(size)
        if self._left is not None:
            self._left -= len(data)
        elif size < 0 or len(data) < size:
            self._left = 0
        if self._left == 0 and self._request is not None:
            self._request.must_close = False
            self._request = None
        return data
