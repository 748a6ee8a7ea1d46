"""The engine over real sockets: what goes out, what comes back, and which exception a broken server is."""

import datetime as dt
import gzip
import ipaddress
import os
import socket
import ssl
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integrations.genesys import curl
from integrations.genesys.engine import BodyTooLarge, CurlTransport

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
        self.threads = [threading.Thread(target=self._listen)]
        self.threads[0].start()

    def _listen(self) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(accepted)
            thread = threading.Thread(target=self._serve, args=(accepted, self.connections))
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
            thread.join(5)


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
def an_engine(**options: object) -> Iterator[CurlTransport]:
    transport = CurlTransport(**options)
    try:
        yield transport
    finally:
        transport.close()


def call(transport: CurlTransport, method: str, url: str, *, deadline: float = 5.0, **parts: object) -> httpx.Response:
    return transport.handle_request(httpx.Request(method, url, extensions={"deadline": deadline}, **parts))


def slowly(pieces: list[bytes], pause: float) -> Answer:
    """Sends one piece after another and then hangs up."""

    def answer(exchange: Exchange) -> None:
        for piece in pieces:
            exchange.socket.sendall(piece)
            time.sleep(pause)

    return answer


# ---- what goes out


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        ("GET", {}),
        ("GET", {"headers": {"Accept": "*/*", "User-Agent": "bridge/1", "Accept-Encoding": "gzip"}}),
        ("GET", {"content": b"a body all the same"}),
        ("HEAD", {}),
        ("DELETE", {}),
        ("DELETE", {"json": {"reason": "gone"}}),
        ("POST", {}),
        ("POST", {"json": {"note": "née"}, "headers": {"Authorization": "Bearer t", "X-Empty": ""}}),
        ("POST", {"content": bytes(range(256))}),
        ("POST", {"content": b"x" * 2_000_000}),
        ("PUT", {}),
        ("PUT", {"content": b"all of it"}),
        ("PATCH", {}),
        ("PATCH", {"json": [1]}),
        ("POST", {"content": iter([b"piece by ", b"piece"])}),
        ("POST", {"headers": [("X-Same", "one"), ("X-Same", "two"), ("Content-Type", "text/plain; charset=latin-1")]}),
    ],
)
def test_a_request_goes_out_as_httpx_wrote_it_and_with_nothing_more(transport, serve, method, parts):
    upstream = serve(lambda exchange: OK[:-2] if exchange.raw.startswith(b"HEAD") else OK)
    request = httpx.Request(method, upstream.url + "/a%20b/c%2Fd;e?f=%7Bg%7D&h=", **parts)
    transport.handle_request(request)
    (seen,) = upstream.seen
    assert seen.head[0] == b"%s %s HTTP/1.1" % (method.encode(), request.url.raw_path)
    fields = [line.split(b":", 1) for line in seen.head[1:]]
    assert sorted((name, value.strip()) for name, value in fields) == sorted(request.headers.raw)
    if "transfer-encoding" in request.headers:
        assert b"piece by piece" in seen.body
    else:
        assert seen.body == request.content


def test_no_request_leaves_anything_behind_for_the_next(transport, serve):
    upstream = serve(lambda exchange: OK[:-2] if exchange.raw.startswith(b"HEAD") else OK)
    secret = {"Authorization": "Bearer of-the-first", "X-Note": "first", "Content-Type": "text/secret"}
    kinds = [("GET", None), ("HEAD", None), ("POST", b"body-first"), ("POST", None), ("PATCH", b"body-first")]
    kinds += [("DELETE", None), ("PUT", b"body-first")]
    for first, first_body in kinds:
        for second, _ in kinds:
            upstream.seen.clear()
            call(transport, first, upstream.url + "/first", headers=secret, content=first_body)
            call(transport, second, upstream.url + "/second")
            before, after = upstream.seen
            assert b"Bearer of-the-first" in before.raw
            assert b"first" not in after.raw
            assert b"secret" not in after.raw
            assert after.head[0] == f"{second} /second HTTP/1.1".encode()
            assert after.body == b""
    assert upstream.connections == 1


