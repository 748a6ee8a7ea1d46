"""The transport over real sockets: what goes out, and what comes back."""

import gzip
import zlib

import httpx
import pytest

from integrations.genesys.origin import Origin, OriginRequest
from tests.clocks import HANGS
from tests.integration.upstreams import (
    OK,
    call,
    company,
    serve,
    slowly,
    transport,
)

__all__ = ["company", "serve", "transport"]


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
        ("POST", {"content": [b"piece by ", b"piece"]}),
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


def test_a_request_made_of_text_goes_out_the_same(transport, serve):
    upstream = serve()
    origin, extensions = Origin(upstream.url + "/api/"), {"timeout": {"read": HANGS}}
    transport.handle_request(OriginRequest("POST", origin, "/a%20b?c=%7B", [(b"X-D", b"e")], b"{}", extensions))
    (seen,) = upstream.seen
    assert seen.head[0] == b"POST /api/a%20b?c=%7B HTTP/1.1"
    assert sorted(seen.head[1:]) == [b"Content-Length: 2", b"Host: 127.0.0.1:%d" % upstream.port, b"X-D: e"]
    assert seen.body == b"{}"


@pytest.mark.parametrize("stated", ["3", "300"])
def test_the_length_of_a_body_is_counted_and_not_taken_at_a_headers_word(transport, serve, stated):
    """Where it is too short the rest of the body would be the next request."""
    upstream = serve(OK)
    call(transport, "POST", upstream.url, headers={"Content-Length": stated}, content=b"0123456789")
    (seen,) = upstream.seen
    assert [line for line in seen.head if line.lower().startswith(b"content-length")] == [b"Content-Length: 10"]
    assert seen.body == b"0123456789"


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
        {"headers": {"X-Note: a": "b"}},
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
    assert [len(piece) for piece in response.iter_bytes(1500)] == [1500, 1500, 1000]
    assert b"".join(response.iter_bytes()) == response.content
    assert response.headers["content-encoding"] == coding.decode()


@pytest.mark.parametrize(
    "body",
    [
        b"not gzip at all.",
        gzip.compress(b"a" * 5000, mtime=0)[:20] + b"\xff" * 20,
        gzip.compress(b"a" * 5000, mtime=0)[:-8] + b"\0" * 8,
    ],
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
