"""What workers tell each other of their connections."""

import os

from web.shares import PLACES, Shares


def test_the_fewest_are_those_of_the_worker_that_has_fewest():
    shares = Shares()
    assert shares.fewest() == 0
    shares.put(1, 7)
    assert shares.fewest() == 7
    shares.put(2, 3)
    assert shares.fewest() == 3
    shares.put(2, 9)
    assert shares.fewest() == 7


def test_a_worker_without_any_counts_and_one_that_has_gone_does_not():
    shares = Shares()
    shares.put(1, 4)
    shares.put(2, 0)
    assert shares.fewest() == 0
    shares.leave(2)
    assert shares.fewest() == 4


def test_places_are_taken_again():
    shares = Shares()
    shares.put(1, 4)
    shares.put(1 + PLACES, 6)
    assert shares.fewest() == 6


def test_what_a_forked_worker_writes_is_read_by_the_others():
    shares = Shares()
    shares.put(1, 5)
    child = os.fork()
    if not child:
        shares.put(2, 2)
        os._exit(0)
    os.waitpid(child, 0)
    assert shares.fewest() == 2
