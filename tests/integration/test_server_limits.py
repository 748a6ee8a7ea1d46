"""Slow clients, clients that never read, and the end of a server: nobody is held up, nothing accepted is lost."""

import contextlib
import itertools
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from sandbox.state import WEBCHAT
from tests.clocks import wait_until
from tests.integration.conftest import KEY
from tests.integration.wire import CLOSING, HEALTH, ask, connect, post, read_all, send, statuses

HALF_REQUESTS = {
    "no byte": b"",
    "half a head": b"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "half a body": b"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"X-Api-Key: " + KEY.encode() + b"\r\nContent-Length: 50\r\n\r\n{",
    "half a chunk": b"POST /data-actions/cobrowse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"X-Api-Key: " + KEY.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
}


HEALTH_AND_CLOSE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.slow
def test_slow_clients_hold_up_nobody_and_are_ended(gunicorn):
    server = gunicorn(WEB_CONCURRENCY="1")
    began_with = open_sockets(server)
    slow = {name: [connect(server) for _ in range(50)] for name in HALF_REQUESTS}
    never_read = [connect(server) for _ in range(50)]
    dripping = [connect(server) for _ in range(50)]
    try:
        for name, connections in slow.items():
            for connection in connections:
                connection.sendall(HALF_REQUESTS[name])
        for connection in never_read:
            connection.setblocking(False)
            send_what_fits(connection, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        stop = threading.Event()
        drip = threading.Thread(target=drip_heads, args=(dripping, stop))
        drip.start()
        assert [ask(server).status_code for _ in range(5)] == [200] * 5
        for name, connections in slow.items():
            for connection in connections:
                received = read_all(connection)
                assert statuses(received) == ([] if name == "no byte" else [408]), name
                assert name == "no byte" or b'"errorCode":"request_timeout"' in received
        drip.join(60)
        assert not drip.is_alive(), "a client that sends a byte a second was never ended"
        # Nobody has read what these asked for, and yet the worker has let go of them.
        # The connections to Genesys stay.
        wait_until(lambda: open_sockets(server) <= began_with + 10)
    finally:
        stop.set()
        for connection in itertools.chain(never_read, dripping, *slow.values()):
            connection.close()


def open_sockets(server):
    """How many sockets the one worker has open."""
    [worker] = wait_until(server.workers)
    count = 0
    for file in Path(f"/proc/{worker}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += str(file.readlink()).startswith("socket:")
    return count


def ask_health(connection):
    """The response to GET /healthz on a connection that is kept."""
    connection.sendall(HEALTH)
    received = b""
    while not received.endswith(b"}"):
        chunk = connection.recv(65_536)
        if not chunk:
            raise ConnectionError(f"closed after {received}")
        received += chunk
    return received


def send_what_fits(connection, data):
    """Send until the server takes no more."""
    try:
        while data:
            data = data[connection.send(data) :]
    except (BlockingIOError, ConnectionError):
        return


def drip_heads(connections, stop):
    """Send each a byte a second until the server has ended all of them."""
    for connection in connections:
        connection.settimeout(0.001)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    left = list(connections)
    while left and not stop.wait(1):
        for connection in list(left):
            try:
                connection.sendall(b"x")
                if connection.recv(65_536):
                    left.remove(connection)
            except TimeoutError:
                continue
            except ConnectionError:
                left.remove(connection)


def test_a_request_in_flight_is_finished_at_a_stop_and_idle_clients_do_not_hold_it_up(gunicorn, box):
    server = gunicorn()
    box.faults.add(operation="create", kind="delay", seconds=1.5, times=1)
    idle = [connect(server) for _ in range(20)]
    for connection in idle:
        assert statuses(ask_health(connection)) == [200]
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(server)))
    asking.start()
    wait_until(lambda: box.calls("create"))
    server.process.send_signal(signal.SIGTERM)
    asking.join()
    assert answers[0].json()["status"] == "initiated"
    assert answers[0].headers["Connection"] == "close"
    assert server.process.wait(40) == 0  # the idle clients would have kept it for a minute
    for connection in idle:
        assert read_all(connection) == b""
        connection.close()


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM])
def test_no_accepted_request_is_lost_at_a_reload_or_a_stop(gunicorn, box, how):
    """Clients that keep their connections until the server says that it closes; a new one may be refused at a stop."""
    server = gunicorn()
    wait_until(lambda: len(server.workers()) == 2)
    old = server.workers()
    stop = threading.Event()
    lost, done = [], []

    def keep_asking():
        with contextlib.ExitStack() as connections:
            connection = connections.enter_context(connect(server))
            try:
                while not stop.is_set():
                    received = ask_health(connection)
                    done.append(statuses(received)[0])
                    if b"Connection: close" in received:
                        connection.close()
                        connection = connections.enter_context(connect(server))
            except ConnectionRefusedError:
                return  # nobody listens any more
            except ConnectionError as error:
                lost.append(error)

    clients = [threading.Thread(target=keep_asking) for _ in range(8)]
    for client in clients:
        client.start()
    wait_until(lambda: len(done) > 50)
    server.process.send_signal(how)
    if how == signal.SIGHUP:
        wait_until(lambda: not set(old) & set(server.workers()) and len(server.workers()) == 2)
        stop.set()
    for client in clients:
        client.join(60)
    stop.set()
    if how == signal.SIGTERM:
        assert server.process.wait(40) == 0
    assert len(lost) <= (CLOSING if how == signal.SIGTERM else 0), lost
    assert set(done) == {200}


