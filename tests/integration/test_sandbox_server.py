"""The sandbox's server: where it listens, connections that stay open, many at once, and how it stops."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sandbox.app import create_app
from sandbox.fake_genesys import FakeGenesys
from sandbox.server import serve, start
from sandbox.state import MESSAGE, WEBCHAT
from tests.clocks import HANGS
from tests.http_client import HTTP
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
USER = {"Authorization": "Bearer user-token-test"}
PATH = f"/api/v2/conversations/{WEBCHAT}"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "cobrowse.example", ""])
def test_it_refuses_to_listen_where_others_can_reach_it(host):
    with pytest.raises(ValueError, match="loopback"):
        start(host)
    with pytest.raises(ValueError, match="loopback"):
        serve(host)


def test_it_listens_elsewhere_when_told_so():
    with start("0.0.0.0", allow_remote=True) as box:
        assert HTTP.get(f"http://127.0.0.1:{box.port}/sandbox/state").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_listens_on_a_free_port_of_this_machine(host):
    with start(host) as box:
        assert box.url == f"http://127.0.0.1:{box.port}"
        assert HTTP.get(f"{box.url}/sandbox/state").json()["api"] == "both"


def test_two_sandboxes_know_nothing_of_each_other():
    with start() as one, start() as other:
        HTTP.post(f"{one.url}/api/v2/conversations/{MESSAGE}/cobrowse", headers=USER)
        assert (one.invitations(), other.invitations()) == (1, 0)


def test_a_port_in_use_is_told_to_the_caller():
    with start() as box, pytest.raises(OSError, match="in use"):
        start(port=box.port)


def test_a_stopped_sandbox_frees_its_port_and_can_be_stopped_again():
    box = start(port=free_port())
    box.stop()
    box.stop()
    with start(port=box.port) as again:
        assert again.port == box.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", box.port)).close()


def test_stopping_ends_connections_that_stand_open():
    box = start()
    with httpx.Client(timeout=2, verify=False) as client:
        client.get(f"{box.url}{PATH}", headers=USER)
        box.stop()
        with pytest.raises(httpx.TransportError):
            client.get(f"{box.url}{PATH}", headers=USER)


def test_a_connection_stays_open_from_call_to_call():
    with start() as box:
        connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=HANGS)
        connection.connect()
        kept = connection.sock
        for method, path, body in (
            ("GET", PATH, None),
            ("POST", "/api/v2/cobrowse/sessions", b"{}"),
            ("POST", f"/api/v2/conversations/{MESSAGE}/cobrowse", None),
            ("GET", "/nothing", None),
            ("POST", "/oauth/token", b"not read by a refused login"),
            ("GET", PATH, None),
        ):
            headers = USER | ({"Content-Type": "application/json"} if body else {})
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.version == 11
            assert connection.sock is kept
        connection.close()


def test_a_chunked_body_is_read_to_its_end():
    with start() as box, httpx.Client(headers=USER, timeout=HANGS, verify=False) as client:
        for _ in range(2):
            answer = client.post(
                f"{box.url}/api/v2/cobrowse/sessions",
                content=iter([b'{"mask', b'": true}']),
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 201
        assert [one.settings for one in box.sessions()] == [{"mask": True}] * 2


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n",
    ],
)
def test_a_body_that_cannot_be_read_ends_the_connection(request_bytes):
    with start() as box:
        with socket.create_connection(("127.0.0.1", box.port), timeout=HANGS) as connection:
            connection.sendall(request_bytes)
            assert connection.recv(100) == b""
        assert HTTP.get(f"{box.url}/sandbox/calls").json()["total"] == {}


def test_a_hundred_callers_at_once_are_all_served_and_counted():
    with start(rate_limit=None) as box:
        gate = threading.Barrier(100)

        def call(_):
            connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=HANGS)
            connection.connect()
            gate.wait()
            for _ in range(3):
                connection.request("POST", f"/api/v2/conversations/{MESSAGE}/cobrowse", headers=USER)
                answer = connection.getresponse()
                answer.read()
            connection.close()
            return answer.status

        with ThreadPoolExecutor(100) as pool:
            assert set(pool.map(call, range(100))) == {200}
        assert box.invitations(MESSAGE) == len(box.sessions()) == 300


def test_it_writes_no_access_log(capfd):
    with start() as box:
        HTTP.get(f"{box.url}{PATH}", headers=USER)
        HTTP.get(f"{box.url}/nothing")
    assert capfd.readouterr() == ("", "")


def test_serving_in_the_foreground_tells_when_it_is_ready_and_ends_when_stopped():
    seen = []

    def ready(box):
        seen.append(box)
        threading.Thread(target=ask, args=(box,)).start()

    def ask(box):
        seen.append(HTTP.get(f"{box.url}{PATH}", headers=USER).json()["state"])
        box.stop()

    serve(port=0, api="media", ready=ready)
    assert seen[1] == "active"


def test_an_interrupt_in_the_foreground_stops_it_and_is_told_to_the_caller():
    program = (
        "import signal, sys; from sandbox.server import serve; "
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try: serve(port=0, ready=lambda box: print(box.url, flush=True))\n"
        "except KeyboardInterrupt: print('stopped')"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert HTTP.get(f"{process.stdout.readline().strip()}/sandbox/state").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=HANGS)[0] == "stopped\n"


def test_the_app_can_be_called_without_a_server():
    world = FakeGenesys()
    client = create_app(world).test_client()
    assert client.post(f"/api/v2/conversations/{MESSAGE}/cobrowse", headers=USER).status_code == 200
    assert world.invitations(MESSAGE) == 1


def test_time_is_what_the_clock_of_the_test_says():
    now = [1_700_000_000.0]
    with start(clock=lambda: now[0], expires_in=600) as box:
        form = {"grant_type": "client_credentials"}
        login = HTTP.post(f"{box.url}/oauth/token", data=form, auth=("sandbox", "sandbox-secret")).json()
        header = {"Authorization": f"Bearer {login['access_token']}"}
        assert login["expires_in"] == 600
        assert HTTP.get(f"{box.url}{PATH}", headers=header).status_code == 200
        now[0] += 600
        assert HTTP.get(f"{box.url}{PATH}", headers=header).json()["code"] == "bad.credentials"
