"""How many heaps a process has."""

import ctypes
import subprocess
import sys

import pytest

from web.heap import one_heap

SCRIPT = """
import ctypes, threading
from web.heap import one_heap
if {asked}:
    assert one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
barrier = threading.Barrier(6)
def take():
    barrier.wait()
    libc.malloc(100_000)
    barrier.wait()
threads = [threading.Thread(target=take) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_stats()
"""


def heaps(*, asked):
    """What glibc says of itself after six threads have taken memory: a line for each heap."""
    words = [sys.executable, "-c", SCRIPT.format(asked=asked)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stderr.count("Arena ")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="this is not glibc")
def test_all_threads_take_from_one_heap():
    assert heaps(asked=False) > 1
    assert heaps(asked=True) == 1


def test_a_c_library_that_knows_no_such_thing_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert one_heap() is False
