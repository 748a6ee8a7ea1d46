"""Calls of many greenlets at once, calls broken off from outside, and what threads leave behind."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import gevent
import httpx
import pytest

from integrations.genesys import multi
from tests.clocks import HANGS, wait_until
from tests.integration.upstreams import OK, Exchange, call, company, serve, transport

__all__ = ["company", "serve", "transport"]


class Gate:
    """An answer that is held back until so many requests wait for theirs."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size)

    def __call__(self, exchange: Exchange) -> bytes | None:
        try:
            self.barrier.wait(HANGS)
        except threading.BrokenBarrierError:
            return None
        return OK


class Held:
    """An answer that is held back until the test says so; requests for /free get theirs at once."""

    def __init__(self) -> None:
        self.arrived, self.go = threading.Event(), threading.Event()

    def __call__(self, exchange: Exchange) -> bytes | None:
        if b" /free" in exchange.head[0]:
            return OK
        self.arrived.set()
        self.go.wait(HANGS)
        return OK


def wait_for(event: threading.Event) -> None:
    """Let the hub run until the server's thread has set it."""
    with gevent.Timeout(20):
        while not event.is_set():
            gevent.sleep(0.005)


def test_two_hundred_calls_of_one_hub_wait_for_their_answers_together(transport, serve):
    upstream = serve(Gate(200))
    calls = [gevent.spawn(call, transport, "POST", upstream.url, deadline=30.0) for _ in range(200)]
    gevent.joinall(calls, raise_error=True)
    assert {done.value.content for done in calls} == {b"ok"}
    assert len(upstream.seen) == upstream.connections == 200


@pytest.mark.parametrize("stop", [gevent.GreenletExit, gevent.Timeout(), KeyError("another")])
def test_a_call_broken_off_from_outside_ends_with_its_connection_and_no_other_call_does(transport, serve, stop):
    held = Held()
    upstream = serve(held)
    call(transport, "GET", upstream.url + "/free")
    doomed = gevent.spawn(call, transport, "POST", upstream.url + "/doomed")
    wait_for(held.arrived)
    other = gevent.spawn(call, transport, "POST", upstream.url + "/other")
    gevent.sleep(0)
    doomed.kill(stop)
    assert doomed.dead
    assert call(transport, "POST", upstream.url + "/free").content == b"ok"
    held.go.set()
    assert other.get(timeout=HANGS).content == b"ok"
    paths = {exchange.head[0].split()[1]: exchange.connection for exchange in upstream.seen}
    assert upstream.seen[-1].connection != paths[b"/doomed"], "its connection is not used again"
    upstream.threads[1 + paths[b"/doomed"]].join(HANGS)
    assert not upstream.threads[1 + paths[b"/doomed"]].is_alive(), "the server saw its connection end"


@pytest.mark.parametrize("company", ["alone"], indirect=True)
def test_a_call_broken_off_is_forgotten(transport, serve):
    held = Held()
    doomed = gevent.spawn(call, transport, "POST", serve(held).url)
    wait_for(held.arrived)
    transfers = multi._transfers[gevent.get_hub()]
    assert len(transfers._waiters) == 1
    doomed.kill()
    held.go.set()
    assert transfers._waiters == {}


@pytest.mark.parametrize("company", ["alone"], indirect=True)
def test_a_hubs_calls_are_all_carried_by_one_handle(transport, serve):
    url, hub = serve().url, gevent.get_hub()
    call(transport, "GET", url)
    carrying = multi._transfers[hub]
    call(transport, "GET", url)
    assert multi._transfers[hub] is carrying


@pytest.mark.parametrize("company", ["alone"], indirect=True)
def test_the_loop_sleeps_while_a_call_waits(transport, serve):
    held, loop = Held(), gevent.get_hub().loop
    before = loop.iteration
    with pytest.raises(httpx.ReadTimeout):
        call(transport, "POST", serve(held).url, deadline=0.5)
    held.go.set()
    assert loop.iteration - before < 100, "it turns for what happens"


