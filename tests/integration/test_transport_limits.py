"""How much the transport reads of an answer, and how long it waits for one."""

import gzip
import socket
import time

import httpx
import pytest

from integrations.genesys.transport import BodyTooLarge
from tests.clocks import HANGS
from tests.integration.upstreams import NOT_SENT, OK, Exchange, a_transport, call, company, serve, slowly, transport

__all__ = ["company", "serve", "transport"]


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
    with a_transport(max_body_bytes=100_000) as transport, pytest.raises(BodyTooLarge, match="100000 bytes"):
        call(transport, "GET", upstream.url)
    upstream.close()
    assert sum(sent) < 20_000_000  # what the two sockets' buffers hold, of a thousand million


def test_the_limit_counts_unpacked_bytes(serve):
    packed = gzip.compress(b"\0" * 50_000_000)
    upstream = serve(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)
    with a_transport(max_body_bytes=100_000) as transport, pytest.raises(BodyTooLarge):
        call(transport, "GET", upstream.url)


def test_a_body_of_exactly_the_limit_is_read_and_the_next_call_starts_from_nought(serve):
    upstream = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000)
    with a_transport(max_body_bytes=50_000) as transport:
        for _ in range(3):
            assert len(call(transport, "GET", upstream.url).content) == 50_000


LIMIT = 300_000
FRAMINGS = {
    "its length stated": lambda body: b"Content-Length: %d\r\n\r\n" % len(body) + body,
    "chunked": lambda body: b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(body),
    "until the end": lambda body: b"Connection: close\r\n\r\n" + body,
    "packed": lambda body: packed(body, b""),
    "packed and chunked": lambda body: packed(body, b"Transfer-Encoding: chunked\r\n"),
}


def in_chunks(body):
    pieces = [body[start : start + 7_001] for start in range(0, len(body), 7_001)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def packed(body, framing):
    small = gzip.compress(body)
    rest = in_chunks(small) if framing else small
    return b"Content-Encoding: gzip\r\n" + (framing or b"Content-Length: %d\r\n" % len(small)) + b"\r\n" + rest


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_of_the_limit_is_read_whole_and_one_byte_more_is_not(serve, framing):
    def answer(exchange: Exchange) -> None:
        size = int(exchange.head[0].split()[1].strip(b"/"))
        exchange.socket.sendall(b"HTTP/1.1 200 OK\r\n" + FRAMINGS[framing](b"x" * size))

    upstream = serve(answer)
    with a_transport(max_body_bytes=LIMIT) as transport:
        assert len(call(transport, "GET", f"{upstream.url}/{LIMIT}").content) == LIMIT
        with pytest.raises(BodyTooLarge, match=f"larger than {LIMIT} bytes"):
            call(transport, "GET", f"{upstream.url}/{LIMIT + 1}")
        assert len(call(transport, "GET", f"{upstream.url}/{LIMIT - 1}").content) == LIMIT - 1


def test_headers_without_end_are_a_failed_answer(transport, serve):
    upstream = serve(b"HTTP/1.1 200 OK\r\n" + b"X-Same: %s\r\n" % (b"x" * 1000) * 2000)
    with pytest.raises(httpx.TransportError) as raised:
        call(transport, "GET", upstream.url)
    assert not isinstance(raised.value, NOT_SENT)


# ---- how long it takes


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", *[b"x"] * 400],
        [b"HTTP/1.1 200 OK\r\n", *[b"X-Another: header\r\n"] * 400],
        [b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 400,
    ],
    ids=["the body", "the head", "interim answers"],
)
def test_a_server_that_drips_does_not_outlive_the_deadline(transport, serve, pieces):
    drip = slowly(pieces, 0.05)
    upstream = serve(lambda exchange: drip(exchange) if exchange.number else OK)
    call(transport, "GET", upstream.url)  # from now on there is a connection
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        call(transport, "POST", upstream.url, deadline=0.3)
    assert 0.25 < time.monotonic() - began < 15  # its last piece would come after 20 seconds


def test_a_silent_server_is_a_read_timeout_even_on_a_connection_used_before(transport, serve):
    upstream = serve(lambda exchange: time.sleep(0.6) if exchange.number else OK)
    call(transport, "GET", upstream.url)
    with pytest.raises(httpx.ReadTimeout):
        transport.handle_request(httpx.Request("POST", upstream.url, extensions={"timeout": {"read": 0.2}}))


@pytest.mark.parametrize(
    "extensions",
    [
        {"timeout": {"read": 0}},
        {"timeout": {"read": -1.5}},
        {"timeout": {"connect": 0}},
        {"timeout": {"read": -1, "connect": None}},
    ],
)
def test_with_no_time_left_nothing_is_sent(transport, serve, extensions):
    upstream = serve()
    with pytest.raises(httpx.ConnectTimeout) as raised:
        transport.handle_request(httpx.Request("POST", upstream.url, extensions=extensions))
    assert raised.value.request.method == "POST"
    assert upstream.connections == 0


def test_a_server_that_takes_no_connection_is_a_connect_timeout(transport):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        began = time.monotonic()
        with pytest.raises(httpx.ConnectTimeout):
            call(transport, "POST", f"http://127.0.0.1:{full.getsockname()[1]}", deadline=0.3)
        assert time.monotonic() - began < HANGS  # the system would try for two minutes
        for each in waiting:
            each.close()


def test_a_handshake_that_never_ends_is_a_connect_timeout(transport, serve):
    upstream = serve()  # reads the client's hello as a request that isn't complete
    with pytest.raises(httpx.ConnectTimeout):
        call(transport, "POST", upstream.url.replace("http:", "https:"), deadline=0.3)