def test_a_token_of_a_call_that_failed_never_goes_out_with_the_next(transport, serve):
    upstream = serve(lambda exchange: None if b"token-a" in exchange.raw else OK)
    with pytest.raises(httpx.RemoteProtocolError):
        call(transport, "POST", upstream.url, headers={"Authorization": "Bearer token-a"}, content=b"body-a")
    call(transport, "GET", upstream.url)
    assert b"-a" not in upstream.seen[1].raw


def test_a_user_and_password_in_the_url_stay_out_of_the_request(transport, serve):
    upstream = serve()
    call(transport, "GET", upstream.url.replace("://", "://user:word@"))
    assert b"uthorization" not in upstream.seen[0].raw


@pytest.mark.parametrize(
    "parts",
    [
        {"headers": {"X-Note": "a\r\nX-Forged: b"}},
        {"headers": {"X-Note\r\nX-Forged": "b"}},
        {"headers": {"X-Note": "a\x00b"}},
        {"headers": {"X Note": "b"}},
        {"method": "GET / HTTP/1.1\r\nX-Forged: b\r\n\r\nGET"},
        {"method": "HEAD", "content": b"body"},
    ],
)
def test_a_request_that_would_break_its_own_lines_is_refused_unsent(transport, serve, parts):
    upstream = serve()
    with pytest.raises(httpx.LocalProtocolError):
        transport.handle_request(httpx.Request(**{"method": "POST", "url": upstream.url, **parts}))
    assert upstream.connections == 0


# ---- what comes back


def test_an_answer_has_its_status_phrase_version_headers_and_body(transport, serve):
    upstream = serve(
        b"HTTP/1.1 429 Nicht so schnell, Stra\xdfe\r\nRetry-After: 3\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"X-Latin: Stra\xdfe\r\nX-Empty:\r\nX-Colon: a:b: c \r\nContent-Length: 4\r\n\r\n\x00\xff\r\n"
    )
    response = call(transport, "GET", upstream.url)
    assert (response.status_code, response.content) == (429, b"\x00\xff\r\n")
    assert response.extensions["reason_phrase"] == b"Nicht so schnell, Stra\xdfe"
    assert response.http_version == "HTTP/1.1"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (response.headers["x-latin"], response.headers["x-empty"], response.headers["x-colon"]) == (
        "Straße",
        "",
        "a:b: c",
    )
    assert response.request.url.port == upstream.port
    assert response.is_closed


def test_an_interim_answer_is_passed_over_and_a_trailer_is_no_header(transport, serve):
    upstream = serve(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nX-Real: yes\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: no\r\n\r\n"
    )
    response = call(transport, "POST", upstream.url)
    assert (response.status_code, response.content, response.headers["x-real"]) == (201, b"abcde", "yes")
    assert "link" not in response.headers
    assert "x-late" not in response.headers


def test_a_proxys_answer_to_connect_is_not_the_servers():
    lines = [b"HTTP/1.1 200 Connected\r\n", b"Via: p\r\n", b"\r\n", b"HTTP/1.1 404\r\n", b"X-A: b\r\n", b"\r\n"]
    assert curl.read_head(lines) == (404, b"HTTP/1.1", b"", [(b"X-A", b"b")])


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\nContent-Encoding: gzip\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 17\r\n\r\n"),
        ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_an_answer_without_a_body_is_not_waited_for_and_keeps_its_connection(transport, serve, method, answer):
    upstream = serve(answer)
    for _ in range(2):
        assert call(transport, method, upstream.url, deadline=2).content == b""
    assert upstream.connections == 1


def test_an_answer_that_ends_with_its_connection_is_whole(transport, serve):
    upstream = serve(slowly([b"HTTP/1.0 200 OK\r\n\r\n", b"to the ", b"end"], 0.01))
    response = call(transport, "GET", upstream.url)
    assert (response.content, response.http_version) == (b"to the end", "HTTP/1.0")


