"""What a request is to libcurl and what libcurl's answer is to httpx: functions of values, without a connection."""

import httpx
import pycurl
import pytest

from integrations.genesys import curl

OK = b"HTTP/1.1 200 OK\r\n"


def test_a_head_has_its_version_status_phrase_and_headers():
    head = curl.ResponseHead(b"\nHTTP/1.1 404 Not Found\nX-One:  a b \nx-one: c\nEmpty:")
    assert (head.version, head.status, head.reason) == (b"HTTP/1.1", 404, b"Not Found")
    assert head.headers == [(b"X-One", b"a b"), (b"x-one", b"c"), (b"Empty", b"")]
    assert [head.get(name) for name in ("x-one", "empty", "one", "absent")] == ["c", "", "", ""]
    assert head.get("absent", "default") == "default"
    assert curl.ResponseHead(b"\nHTTP/1.1 200").reason == b""
    assert curl.ResponseHead(b"\nHTTP/1.1 200 OK\nX:\xe9").get("x") == "\xe9"


OPTIONS = {
    pycurl.CAINFO: "ca.pem",
    pycurl.PROXY_CAINFO: "ca.pem",
    pycurl.SSL_VERIFYPEER: 1,
    pycurl.SSL_VERIFYHOST: 2,
    pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
    pycurl.PROXY_SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
    pycurl.NOSIGNAL: 1,
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
    pycurl.FOLLOWLOCATION: 0,
    pycurl.PATH_AS_IS: 1,
    pycurl.USERAGENT: "",
    pycurl.ACCEPT_ENCODING: "gzip, deflate",
    pycurl.PROXY: "",
    pycurl.NOPROXY: "*",
    pycurl.MAXAGE_CONN: 50,
    pycurl.UPLOAD_BUFFERSIZE: 16_384,
}


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ((None, None, None, ""), {}),
        ((None, None, None, "a.example"), {}),
        (("cert.pem", None, None, ""), {pycurl.SSLCERT: "cert.pem"}),
        (("cert.pem", "key.pem", None, ""), {pycurl.SSLCERT: "cert.pem", pycurl.SSLKEY: "key.pem"}),
        ((None, None, "http://p:3128", "a.example"), {pycurl.PROXY: "http://p:3128", pycurl.NOPROXY: "a.example"}),
    ],
)
def test_servers_are_verified_and_nothing_is_followed_or_taken_from_the_environment(given, added):
    assert curl.constant_options("ca.pem", *given, 50) == OPTIONS | added


@pytest.mark.parametrize(
    ("extensions", "milliseconds"),
    [
        ({}, (86_400_000, 86_400_000)),
        ({"timeout": None}, (86_400_000, 86_400_000)),
        ({"timeout": {"connect": None, "read": None}}, (86_400_000, 86_400_000)),
        ({"timeout": {"read": 1.5}}, (1_500, 1_500)),
        ({"timeout": {"connect": 1.0}}, (1_000, 86_400_000)),
        ({"timeout": {"connect": 1.0, "read": 0.5}}, (500, 500)),
        ({"timeout": {"connect": 1.0, "read": 2.0}}, (1_000, 2_000)),
        ({"timeout": {"write": 1.0, "pool": 1.0}}, (86_400_000, 86_400_000)),
        # libcurl reads 0 as no limit, so the least is a millisecond; a day is the most.
        ({"timeout": {"read": 0.0001}}, (1, 1)),
        ({"timeout": {"read": float("inf")}}, (86_400_000, 86_400_000)),
        ({"timeout": {"read": 86_401.0}}, (86_400_000, 86_400_000)),
    ],
)
def test_the_shorter_limit_bounds_the_call_and_its_connecting(extensions, milliseconds):
    assert curl.limits(extensions) == milliseconds


@pytest.mark.parametrize(
    "extensions", [{"timeout": {"read": 0.0}}, {"timeout": {"read": -1.0}}, {"timeout": {"connect": 0.0}}]
)
def test_without_time_there_is_no_call(extensions):
    with pytest.raises(httpx.ConnectTimeout) as late:
        curl.limits(extensions)
    assert str(late.value) == "no time was left for this call; nothing was sent"


def test_the_headers_go_out_as_they_are_and_libcurl_adds_none():
    lines = curl.header_lines([(b"X-One", b"a"), (b"X-Empty", b" "), (b"accept", b"*/*")], has_body=False)
    assert lines == [b"X-One: a", b"X-Empty;", b"accept: */*", b"Accept-Encoding:", b"Content-Type:", b"Expect:"]


@pytest.mark.parametrize("length", [(b"Content-Length", b"3"), (b"content-length", b"")])
def test_the_length_of_a_body_is_libcurls_to_state(length):
    headers = [length, (b"Content-Length-Of", b"x")]
    added = [b"Accept:", b"Accept-Encoding:", b"Content-Type:", b"Expect:"]
    assert curl.header_lines(headers, has_body=True) == [b"Content-Length-Of: x", *added]
    kept = length[0] + (b": 3" if length[1] else b";")
    assert curl.header_lines(headers, has_body=False) == [kept, b"Content-Length-Of: x", *added]


