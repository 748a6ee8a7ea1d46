"""Under gevent a wait for the disk, a lock or a server holds up nobody else, and many share one sync."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clocks import HANGS
from tests.contract.ledgers import url

__all__ = ["url"]

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
from gevent import monkey
monkey.patch_all()

import json, os, sqlite3, sys, time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import gevent

from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import State
from integrations.ledger.sqlite import SQLite
from tests.contract.ledgers import ATTACHED, INVITING, keyed, outcome, settle, won
from tests.contract.test_ledger_durability import store_on

native_sleep = monkey.get_original("time", "sleep")
file = sys.argv[1]
is_held = lambda: False
syncs = []

def sync(handle):
    syncs.append(handle)
    while is_held():
        native_sleep(0.005)
    os.fdatasync(handle)

ledger = store_on(SQLite(Path(file), fdatasync=sync, checkpoint_interval=20))
ledger.ping()

ticks = []

def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.002)

def written():
    with closing(sqlite3.connect(file)) as reader:
        return reader.execute("SELECT count(*) FROM initiations").fetchone()[0]

def inviting(number):
    claim = replace(keyed(key=f"{number}"), checkpoint=INVITING)
    won(ledger, claim)
    return claim

def together(work, numbers):
    return [job.get() for job in [gevent.spawn(work, number) for number in numbers]]

gevent.spawn(tick)
gevent.sleep(0)
"""

# One work in the middle fails; the others' must be committed, in the same transaction.
GROUP = """
import sqlite3 as driver

def bad():
    try:
        ledger._database.execute("INSERT INTO initiations (id) VALUES (:id)", {"id": "bad"})
    except driver.IntegrityError:
        return "refused"

commits = ledger._database._state.batches.commits
del syncs[:]
jobs = [gevent.spawn(bad) if number == 10 else gevent.spawn(inviting, number) for number in range(21)]
refused = [job.get() for job in jobs].count("refused")
commits = ledger._database._state.batches.commits - commits
print(json.dumps({"commits": commits, "refused": refused, "written": written(), "syncs": len(syncs)}))
"""

# The connection is closed under those that wait for it.
CLOSED = """
faults = []

def refused(number):
    try:
        inviting(number)
    except LedgerUnavailable as fault:
        faults.append(fault.message)

jobs = [gevent.spawn(refused, number) for number in range(5)]
gevent.spawn(ledger.close)
gevent.joinall(jobs)
inviting("after")
print(json.dumps({"faults": len(faults), "named": all("opened anew" in fault for fault in faults)}))
"""

# The first sync ends once the loop has gone on and all have written: it would never end if either waited for it.
SYNC = """
del syncs[:], ticks[:]
is_held = lambda: len(syncs) == 1 and (len(ticks) < 20 or written() < 100)
first = gevent.spawn(inviting, 0)
while not syncs:
    gevent.sleep(0.001)
claims = [*together(inviting, range(1, 100)), first.get()]
print(json.dumps({"syncs": len(syncs), "has_live_lease": sum(ledger.read(one.id).has_live_lease for one in claims)}))
"""

LOCK = """
other = sqlite3.connect(file, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
waiting = [gevent.spawn(inviting, number) for number in range(20)]
del ticks[:]
while len(ticks) < 20:
    gevent.sleep(0.01)
unread = ledger.read("any") is None
begun = [one.ready() for one in waiting]
other.execute("ROLLBACK")
won_after = [one.get().id for one in waiting]
print(json.dumps({"unread": unread, "begun": any(begun), "won": len(set(won_after))}))
"""

WHOLE = """
def whole(number):
    claim = inviting(number)
    settle(ledger, claim)
    return claim.id

ids = together(whole, range(200))
while ledger._database._state.checkpoints._running:
    gevent.sleep(0.01)
log = os.stat(file + "-wal").st_size
ended = sum(ledger.read(one).state is State.SUCCEEDED for one in ids)
print(json.dumps({"ended": ended, "recent": len(ledger.recent(500)), "samples": len(ledger.recent_samples(600.0))}))
ledger.close()
"""

HUNG = """
is_held = lambda: True
faults = []

def bounded(number):
    try:
        ledger.claim(replace(keyed(key=f"{number}"), checkpoint=INVITING), seconds=0.2)
    except LedgerUnavailable as fault:
        faults.append(fault.message)

together(bounded, range(5))
try:
    ledger.ping()
except LedgerUnavailable as fault:
    faults.append(fault.message)
print(json.dumps({"faults": len(faults), "named": all("in time" in fault for fault in faults)}), flush=True)
os._exit(0)
"""


SCANS = """
from integrations.ledger import queries
from integrations.ledger.sqlite import MAX_SCANS

def hang(row):
    native_sleep(600)

won(ledger, keyed())
faults = []

def scan():
    try:
        ledger._database.scan(queries.SAMPLES.replace("{conditions}", "1 = 1"), {"limit": 1}, hang)
    except LedgerUnavailable as fault:
        faults.append(fault.message)

gevent.joinall([gevent.spawn(scan) for _ in range(2 * MAX_SCANS)])
inviting("beside")
print(json.dumps({"faults": len(faults), "named": all("in time" in fault for fault in faults)}), flush=True)
os._exit(0)
"""

# All of the pool's threads are busy, and as many works wait for one, when the loop wants to start a sync.
BUSY = """
from integrations.event_loop import run_off_loop

busy = True

def keep_busy():
    while busy:
        native_sleep(0.005)

threads = [gevent.spawn(run_off_loop, keep_busy) for _ in range(2 * gevent.get_hub().threadpool.maxsize)]
gevent.sleep(0)
waiting = [gevent.spawn(inviting, number) for number in range(5)]
while written() < 5:
    gevent.sleep(0.001)
gevent.sleep(0.01)
begun = any(one.ready() for one in waiting)
busy = False
won_after = {one.get().id for one in waiting} | {inviting("after").id}
print(json.dumps({"begun": begun, "won": len(won_after)}))
"""

