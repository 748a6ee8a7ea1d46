"""Outcome callbacks over real sockets: each outcome is sent, also when the process that sends it is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from cryptography.fernet import Fernet

from cobrowse.callbacks import Delivery
from integrations.ledger import connect
from sandbox.state import ABSENT, WEBCHAT
from tests.clocks import HANGS, wait_until
from tests.contract.ledgers import pass_time
from tests.integration.conftest import ROOT
from tests.integration.test_crashes import deliver, upgrade
from tests.ports import free_port
from tests.receivers import SECRET, Receiver

END = "/data-actions/cobrowse/end"
# Seconds after which the lease of a dead sender has run out.
LEASE = 15


@pytest.fixture
def receiver():
    with Receiver() as served:
        yield served


@pytest.fixture
def telling(gunicorn):
    """A factory: gunicorn that tells this receiver."""

    def run(url, **variables):
        return gunicorn(OUTCOME_WEBHOOK_URL=url, OUTCOME_WEBHOOK_SECRET=SECRET, COBROWSE_FLOW="native", **variables)

    return run


def heard(receiver, count=1):
    """The first so many that were received, once they are there."""
    wait_until(lambda: len(receiver.received) >= count)
    return receiver.received


def delivered(ledger, initiation_id):
    """Whether nothing of this initiation is left to be sent."""
    return all(each.state is Delivery.DELIVERED for each in ledger.callbacks.for_initiation(initiation_id))


def test_a_session_is_told_of_from_its_start_to_its_end(telling, receiver):
    server = telling(receiver.url, WEB_CONCURRENCY="2")
    started = deliver(server.url, WEBCHAT, "k-1").json()
    [told] = heard(receiver)
    assert (told.id, told.type) == (f"{started['initiationId']}:succeeded:1", "initiation.succeeded")
    links = {"joinUrl", "viewerUrl", "joinCode", "websocketUrl"}
    assert {name: value for name, value in told.data.items() if name in started} == {
        name: value for name, value in started.items() if name not in links
    }
    assert (told.data["idempotencyKey"], told.data["sender"], told.data["action"]) == ("k-1", "architect", "start")

    assert deliver(server.url, WEBCHAT, "k-1").headers["Idempotent-Replayed"] == "true"
    ended = deliver(server.url, WEBCHAT, "k-2", path=END).json()
    assert ended["status"] == "ended"
    assert deliver(server.url, ABSENT, "k-3").status_code == 404
    kinds = {(each.type, each.data["action"], each.data["initiationId"]) for each in heard(receiver, 4)}
    assert ("initiation.ended", "start", started["initiationId"]) in kinds
    assert ("initiation.succeeded", "end", ended["initiationId"]) in kinds
    assert sorted(kind for kind, _, _ in kinds)[1:2] == ["initiation.failed"]
    assert len(receiver.ids()) == len(set(receiver.ids())) == 4
    metrics = httpx.get(f"{server.url}/metrics", timeout=HANGS, trust_env=False).text
    assert 'cobrowse_callback_attempts_total{result="delivered"} 4.0' in metrics
    assert "cobrowse_callbacks_pending" in metrics


def test_a_retry_that_succeeds_is_told_after_the_failure(telling, receiver, box):
    server = telling(receiver.url, WEB_CONCURRENCY="1")
    box.faults.add(operation="cobrowse", kind="status", status=403, times="always")
    assert deliver(server.url, WEBCHAT, "k-1").json()["errorCode"] == "genesys_forbidden"
    box.faults.clear()
    assert deliver(server.url, WEBCHAT, "k-1").json()["status"] == "initiated"
    first, second = heard(receiver, 2)
    assert (first.type, second.type) == ("initiation.failed", "initiation.succeeded")
    assert (first.data["attempt"], second.data["attempt"]) == (1, 2)
    assert first.data["initiationId"] == second.data["initiationId"]


def test_a_slow_receiver_holds_up_no_initiation(telling, receiver, box):
    box.options.auto_create = True
    free = threading.Event()
    receiver.answer = lambda _: (free.wait(HANGS), (204, {}))[1]
    server = telling(receiver.url, WEB_CONCURRENCY="1")
    try:
        for number in range(30):
            assert deliver(server.url, f"{number:08d}-0000-4000-8000-000000000000", f"k-{number}").status_code == 200
    finally:
        free.set()
    assert len({each.id for each in heard(receiver, 30)}) == 30


@pytest.mark.crash
def test_an_outcome_whose_server_is_killed_before_it_is_told_is_told_by_the_next(telling, tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/outcomes"
    server = telling(url, WEB_CONCURRENCY="1")
    started = deliver(server.url, WEBCHAT, "k-1").json()
    server.stop(signal.SIGKILL)
    ledger = connect(f"sqlite:///{tmp_path}/ledger.sqlite3", keys=[], retention_seconds=86_400)
    [kept] = ledger.callbacks.for_initiation(started["initiationId"])
    assert kept.state is Delivery.PENDING
    ledger.callbacks.resend(kept)
    pass_time(f"sqlite:///{tmp_path}/ledger.sqlite3", LEASE)
    with Receiver(port) as receiver:
        telling(url, WEB_CONCURRENCY="1")
        [told] = heard(receiver)
        assert told.id == kept.id == f"{started['initiationId']}:succeeded:1"
        wait_until(lambda: delivered(ledger, started["initiationId"]))
    ledger.close()


@pytest.mark.crash
def test_a_worker_killed_while_it_sends_is_followed_by_another_that_sends_the_same(telling, receiver, tmp_path):
    server = telling(receiver.url, WEB_CONCURRENCY="2")
    wait_until(lambda: len(server.workers()) == 2)
    dead = threading.Event()
    receiver.answer = lambda _: (dead.wait(HANGS), (204, {}))[1]
    started = deliver(server.url, WEBCHAT, "k-1").json()
    heard(receiver)
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    pass_time(f"sqlite:///{tmp_path}/ledger.sqlite3", LEASE)
    receiver.answer = lambda _: (204, {})
    dead.set()
    assert [each.id for each in heard(receiver, 2)] == [f"{started['initiationId']}:succeeded:1"] * 2
    assert receiver.received[0].data == receiver.received[1].data


@pytest.mark.crash
def test_two_services_on_one_postgresql_tell_each_outcome_and_one_of_them_sends(telling, receiver, box, database):
    settings = {
        "LEDGER_URL": database.replace("postgresql://", "postgresql+psycopg://"),
        "LEDGER_KEYS": Fernet.generate_key().decode(),
    }
    upgrade(settings)
    box.options.auto_create = True
    servers = [telling(receiver.url, **settings), telling(receiver.url, **settings)]
    keys = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(60)]

    def start(number):
        return deliver(servers[number % 2].url, keys[number], keys[number]).json()["initiationId"]

    with ThreadPoolExecutor(12) as pool:
        first = set(pool.map(start, range(40)))
    assert {each.data["initiationId"] for each in heard(receiver, 40)} == first
    assert len(receiver.ids()) == 40

    servers[0].stop(signal.SIGKILL)
    pass_time(database, LEASE)
    with ThreadPoolExecutor(12) as pool:
        second = set(pool.map(start, range(41, 60, 2)))
    wait_until(lambda: second <= {each.data["initiationId"] for each in receiver.received})


def test_a_reload_sends_to_the_new_url(gunicorn, receiver, tmp_path):
    with Receiver() as later:
        (tmp_path / ".env").write_text(f"OUTCOME_WEBHOOK_URL={receiver.url}\n")
        server = gunicorn(
            COBROWSE_ENV_FILE=str(tmp_path / ".env"), OUTCOME_WEBHOOK_SECRET=SECRET, COBROWSE_FLOW="native"
        )
        deliver(server.url, WEBCHAT, "k-1")
        heard(receiver)
        (tmp_path / ".env").write_text(f"OUTCOME_WEBHOOK_URL={later.url}\n")
        old = set(server.workers())
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not old & set(server.workers()) and len(server.workers()) == 2)
        deliver(server.url, ABSENT, "k-2")
        assert [each.type for each in heard(later)] == ["initiation.failed"]
        assert len(receiver.received) == 1


def test_a_stop_lets_another_send_at_once(telling, receiver):
    """The lease would last for seconds otherwise; the try that is under way is finished and recorded."""
    server = telling(receiver.url, WEB_CONCURRENCY="1")
    slow = threading.Event()
    receiver.answer = lambda _: (slow.wait(HANGS), (204, {}))[1]
    deliver(server.url, WEBCHAT, "k-1")
    heard(receiver)
    server.process.send_signal(signal.SIGTERM)
    slow.set()
    server.stop()
    assert server.process.returncode == 0
    again = telling(receiver.url, WEB_CONCURRENCY="1", PORT=str(free_port()))
    deliver(again.url, ABSENT, "k-2")
    assert [each.type for each in heard(receiver, 2)] == ["initiation.succeeded", "initiation.failed"]


def test_a_start_by_hand_is_told_by_the_service(telling, receiver):
    server = telling(receiver.url, WEB_CONCURRENCY="1")
    command = [sys.executable, "cli.py", "start", WEBCHAT, "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=server.environment, capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert done.returncode == 0, done.stderr
    [told] = heard(receiver)
    assert told.data["initiationId"] == json.loads(done.stdout)["initiationId"]
