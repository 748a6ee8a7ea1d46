"""The service as the Procfile starts it: real bytes on real sockets."""

import json
import re
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from sandbox.state import WEBCHAT
from schemas.data_action import AnswerSchema
from tests.integration.conftest import KEY, started_in_vain


def exchange(server, *pieces, pause=0.0):
    """Send these bytes one after another, read to the end: the whole answer."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


def architect_request(body, extra=b""):
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
        b"Connection: close\r\n" + extra + b"\r\n" + body
    )


def chunked(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_an_architect_request_byte_for_byte_starts_a_session(gunicorn, box):
    server = gunicorn()
    body = json.dumps(
        {"conversationId": WEBCHAT, "channel": "webchat", "latest": "", "requestedBy": "", "sessionSettings": ""}
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
    assert box.invitations(WEBCHAT) == 1


def test_a_chunked_body_past_the_limit_is_refused_while_it_is_read(gunicorn, box):
    server = gunicorn(MAX_BODY_BYTES="4096")
    answer = exchange(server, architect_request(chunked(*[b"x" * 1024] * 64)))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["errorCode"] == "body_too_large"
    assert box.calls() == []


def test_a_body_that_is_cut_off_is_no_request(gunicorn, box):
    server = gunicorn()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        connection.sendall(architect_request(b"40\r\n" + b'{"conversationId": "'))
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert box.calls() == []


def test_a_request_in_flight_is_finished_at_a_stop(gunicorn, box):
    server = gunicorn()
    box.faults.add(operation="create", kind="delay", seconds=1.5, times=1)
    answers = []

    def ask():
        answers.append(
            httpx.post(
                f"{server.url}/data-actions/cobrowse",
                json={"conversationId": WEBCHAT},
                headers={"X-Api-Key": KEY},
                timeout=15,
                trust_env=False,
            )
        )

    asking = threading.Thread(target=ask)
    asking.start()
    while not box.calls("create"):
        time.sleep(0.02)
    server.process.send_signal(signal.SIGTERM)
    asking.join()
    assert answers[0].json()["status"] == "initiated"
    assert server.process.wait(20) == 0


def test_the_service_does_not_start_without_a_key_and_says_why_in_one_line(tmp_path, unused_tcp_port):
    environment = {"PATH": "", "PORT": str(unused_tcp_port()), "HOST": "127.0.0.1", "WEB_CONCURRENCY": "1"}
    environment |= {"GENESYS_CLIENT_ID": "id", "GENESYS_CLIENT_SECRET": "secret-of-genesys", "GENESYS_REGION": "mars"}
    ended = started_in_vain(environment)
    assert ended.returncode != 0
    assert "GENESYS_REGION: Must be one of" in ended.stderr
    assert "secret-of-genesys" not in ended.stderr


def test_the_procfile_is_one_line_for_the_web():
    [line] = Path("Procfile").read_text().splitlines()
    assert line.startswith("web: gunicorn ")
    assert line.endswith("'app:create_app()'")


@pytest.mark.parametrize("secret", ["test-key-0123456789abcdef", "sandbox-secret"])
def test_no_secret_is_in_the_log(gunicorn, box, secret):
    server = gunicorn(LOG_LEVEL="DEBUG")
    box.faults.add(operation="create", kind="status", status=403, times=1)
    for body in ({"conversationId": WEBCHAT}, {"conversationId": WEBCHAT}, {"conversationId": "x"}):
        httpx.post(f"{server.url}/data-actions/cobrowse", json=body, headers={"X-Api-Key": KEY}, trust_env=False)
    assert '"status":"initiated"' in server.log
    assert secret not in server.log


def open_connection(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=15)


def ask(server, **headers):
    return httpx.post(
        f"{server.url}/data-actions/cobrowse",
        json={"conversationId": WEBCHAT},
        headers={"X-Api-Key": KEY, **headers},
        timeout=15,
        trust_env=False,
    )


@pytest.mark.parametrize(
    "half",
    [
        b"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
        b"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_clients_that_never_finish_hold_up_nobody_and_are_ended(gunicorn, half):
    server = gunicorn(THREADS="4")
    slow = [open_connection(server) for _ in range(64)]
    try:
        for connection in slow:
            connection.sendall(half)
        start = time.monotonic()
        for _ in range(5):
            assert ask(server).status_code == 200
        assert time.monotonic() - start < 3
        for connection in slow:
            answer = connection.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"errorCode":"request_timeout"' in answer
        assert time.monotonic() - start < 10
    finally:
        for connection in slow:
            connection.close()


def test_more_requests_than_can_be_served_in_time_are_refused_at_once(gunicorn, box):
    server = gunicorn(WEB_CONCURRENCY="1", THREADS="2", DEADLINE_SECONDS="5")
    box.options.auto_create = True
    box.faults.add(operation="create", kind="delay", seconds=0.8, times="always")
    answers, gate = [], threading.Barrier(12)

    def one(number):
        gate.wait()
        start = time.monotonic()
        answer = httpx.post(
            f"{server.url}/data-actions/cobrowse",
            json={"conversationId": f"{number:08d}-0000-4000-8000-000000000000"},
            headers={"X-Api-Key": KEY},
            timeout=15,
            trust_env=False,
        )
        answers.append((answer, time.monotonic() - start))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [(answer, seconds) for answer, seconds in answers if answer.status_code == 503]
    assert len(answers) - len(refused) >= 4
    assert refused
    for answer, seconds in refused:
        assert (answer.json()["errorCode"], list(answer.json())) == ("overloaded", list(AnswerSchema().fields))
        assert int(answer.headers["Retry-After"]) > 0
        assert seconds < 0.7
    assert box.invitations() == len(answers) - len(refused)


def test_a_connection_serves_many_requests_also_pipelined(gunicorn):
    server = gunicorn()
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with open_connection(server) as connection:
        for _ in range(3):
            connection.sendall(one)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200 ")
        connection.sendall(one + one)
        answer = b""
        while answer.count(b"HTTP/1.1 200 ") < 2:
            answer += connection.recv(65_536)


def test_a_client_that_asks_whether_to_go_on_is_told_to(gunicorn):
    server = gunicorn()
    body = json.dumps({"conversationId": WEBCHAT}).encode()
    head = f"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\nContent-Type: application/json\r\n"
    with open_connection(server) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        answer = b""
        while b'"status":"initiated"' not in answer:
            answer += (chunk := connection.recv(65_536))
            assert chunk, answer


@pytest.mark.parametrize(
    "smuggled",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"Transfer-Encoding: xchunked\r\n\r\nhello",
        b"Content-Length: +5\r\n\r\nhello",
    ],
)
def test_a_request_that_two_readers_could_read_in_two_ways_is_refused(gunicorn, box, smuggled):
    server = gunicorn()
    answer = exchange(server, b"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\n" + smuggled)
    assert re.match(rb"HTTP/1\.[01] (400|501) ", answer)
    assert answer.count(b"HTTP/1.") == 1
    assert box.calls() == []


def test_every_log_line_of_a_request_carries_its_correlation_id_and_the_callers_name(gunicorn, box):
    server = gunicorn()
    box.faults.add(operation="create", kind="status", status=500, times=1)
    ask(server, **{"ININ-Correlation-Id": "corr-7"})
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["upstream call failed", "initiation"]
    assert {line["correlation_id"] for line in lines} == {"corr-7"}
    assert lines[-1]["credential"] == "flow"
    assert set(lines[-1]["steps"]) == {"token", "create", "attach", "verify"}


def test_the_callers_name_is_on_the_record_and_its_key_nowhere(service, box, tmp_path):
    bridge = service()
    bridge.start(WEBCHAT)
    [entry] = bridge.initiate.ledger.recent(1)
    assert entry.command.credential == "flow"
    assert KEY not in repr(entry)
