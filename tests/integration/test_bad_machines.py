"""Machines that are short of something or keep failing: what is promised to a caller holds, late at worst."""

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integrations.genesys.auth import MAX_RENEWALS, RENEWAL_WINDOW
from sandbox.server import start
from sandbox.state import WEBCHAT
from tests.clocks import LeapingClock, wait_until
from tests.integration.conftest import ROOT
from tests.integration.test_crashes import deliver, deliver_until_answered
from tests.integration.wire import CLOSING, HEALTH, connect, read_all, send, statuses
from web.worker import STOP_SECONDS

pytestmark = pytest.mark.crash


def conversations(box, count):
    """So many conversations, each with the key of its one request."""
    box.options.auto_create = True
    return [(f"{number:08d}-0000-4000-8000-00000000000a", f"key-{number}") for number in range(count)]


def each_invited_once(box, server, deliveries):
    """Deliver each until it is answered for good; then every customer has one invitation, whatever went before."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda one: deliver_until_answered([server.url], *one), deliveries))
    assert {answer.json()["status"] for answer in answers} <= {"initiated", "unverified"}
    assert [box.invitations(conversation) for conversation, _ in deliveries] == [1] * len(deliveries)


def test_a_storm_of_restarts_on_one_file_invites_nobody_twice(gunicorn, box):
    server = gunicorn(DEADLINE_SECONDS="2")
    deliveries = conversations(box, 20)
    over = threading.Event()

    def kill():
        for _ in range(12):
            if over.wait(0.25):
                return
            for pid in server.workers()[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda one: deliver(server.url, *one), deliveries * 2))
    over.set()
    killer.join()
    each_invited_once(box, server, deliveries)


def bytes_mapped(pid):
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmSize")]
    return int(line.split()[1]) * 1024


# How many more files, or bytes of memory, a worker may have than it has already.
SHORTAGES = {
    "files": (resource.RLIMIT_NOFILE, lambda pid: len(list(Path(f"/proc/{pid}/fd").iterdir())), 8),
    "memory": (resource.RLIMIT_AS, bytes_mapped, 4 << 20),
}


@pytest.mark.parametrize("kind", SHORTAGES)
def test_too_few_files_or_too_little_memory_loses_nothing_and_is_over_with_the_shortage(gunicorn, box, kind):
    limit, used, more = SHORTAGES[kind]
    server = gunicorn(DEADLINE_SECONDS="2")
    wait_until(lambda: len(server.workers()) == 2)
    deliveries = conversations(box, 40)
    assert deliver(server.url, WEBCHAT, "before").json()["status"] == "initiated"
    limited = {pid: resource.prlimit(pid, limit) for pid in server.workers()}
    for pid, (_, hard) in limited.items():
        resource.prlimit(pid, limit, (used(pid) + more, hard))
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda one: deliver(server.url, *one, timeout=10), deliveries))
    for pid, before in limited.items():
        with contextlib.suppress(ProcessLookupError):  # one that had no memory left may have been replaced
            resource.prlimit(pid, limit, before)
    each_invited_once(box, server, deliveries)


def test_connections_that_were_accepted_are_answered_at_a_stop_under_load(gunicorn):
    """Each client connects anew for each request: it is refused, or it is answered."""
    server = gunicorn()
    wait_until(lambda: len(server.workers()) == 2)
    answered, broken = [], []

    def keep_asking():
        while True:
            try:
                began = time.monotonic()
                connection = connect(server)
            except OSError:
                return  # nobody listens any more
            with connection:
                send(connection, HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                took = time.monotonic() - began
                received = read_all(connection)
            if received or took < STOP_SECONDS:  # else it asked for nothing, and was closed as an idle one
                (answered if statuses(received) == [200] else broken).append(received)

    clients = [threading.Thread(target=keep_asking) for _ in range(16)]
    for client in clients:
        client.start()
    wait_until(lambda: len(answered) > 100)
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        client.join(60)
    assert server.process.wait(40) == 0
    assert len(broken) <= CLOSING, broken


def test_genesys_may_be_reachable_by_ipv6_only(service):
    with start("::1") as box:
        answer = service(genesys_api_url=box.url, genesys_login_url=box.url).post(conversationId=WEBCHAT)
        assert (answer.json["status"], box.invitations(WEBCHAT)) == ("initiated", 1)


def test_a_login_that_flaps_between_200_and_401_costs_answers_and_no_second_invitation(service, box):
    clock = LeapingClock()
    bridge = service(clock=clock)
    dice = random.Random(7)
    told = []
    for conversation, key in conversations(box, 30):
        headers = {"Idempotency-Key": key, "Prefer": "status"}
        clock.sleep(RENEWAL_WINDOW / MAX_RENEWALS)  # beyond that rate a refused token is not replaced
        box.faults.clear()
        if dice.random() < 0.5:
            for token in list(box.tokens._tokens):
                box.tokens.revoke(token)
        if dice.random() < 0.5:
            box.faults.add(operation="token", kind="status", status=401, times=1)
        first = bridge.post(conversationId=conversation, headers=headers)
        told.append(first.json["errorCode"])
        box.faults.clear()
        assert bridge.post(conversationId=conversation, headers=headers).json["success"] is True
        assert box.invitations(conversation) == 1
    assert set(told) == {"", "genesys_unauthorized"}


READ_ONLY = """
import os, sys
from pathlib import Path
from cobrowse.errors import LedgerUnavailable
from tests.contract.ledgers import KEY, connect, keyed, won
folder = Path(sys.argv[1])
if os.getuid() == 0:
    os.chown(folder, 65534, 65534)
    os.setgid(65534)
    os.setuid(65534)  # nobody's rights may be taken, root's may not
url = f"sqlite:///{folder}/ledger.sqlite3"

def opened():
    return connect(url, keys=[KEY], retention_seconds=3600)

def refused():
    ledger = opened()
    for use in (ledger.ping, lambda: ledger.claim(keyed(key="refused")), lambda: ledger.find("key")):
        try:
            use()
        except LedgerUnavailable as error:
            print(error.message)
        else:
            print("nothing was said")
    ledger.close()

folder.chmod(0o555)
refused()
folder.chmod(0o755)
ledger = opened()
won(ledger, keyed(key="first"))
ledger.close()
folder.chmod(0o555)
refused()
folder.chmod(0o755)
ledger = opened()
won(ledger, keyed(key="second"))
print("works again")
"""


def test_a_directory_that_turned_read_only_is_named_and_the_ledger_works_again_after():
    # Not below pytest's own folder, which every other run of pytest closes to other users as it begins.
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o711)
        folder = Path(above, "ledger")
        folder.mkdir()
        done = read_only(folder)
    said = done.stdout.splitlines()
    assert len(said) == 7, done.stderr
    assert said.pop() == "works again"
    assert all(line.startswith(f"the SQLite file {folder}/ledger.sqlite3 ") for line in said), said


def read_only(folder):
    """What a process said that had its ledger there, by turns with and without the right to write."""
    return subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
