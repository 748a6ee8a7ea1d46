"""The transport among many threads, in a misleading environment, through proxies and over TLS."""

import base64
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from integrations.genesys.transport import CurlTransport
from tests.clocks import HANGS
from tests.integration.gateways import certified, tunnel
from tests.integration.upstreams import (
    OK,
    Exchange,
    a_transport,
    call,
    company,
    serve,
    transport,
)

__all__ = ["certified", "company", "serve", "transport"]

ROOT = Path(__file__).parents[2]


# ---- many threads


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
            response = call(transport, "POST", upstream.url + path, content=path * (1 + number))
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


@pytest.mark.parametrize("company", ["alone"], indirect=True)
def test_a_connection_that_lay_idle_too_long_is_not_used(serve):
    upstream = serve()
    with a_transport(idle_seconds=1) as transport:
        call(transport, "POST", upstream.url)
        time.sleep(2.1)  # libcurl counts whole seconds
        call(transport, "POST", upstream.url)
    assert upstream.connections == 2


def test_the_connections_of_a_burst_are_ended_once_nobody_may_use_them_any_more(serve):
    together = threading.Barrier(4)

    def answer(exchange: Exchange) -> bytes:
        if exchange.body == b"burst":
            together.wait(HANGS)
        return OK

    upstream = serve(answer)
    with a_transport(idle_seconds=1) as transport:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: call(transport, "POST", upstream.url, content="burst"), range(4)))
        assert upstream.connections == 4
        time.sleep(2.1)  # libcurl counts whole seconds
        for _ in range(3):
            call(transport, "POST", upstream.url)
        for thread in upstream.threads[1:5]:
            thread.join(HANGS)
            assert not thread.is_alive()
        assert upstream.connections == 5


def test_closing_ends_the_connections_and_refuses_calls(transport, serve):
    upstream = serve()
    call(transport, "GET", upstream.url)
    transport.close()
    upstream.threads[1].join(HANGS)
    assert not upstream.threads[1].is_alive(), "the server saw the connection end"
    with pytest.raises(RuntimeError):
        call(transport, "GET", upstream.url)


def test_a_call_running_when_the_transport_closes_ends_with_its_answer_and_its_connection(transport, serve):
    begun = threading.Event()

    def answer(exchange: Exchange) -> bytes:
        begun.set()
        time.sleep(0.2)
        return OK

    upstream = serve(answer)
    with ThreadPoolExecutor(1) as thread:
        answered = thread.submit(call, transport, "GET", upstream.url)
        begun.wait(HANGS)
        transport.close()
        assert answered.result().content == b"ok"
    upstream.threads[1].join(HANGS)
    assert not upstream.threads[1].is_alive()


# ---- the environment


CALL = """
import sys, httpx
from integrations.genesys.transport import CurlTransport
url, *proxy = sys.argv[1:]
with httpx.Client(transport=CurlTransport(proxy=proxy[0] if proxy else "")) as client:
    print(client.get(url).text)
"""


def called(*words, **environment):
    """What a call gets in a process of its own, with this environment: its URL, and a proxy."""
    words = [sys.executable, "-c", CALL, *words]
    environment |= {"PYTHONPATH": str(ROOT)}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=HANGS).stdout


def test_the_environments_proxies_and_passwords_are_ignored(serve, tmp_path):
    upstream = serve()
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password word\ndefault login user password word\n")
    names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxies = dict.fromkeys(names, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert called(upstream.url, **proxies, HOME=str(tmp_path), NETRC=str(tmp_path / ".netrc")) == "ok\n"
    assert b"uthorization" not in upstream.seen[0].raw


def test_a_proxy_is_used_when_one_is_given_whatever_the_environment_excepts(serve):
    upstream, proxy = serve(), serve()
    called(upstream.url + "/path", proxy.url, no_proxy="*")
    assert upstream.connections == 0
    assert proxy.seen[0].head[0] == f"GET {upstream.url}/path HTTP/1.1".encode()


# ---- proxies and client certificates


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_shown_the_credentials_of_its_url_and_the_server_is_not(serve, certified, scheme):
    server = certified("127.0.0.1")
    upstream = serve(OK, server.context)
    proxy = serve(tunnel, server.context if scheme == "https" else None)
    url = f"{scheme}://user:p%40ss@127.0.0.1:{proxy.port}"
    with a_transport(proxy=url, ca_bundle=server.bundle) as transport:
        for _ in range(2):
            answer = call(transport, "POST", upstream.url, headers={"Authorization": "Bearer t"}, content=b"secret")
            assert (answer.status_code, answer.content) == (200, b"ok")
            assert "via" not in answer.headers, "that is the proxy's answer to CONNECT"
    (connect,) = proxy.seen
    assert connect.head[0] == f"CONNECT 127.0.0.1:{upstream.port} HTTP/1.1".encode()
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"user:p@ss") in connect.head
    assert b"Bearer" not in connect.raw
    assert all(b"Proxy-Authorization" not in seen.raw for seen in upstream.seen)


