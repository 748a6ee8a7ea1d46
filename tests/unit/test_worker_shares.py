"""New connections go to the worker that has fewer, and to another if that one does not take them."""

from contextlib import ExitStack, contextmanager

import gevent
import pytest
from gevent.pool import Pool
from gevent.socket import create_connection, socket

from tests.clocks import HANGS
from web.worker import CONNECTIONS, LEAD, Server


@pytest.fixture
def listener():
    with socket() as opened:
        opened.bind(("127.0.0.1", 0))
        opened.listen()
        yield opened
    for place in (1, 2):
        CONNECTIONS[place] = 0


@contextmanager
def serving(place, listener, served):
    """A worker's server, which appends its place to `served` for each connection."""
    server = Server(place, listener.dup(), spawn=Pool(20), handler_class=lambda *_: served.append(place))
    server.start()
    try:
        yield
    finally:
        server.close()


def connect_one_after_another(listener, served, count):
    for number in range(1, count + 1):
        with create_connection(listener.getsockname()), gevent.Timeout(HANGS):
            while len(served) < number:
                gevent.sleep(0.001)


def test_a_worker_that_is_ahead_leaves_new_connections_to_the_other(listener):
    served = []
    CONNECTIONS[1], CONNECTIONS[2] = 1 + LEAD + 1, 1
    with ExitStack() as servers:
        for place in (1, 2):
            servers.enter_context(serving(place, listener, served))
        connect_one_after_another(listener, served, 10)
    assert served == [2] * 10


def test_what_the_other_does_not_take_is_accepted_all_the_same(listener):
    served = []
    CONNECTIONS[1], CONNECTIONS[2] = 1 + LEAD + 1, 1
    with serving(1, listener, served):
        connect_one_after_another(listener, served, 3)
    assert served == [1] * 3


def test_a_place_where_no_worker_is_counts_for_nothing(listener):
    served = []
    CONNECTIONS[1] = 100
    with serving(1, listener, served):
        connect_one_after_another(listener, served, 3)
    assert served == [1] * 3
