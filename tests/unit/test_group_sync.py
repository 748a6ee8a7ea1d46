"""One wait for the disk serves all that came before it began, and none that came after."""

import errno

import pytest

from integrations.ledger.group_sync import GroupSync, SyncFailed


class Disk:
    """A disk whose syncs end when the test says so."""

    def __init__(self):
        self.started = []
        self.fault = None
        self.syncs = 0

    def sync(self):
        self.syncs += 1
        if self.fault:
            raise self.fault

    def start(self, work, then):
        self.started.append((work, then))

    def end_one(self):
        work, then = self.started.pop(0)
        then(work())


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def group(disk):
    return GroupSync(disk.sync, disk.start)


def test_what_comes_while_one_runs_shares_the_next(group, disk):
    answered = []
    group.request([lambda fault: answered.append(("first", fault))])
    for pair in ((0, 1), (2, 3), (4, 5)):
        group.request([lambda fault, number=number: answered.append((number, fault)) for number in pair])
    assert len(disk.started) == 1

    disk.end_one()
    assert answered == [("first", None)], "the round that had begun may have missed what they wrote"
    disk.end_one()

    assert answered[1:] == [(number, None) for number in range(6)]
    assert (disk.syncs, disk.started) == (2, [])


def test_each_that_comes_when_none_runs_has_one_of_its_own(group, disk):
    answered = []
    for number in range(3):
        group.request([answered.append])
        disk.end_one()
        assert answered == [None] * (number + 1)
    group.run()
    assert disk.syncs == 4


def test_what_is_asked_for_by_an_answer_waits_for_a_sync_of_its_own(group, disk):
    answered = []
    group.request([lambda _: group.request([answered.append])])
    disk.end_one()
    assert answered == []
    disk.end_one()
    assert answered == [None]


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), MemoryError("Input/output error")])
def test_after_an_error_of_the_disk_no_later_success_is_believed(group, disk, fault):
    disk.fault = fault
    answered = []
    for _ in range(2):
        group.request([answered.append])
    disk.end_one()
    disk.fault = None
    disk.end_one()
    assert [str(fault) for fault in answered] == ["Input/output error"] * 2
    with pytest.raises(SyncFailed, match="Input/output error"):
        group.run()
    assert disk.syncs == 1
