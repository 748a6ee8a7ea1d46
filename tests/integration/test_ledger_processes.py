"""The ledger between processes: workers that share it, fork, die, and a server that is started anew."""

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Acquired, InitiationRecord, State
from tests.clocks import HANGS
from tests.contract.ledgers import (
    ATTACHED,
    CREATED,
    INVITING,
    KEY,
    RETENTION,
    again,
    keyed,
    lease_of,
    ledger,
    opened,
    outcome,
    url,
)
from tests.databases import crash

__all__ = ["ledger", "opened", "url"]

ROOT = Path(__file__).resolve().parents[2]

WORKER = """
import itertools, json, os, sys, threading
from integrations.ledger import connect
from cobrowse.ledger import Acquired, InitiationRecord, State
from tests.contract.ledgers import ATTACHED, CREATED, keyed, lease_of, outcome

name, url, key, kept = sys.argv[1:]
ledger = connect(url, keys=[key], retention_seconds=float(kept), invited_seconds=0.0)
won = []
numbers = itertools.count()

def claim(key):
    mine = keyed(key=key, number=f"{key}:{name}-{next(numbers)}")
    if isinstance(ledger.claim(mine), Acquired):
        won.append(mine.id)
        return mine
"""

RACE = """
sys.stdin.readline()
for turn in range(30):
    threads = [threading.Thread(target=claim, args=(f"turn-{turn}",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(json.dumps(won))
ledger.close()
"""

DIE = """
mine = claim("dying")
ledger.save_checkpoint(lease_of(mine), CREATED)
print("begun", flush=True)
sys.stdin.readline()
"""

FORK = """
first = claim("parent")
child = os.fork()
mine = claim("child" if child == 0 else "parent-again")
ledger.complete(lease_of(mine), ATTACHED, outcome(mine.id))
assert ledger.read(mine.id).state is State.SUCCEEDED
if child == 0:
    ledger.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
ledger.complete(lease_of(first), ATTACHED, outcome(first.id))
ledger.close()
print(json.dumps(won))
"""


@pytest.fixture
def start(url):
    """A factory of worker processes."""
    workers = []

    def build(name, script):
        arguments = [sys.executable, "-c", WORKER + script, name, url, KEY, str(RETENTION)]
        worker = subprocess.Popen(arguments, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        workers.append(worker)
        return worker

    yield build
    for worker in workers:
        worker.kill()
        worker.communicate()


def test_of_several_processes_one_wins_each_round(ledger, start):
    workers = [start(f"worker-{number}", RACE) for number in range(3)]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()

    won = [number for worker in workers for number in json.loads(worker.communicate()[0])]

    assert sorted(number.split(":")[0] for number in won) == sorted(f"turn-{turn}" for turn in range(30))
    assert {entry.id for entry in ledger.recent(100)} == set(won)


def test_what_a_killed_process_had_begun_is_on_record_and_taken_over_later(ledger, start):
    worker = start("worker", DIE)
    assert worker.stdout.readline() == "begun\n"
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    taken = ledger.claim(keyed(key="dying"))

    assert isinstance(taken, InitiationRecord)
    assert taken.checkpoint == CREATED
    ledger._database.write(lambda run: run("UPDATE initiations SET lease_until = {now} - 1"))
    won = ledger.claim(keyed(key="dying"))
    assert isinstance(won, Acquired)
    assert (won.entry.id, won.entry.attempts, won.entry.checkpoint) == (taken.id, 2, CREATED)


def test_a_worker_that_forks_goes_on_in_both_processes(ledger, start):
    output, _ = start("worker", FORK).communicate(timeout=HANGS)

    assert len(json.loads(output)) == 2
    assert [entry.state for entry in ledger.recent(10)] == [State.SUCCEEDED] * 3


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_server_that_is_away_is_said_soon_and_used_again_once_it_is_back(server, ledger):
    claim = replace(keyed(key="through a restart"), checkpoint=INVITING)
    ledger.claim(claim)
    crash(server)

    faults = []

    def use():
        try:
            ledger.save_checkpoint(lease_of(claim), CREATED)
        except LedgerUnavailable as fault:
            faults.append(fault)

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(faults) == 16
    assert "can't be reached" in faults[0].message

    server.ensure_postgres_running()
    until = time.monotonic() + HANGS
    while True:
        try:
            ledger.ping()
            break
        except LedgerUnavailable:
            assert time.monotonic() < until
    ledger.save_checkpoint(lease_of(claim), CREATED)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_crash_of_the_database_between_two_calls_takes_nothing_that_an_invitation_stands_on(server, ledger):
    claim = replace(keyed(key="a crash in between"), checkpoint=INVITING)
    ledger.claim(claim)
    crash(server)
    server.ensure_postgres_running()

    ledger.save_checkpoint(lease_of(claim), CREATED)
    crash(server)
    server.ensure_postgres_running()
    ledger.complete(lease_of(claim), ATTACHED, outcome(claim.id))

    assert isinstance(ledger.claim(again(claim)), InitiationRecord)
