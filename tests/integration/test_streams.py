"""The channel's WebSocket over real sockets: TLS, a forward proxy, a far side that breaks; with and without gevent."""

import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from websockets.sync.server import serve as serve_websockets
from websockets.utils import accept_key

from cobrowse.errors import GenesysBadResponse, GenesysUnavailable
from cobrowse.model import Secret
from integrations.genesys.streams import StreamClosed, Streams
from tests.clocks import HANGS
from tests.integration.conftest import ROOT
from tests.integration.gateways import certified, tunnel
from tests.integration.upstreams import Exchange, serve

__all__ = ["certified", "serve"]

# A process patched as the server is: it opens the stream, hears a message and answers it, while its loop goes on.
PATCHED = """
from gevent import monkey
monkey.patch_all()

import json, sys, threading, time

import gevent
from cobrowse.model import Secret
from integrations.genesys.streams import Streams

uri, proxy, ca_file = sys.argv[1:]
ticks = []

def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.002)

gevent.spawn(tick)
stream = Streams(Secret(proxy), "", ca_file).open(uri)
first = stream.receive(30)
stream.send("answer to " + first)
nothing = stream.receive(0.2)
during = len(ticks)
last = stream.receive(30)
stream.close()
print(json.dumps({"first": first, "nothing": nothing, "last": last, "went_on": during > 20}))
"""


@contextmanager
def channel(context=None):
    """A far side that speaks first, echoes what it receives, and closes when the test lets it: its port."""
    heard, ended = [], threading.Event()

    def talk(connection):
        connection.send("hello")
        for message in connection:
            heard.append(message)
            if ended.wait(0 if message == "bye" else 0.5) or message == "bye":
                connection.close(1001, "going away")
                return
            connection.send(f"heard {message}")

    with far_side(talk, context) as port:
        try:
            yield port, heard
        finally:
            ended.set()


