"""A client's connection: what a stopping worker lets go of, and what it still serves."""

import os
from contextlib import closing
from time import monotonic
from types import SimpleNamespace

import gevent
import pytest
from gevent.pool import Pool
from gevent.socket import create_connection, socket, socketpair

from tests.clocks import HANGS
from web.client_socket import ClientSocket
from web.worker import STOP_SECONDS, Server, Worker


@pytest.fixture
def connection():
    ours, theirs = socketpair()
    with closing(ours), closing(theirs):
        client = ClientSocket(ours, 60.0)
        client.await_request()
        yield client, theirs


def a_worker(*clients, alive=True):
    worker = Worker.__new__(Worker)
    worker.alive, worker.ppid, worker.tmp = alive, os.getppid(), SimpleNamespace(notify=lambda: None)
    worker.clients = set(clients)
    return worker


def test_a_stopping_worker_ends_a_connection_that_has_lain_idle(connection):
    client, _ = connection
    reading = gevent.spawn(client.recv, 100)
    gevent.sleep(0)
    client.idle_since = monotonic() - STOP_SECONDS - 1
    a_worker(client, alive=False).notify()
    assert reading.get(timeout=HANGS) == b""


def test_a_worker_ends_a_connection_on_which_nothing_has_come_in_time():
    ours, theirs = socketpair()
    with closing(ours), closing(theirs):
        client = ClientSocket(ours, 0.0)
        client.await_request()
        reading = gevent.spawn(client.recv, 100)
        gevent.sleep(0.001)
        a_worker(client).notify()
        assert reading.get(timeout=HANGS) == b""


def test_a_connection_that_waits_for_its_answer_is_not_ended(connection):
    client, theirs = connection
    theirs.sendall(b"x")
    assert client.recv(1) == b"x"
    a_worker(client).notify()
    theirs.sendall(b"y")
    assert client.recv(1) == b"y"


def test_a_request_that_comes_as_a_stopping_worker_lets_go_is_served_whole(connection):
    client, theirs = connection
    served = []

    def serve():
        served.append(client.recv(100))
        gevent.sleep(0)  # as it waits for the ledger
        served.append("answered")

    serving = gevent.spawn(serve)
    gevent.sleep(0)
    client.idle_since = monotonic() - STOP_SECONDS - 1
    theirs.sendall(b"GET / HTTP/1.1")
    a_worker(client, alive=False).notify()
    serving.get(timeout=HANGS)
    assert served == [b"GET / HTTP/1.1", "answered"]


def test_a_connection_that_asked_a_moment_ago_is_kept(connection):
    client, theirs = connection
    a_worker(client, alive=False).notify()
    theirs.sendall(b"x")
    assert client.recv(100) == b"x"


def test_one_that_the_client_has_closed_is_let_go_without_a_fault(connection):
    client, _ = connection
    client.wrapped.close()
    client.let_go()


def test_a_server_takes_all_that_have_connected_before_it_closes():
    taken = []
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(20)
        address = listener.getsockname()
        server = Server(listener, spawn=Pool(20), handler_class=lambda _listener, client, _addr: taken.append(client))
        server.init_socket()  # it listens, and has taken nothing yet
        clients = [create_connection(address) for _ in range(12)]
        server.close()
        gevent.sleep(0)
        assert len(taken) == 12
        with pytest.raises(ConnectionRefusedError):
            create_connection(address)
        for one in (*clients, *taken):
            one.close()
