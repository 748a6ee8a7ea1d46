"""What the transport says beside an answer: of a failure and of how far it got; and the limits it has by itself."""

import socket
import time
from math import inf
from types import SimpleNamespace

import gevent
import httpx
import pycurl
import pytest

from integrations.genesys.multi import HubTransfers
from integrations.genesys.transport import BodyTooLarge, CurlTransport, fields_of
from tests.integration.upstreams import OK, a_transport, call, serve, transport

__all__ = ["serve", "transport"]


def test_a_response_is_read_and_has_the_attributes_of_httpxs_and_no_more(transport, serve):
    response = call(transport, "GET", serve().url)
    with pytest.raises(AttributeError, match=r"^nothing$"):
        _ = response.nothing
    assert response.is_stream_consumed
    assert response.is_closed
    assert b"".join(response.stream) == b"ok"
    with pytest.raises(AttributeError, match=r"^nothing$"):
        _ = response.nothing


def test_the_fields_of_a_response_are_looked_for_in_its_head_as_it_came(transport, serve):
    response, other = call(transport, "GET", serve().url), httpx.Response(200, headers={"X-A": "b"})
    assert fields_of(response) is response.head
    assert fields_of(other) is other.headers


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\ncut", 503),
        (b"HTTP/1.1 503 No\r\nContent-Le", 0),
        (b"", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b"x" * 99, 200),
    ],
    ids=["in its body", "in its head", "before it", "too large"],
)
def test_a_failure_after_the_request_says_whether_an_answer_began(serve, answer, status):
    upstream = serve(lambda exchange: exchange.socket.sendall(answer))
    request = httpx.Request("POST", upstream.url)
    with a_transport(max_body_bytes=50) as transport, pytest.raises(httpx.RequestError):
        transport.handle_request(request)
    assert request.extensions.get("answered", 0) == status


def test_a_body_of_the_largest_size_that_is_cut_is_not_called_too_large(serve):
    upstream = serve(
        lambda exchange: exchange.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n" + b"x" * 50)
    )
    with a_transport(max_body_bytes=50) as transport, pytest.raises(httpx.RemoteProtocolError):
        transport.handle_request(httpx.Request("POST", upstream.url))


def test_a_failure_before_the_request_says_nothing_of_an_answer_and_where_it_was_to_go(transport):
    request = httpx.Request("POST", "http://127.0.0.1:1/")
    with pytest.raises(httpx.ConnectError, match=r"127\.0\.0\.1"):
        transport.handle_request(request)
    assert "answered" not in request.extensions


def test_a_tunnel_that_a_proxy_opens_and_ends_is_no_answer(serve):
    opened = b"HTTP/1.1 200 Connection established\r\n\r\n"
    proxy = serve(lambda exchange: exchange.socket.sendall(opened))
    request = httpx.Request("POST", "https://127.0.0.1:1/", extensions={"timeout": {"read": 10.0}})
    with a_transport(proxy=f"http://127.0.0.1:{proxy.port}") as transport, pytest.raises(httpx.ConnectError):
        transport.handle_request(request)
    assert len(proxy.seen) == 1
    assert "answered" not in request.extensions


def test_a_closed_transport_says_so(transport):
    transport.close()
    with pytest.raises(RuntimeError, match=r"^this transport is closed$"):
        call(transport, "GET", "http://127.0.0.1:1/")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_changes_nothing_is_sent_again_when_a_used_connection_ends(transport, serve, method):
    head = OK[:-2] if method == "HEAD" else OK
    upstream = serve(lambda exchange: None if exchange.number else head)
    for _ in range(2):
        assert call(transport, method, upstream.url).status_code == 200
    assert [exchange.connection for exchange in upstream.seen] == [0, 0, 1]


def test_a_transport_of_no_bytes_takes_not_one(serve):
    upstream = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    with a_transport(max_body_bytes=0) as transport, pytest.raises(BodyTooLarge):
        call(transport, "GET", upstream.url)


def test_by_itself_it_takes_eight_mebibytes(serve):
    upstream = serve(lambda exchange: in_all(int(exchange.head[0].split()[1].strip(b"/"))))
    with a_transport() as transport:
        assert len(call(transport, "GET", f"{upstream.url}/{8 << 20}").content) == 8 << 20
        with pytest.raises(BodyTooLarge):
            call(transport, "GET", f"{upstream.url}/{(8 << 20) + 1}")


def in_all(size):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


def test_a_connection_of_its_own_is_dropped_before_a_load_balancer_of_awss_would():
    assert CurlTransport()._idle_seconds <= 50


def test_libcurl_is_called_at_once_or_never_as_it_asks():
    transfers = HubTransfers(gevent.get_hub())
    transfers._on_due(0)
    assert transfers._due <= time.monotonic()
    transfers._on_due(-1)
    assert transfers._due == inf
    transfers.close()


class NotingLoop:
    """The hub's loop, and how long each timer of it was to run."""

    def __init__(self):
        self.loop, self.timers = gevent.get_hub().loop, []

    def timer(self, seconds):
        self.timers.append(seconds)
        return self.loop.timer(seconds)

    def __getattr__(self, name):
        return getattr(self.loop, name)


def test_libcurl_is_called_no_later_than_it_asks():
    loop, easy = NotingLoop(), pycurl.Curl()
    transfers = HubTransfers(SimpleNamespace(loop=loop))
    easy.setopt(pycurl.TIMEOUT_MS, 50)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        easy.setopt(pycurl.URL, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(pycurl.error, match="timed out"):
            transfers.perform(easy)
    easy.close()
    transfers.close()
    assert 0 < max(loop.timers) <= 0.05
