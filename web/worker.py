"""gunicorn's gevent worker with time limits: a slow client holds a greenlet, and none for longer than these.

It also closes a connection whose request was not read to its end, so that no part of a body is read as a request.
"""

from collections.abc import Callable
from functools import partial
from time import monotonic
from types import SimpleNamespace, TracebackType
from typing import Any

from gevent import Greenlet, Timeout, getcurrent
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import socket, wait_read
from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from cobrowse.errors import CobrowseError, InternalError, MalformedRequest, RequestTimeout
from web import error_handlers, responses
from web.request_body import TimedBody

Handle = Callable[[Any, socket, object], None]

# Seconds a client has for a request's head, from its first byte (a new connection: from its opening), then for its
# body, and at last to take the response.
READ_SECONDS = 8.0
SEND_SECONDS = 10.0
# Seconds for which a connection must have asked for nothing before a stopping worker closes it. A request that was on
# its way is served until then, and its response says that the connection closes.
STOP_SECONDS = 2.0
# A longer piece of a response is sent as it comes.
HELD_BYTES = 65_536


class Server(StreamServer):  # type: ignore[misc]  # gevent has no types
    """gevent's server, which serves all that have connected before it closes: the kernel would reset them."""

    max_accept = 1  # so that the other workers get their share of many connections at once

    def __init__(self, listener: socket, *, spawn: Pool, handler_class: Handle, **_of_pywsgi: object) -> None:
        name = listener.getsockname()  # asked for by each connection, also once the socket is closed
        super().__init__(listener, partial(handler_class, SimpleNamespace(getsockname=lambda: name)), spawn=spawn)

    def close(self) -> None:
        """Take what is in the socket's queue, and close it in the same turn of the loop."""
        while not self.closed and not self.full() and (accepted := self.do_read()) is not None:
            self.do_handle(*accepted)
        super().close()


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's gevent worker with time limits."""

    server_class = Server

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - gunicorn's own signature
        super().__init__(*args, **kwargs)
        self.wsgi_handler: Handle = self.handle
        self.connections: dict[Greenlet, Connection] = {}

    def load_wsgi(self) -> None:
        """Load the application; while the worker stops, each response says that its connection closes."""
        super().load_wsgi()
        # gunicorn looks a setting up anew each time, some twenty times a request.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        application = self.wsgi  # type: ignore[has-type]  # gunicorn has no types
        self.callbacks = application.extensions.get("callbacks")

        def run(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401 - WSGI's own types
            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ANN401
                if not self.alive:
                    start_response.__self__.force_close()
                return start_response(status, headers, exc_info)

            return application(environ, start)

        self.wsgi = run

    def handle(self, listener: Any, client: socket, addr: object) -> None:  # noqa: ANN401 - gunicorn has no types
        """Serve a connection, in a greenlet of its own."""
        client.settimeout(SEND_SECONDS)
        self.connections[getcurrent()] = Connection(client, self.cfg.keepalive)
        try:
            AsyncWorker.handle(self, listener, client, addr)
        finally:
            del self.connections[getcurrent()]

    def timeout_ctx(self) -> "Connection":
        """What bounds the wait for the next request."""
        return self.connections[getcurrent()]

    def handle_request(self, listener_name: object, req: Any, sock: socket, addr: object) -> None:  # noqa: ANN401 - gunicorn has no types
        """Serve a request. The body's time starts now; the connection is kept only if it was read to its end."""
        self.connections[getcurrent()].request = req
        req.body = TimedBody(req, READ_SECONDS)
        held = HeldSends(sock)
        try:
            try:
                super().handle_request(listener_name, req, held, addr)
            finally:
                held.flush()
        except (StopIteration, TimeoutError):
            util.close_graceful(sock)
            raise StopIteration from None

    def handle_error(self, _req: object, client: socket, _addr: object, exc: BaseException) -> None:
        """Answer what never reached the application, in the form of all answers, and close the connection."""
        if isinstance(exc, ParseException):
            send_error(client, MalformedRequest(f"the request is not HTTP/1.1: {exc}"[:200]))
        else:
            self.log.error("error handling a request", exc_info=exc)
            send_error(client, InternalError("internal error"))

    def notify(self) -> None:
        """Called every second: notify the arbiter that the loop runs, and while stopping let go of idle connections."""
        super().notify()
        for greenlet, connection in list(self.connections.items()) if not self.alive else ():
            if connection.idle_since and monotonic() - connection.idle_since > STOP_SECONDS:
                greenlet.kill(StopIteration, block=False)


class HeldSends:
    """A client's socket that sends a response's head together with its body, as one packet if they fit."""

    def __init__(self, client: socket) -> None:
        self._client = client
        self._held: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """Send it with what comes next, or at once if it is much."""
        self._held.append(data)
        if len(data) > HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._client.sendall(data)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        """Anything else that is done with the socket comes after what is held."""
        self.flush()
        return getattr(self._client, name)


class Connection:
    """A client's connection as the context of waiting for its next request: first for a byte, then for the head."""

    def __init__(self, client: socket, keepalive: float) -> None:
        self.request: Any = None
        self.idle_since = 0.0
        self._client = client
        self._keepalive = keepalive
        self._timeout = Timeout(READ_SECONDS)

    def __enter__(self) -> None:
        is_first = self.request is None
        if is_first or not self.request.unreader.buf.getbuffer():
            self.idle_since = 0.0 if is_first else monotonic()
            seconds = READ_SECONDS if is_first else self._keepalive
            wait_read(self._client.fileno(), timeout=seconds, timeout_exc=StopIteration())
            self.idle_since = 0.0
        self._timeout = Timeout.start_new(READ_SECONDS)

    def __exit__(self, _type: object, error: BaseException | None, _trace: TracebackType | None) -> None:
        self._timeout.close()
        if error is self._timeout:
            send_error(self._client, RequestTimeout(f"the request's head did not arrive within {READ_SECONDS:g} s"))
            raise StopIteration


def send_error(client: socket, error: CobrowseError) -> None:
    """Send an error response as the last one of a connection, and close it once the client has."""
    response = responses.error_response(error, "")
    headers = {**error_handlers.HEADERS, **dict(response.headers.items()), "Connection": "close"}
    lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    try:
        client.sendall("\r\n".join(lines).encode("latin-1") + response.get_data())
    except OSError:
        return  # the client has gone
    util.close_graceful(client)
