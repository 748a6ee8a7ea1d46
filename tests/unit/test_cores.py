"""Which worker has which core."""

import os
import subprocess
import sys

import pytest

from web.cores import least_taken, stay_on, usable


def test_each_worker_has_a_core_of_its_own():
    cores = {4, 2, 7}
    assert [least_taken(cores, taken, 3) for taken in ([], [2], [2, 4])] == [2, 4, 7]


def test_whoever_comes_in_the_place_of_one_that_has_gone_gets_its_core():
    assert least_taken({0, 1, 2}, [0, 2], 3) == 1
    assert [least_taken({0, 1, 2}, taken, 3) for taken in ([2], [2, 0])] == [0, 1]


def test_more_workers_than_cores_come_out_even_and_so_do_those_that_a_reload_starts_beside_the_old():
    given = []
    for _ in range(4):
        given.append(least_taken({0, 1}, given, 2))
    assert sorted(given) == [0, 0, 1, 1]
    left = given[2:]
    for _ in range(2):
        left.append(least_taken({0, 1}, left, 2))
    assert sorted(left[2:]) == [0, 1]


def test_those_without_a_core_don_t_count():
    assert least_taken({0, 1}, [None, None, 0], 2) == 1


@pytest.mark.parametrize(
    ("there", "workers"),
    [({0, 1, 2, 3}, 2), ({3}, 1), ({3}, 2), ((), 2)],
    ids=["more cores than workers", "one of each", "one core", "a system that has no such thing"],
)
def test_nobody_is_held_to_a_core_where_nothing_is_won_by_it(there, workers):
    assert [least_taken(there, [None] * number, workers) for number in range(workers)] == [None] * workers


@pytest.mark.skipif(not usable(), reason="this system does not let a process choose its cores")
def test_a_process_stays_on_its_core_with_the_threads_it_starts_after():
    core = max(usable())
    script = (
        "import os, threading\n"
        "from web.cores import stay_on\n"
        f"stay_on({core})\n"
        "thread = threading.Thread(target=lambda: print(os.sched_getaffinity(0)))\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == f"{{{core}}}"


def test_a_system_that_forbids_it_is_no_reason_not_to_start(monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden, raising=False)
    stay_on(0)
