"""How many are let in at once, whoever asks from wherever."""

import threading
from contextlib import ExitStack

import gevent
import pytest

from cobrowse.admission import Admission
from cobrowse.errors import Overloaded


def test_beyond_the_limit_it_is_refused_at_once_and_says_when_to_retry():
    admission = Admission(2)
    with admission, admission:
        assert admission.running == 2
        with pytest.raises(Overloaded, match="2 initiations are running") as refused, admission:
            pytest.fail("it was let in")
        assert refused.value.retry_after == 2.0
        assert admission.running == 2
    with admission:
        assert admission.running == 1


def test_a_place_is_free_again_whatever_its_block_raised():
    admission = Admission(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission:
            raise ZeroDivisionError
    assert admission.running == 0


def test_no_limit_is_none_and_there_is_one_of_256_by_default():
    admission = Admission(0)
    with admission, admission:
        assert admission.running == 2
    admission = Admission()
    with ExitStack() as running:
        for _ in range(256):
            running.enter_context(admission)
        with pytest.raises(Overloaded, match="256 initiations are running in this process"):
            running.enter_context(admission)


def test_threads_at_once_get_exactly_as_many_places_as_there_are():
    admission, gate, leave = Admission(5), threading.Barrier(40), threading.Event()
    let_in, refused, counted = [], [], threading.Semaphore(0)

    def come():
        gate.wait()
        try:
            with admission:
                let_in.append(1)
                counted.release()
                leave.wait()
        except Overloaded:
            refused.append(1)
            counted.release()

    threads = [threading.Thread(target=come) for _ in range(40)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        counted.acquire()
    leave.set()
    for thread in threads:
        thread.join()
    assert (len(let_in), len(refused), admission.running) == (5, 35, 0)


def test_greenlets_at_once_too():
    admission, refused = Admission(5), []

    def come():
        try:
            with admission:
                gevent.sleep(0.01)
        except Overloaded:
            refused.append(1)

    gevent.joinall([gevent.spawn(come) for _ in range(40)])
    assert (len(refused), admission.running) == (35, 0)
