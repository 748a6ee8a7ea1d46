"""gunicorn's gevent worker with time limits: a slow client holds a greenlet, and none for longer than these.

It also closes a connection whose request was not read to its end, so that no part of a body is read as a request.
"""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from time import monotonic
from types import SimpleNamespace
from typing import Any

from gevent import sleep
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import socket
from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from cobrowse.errors import CobrowseError, InternalError, MalformedRequest, RequestTimeout
from web import error_handlers, responses
from web.client_socket import SEND_SECONDS, ClientSocket, CountedBody

Handle = Callable[[Any, socket, object], None]

# Seconds for which a connection must have asked for nothing before a stopping worker closes it. A request that was on
# its way is served until then, and its response says that the connection closes.
STOP_SECONDS = 2.0
# Signals that end a worker; blocked where the server forks it, until it can handle them.
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGQUIT, signal.SIGINT})


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
        self.clients: set[ClientSocket] = set()

    def init_signals(self) -> None:
        """Handle signals, and those first that came since the fork."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def load_wsgi(self) -> None:
        """Load the application; while the worker stops, each response says that its connection closes."""
        super().load_wsgi()
        # gunicorn looks a setting up each time, some twenty times a request.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        application = self.wsgi  # type: ignore[has-type]  # gunicorn has no types
        self.callbacks = application.extensions.get("callbacks")
        self.recorder = application.extensions.get("recorder")

        def run(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401 - WSGI's own types
            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ANN401
                if not self.alive:
                    start_response.__self__.force_close()
                return start_response(status, headers, exc_info)

            return application(environ, start)

        self.wsgi = run

    def handle(self, listener: Any, client: socket, addr: object) -> None:  # noqa: ANN401 - gunicorn has no types
        """Serve a connection, in a greenlet of its own."""
        limited = ClientSocket(client, self.cfg.keepalive)
        self.clients.add(limited)
        try:
            AsyncWorker.handle(self, listener, limited, addr)
        finally:
            self.clients.remove(limited)

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """What bounds the wait for the next request: nothing, the socket does."""
        return nullcontext()

    def handle_request(self, listener_name: object, req: Any, sock: ClientSocket, addr: object) -> None:  # noqa: ANN401 - gunicorn has no types
        """Serve a request. The body's time starts now; the connection is kept only if it was read to its end."""
        req.body = CountedBody(req)
        sock.await_rest()
        try:
            try:
                super().handle_request(listener_name, req, sock, addr)
            finally:
                sock.flush()
        except (StopIteration, TimeoutError):
            util.close_graceful(sock.wrapped)
            raise StopIteration from None
        if not req.unreader.buf.getbuffer():  # else the next one has begun to come, behind this one
            sock.await_request()
        sleep(0)  # the others' turn: a client that sends without a pause would have all

    def handle_error(self, _req: object, client: ClientSocket, _addr: object, exc: BaseException) -> None:
        """Answer what never reached the application, in the form of all answers, and close the connection."""
        if isinstance(exc, RequestTimeout):
            error: CobrowseError = exc
        elif isinstance(exc, ParseException):
            error = MalformedRequest(f"the request is not HTTP/1.1: {exc}"[:200])
        else:
            self.log.error("error handling a request", exc_info=exc)
            error = InternalError("internal error")
        send_error(client.wrapped, error)

    def notify(self) -> None:
        """Called every second: notify the arbiter that the loop runs, and close clients that take too long.

        While the worker stops, also of idle ones.
        """
        super().notify()
        now = monotonic()
        for client in self.clients.copy():
            if now > client.waits_until or (not self.alive and now - client.idle_since > STOP_SECONDS):
                # Not by killing its greenlet: that may have begun to serve a request by the time it is killed.
                client.let_go()


def send_error(client: socket, error: CobrowseError) -> None:
    """Send an error response as the last one of a connection, and close it once the client has."""
    response = responses.error_response(error, "")
    headers = {**error_handlers.HEADERS, **dict(response.headers.items()), "Connection": "close"}
    lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    client.settimeout(SEND_SECONDS)
    try:
        client.sendall("\r\n".join(lines).encode("latin-1") + response.get_data())
    except OSError:
        return  # the client has gone
    util.close_graceful(client)