@pytest.mark.parametrize(("coding", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
def test_a_packed_body_is_unpacked_once(transport, serve, coding, pack):
    packed = pack(b'{"a": 1}' * 500)
    upstream = serve(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(packed)) + packed
    )
    response = call(transport, "GET", upstream.url, headers={"Accept-Encoding": "gzip, deflate"})
    assert response.content == b'{"a": 1}' * 500
    assert "content-encoding" not in response.headers
    assert response.headers["content-length"] == "4000"


@pytest.mark.parametrize(
    "body",
    [b"not gzip at all.", gzip.compress(b"a" * 5000)[:20] + b"\xff" * 20, gzip.compress(b"a" * 5000)[:-8] + b"\0" * 8],
    ids=["no gzip", "garbled", "a false checksum"],
)
def test_a_body_that_cannot_be_unpacked_is_a_decoding_error(transport, serve, body):
    upstream = serve(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    with pytest.raises(httpx.DecodingError):
        call(transport, "GET", upstream.url)


def test_a_redirect_is_an_answer_and_is_not_followed(transport, serve):
    elsewhere = serve()
    upstream = serve(b"HTTP/1.1 302 Found\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n" % elsewhere.url.encode())
    response = call(transport, "GET", upstream.url)
    assert (response.status_code, response.headers["location"]) == (302, elsewhere.url + "/")
    assert elsewhere.connections == 0


def test_a_cookie_is_not_kept(transport, serve):
    upstream = serve(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n")
    for _ in range(2):
        call(transport, "GET", upstream.url)
    assert b"ookie" not in upstream.seen[1].raw


# ---- how much is read


@pytest.mark.parametrize("stated", [b"Content-Length: 1000000000", b"Transfer-Encoding: chunked"])
def test_a_huge_body_is_not_read_on(serve, stated):
    sent = []

    def answer(exchange: Exchange) -> None:
        exchange.socket.sendall(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % stated)
        piece = b"x" * 65536 if b"Length" in stated else b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for _ in range(1000):
            exchange.socket.sendall(piece)
            sent.append(len(piece))

    upstream = serve(answer)
    with an_engine(max_body_bytes=100_000) as transport, pytest.raises(BodyTooLarge, match="100000 bytes"):
        call(transport, "GET", upstream.url)
    upstream.close()
    assert sum(sent) < 20_000_000  # what the two sockets' buffers hold, of a thousand million


def test_the_limit_counts_unpacked_bytes(serve):
    packed = gzip.compress(b"\0" * 50_000_000)
    upstream = serve(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)
    with an_engine(max_body_bytes=100_000) as transport, pytest.raises(BodyTooLarge):
        call(transport, "GET", upstream.url)


def test_a_body_of_exactly_the_limit_is_read_and_the_next_call_starts_from_nought(serve):
    upstream = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000)
    with an_engine(max_body_bytes=50_000) as transport:
        for _ in range(3):
            assert len(call(transport, "GET", upstream.url).content) == 50_000


def test_headers_without_end_are_a_failed_answer(transport, serve):
    upstream = serve(b"HTTP/1.1 200 OK\r\n" + b"X-Same: %s\r\n" % (b"x" * 1000) * 2000)
    with pytest.raises(httpx.TransportError) as raised:
        call(transport, "GET", upstream.url)
    assert not isinstance(raised.value, NOT_SENT)


# ---- how long it takes


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 30],
        [b"HTTP/1.1 200 OK\r\n", *[b"X-Another: header\r\n"] * 30],
        [b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 30,
    ],
    ids=["the body", "the head", "interim answers"],
)
def test_a_server_that_drips_does_not_outlive_the_deadline(transport, serve, pieces):
    upstream = serve(slowly(pieces, 0.05))
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        call(transport, "POST", upstream.url, deadline=0.3)
    assert 0.25 < time.monotonic() - began < 0.5


@pytest.mark.parametrize("extensions", [{"timeout": {"read": 0.2}}, {"timeout": {"read": 9}, "deadline": 0.2}])
def test_a_silent_server_is_a_read_timeout_even_on_a_connection_used_before(transport, serve, extensions):
    upstream = serve(lambda exchange: time.sleep(0.6) if exchange.number else OK)
    call(transport, "GET", upstream.url)
    with pytest.raises(httpx.ReadTimeout):
        transport.handle_request(httpx.Request("POST", upstream.url, extensions=extensions))


