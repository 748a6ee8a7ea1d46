"""The service as the Procfile starts it: requests in every form that HTTP/1.1 allows, and some that it doesn't."""

import json
import re
import shlex
import socket
from pathlib import Path

import pytest

from commands.serve import GUNICORN
from sandbox.server import start
from schemas.answers import AnswerSchema
from tests.clocks import wait_until
from tests.integration.conftest import KEY, ROOT, running_gunicorn, started_in_vain
from tests.integration.wire import HEALTH, ask, chunked, connect, exchange, post, read_all, reset, send, statuses
from tests.ports import free_port


@pytest.fixture(scope="module")
def server(gunicorn_forks, tmp_path_factory):
    """One server for all of them, so that whatever a test sends must harm no other; its workers must all live on."""
    folder = tmp_path_factory.mktemp("requests")
    with start() as sandbox, running_gunicorn(gunicorn_forks.start, sandbox, folder) as run:
        server = run(MAX_BODY_BYTES="4096")
        server.box = sandbox
        wait_until(lambda: len(server.workers()) == 2)
        began_with = server.workers()
        yield server
        assert server.workers() == began_with, server.log
        assert "Traceback" not in server.log


@pytest.fixture
def conversation(server):
    """A conversation of this test's own. A reset of the sandbox would forget the tokens that the workers have."""
    return server.box.add_conversation("webchat").id


@pytest.fixture
def calls(server):
    """What Genesys has been called for since the test began."""
    before = len(server.box.calls())
    return lambda: server.box.calls()[before:]


def architect_request(body):
    """What Genesys's data-action service sends, byte for byte: chunked, without a Content-Length."""
    return (
        b"POST /data-actions/cobrowse HTTP/1.1\r\n"
        b"Host: bridge.example.com\r\n"
        b"X-Api-Key: " + KEY.encode() + b"\r\n"
        b"Content-Type: application/json\r\n"
        b"Accept: application/json\r\n"
        b"ININ-Correlation-Id: 5ab3d1a0-architect\r\n"
        b"ININ-Organization-Id: 7a1c5a4f-0000-4000-8000-000000000000\r\n"
        b"ININ-Home-Organization-Id: 7a1c5a4f-0000-4000-8000-000000000000\r\n"
        b"ININ-User-Id: 1d1a5a4f-0000-4000-8000-000000000000\r\n"
        b"Transfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n" + body
    )


def test_an_architect_request_byte_for_byte_starts_a_session(server, conversation):
    body = json.dumps(
        {"conversationId": conversation, "channel": "webchat", "latest": "", "requestedBy": "", "sessionSettings": ""}
    )
    half = len(body) // 2
    answer = exchange(server, architect_request(chunked(body[:half].encode(), body[half:].encode())))
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert re.search(rb"(?im)^content-type: application/json\r?$", head)
    assert re.search(rb"(?im)^inin-correlation-id: 5ab3d1a0-architect\r?$", head)
    flat = json.loads(content)
    assert list(flat) == list(AnswerSchema().fields)
    assert (flat["status"], flat["correlationId"]) == ("initiated", "5ab3d1a0-architect")
    assert server.box.invitations(conversation) == 1


def test_a_chunked_body_past_the_limit_is_refused_while_it_is_read(server, calls):
    answer = exchange(server, architect_request(chunked(*[b"x" * 1024] * 64)))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["errorCode"] == "body_too_large"
    assert calls() == []


def test_a_body_that_is_cut_off_is_no_request(server, calls):
    with connect(server) as connection:
        connection.sendall(architect_request(b"40\r\n" + b'{"conversationId": "'))
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert calls() == []


def test_a_connection_serves_many_requests_also_pipelined(server):
    with connect(server) as connection:
        for _ in range(3):
            connection.sendall(HEALTH)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65_536)
            assert statuses(answer) == [200]
        connection.sendall(HEALTH + HEALTH)
        answer = b""
        while len(statuses(answer)) < 2:
            answer += connection.recv(65_536)
    assert statuses(answer) == [200, 200]


