"""Which exception a broken server is, and that no request goes out twice."""

import socket
import struct
import time

import httpx
import pytest

from tests.clocks import HANGS
from tests.integration.upstreams import NOT_SENT, OK, Exchange, call, company, serve, slowly, transport

__all__ = ["company", "serve", "transport"]


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


@pytest.mark.parametrize("pause", [0.0, 1.05])  # libcurl looks for it itself, but once a second at most
def test_a_connection_the_server_has_closed_at_rest_is_replaced_before_a_post_goes_out(transport, serve, pause):
    def answer(exchange: Exchange) -> bytes | None:
        exchange.socket.sendall(OK)
        return None

    upstream = serve(answer)
    for number in range(3):
        assert call(transport, "POST", upstream.url, content=b"each once").status_code == 200
        upstream.threads[1 + number].join(HANGS)  # it ends once it has closed the connection
        time.sleep(pause)
    assert [exchange.connection for exchange in upstream.seen] == [0, 1, 2]


def test_bytes_the_server_sent_unasked_are_not_taken_for_the_next_answer(transport, serve):
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    upstream = serve(lambda exchange: OK + late if exchange.connection == 0 else OK)
    for _ in range(2):
        assert call(transport, "POST", upstream.url).status_code == 200
        time.sleep(0.05)