@contextmanager
def far_side(talk, context=None):
    """A server that talks so on each connection: its port."""
    with serve_websockets(talk, "127.0.0.1", 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


class Proxy:
    """A forward proxy, which notes what it is asked for and with which credential."""

    def __init__(self, serve):
        self.asked = []
        self.url = serve(self.answer).url.replace("http://", "http://user:word@")

    def answer(self, exchange: Exchange) -> bytes | None:
        self.asked.append(exchange.head)
        tunnel(exchange)
        return None


@pytest.mark.parametrize("proxied", [False, True], ids=["straight", "through a proxy"])
@pytest.mark.parametrize("patched", [False, True], ids=["threads", "gevent"])
def test_a_channel_over_tls_is_heard_and_answered(serve, certified, proxied, patched):
    certificate = certified("127.0.0.1")
    proxy = Proxy(serve) if proxied else None
    with channel(certificate.context) as (port, heard):
        uri, through = f"wss://127.0.0.1:{port}/channels/streaming-0-x", proxy.url if proxy else ""
        script = PATCHED if patched else PATCHED.partition("import json")[1] + PATCHED.partition("import json")[2]
        done = subprocess.run(
            [sys.executable, "-c", script, uri, through, certificate.bundle],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["first"], told["nothing"], told["last"]) == ("hello", None, "heard answer to hello")
        assert heard == ["answer to hello"]
        if patched:
            assert told["went_on"], "the loop goes on while the stream is waited for"
    if proxy:
        [head] = proxy.asked
        assert head[0] == f"CONNECT 127.0.0.1:{port} HTTP/1.1".encode()
        assert any(line.lower().startswith(b"proxy-authorization: basic ") for line in head)


def opened(uri, proxy="", no_proxy="", ca_file=""):
    return Streams(Secret(proxy), no_proxy, ca_file).open(uri)


def test_a_certificate_that_is_not_trusted_is_refused_and_sent_nothing(certified):
    with channel(certified("127.0.0.1").context) as (port, heard):
        with pytest.raises(GenesysUnavailable, match="certificate verify failed"):
            opened(f"wss://127.0.0.1:{port}/c")
        assert heard == []


def test_a_certificate_for_another_host_is_refused(certified):
    other = certified("other.example")
    with channel(other.context) as (port, _), pytest.raises(GenesysUnavailable, match="certificate"):
        opened(f"wss://127.0.0.1:{port}/c", ca_file=other.bundle)


def test_a_host_of_no_proxy_is_reached_straight(serve, certified):
    certificate, proxy = certified("127.0.0.1"), Proxy(serve)
    with channel(certificate.context) as (port, _):
        stream = opened(f"wss://127.0.0.1:{port}/c", proxy.url, "127.0.0.1", certificate.bundle)
        assert stream.receive(HANGS) == "hello"
        stream.close()
    assert proxy.asked == []


def test_a_proxy_that_refuses_is_one_error_without_its_password(serve):
    upstream = serve(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(GenesysUnavailable) as raised:
        opened("wss://streaming.example/c", upstream.url.replace("http://", "http://user:pass-w0rd-of-mine@"))
    assert "407" in raised.value.message
    assert "pass-w0rd" not in raised.value.message


def test_an_answer_that_is_no_handshake_is_one_error(serve):
    upstream = serve(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(GenesysUnavailable) as raised:
        opened(upstream.url.replace("http://", "ws://") + "/c")
    told = "channel: no WebSocket to 127.0.0.1: server rejected WebSocket connection: HTTP 403"
    assert raised.value.message == told
    assert b"User-Agent: cobrowse-bridge" in upstream.seen[0].head
    assert b"Sec-WebSocket-Extensions" not in upstream.seen[0].raw, "nothing is compressed"


def test_a_far_side_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(GenesysUnavailable, match="timed out"):
        Streams(open_seconds=0.05).open(f"ws://127.0.0.1:{silent.getsockname()[1]}/c")


@pytest.mark.parametrize("uri", ["ws://streaming.example/c", "https://streaming.example/c", "streaming.example"])
def test_a_uri_without_tls_to_another_machine_is_not_opened(uri):
    with pytest.raises(GenesysBadResponse) as raised:
        opened(uri)
    assert raised.value.message == "channel: Genesys's connectUri is not a wss address"


@pytest.mark.parametrize(
    ("uri", "host", "size"),
    [
        (f"wss://{'a' * 60}.{'b' * 60}/c#fragment", f"{'a' * 60}.{'b' * 19}", None),
        (f"wss://streaming.example/{'c ' * 200}#fragment", "streaming.example", 200),
        ("wss:///c", "", None),
    ],
)
def test_a_uri_that_can_not_be_opened_is_one_error_of_bounded_length(uri, host, size):
    with pytest.raises(GenesysUnavailable) as raised:
        opened(uri)
    before, _, after = raised.value.message.partition(": no WebSocket to ")
    named, _, told = after.partition(": ")
    assert (before, named) == ("channel", host)
    assert len(told) == size if size else told


def test_what_is_not_set_is_no_proxy_and_the_systems_authorities():
    assert Streams() == Streams(Secret(""), "", "", open_seconds=5.0)


def test_nothing_within_the_time_is_no_message():
    with channel() as (port, _):
        stream = opened(f"ws://127.0.0.1:{port}/c")
        assert stream.receive(HANGS) == "hello"
        assert stream.receive(0.01) is None
        stream.close()
        stream.close()


def test_a_connection_that_breaks_is_told_as_lost():
    def drop(connection):
        connection.recv()
        connection.socket.shutdown(socket.SHUT_RDWR)

    with far_side(drop) as port:
        stream = opened(f"ws://127.0.0.1:{port}/c")
        stream.send("now")
        for again in (lambda: stream.receive(HANGS), lambda: stream.send("anyone?")):
            with pytest.raises(StreamClosed) as raised:
                again()
            assert str(raised.value) == "the connection was lost"
        stream.close()


def test_a_message_of_the_limit_is_read_and_one_byte_more_closes_the_stream():
    def send(connection):
        for size in (2_097_152, 2_097_153):
            connection.send(b"x" * size)
        connection.recv()

    with far_side(send) as port:
        stream = opened(f"ws://127.0.0.1:{port}/c")
        assert len(stream.receive(HANGS)) == 2_097_152
        with pytest.raises(StreamClosed):
            stream.receive(HANGS)
        stream.close()


def test_the_reason_of_a_goodbye_is_cut():
    with far_side(lambda connection: connection.close(1012, "word " * 16 + "and more")) as port:
        stream = opened(f"ws://127.0.0.1:{port}/c")
        for again in (lambda: stream.receive(HANGS), lambda: stream.send("anyone?")):
            with pytest.raises(StreamClosed) as raised:
                again()
            assert str(raised.value) == f"closed by Genesys: 1012 {('word ' * 16).strip()}"
        stream.close()


def test_a_goodbye_is_told_with_its_code():
    with channel() as (port, _):
        stream = opened(f"ws://127.0.0.1:{port}/c")
        assert stream.receive(HANGS) == "hello"
        stream.send("bye")
        with pytest.raises(StreamClosed, match="closed by Genesys: 1001 going away"):
            stream.receive(HANGS)
        with pytest.raises(StreamClosed):
            stream.send("anyone?")
        stream.close()


def test_a_far_side_that_answers_no_goodbye_holds_nobody_up(serve):
    def answer(exchange: Exchange) -> None:
        (key,) = (line.split(b": ")[1] for line in exchange.head if line.lower().startswith(b"sec-websocket-key:"))
        switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        exchange.socket.sendall(switch + b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept_key(key.decode()).encode())
        while exchange.socket.recv(1024):
            pass

    upstream = serve(answer)
    opened(upstream.url.replace("http://", "ws://") + "/c").close()
    upstream.threads[1].join(HANGS)
    assert not upstream.threads[1].is_alive(), "the connection was ended"


def test_a_stream_is_ended_within_a_second_and_keeps_what_comes_while_nobody_reads():
    with channel() as (port, _):
        stream = opened(f"ws://127.0.0.1:{port}/c")
        assert stream._connection.close_timeout == 1.0
        assert stream._connection.ping_interval is None
        assert stream._connection.recv_messages.high is None
        stream.close()