def test_a_worker_that_a_reload_meets_before_it_handles_signals_ends(gunicorn):
    """Held where it is as soon as it exists, which is before or after it has handlers; then both have to end."""
    server = gunicorn(WEB_CONCURRENCY="4")
    old = set()
    while len(old) < 4:
        for pid in set(server.workers()) - old:
            os.kill(pid, signal.SIGSTOP)
            old.add(pid)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: all(is_pending(pid, signal.SIGTERM) for pid in old))
    server.process.send_signal(signal.SIGSTOP)  # so that nobody asks them a second time
    try:
        for pid in old:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: all(has_ended(pid) for pid in old))
    finally:
        server.process.send_signal(signal.SIGCONT)


def has_ended(pid):
    """Whether this process has ended, its parent knowing it yet or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def is_pending(pid, number):
    """Whether a signal waits for this process to take it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def test_a_client_that_pipelines_without_end_leaves_the_others_their_turn(gunicorn):
    server = gunicorn(WEB_CONCURRENCY="1")
    with connect(server) as greedy:
        sender = threading.Thread(target=greedy.sendall, args=(HEALTH * 5_000 + HEALTH_AND_CLOSE,))
        reader = threading.Thread(target=read_all, args=(greedy,))
        sender.start()
        greedy.recv(1)  # the worker is at it
        reader.start()
        with connect(server) as other:
            send(other, HEALTH_AND_CLOSE)
            assert statuses(read_all(other)) == [200]
        assert reader.is_alive(), "the greedy client had all of its answers first"
        sender.join()
        reader.join()


def test_a_client_that_reads_slowly_gets_all_of_a_long_response(gunicorn):
    server = gunicorn()
    with connect(server) as connection:
        send(connection, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", pause=1)
        received = read_all(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    assert int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) == len(body)


def test_a_worker_that_is_killed_is_replaced_and_the_others_serve_on(gunicorn, box):
    server = gunicorn()
    wait_until(lambda: len(server.workers()) == 2)
    died = server.workers()[0]
    os.kill(died, signal.SIGKILL)
    wait_until(lambda: died not in server.workers() and len(server.workers()) == 2)
    assert ask(server, WEBCHAT).status_code == 200


def test_a_worker_starts_though_the_directory_of_the_counts_is_gone(gunicorn, tmp_path):
    server = gunicorn()
    [counts] = tmp_path.glob("cobrowse-metrics-*")
    counts.rename(tmp_path / "gone")  # in one step: a worker that starts may be writing into it
    wait_until(lambda: len(server.workers()) == 2)
    died = server.workers()[0]
    os.kill(died, signal.SIGKILL)
    wait_until(lambda: died not in server.workers() and len(server.workers()) == 2)
    assert ask(server).status_code == 200


def test_a_full_disk_under_the_counts_ends_no_worker(gunicorn, tmp_path):
    counts = tmp_path / "counts"
    counts.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(counts)], check=False)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    try:
        server = gunicorn(PROMETHEUS_MULTIPROC_DIR=str(counts))
        wait_until(lambda: len(server.workers()) == 2)
        began_with = server.workers()
        assert [ask(server).status_code for _ in range(10)] == [200] * 10
        assert server.workers() == began_with
        assert "counts for itself" in server.log
        server.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(counts)], check=True)


def test_a_pipelined_request_behind_a_refused_one_is_not_served(gunicorn):
    server = gunicorn()
    head, body = post(body=b"{}")
    with connect(server) as connection:
        send(connection, head + body + HEALTH)
        assert statuses(read_all(connection)) == [401]
