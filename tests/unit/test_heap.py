"""How many heaps a process has."""

import ctypes
import os
import subprocess
import sys

import pytest

from web.heap import TUNABLES, VARIABLE, one_heap

SCRIPT = """
import ctypes, os, sys, threading
from web.heap import one_heap
if "asked" in sys.argv:
    one_heap(os.environ)
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


def heaps(*words, **variables):
    """What glibc says of itself after six threads have taken memory: a line for each heap."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE} | variables
    words = [sys.executable, "-c", SCRIPT, *words]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment, timeout=60)
    return done.stderr.count("Arena ")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="this is not glibc")
def test_all_threads_take_from_one_heap():
    assert heaps() > 1
    assert heaps("asked") == 1


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="this is not glibc")
def test_whoever_has_chosen_otherwise_has_it_so():
    assert heaps("asked", GLIBC_TUNABLES="glibc.malloc.arena_test=8") > 1


def test_the_program_starts_anew_once_with_its_own_words():
    environment, started = {}, []
    for _ in range(2):
        one_heap(environment, lambda *words: started.append(words))
    assert environment == {VARIABLE: TUNABLES}
    assert started == [(sys.executable, [sys.executable, *sys.orig_argv[1:]])]