@pytest.mark.parametrize(
    "extensions",
    [{"deadline": 0}, {"deadline": -1.5}, {"timeout": {"connect": 0}}, {"timeout": {"read": -1, "connect": None}}],
)
def test_with_no_time_left_nothing_is_sent(transport, serve, extensions):
    upstream = serve()
    with pytest.raises(httpx.ConnectTimeout) as raised:
        transport.handle_request(httpx.Request("POST", upstream.url, extensions=extensions))
    assert raised.value.request.method == "POST"
    assert upstream.connections == 0


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ({}, (0, 0)),
        ({"timeout": {"connect": 2.0, "read": 5.0, "write": 1.0, "pool": 1.0}}, (2000, 5000)),
        ({"timeout": {"connect": 2.0, "read": 5.0}, "deadline": 1.5}, (1500, 1500)),
        ({"timeout": {"connect": None, "read": None}, "deadline": 0.0004}, (1, 1)),
        ({"deadline": float("inf")}, (86_400_000, 86_400_000)),
    ],
)
def test_the_shortest_limit_holds_and_none_rounds_to_no_limit(extensions, expected):
    assert curl.limits(extensions) == expected


def test_a_server_that_takes_no_connection_is_a_connect_timeout(transport):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        began = time.monotonic()
        with pytest.raises(httpx.ConnectTimeout):
            call(transport, "POST", f"http://127.0.0.1:{full.getsockname()[1]}", deadline=0.3)
        assert time.monotonic() - began < 0.5
        for each in waiting:
            each.close()


def test_a_handshake_that_never_ends_is_a_connect_timeout(transport, serve):
    upstream = serve()  # reads the client's hello as a request that isn't complete
    with pytest.raises(httpx.ConnectTimeout):
        call(transport, "POST", upstream.url.replace("http:", "https:"), deadline=0.3)


# ---- what did not reach the server, and what may have


def test_a_refused_connection_was_never_sent(transport):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(httpx.ConnectError) as raised:
            call(transport, "POST", f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert raised.value.request.method == "POST"


def test_a_name_that_does_not_exist_was_never_sent(transport):
    with pytest.raises(NOT_SENT):
        call(transport, "POST", "http://nowhere.invalid/", deadline=1.0)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/hostname"])
def test_only_http_is_spoken(transport, url):
    with pytest.raises(httpx.UnsupportedProtocol):
        call(transport, "GET", url)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"\x16\x03\x01 no HTTP of any kind\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"",
    ],
    ids=["cut body", "cut chunk", "cut header", "cut head", "interim only", "garbage", "another protocol", "nothing"],
)
def test_an_answer_cut_short_or_garbled_is_a_protocol_error_of_a_request_that_was_sent(transport, serve, answer):
    upstream = serve(slowly([answer], 0))
    with pytest.raises(httpx.RemoteProtocolError):
        call(transport, "POST", upstream.url, content=b"once")
    assert len(upstream.seen) == 1


def reset(exchange: Exchange) -> None:
    exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("ending", [lambda _: None, reset], ids=["closed", "reset"])
@pytest.mark.parametrize(
    ("method", "content"),
    [("POST", b"create one"), ("POST", None), ("PATCH", b"change it"), ("PUT", b"put it"), ("DELETE", None)],
)
def test_a_request_that_went_unanswered_on_a_used_connection_is_not_sent_again(
    transport, serve, method, content, ending
):
    upstream = serve(lambda exchange: OK if exchange.raw.startswith(b"GET") else ending(exchange))
    call(transport, "GET", upstream.url)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        call(transport, method, upstream.url, content=content)
    time.sleep(0.05)
    assert [exchange.head[0].split()[0] for exchange in upstream.seen] == [b"GET", method.encode()]
    assert upstream.seen[1].number == 1, "it was the second request of a connection kept alive"