def test_a_proxy_that_refuses_the_tunnel_means_that_nothing_was_sent(serve, certified):
    server = certified("127.0.0.1")
    upstream = serve(OK, server.context)
    proxy = serve(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    with a_transport(proxy=proxy.url, ca_bundle=server.bundle) as transport, pytest.raises(httpx.ConnectError):
        call(transport, "POST", upstream.url, content=b"secret")
    assert b"secret" not in b"".join(seen.raw for seen in proxy.seen)
    assert upstream.connections == 0


@pytest.mark.parametrize(("no_proxy", "proxied"), [("127.0.0.1", 0), ("127.0.0.0/8", 0), ("example.com", 1), ("", 1)])
def test_what_no_proxy_names_is_reached_without_the_proxy(serve, no_proxy, proxied):
    upstream, proxy = serve(), serve()
    with a_transport(proxy=proxy.url, no_proxy=no_proxy) as transport:
        call(transport, "GET", upstream.url)
    assert (proxy.connections, upstream.connections) == (proxied, 1 - proxied)


def test_a_client_certificate_is_shown_to_a_server_that_asks_for_one(serve, certified):
    server, client = certified("127.0.0.1"), certified("bridge.example")
    server.context.verify_mode = ssl.CERT_REQUIRED
    server.context.load_verify_locations(client.bundle)
    names = []
    upstream = serve(lambda exchange: names.append(exchange.socket.getpeercert()["subject"]) or OK, server.context)
    options = {"ca_bundle": server.bundle, "client_cert": client.bundle, "client_key": client.key}
    with a_transport(**options) as transport:
        assert call(transport, "POST", upstream.url).content == b"ok"
    assert names == [((("commonName", "bridge.example"),),)]


def test_without_a_client_certificate_such_a_server_gets_nothing(serve, certified):
    server = certified("127.0.0.1")
    server.context.verify_mode = ssl.CERT_REQUIRED
    upstream = serve(OK, server.context)
    with a_transport(ca_bundle=server.bundle) as transport, pytest.raises(httpx.TransportError):
        call(transport, "POST", upstream.url, content=b"secret")
    assert upstream.seen == []


def test_a_client_key_that_cannot_be_read_means_that_nothing_was_sent(serve, certified, tmp_path):
    server = certified("127.0.0.1")
    upstream = serve(OK, server.context)
    options = {"client_cert": server.bundle, "client_key": str(tmp_path / "none.pem")}
    with a_transport(ca_bundle=server.bundle, **options) as transport, pytest.raises(httpx.ConnectError):
        call(transport, "POST", upstream.url, content=b"secret")
    assert upstream.seen == []


# ---- TLS


def test_a_certificate_of_the_given_bundle_is_trusted_and_its_connection_kept(serve, certified):
    server = certified("127.0.0.1")
    versions = []
    upstream = serve(lambda exchange: versions.append(exchange.socket.version()) or OK, server.context)
    with a_transport(ca_bundle=server.bundle) as transport:
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
        a_transport(ca_bundle=bundles.get(case, server.bundle)) as transport,
        pytest.raises(httpx.ConnectError),
    ):
        call(transport, "POST", upstream.url, content=b"secret")
    assert upstream.seen == []


def test_a_post_is_not_sent_again_over_tls_either(serve, certified):
    server = certified("127.0.0.1")
    upstream = serve(lambda exchange: OK if exchange.number == 0 else None, server.context)
    with a_transport(ca_bundle=server.bundle) as transport:
        call(transport, "GET", upstream.url)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            call(transport, "POST", upstream.url)
    assert len(upstream.seen) == 2


def test_a_client_of_httpx_works_with_it(serve):
    upstream = serve(lambda exchange: OK if b"uthorization: Basic" in exchange.raw else b"HTTP/1.1 401 No\r\n\r\n")
    with httpx.Client(transport=CurlTransport(), auth=("user", "word"), timeout=HANGS) as client:
        assert client.post(upstream.url, json={}).text == "ok"
