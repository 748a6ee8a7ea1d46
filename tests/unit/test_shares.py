"""What workers tell each other of their connections."""

import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from web import worker
from web.shares import PLACES, Shares

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.fixture
def shares(monkeypatch):
    monkeypatch.setattr(worker, "SHARES", Shares())
    return worker.SHARES


@pytest.fixture
def hooks(monkeypatch, tmp_path):
    """What gunicorn calls at a server's and a worker's turns."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


def test_workers_that_have_yet_to_start_count_so_that_the_first_does_not_take_all(shares, hooks):
    hooks["when_ready"](SimpleNamespace(num_workers=2, worker_age=0, worker_class=worker.Worker))
    shares.put(1, 5)
    assert shares.fewest() == 0
    shares.put(2, 7)
    assert shares.fewest() == 5


def test_a_worker_counts_from_before_its_fork_to_its_end(shares, hooks):
    shares.put(1, 5)
    new = worker.Worker(2, os.getpid(), [], None, 30, Config(), None)
    assert shares.fewest() == 0
    new.pid = 0
    hooks["child_exit"](None, new)
    assert shares.fewest() == 5
    new.tmp.close()