def test_a_get_that_went_unanswered_on_a_used_connection_is_sent_again(transport, serve):
    upstream = serve(lambda exchange: OK if exchange.number == 0 else None)
    for _ in range(2):
        assert call(transport, "GET", upstream.url).content == b"ok"
    assert [exchange.connection for exchange in upstream.seen] == [0, 0, 1]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_server_that_dies_with_a_request_in_hand_may_have_acted_on_it(transport, serve, method):
    """Its port then refuses the connection that libcurl tries next, which alone would look like "never sent"."""

    def answer(exchange: Exchange) -> bytes | None:
        if exchange.number == 0:
            return OK
        upstream.stop_listening()
        return None

    upstream = serve(answer)
    call(transport, "GET", upstream.url)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        call(transport, method, upstream.url)


@pytest.mark.parametrize("pause", [0.02, 1.05])  # libcurl looks for it itself, but once a second at most
def test_a_connection_the_server_has_closed_at_rest_is_replaced_before_a_post_goes_out(transport, serve, pause):
    closed = threading.Event()

    def answer(exchange: Exchange) -> bytes | None:
        exchange.socket.sendall(OK)
        closed.set()
        return None

    upstream = serve(answer)
    for _ in range(3):
        closed.clear()
        assert call(transport, "POST", upstream.url, content=b"each once").status_code == 200
        closed.wait(1)
        time.sleep(pause)
    assert [exchange.connection for exchange in upstream.seen] == [0, 1, 2]


def test_bytes_the_server_sent_unasked_are_not_taken_for_the_next_answer(transport, serve):
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    upstream = serve(lambda exchange: OK + late if exchange.connection == 0 else OK)
    for _ in range(2):
        assert call(transport, "POST", upstream.url).status_code == 200
        time.sleep(0.05)


# ---- many threads, many processes


def test_fifty_threads_each_get_their_own_answers(transport, serve):
    def answer(exchange: Exchange) -> bytes:
        echoed = exchange.head[0].split()[1] + b" " + exchange.body
        return (
            b"HTTP/1.1 200 OK\r\nX-Path: %s\r\nContent-Length: %d\r\n\r\n"
            % (
                exchange.head[0].split()[1],
                len(echoed),
            )
            + echoed
        )

    upstream = serve(answer)

    def work(thread: int) -> bool:
        fine = True
        for number in range(20):
            path = f"/{thread}/{number}"
            response = call(transport, "POST", upstream.url + path, content=path * (1 + number), deadline=10)
            fine &= response.text == f"{path} {path * (1 + number)}" and response.headers["x-path"] == path
        return fine

    with ThreadPoolExecutor(50) as threads:
        assert all(threads.map(work, range(50)))
    assert len(upstream.seen) == 1000
    assert upstream.connections <= 50


def test_calls_one_after_another_share_a_connection(transport, serve):
    upstream = serve()
    for _ in range(5):
        call(transport, "POST", upstream.url)
    assert upstream.connections == 1


def test_a_connection_that_lay_idle_too_long_is_not_used(serve):
    upstream = serve()
    with an_engine(idle_seconds=1) as transport:
        call(transport, "POST", upstream.url)
        time.sleep(2.1)  # libcurl counts whole seconds
        call(transport, "POST", upstream.url)
    assert upstream.connections == 2


def test_closing_ends_the_connections_and_refuses_calls(transport, serve):
    upstream = serve()
    call(transport, "GET", upstream.url)
    transport.close()
    upstream.threads[1].join(2)
    assert not upstream.threads[1].is_alive(), "the server saw the connection end"
    with pytest.raises(RuntimeError):
        call(transport, "GET", upstream.url)


def test_a_call_under_way_when_the_transport_closes_ends_with_its_answer_and_its_connection(transport, serve):
    begun = threading.Event()

    def answer(exchange: Exchange) -> bytes:
        begun.set()
        time.sleep(0.2)
        return OK

    upstream = serve(answer)
    with ThreadPoolExecutor(1) as thread:
        answered = thread.submit(call, transport, "GET", upstream.url)
        begun.wait(2)
        transport.close()
        assert answered.result().content == b"ok"
    upstream.threads[1].join(2)
    assert not upstream.threads[1].is_alive()