def test_http_1_0_gets_its_answer_and_the_end_of_the_connection(server):
    received = exchange(server, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert b" 200 OK\r\n" in received
    assert received.endswith(b'{"status":"ok"}')


def test_head_has_the_headers_of_get_and_no_body(server):
    received = exchange(server, HEALTH.replace(b"GET", b"HEAD").replace(b"Host: x", b"Host: x\r\nConnection: close"))
    assert statuses(received) == [200]
    assert b"Content-Length: 15\r\n" in received
    assert received.endswith(b"\r\n\r\n")


def test_a_client_that_asks_whether_to_go_on_is_told_to(server, conversation):
    body = json.dumps({"conversationId": conversation}).encode()
    head, body = post(
        headers=b"X-Api-Key: %s\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n" % KEY.encode(), body=body
    )
    with connect(server) as connection:
        connection.sendall(head)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        answer = b""
        while b'"retryAfterSeconds"' not in answer:
            answer += (chunk := connection.recv(65_536))
            assert chunk, answer
    assert b'"status":"initiated"' in answer, answer


WHOLE = b"".join(
    post(headers=b"Content-Type: application/json\r\nExpect: 100-continue\r\n", body=b'{"conversationId": 1}')
)


@pytest.mark.parametrize("end", ["reset", "half-close", "close"])
def test_no_client_that_goes_away_at_any_byte_ends_a_worker(server, end):
    for cut in range(0, len(WHOLE) + 1, 3):
        connection = connect(server)
        send(connection, WHOLE[:cut])
        if end == "reset":
            reset(connection)
        elif end == "half-close":
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
        connection.close()
    assert ask(server).status_code == 200


def test_no_client_that_resets_while_it_is_answered_ends_a_worker(server):
    for _ in range(50):
        connection = connect(server)
        send(connection, HEALTH * 20)
        reset(connection)
    assert ask(server).status_code == 200


@pytest.mark.parametrize(
    "smuggled",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"Transfer-Encoding: xchunked\r\n\r\nhello",
        b"Content-Length: +5\r\n\r\nhello",
        b"Content-Length : 5\r\n\r\nhello",
        b"Content-Length: 5\n\nhello",
        b"X: " + b"y" * 9_000 + b"\r\n\r\n",
        b"X: y\r\n" * 70 + b"\r\n",
    ],
)
def test_a_request_that_two_readers_could_read_in_two_ways_is_refused_in_the_flat_form(server, calls, smuggled):
    received = exchange(server, b"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\n" + smuggled)
    assert statuses(received) == [400]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    flat = json.loads(body)
    assert list(flat) == list(AnswerSchema().fields)
    assert flat["errorCode"] == "malformed_request"
    assert calls() == []


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "Script-Name", "Path-Info"])
def test_no_header_changes_where_a_request_goes(server, name):
    received = exchange(
        server, f"GET /healthz HTTP/1.1\r\nHost: x\r\n{name}: /metrics\r\nConnection: close\r\n\r\n".encode()
    )
    assert statuses(received) == [200]
    assert received.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize(
    "target", ["//healthz", "/%68ealthz", "http://x/healthz", "/./healthz", "/healthz/", "/x/../healthz"]
)
def test_a_path_has_one_spelling(server, target):
    received = exchange(server, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert statuses(received) == [404]


def test_it_serves_on_a_unix_socket_and_no_connection_there_ends_a_worker(gunicorn, tmp_path):
    path = tmp_path / "socket"
    # gunicorn binds both, so that the fixture can wait for the port.
    port = free_port()
    server = gunicorn(PORT=str(port), GUNICORN_CMD_ARGS=f"--bind unix:{path} --bind 127.0.0.1:{port}")
    wait_until(lambda: len(server.workers()) == 2)
    began_with = server.workers()
    for _ in range(10):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(HEALTH.replace(b"Host: x", b"Host: x\r\nConnection: close"))
            assert statuses(read_all(connection)) == [200]
    assert server.workers() == began_with
    assert "Traceback" not in server.log


def test_it_serves_on_ipv6(gunicorn):
    server = gunicorn(HOST="[::1]")
    received = exchange(server, HEALTH.replace(b"Host: x", b"Host: x\r\nConnection: close"))
    assert statuses(received) == [200]


def test_the_service_does_not_start_without_a_key_and_says_why_in_one_line(unused_tcp_port):
    environment = {"PATH": "", "PORT": str(unused_tcp_port()), "HOST": "127.0.0.1", "WEB_CONCURRENCY": "1"}
    environment |= {"GENESYS_CLIENT_ID": "id", "GENESYS_CLIENT_SECRET": "secret-of-genesys", "GENESYS_REGION": "mars"}
    ended = started_in_vain(environment)
    assert ended.returncode != 0
    assert "GENESYS_REGION: 'mars' is not a region" in ended.stderr
    assert "secret-of-genesys" not in ended.stderr


def test_the_procfile_is_one_line_for_the_web_and_says_what_serve_does():
    [line] = (ROOT / "Procfile").read_text().splitlines()
    program, option, file, application = GUNICORN
    assert shlex.split(line) == ["web:", program, option, Path(file).name, application]
    assert Path(file).parent == ROOT
