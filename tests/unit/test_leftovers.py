"""A test that leaves something behind fails, instead of one that comes after it."""

import os
import subprocess
import sys
import threading

import pytest

from tests.leftovers import Leftovers


def left(do):
    """What is found after this was done."""
    leftovers = Leftovers(ending=0.0)
    do()
    return leftovers.found()


def test_a_changed_environment_is_found():
    try:
        assert left(lambda: os.environ.update(LEFT_BEHIND="1")) == ["the environment"]
    finally:
        del os.environ["LEFT_BEHIND"]


def test_another_working_directory_is_found(tmp_path):
    before = os.getcwd()  # noqa: PTH109 - as chdir takes it
    try:
        assert left(lambda: os.chdir(tmp_path)) == ["the working directory"]
    finally:
        os.chdir(before)


def test_a_thread_that_runs_on_is_found():
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="forgotten")
    try:
        assert left(thread.start) == ["the thread forgotten"]
    finally:
        over.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's /proc shows the child processes")
def test_a_process_that_nobody_waited_for_is_found():
    leftovers = Leftovers(ending=0.0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert leftovers.found() == [f"the process {process.pid}"]
    assert leftovers.found() == []


def test_what_ends_in_a_moment_is_waited_for():
    leftovers = Leftovers()
    over = threading.Event()
    threading.Thread(target=over.wait).start()
    threading.Timer(0.05, over.set).start()
    assert leftovers.found() == []