def test_a_timeout_around_a_call_ends_it(transport, serve):
    held = Held()
    upstream = serve(held)
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        call(transport, "POST", upstream.url)
    held.go.set()
    assert call(transport, "POST", upstream.url).content == b"ok"
    assert [exchange.connection for exchange in upstream.seen][-1] == upstream.connections - 1


@pytest.mark.parametrize("company", ["alone"], indirect=True)
@pytest.mark.parametrize("ending", ["answered", "killed", "timed out"])
def test_once_its_calls_are_over_the_hub_waits_for_nothing(transport, serve, ending):
    held = Held()
    upstream = serve(held)
    if ending == "answered":
        call(transport, "POST", upstream.url + "/free")
    elif ending == "killed":
        doomed = gevent.spawn(call, transport, "POST", upstream.url, deadline=600.0)
        wait_for(held.arrived)
        doomed.kill()
    else:
        call(transport, "POST", upstream.url + "/free")  # from now on there is a connection
        with pytest.raises(httpx.ReadTimeout):
            call(transport, "POST", upstream.url, deadline=0.05)
    assert gevent.get_hub().join(HANGS) is True
    held.go.set()


@pytest.mark.parametrize("company", ["alone"], indirect=True)
def test_an_interrupt_ends_the_call_of_the_main_thread(transport, serve):
    def answer(exchange: Exchange) -> bytes | None:
        if b" /interrupt" not in exchange.head[0]:
            return OK
        os.kill(os.getpid(), signal.SIGINT)
        exchange.socket.recv(1)  # until the client hangs up
        return None

    upstream = serve(answer)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            call(transport, "POST", upstream.url + "/interrupt", deadline=30.0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert call(transport, "POST", upstream.url).content == b"ok"


def test_a_call_in_a_callback_of_the_hub_is_refused_and_hurts_no_other(transport, serve):
    upstream = serve()
    refused = []

    def callback() -> None:
        try:
            call(transport, "POST", upstream.url)
        except gevent.exceptions.BlockingSwitchOutError as error:
            refused.append(error)

    gevent.get_hub().loop.run_callback(callback)
    assert call(transport, "POST", upstream.url).content == b"ok"
    assert len(refused) == 1


def test_threads_that_end_leave_no_descriptor_open(transport, serve):
    upstream = serve()
    call(transport, "POST", upstream.url)

    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    began_with = open_files()
    for _ in range(20):
        thread = threading.Thread(target=call, args=(transport, "POST", upstream.url))
        thread.start()
        thread.join()
    # The server's own threads and what else calls beside this may close theirs a moment later; 20 threads' would stay.
    wait_until(lambda: open_files() <= began_with + 10)
    assert len(upstream.seen) == 21
    assert upstream.connections == 1


def test_a_hub_of_a_threads_own_serves_its_greenlets_and_outlives_the_call(transport, serve):
    upstream = serve(Gate(10))
    answers = []

    def work() -> None:
        hub = gevent.get_hub()
        calls = [gevent.spawn(call, transport, "POST", upstream.url, deadline=30.0) for _ in range(10)]
        gevent.joinall(calls)
        answers.extend(done.value.content for done in calls)
        assert gevent.get_hub() is hub
        hub.destroy()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [b"ok"] * 10


PATCHED = """
from gevent import monkey
monkey.patch_all()
import sys, threading
import httpx
from integrations.genesys.transport import CurlTransport

transport, seen = CurlTransport(), []
def work():
    request = httpx.Request("POST", sys.argv[1], content=b"x", extensions={"timeout": {"read": 30.0}})
    seen.append(transport.handle_request(request).content)
threads = [threading.Thread(target=work) for _ in range(50)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(seen == [b"ok"] * 50)
"""


@pytest.mark.parametrize("company", ["alone"], indirect=True)
def test_the_threads_of_a_patched_process_wait_together_too(serve):
    upstream = serve(Gate(50))
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", PATCHED, upstream.url], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout.strip() == "True", run.stderr
