"""The sandbox on a socket: HTTP/1.1 with connections that stay open, a thread for each."""

import io
import ipaddress
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from email.utils import formatdate
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from sandbox.answers import head
from sandbox.app import create_app
from sandbox.fake_genesys import FakeGenesys, random_id
from sandbox.options import Options
from sandbox.response_faults import RESET
from sandbox.streams import PREFIX, serve_stream

BACKLOG = 1024  # connections that wait to be accepted: a load test opens hundreds at once
_MAX_BODY_BYTES = 16_000_000  # bytes of a body that are read, so that the 413 arrives, before the connection is cut
_GRACE = 2.0  # seconds that running calls have when the sandbox stops


class _Handler(WSGIRequestHandler):
    """Runs the app for one connection, call after call: werkzeug's own handler closes after each."""

    server: "_Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # TCP_NODELAY: the last packet of an answer must not wait for an ACK

    def run_wsgi(self) -> None:
        """Answer one request with one write where the body is one piece."""
        if self.headers.get("Upgrade", "").lower() == "websocket" and self.path.startswith(PREFIX):
            self.close_connection = True
            genesys = self.server.genesys
            serve_stream(self.connection, self.path, self.headers.items(), genesys.channels, genesys.stopping.is_set)
            return
        environ = self.make_environ()
        body = self._read_body(environ["wsgi.input"] if environ.get("wsgi.input_terminated") else None)
        if body is None:
            self.close_connection = True
            return
        environ["wsgi.input"] = io.BytesIO(body)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
        opening = b""

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Callable[..., None]:
            nonlocal opening
            length = any(name.lower() == "content-length" for name, _ in headers)
            self.close_connection = self.close_connection or not length
            last = [("Connection", "close")] if self.close_connection else []
            opening = head(status, [("Date", formatdate(usegmt=True)), *headers, *last])
            return lambda *_: None  # the old way to write; Flask doesn't use it

        pieces: Iterable[bytes] = self.server.app(environ, start_response)
        try:
            for piece in pieces:
                self.connection.sendall(opening + piece)
                opening = b""
            if opening:
                self.connection.sendall(opening)
        finally:
            close: Callable[[], None] = getattr(pieces, "close", lambda: None)
            close()

    def _read_body(self, chunked: io.RawIOBase | None) -> bytes | None:
        """The whole body, so that the next request starts where this one ends; None if it can't be read."""
        try:
            if chunked is not None:
                body = b"".join(iter(lambda: chunked.read(65_536) or b"", b""))
                return body if len(body) <= _MAX_BODY_BYTES else None
            length = int(self.headers.get("Content-Length", "0"))
        except (ValueError, OSError):
            return None
        if not 0 <= length <= _MAX_BODY_BYTES:
            return None
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - the name is werkzeug's
        """Keep no access log: the sandbox records its calls itself."""


class _Server(ThreadedWSGIServer):
    """Knows its open connections, so that it can stop at once, and closes without FIN where a fault wants RST."""

    def __init__(self, listening: socket.socket, genesys: FakeGenesys) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self.genesys = genesys
        host, port = listening.getsockname()[:2]
        super().__init__(host, port, create_app(genesys), _Handler, fd=listening.fileno())
        listening.close()  # the server holds a duplicate

    def serve_forever(self, poll_interval: float = 0.05) -> None:
        """Serve until stopped; werkzeug's own would keep an interrupt to itself."""
        try:
            socketserver.BaseServer.serve_forever(self, poll_interval)
        finally:
            self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's own signature
        """Take a connection."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - socketserver's own signature
        """Let go of a connection; one that is set to be reset must not say goodbye first."""
        with self._guard:
            self._open.discard(request)
        if request.fileno() < 0:  # its thread was faster, and an interrupt has brought us here once more
            return
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET)) == RESET:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def close_connections(self) -> None:
        """End every connection, and give the threads behind them a moment to finish."""
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # the other side was faster
                continue
        until = time.monotonic() + _GRACE
        while self._open and time.monotonic() < until:
            time.sleep(0.005)


class Sandbox(FakeGenesys, AbstractContextManager["Sandbox"]):
    """A world that is served at `url` until `stop`; leaving its `with` block stops it."""

    def __init__(
        self,
        options: Options,
        listening: socket.socket,
        *,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        super().__init__(options, clock=clock, new_id=new_id)
        self._server = _Server(listening, self)
        self._thread: threading.Thread | None = None
        self.port: int = self._server.port
        self.url = f"http://{f'[{self._server.host}]' if ':' in self._server.host else self._server.host}:{self.port}"

    def run(self) -> None:
        """Serve until stopped."""
        try:
            self._server.serve_forever()
        finally:
            self.stopping.set()
            self._server.close_connections()

    def start_in_thread(self) -> None:
        """Serve in a thread of its own, until stopped."""
        self._thread = threading.Thread(target=self.run, name=f"sandbox:{self.port}", daemon=True)
        self._thread.start()

    def close_connections(self) -> None:
        """End every connection, and let the calls that run finish."""
        self._server.close_connections()

    def stop(self) -> None:
        """Stop serving, end every connection and free the port; stopping again changes nothing."""
        self.stopping.set()
        self._server.shutdown()
        if self._thread is not None:
            self._thread.join()

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    allow_remote: bool = False,
    clock: Callable[[], float] = time.time,
    new_id: Callable[[], str] = random_id,
    **options: Any,  # noqa: ANN401 - the fields of Options
) -> Sandbox:
    """Start a sandbox in a thread of its own, on a port of the system's choice unless one is named.

    Raises:
        ValueError: the host is not this machine alone and `allow_remote` isn't given.
        OSError: the port can't be had.
    """
    settings = Options(**options)
    listening = _listen(host, port, allow_remote=allow_remote)
    sandbox = Sandbox(settings, listening, clock=clock, new_id=new_id)
    sandbox.start_in_thread()
    return sandbox


def serve(
    host: str = "127.0.0.1",
    port: int = 8100,
    *,
    allow_remote: bool = False,
    ready: Callable[[Sandbox], None] = lambda _: None,
    **options: Any,  # noqa: ANN401 - the fields of Options
) -> None:
    """Serve a sandbox until it is stopped or interrupted; `ready` is called with it once it listens.

    Raises:
        KeyboardInterrupt: it was interrupted; by then it has stopped.
        ValueError: the host is not this machine alone and `allow_remote` isn't given.
        OSError: the port can't be had.
    """
    sandbox = Sandbox(Options(**options), _listen(host, port, allow_remote=allow_remote))
    ready(sandbox)
    sandbox.run()


def _listen(host: str, port: int, *, allow_remote: bool) -> socket.socket:
    """A listening socket, on loopback only unless configured otherwise: a toy with a known secret."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        local = ipaddress.ip_address(address).is_loopback
    except ValueError:
        local = False
    if not local and not allow_remote:
        raise ValueError(f"host: {host!r} is not a loopback address, and allow_remote is not given")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)
