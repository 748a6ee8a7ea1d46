"""Servers that answer as a test says, byte by byte, and the transport that calls them."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import gevent
import httpx
import pytest

from integrations.genesys.transport import CurlTransport
from tests.clocks import HANGS

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)


@dataclass
class Exchange:
    """One request as the server has it, and the socket to answer it on."""

    socket: socket.socket
    raw: bytes
    connection: int  # how many connections came before this one
    number: int  # how many requests came before this one on its connection

    @property
    def head(self) -> list[bytes]:
        return self.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


Answer = Callable[[Exchange], bytes | None]


class Upstream:
    """A server in this process: `answer` turns each request into bytes to send, or None to hang up."""

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.context = context
        self.seen: list[Exchange] = []
        self.connections = 0
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.threads = [threading.Thread(target=self._listen, daemon=True)]
        self.threads[0].start()

    def _listen(self) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(accepted)
            thread = threading.Thread(target=self._serve, args=(accepted, self.connections), daemon=True)
            self.connections += 1
            self.threads.append(thread)
            thread.start()

    def _serve(self, accepted: socket.socket, connection: int) -> None:
        spoken = accepted
        try:
            if self.context:
                spoken = self.context.wrap_socket(accepted, server_side=True)
                self.open.append(spoken)
            number = 0
            while raw := read_request(spoken):
                exchange = Exchange(spoken, raw, connection, number)
                self.seen.append(exchange)
                answer = self.answer(exchange)
                if answer is None:
                    break
                spoken.sendall(answer)
                number += 1
        except OSError:
            pass
        finally:
            spoken.close()
            accepted.close()

    def stop_listening(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def close(self) -> None:
        self.stop_listening()
        for each in self.open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(HANGS)


def read_request(connection: socket.socket) -> bytes:
    """One whole request's bytes; nothing once the client has hung up."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        raw += chunk
    head, _, body = raw.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    chunked = b"transfer-encoding: chunked" in head.lower()
    while len(body) < sum(lengths) or (chunked and not body.endswith(b"0\r\n\r\n")):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def serve() -> Iterator[Callable[..., Upstream]]:
    started: list[Upstream] = []

    def start(answer: Answer | bytes = OK, context: ssl.SSLContext | None = None) -> Upstream:
        started.append(Upstream(answer if callable(answer) else lambda _: answer, context))
        return started[-1]

    yield start
    for upstream in started:
        upstream.close()


@pytest.fixture
def transport() -> Iterator[CurlTransport]:
    transport = CurlTransport()
    yield transport
    transport.close()


@contextmanager
def a_transport(**options: object) -> Iterator[CurlTransport]:
    transport = CurlTransport(**options)
    try:
        yield transport
    finally:
        transport.close()


@pytest.fixture(autouse=True, params=["alone", "among greenlets"])
def company(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test runs by itself and again while other greenlets make calls on the same hub, which must all go well."""
    if request.param == "alone":
        yield
        return
    upstream, other = Upstream(lambda exchange: OK), CurlTransport()
    answers: list[bytes] = []
    stop = False

    def keep_calling() -> None:
        while not stop:
            answers.append(call(other, "POST", upstream.url, content=b"x" * 2000).content)
            gevent.sleep(0.01)

    callers = [gevent.spawn(keep_calling) for _ in range(8)]
    gevent.sleep(0)
    try:
        yield
        stop = True
        gevent.joinall(callers, raise_error=True)
    finally:
        gevent.killall(callers)
        other.close()
        upstream.close()
    assert len(answers) >= len(callers)
    assert set(answers) == {b"ok"}


def call(
    transport: CurlTransport, method: str, url: str, *, deadline: float = HANGS, **parts: object
) -> httpx.Response:
    return transport.handle_request(httpx.Request(method, url, extensions={"timeout": {"read": deadline}}, **parts))


def slowly(pieces: list[bytes], pause: float) -> Answer:
    """Sends one piece after another and then hangs up."""

    def answer(exchange: Exchange) -> None:
        for piece in pieces:
            exchange.socket.sendall(piece)
            time.sleep(pause)

    return answer