@pytest.mark.parametrize(
    "header",
    [(b"X One", b"a"), (b"", b"a"), (b"X:", b"a"), (b"X", b"a\r"), (b"X", b"a\nb"), (b"X", b"\x00"), (b"\xe9", b"a")],
)
def test_a_header_that_would_break_its_line_is_refused(header):
    with pytest.raises(httpx.LocalProtocolError) as refused:
        curl.header_lines([header], has_body=False)
    assert str(refused.value) == "a header's name or value holds bytes that HTTP does not allow"


def test_a_handle_sends_each_method_whatever_it_sent_before():
    def options(method, **given):
        return curl.method_options(method, **given)

    assert options("GET", has_body=False) == ((pycurl.HTTPGET, 1), (pycurl.CUSTOMREQUEST, "GET"))
    assert options("POST", has_body=True) == ((pycurl.HTTPGET, 1), (pycurl.CUSTOMREQUEST, "POST"))
    assert options("HEAD", has_body=False) == (
        (pycurl.HTTPGET, 1),
        (pycurl.NOBODY, 1),
        (pycurl.CUSTOMREQUEST, "HEAD"),
    )
    with pytest.raises(httpx.LocalProtocolError) as refused:
        options("HEAD", has_body=True)
    assert str(refused.value) == "a HEAD carries no body"
    with pytest.raises(httpx.LocalProtocolError) as refused:
        options("GET /", has_body=False)
    assert str(refused.value) == "the method holds bytes that HTTP does not allow"


def test_the_target_is_the_url_without_its_user_and_password():
    url = httpx.URL("https://user:pass@host.example:8443/a%20b?c=d#e")
    assert curl.target(url) == "https://host.example:8443/a%20b?c=d"


INTERIM = [b"HTTP/1.1 103 Early Hints\r\n", b"Link: x\r\n", b"\r\n"]
FINAL = [OK, b"A: b\r\n", b"\r\n"]


@pytest.mark.parametrize(
    ("lines", "headers"),
    [
        (FINAL, [(b"A", b"b")]),
        ([*INTERIM, *FINAL], [(b"A", b"b")]),
        ([*FINAL, b"Trailer: t\r\n", b"\r\n"], [(b"A", b"b")]),
        ([OK, b"A: b\n", b"\n"], [(b"A", b"b")]),
        ([OK, b"\r\n"], []),
        ([OK, b"HTTP/1.1: no status line\r\n", b"\r\n"], [(b"HTTP/1.1", b"no status line")]),
    ],
)
def test_the_final_head_is_found_among_interim_ones_and_trailers(lines, headers):
    head = curl.parse_head(lines)
    assert (head.status, head.headers) == (200, headers)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [OK],
        FINAL[:2],
        INTERIM,
        [*INTERIM, OK],
        [b"\r\n"],
        [b"A: b\r\n", b"\r\n"],
        [b"HTTP/1.1 199 X\r\n", b"\r\n"],
        [b"HTTP/1.1 abc\r\n", b"\r\n"],
    ],
)
def test_an_answer_that_ends_in_its_head_is_none(lines):
    with pytest.raises(httpx.RemoteProtocolError) as ended:
        curl.parse_head(lines)
    assert str(ended.value) == "the answer ended before its head did"


@pytest.mark.parametrize(
    ("code", "unsent", "sent"),
    [
        (pycurl.E_OPERATION_TIMEDOUT, httpx.ConnectTimeout, httpx.ReadTimeout),
        (pycurl.E_UNSUPPORTED_PROTOCOL, httpx.UnsupportedProtocol, httpx.RemoteProtocolError),
        (pycurl.E_URL_MALFORMAT, httpx.UnsupportedProtocol, httpx.RemoteProtocolError),
        (pycurl.E_COULDNT_CONNECT, httpx.ConnectError, httpx.RemoteProtocolError),
        (pycurl.E_GOT_NOTHING, httpx.ConnectError, httpx.RemoteProtocolError),
        (pycurl.E_BAD_CONTENT_ENCODING, httpx.ConnectError, httpx.DecodingError),
        (pycurl.E_WRITE_ERROR, httpx.ConnectError, httpx.DecodingError),
    ],
)
def test_an_error_says_whether_the_request_can_have_reached_the_server(code, unsent, sent):
    assert type(curl.map_error(code, "why", sent=False)) is unsent
    assert type(curl.map_error(code, "why", sent=True)) is sent
    assert str(curl.map_error(code, "why", sent=True)) == "why"


def test_a_request_that_is_not_sent_twice_is_one_that_was_sent():
    error = curl.map_error(pycurl.E_ABORTED_BY_CALLBACK, "aborted", sent=True)
    assert type(error) is httpx.RemoteProtocolError
    assert str(error) == "the connection ended without an answer, and a request like this is not sent twice"