def test_a_forked_process_makes_its_own_connections_and_leaves_its_parents_alone(transport, serve):
    upstream = serve(lambda exchange: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % exchange.connection)
    assert call(transport, "GET", upstream.url).content == b"0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: the child makes two calls
        child = os.fork()
    if child == 0:
        verdict = 1
        try:
            own = [call(transport, "GET", upstream.url).content for _ in range(2)]
            transport.close()
            verdict = 0 if own == [b"1", b"1"] else 2
        finally:
            os._exit(verdict)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert call(transport, "GET", upstream.url).content == b"0"


# ---- the environment


@pytest.fixture
def misleading_environment(monkeypatch, tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        (tmp_path / ".netrc").write_text(
            "machine 127.0.0.1 login user password word\ndefault login user password word\n"
        )
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        yield


@pytest.mark.usefixtures("misleading_environment")
def test_the_environments_proxies_and_passwords_are_ignored(transport, serve):
    upstream = serve()
    assert call(transport, "GET", upstream.url).content == b"ok"
    assert b"uthorization" not in upstream.seen[0].raw


def test_a_proxy_is_used_when_one_is_given_whatever_the_environment_excepts(monkeypatch, serve):
    monkeypatch.setenv("no_proxy", "*")
    upstream, proxy = serve(), serve()
    with an_engine(proxy=proxy.url) as transport:
        call(transport, "GET", upstream.url + "/path")
    assert upstream.connections == 0
    assert proxy.seen[0].head[0] == f"GET {upstream.url}/path HTTP/1.1".encode()


# ---- TLS


@dataclass
class Certified:
    context: ssl.SSLContext
    bundle: str


@pytest.fixture(scope="module")
def certified(tmp_path_factory) -> Callable[[str], Certified]:
    """A server's context for a name, and the file that makes its certificate trusted."""

    def certify(name: str) -> Certified:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        try:
            san: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            san = x509.DNSName(name)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([san]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        folder = tmp_path_factory.mktemp(name.replace(".", "-"))
        (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        return Certified(context, str(folder / "certificate.pem"))

    return certify


def test_a_certificate_of_the_given_bundle_is_trusted_and_its_connection_kept(serve, certified):
    server = certified("127.0.0.1")
    versions = []
    upstream = serve(lambda exchange: versions.append(exchange.socket.version()) or OK, server.context)
    with an_engine(ca_bundle=server.bundle) as transport:
        for _ in range(3):
            assert call(transport, "POST", upstream.url, content=b"secret").content == b"ok"
    assert upstream.connections == 1
    assert set(versions) <= {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("case", ["nobody vouches for it", "it is another host's", "its bundle does not exist"])
def test_an_untrusted_server_is_a_connect_error_and_is_sent_nothing(serve, certified, tmp_path, case):
    server = certified("other.example" if case == "it is another host's" else "127.0.0.1")
    upstream = serve(OK, server.context)
    bundles = {"nobody vouches for it": None, "its bundle does not exist": str(tmp_path / "none.pem")}
    with (
        an_engine(ca_bundle=bundles.get(case, server.bundle)) as transport,
        pytest.raises(httpx.ConnectError),
    ):
        call(transport, "POST", upstream.url, content=b"secret")
    assert upstream.seen == []


def test_a_post_is_not_sent_again_over_tls_either(serve, certified):
    server = certified("127.0.0.1")
    upstream = serve(lambda exchange: OK if exchange.number == 0 else None, server.context)
    with an_engine(ca_bundle=server.bundle) as transport:
        call(transport, "GET", upstream.url)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            call(transport, "POST", upstream.url)
    assert len(upstream.seen) == 2


def test_a_client_of_httpx_works_with_it(serve):
    upstream = serve(lambda exchange: OK if b"uthorization: Basic" in exchange.raw else b"HTTP/1.1 401 No\r\n\r\n")
    with httpx.Client(transport=CurlTransport(), auth=("user", "word"), timeout=5) as client:
        assert client.post(upstream.url, json={}).text == "ok"
