"""One wait for the disk serves all that came before it began, and none that came after."""

import errno
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from integrations.ledger.group_sync import GroupSync, SyncFailed, SyncTimedOut
from tests.clocks import HANGS


class Disk:
    """A sync that takes until it is let go, round by round."""

    def __init__(self):
        self.on_request = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.rounds = 0
        self.fault = None

    def sync(self):
        self.rounds += 1
        self.on_request.release()
        assert self.go_on.acquire(timeout=HANGS)
        if self.fault:
            raise self.fault


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def group(disk):
    return GroupSync(disk.sync)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as threads:
        yield threads


def joined(group, count):
    """Return once so many wait for the round that has not begun."""
    until = threading.Event()
    while group._next is None or len(group._next.ended._cond._waiters) < count:
        until.wait(0.001)


def test_what_comes_while_one_runs_shares_the_next(group, disk, pool):
    first = pool.submit(group.wait, 10)
    assert disk.on_request.acquire(timeout=HANGS)
    later = [pool.submit(group.wait, 10) for _ in range(5)]
    joined(group, 5)

    disk.go_on.release()
    assert disk.on_request.acquire(timeout=HANGS)
    assert not any(one.done() for one in later), "the round that had begun may have missed what they wrote"
    disk.go_on.release()

    for one in (first, *later):
        one.result(HANGS)
    assert disk.rounds == 2


def test_each_that_comes_when_none_runs_has_one_of_its_own(group, disk):
    disk.go_on.release(3)
    for _ in range(3):
        group.wait(HANGS)
    assert disk.rounds == 3


def test_after_an_error_of_the_disk_no_later_success_is_believed(group, disk, pool):
    first = pool.submit(group.wait, 10)
    assert disk.on_request.acquire(timeout=HANGS)
    later = pool.submit(group.wait, 10)
    joined(group, 1)
    disk.fault = OSError(errno.EIO, "Input/output error")
    disk.go_on.release()
    for one in (first, later):
        with pytest.raises(SyncFailed, match="Input/output error"):
            one.result(HANGS)
    disk.fault = None
    disk.go_on.release()
    with pytest.raises(SyncFailed):
        group.wait(HANGS)
    assert disk.rounds == 1


def test_a_disk_that_hangs_is_waited_for_no_longer_than_asked(group, disk, pool):
    first = pool.submit(group.wait, 10)
    assert disk.on_request.acquire(timeout=HANGS)
    with pytest.raises(SyncTimedOut):
        group.wait(0.05)
    disk.go_on.release(2)
    first.result(HANGS)