# Greenlets are ended, or time out, while another process keeps their works from being done.
ENDED = """
other = sqlite3.connect(file, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
jobs = [gevent.spawn(inviting, number) for number in range(3)]
gevent.sleep(0.01)
jobs[0].kill()
jobs[1].kill(gevent.Timeout(0), block=True)
other.execute("ROLLBACK")
kept = jobs[2].get().command.key
print(json.dumps({"kept": kept, "written": written(), "ended": [one.ready() for one in jobs]}))
"""

# A signal comes while the loop runs a work; gevent raises it in the main greenlet.
INTERRUPTED = """
def interrupted(run):
    raise KeyboardInterrupt

beside = gevent.spawn(inviting, "beside")
try:
    ledger._database.write(interrupted)
except KeyboardInterrupt:
    inviting("after")
print(json.dumps({"beside": beside.get().command.key, "written": written()}))
"""


@pytest.fixture
def patched(tmp_path):
    """Run a script on a patched process: what it prints."""

    def run(script):
        words = [sys.executable, "-c", SCRIPT + script, str(tmp_path / "ledger.sqlite3")]
        ended = subprocess.run(words, check=False, cwd=ROOT, capture_output=True, text=True, timeout=HANGS)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run


def test_what_comes_together_is_one_transaction_and_a_work_that_fails_fails_alone(patched):
    assert patched(GROUP) == {"commits": 1, "refused": 1, "written": 20, "syncs": 1}


def test_what_waits_for_a_connection_that_is_closed_is_refused_and_the_next_opens_anew(patched):
    assert patched(CLOSED) == {"faults": 5, "named": True}


def test_many_share_a_sync_and_others_go_on_while_the_disk_takes_its_time(patched):
    assert patched(SYNC) == {"syncs": 2, "has_live_lease": 100}


def test_a_lock_of_another_process_holds_up_only_those_who_write(patched):
    assert patched(LOCK) == {"unread": True, "begun": False, "won": 20}


def test_initiations_go_through_beside_checkpoints(patched):
    assert patched(WHOLE) == {"ended": 200, "recent": 200, "samples": 200}


def test_a_disk_that_hangs_is_waited_for_no_longer_than_asked(patched):
    assert patched(HUNG) == {"faults": 6, "named": True}


def test_scans_that_a_disk_keeps_hanging_are_given_up_and_keep_no_request_waiting(patched):
    assert patched(SCANS) == {"faults": 8, "named": True}


def test_a_sync_waits_for_a_thread_where_all_are_busy_and_those_that_follow_have_theirs(patched):
    assert patched(BUSY) == {"begun": False, "won": 6}


def test_the_work_of_a_greenlet_that_was_ended_is_not_done(patched):
    assert patched(ENDED) == {"kept": "2", "written": 1, "ended": [True, True, True]}


def test_a_signal_during_a_work_undoes_it_and_those_that_come_after_are_served(patched):
    assert patched(INTERRUPTED) == {"beside": "beside", "written": 2}


POSTGRESQL = """
from gevent import monkey
monkey.patch_all()

import json, os, signal, sys, time

import gevent

from cobrowse.errors import LedgerUnavailable
from tests.contract.ledgers import KEY, RETENTION, connect, keyed, settle, won

ledger = connect(sys.argv[1], keys=[KEY], retention_seconds=RETENTION)
ledger.ping()
ticks = []

def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.002)

def whole(number):
    claim = keyed(key=f"{number}", conversation_id=f"c-{number}")
    won(ledger, claim)
    settle(ledger, claim)

gevent.spawn(tick)
for job in [gevent.spawn(whole, number) for number in range(100)]:
    job.get()
large = "x" * 5_000_000
assert ledger._database.read("SELECT CAST(:large AS text)", {"large": large}) == [(large,)]
server, backends = int(sys.argv[2]), [row[0] for row in ledger._database.read(
    "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() OR application_name = 'cobrowse-bridge'"
)]
for pid in [server, *backends]:
    os.kill(pid, signal.SIGSTOP)
del ticks[:]
faults = 0
try:
    for use in (lambda: ledger.claim(keyed(key="hung"), seconds=0.3), ledger.ping):
        try:
            use()
        except LedgerUnavailable:
            faults += 1
finally:
    for pid in [*backends, server]:
        os.kill(pid, signal.SIGCONT)
ticked = len(ticks)
ledger.claim(keyed(key="after"), seconds=10.0)
ended = sum(one.state == "succeeded" for one in ledger.recent(500))
print(json.dumps({"ended": ended, "faults": faults, "ticks": ticked}))
ledger.close()
"""


def go_on(server):
    """Let the server that all tests share run again, even if the script was ended before it could."""
    children = Path(f"/proc/{server.get_pid()}/task/{server.get_pid()}/children").read_text().split()
    for pid in (server.get_pid(), *map(int, children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_postgresql_server_that_hangs_holds_up_only_those_who_ask_it(server, url):
    words = [sys.executable, "-c", POSTGRESQL, url, str(server.get_pid())]
    try:
        ended = subprocess.run(words, check=False, cwd=ROOT, capture_output=True, text=True, timeout=HANGS)
    finally:
        go_on(server)
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert (seen["ended"], seen["faults"]) == (100, 2)
    assert seen["ticks"] > 5, "the loop stood still while the server did"
