"""A client's connection as gunicorn reads from it and writes to it: under time limits, and a response in one piece."""

from contextlib import suppress
from time import monotonic
from typing import Any

from gevent.socket import SHUT_RD, cancel_wait_ex, socket

from cobrowse.errors import RequestTimeout

# Seconds a client has for a request's head, from its first byte (a new connection: from its opening), then for its
# body, and at last to take the response.
READ_SECONDS = 8.0
SEND_SECONDS = 10.0
# A longer piece of a response is sent as it comes.
HELD_BYTES = 65_536


class ClientSocket:
    """The socket of one connection. `keepalive`: seconds for which it may lie idle between two requests.

    `idle_since` is when it began to lie idle, in monotonic seconds; 0 if it doesn't.
    """

    def __init__(self, wrapped: socket, keepalive: float) -> None:
        self.wrapped = wrapped
        self.idle_since = 0.0
        self._keepalive = keepalive
        self._ends = monotonic() + READ_SECONDS
        # Whether the first byte of a request is awaited: if none comes, there is nothing to answer.
        self._is_first = True
        self._held: list[bytes] = []

    def await_request(self) -> None:
        """Wait from now on for the next request."""
        self._is_first = True
        self.idle_since = monotonic()
        self._ends = self.idle_since + self._keepalive

    def await_rest(self) -> None:
        """Wait from now on for the rest of a head, or for a body or a request that has begun to come."""
        self._is_first = False
        self.idle_since = 0.0
        self._ends = monotonic() + READ_SECONDS

    def recv(self, size: int) -> bytes:
        """The next bytes; none if the client has closed its end, or has asked for nothing until the time was over.

        Raises:
            RequestTimeout: What it has begun to send was not there in time.
        """
        try:
            self.wrapped.settimeout(max(0.0, self._ends - monotonic()))
            try:
                data: bytes = self.wrapped.recv(size)
            except cancel_wait_ex:
                data = self.wrapped.recv(size)  # it was let go meanwhile: what has come, or nothing
        except (TimeoutError, BlockingIOError):
            if self._is_first:
                return b""
            raise RequestTimeout(f"the request did not arrive within {READ_SECONDS:g} s") from None
        if self._is_first:
            self.await_rest()
        return data

    def let_go(self) -> None:
        """Read what has come, and nothing after it: an idle connection ends, a request that is there is served."""
        with suppress(OSError):
            self.wrapped.shutdown(SHUT_RD)

    def sendall(self, data: bytes) -> None:
        """Send it with what comes next, so that a head and its body are one packet; or at once if it is much."""
        self._held.append(data)
        if len(data) > HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self.wrapped.settimeout(SEND_SECONDS)
            self.wrapped.sendall(data)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        """Anything else that is done with the socket comes after what is held."""
        self.flush()
        return getattr(self.wrapped, name)
