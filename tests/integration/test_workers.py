"""Several workers on one socket: their shares of the connections, and their cores."""

import os
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.integration.conftest import started_in_vain
from web import heap
from web.cores import usable


def test_all_threads_of_a_worker_take_from_one_heap(gunicorn):
    for worker in gunicorn(WEB_CONCURRENCY="2", THREADS="2").workers():
        # glibc before 2.38 cuts what it reads into pieces, in its place.
        began_with = Path(f"/proc/{worker}/environ").read_bytes().replace(b"\0", b":")
        assert f"{heap.VARIABLE}={heap.TUNABLES}:".encode() in began_with


def test_connections_come_out_even_among_workers_also_after_one_has_died(gunicorn):
    server = gunicorn(WEB_CONCURRENCY="2")
    port = httpx.URL(server.url).port

    def spread(count):
        """How many more sockets each worker has with so many connections open."""
        before = {pid: sockets(pid) for pid in server.workers()}
        opened = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        try:
            until = time.monotonic() + 10
            while True:
                more = sorted(sockets(pid) - had for pid, had in before.items())
                if sum(more) == count:
                    return more
                assert time.monotonic() < until, more
                time.sleep(0.02)
        finally:
            for connection in opened:
                connection.close()

    until_serving(server, 2)
    assert min(spread(40)) >= 15

    died = server.workers()[0]
    os.kill(died, signal.SIGKILL)
    until_serving(server, 2, without=died)
    assert min(spread(40)) >= 15


@pytest.mark.skipif(len(usable()) < 2, reason="there is one core only")
def test_each_worker_keeps_to_a_core_of_its_own_also_after_one_has_died(gunicorn):
    here = len(usable())
    server = gunicorn(WEB_CONCURRENCY=str(here), THREADS="2")

    def kept_to():
        """The cores that each worker's threads may run on, whichever there are."""
        return {
            pid: set.union(*(os.sched_getaffinity(int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()))
            for pid in server.workers()
        }

    until_serving(server, here)
    for _ in range(2 * here):  # each has a thread besides its first by then
        httpx.get(f"{server.url}/docs", trust_env=False)
    before = kept_to()
    assert sorted(before.values(), key=min) == [{core} for core in sorted(usable())]

    died, *_ = before
    os.kill(died, signal.SIGKILL)
    until_serving(server, here, without=died)
    after = kept_to()
    [new] = after.keys() - before.keys()
    assert after[new] == before[died]


@pytest.mark.parametrize(
    ("count", "pin"), [(len(usable()), "false"), (len(usable()) - 1, "true")], ids=["told so", "a core left over"]
)
@pytest.mark.skipif(len(usable()) < 2, reason="there is one core only")
def test_workers_run_where_the_system_likes_if_told_so_or_if_a_core_is_left_over(gunicorn, count, pin):
    server = gunicorn(WEB_CONCURRENCY=str(count), PIN_WORKERS=pin)
    until_serving(server, count)
    assert all(os.sched_getaffinity(pid) == usable() for pid in server.workers())


def test_a_wrong_word_for_it_stops_the_start_and_is_named(tmp_path):
    environment = {"PATH": "", "TMPDIR": str(tmp_path), "PIN_WORKERS": "fasle"}
    ended = started_in_vain(environment, "--check-config")
    assert ended.returncode != 0
    assert '"PIN_WORKERS" invalid: Not a valid boolean' in ended.stderr


def sockets(pid):
    """How many sockets a process has open."""
    return sum(str(file.readlink()).startswith("socket:") for file in Path(f"/proc/{pid}/fd").iterdir())


def until_serving(server, count, without=0):
    """Return once so many workers wait for connections, and not this one."""
    until = time.monotonic() + 15
    while without in (workers := server.workers()) or sum(map(accepts, workers)) < count:
        assert time.monotonic() < until
        time.sleep(0.05)


def accepts(pid):
    """Whether a worker's loop watches what it is woken by and the socket that all of them accept from."""
    try:
        files = {file.name: str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
        poll = next((name for name, what in files.items() if what == "anon_inode:[eventpoll]"), None)
        return poll is not None and Path(f"/proc/{pid}/fdinfo/{poll}").read_text().count("tfd:") >= 2
    except FileNotFoundError:
        return False
