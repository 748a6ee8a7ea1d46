"""What no mock can show: processes killed with SIGKILL in the middle, redelivered, and the customer invited once."""

import contextlib
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from cryptography.fernet import Fernet

from sandbox.state import WEBCHAT
from tests.clocks import HANGS, wait_until
from tests.contract.ledgers import pass_time
from tests.http_client import HTTP
from tests.integration.conftest import KEY

# Seconds in which a delivery must have its final answer: the lease of a dead worker (deadline + 5 s) and some more.
PATIENCE = 2 * HANGS


# Seconds that a dead worker's lease lasts at most, which the ledger's own tests wait for: its deadline and five more.
LEASE = 15.0


def kill_in_call(server, box, asking, ledger, operation, number=0):
    """SIGKILL the workers while Genesys is at this call; it ends the call all the same, and then the lease runs out."""
    wait_until(lambda: len(box.calls(operation)) > number)
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    asking.join()
    wait_until(lambda: box.calls(operation)[number].status is not None)
    pass_time(ledger, LEASE)


def deliver(url, conversation_id, key, timeout=15, path="/data-actions/cobrowse"):
    """One delivery: the response, or None if the connection broke."""
    with contextlib.suppress(httpx.TransportError):
        return HTTP.post(
            f"{url}{path}",
            json={"conversationId": conversation_id},
            headers={"X-Api-Key": KEY, "Idempotency-Key": key, "Prefer": "status"},
            timeout=timeout,
        )


def deliver_until_answered(urls, conversation_id, key, **more):
    """Deliver again and again, as senders do, until the answer is final: that response."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        answer = deliver(random.choice(urls), conversation_id, key, **more)
        if answer is not None and not answer.json()["retryable"]:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"no final answer for {key} within {PATIENCE:.0f} s")


STEPS = [
    ("token", "before"),
    ("create", "before"),
    ("create", "after"),
    ("attach", "before"),
    ("attach", "after"),
    ("conversation", "before"),
]


@pytest.mark.parametrize(("operation", "when"), STEPS)
def test_a_worker_killed_at_any_step_leaves_one_invitation_once_redelivered(gunicorn, box, tmp_path, operation, when):
    server, ledger = gunicorn(WEB_CONCURRENCY="1"), f"sqlite:///{tmp_path}/ledger.sqlite3"
    box.faults.add(operation=operation, kind="delay", seconds=1.0, when=when, times=1)
    asking = threading.Thread(target=deliver, args=(server.url, WEBCHAT, "k-1"))
    asking.start()
    kill_in_call(server, box, asking, ledger, operation)
    answer = deliver_until_answered([server.url], WEBCHAT, "k-1").json()
    # Unverified: on a busy machine the deadline can leave no time to look at what was started.
    assert answer["status"] in ("initiated", "unverified")
    assert box.invitations(WEBCHAT) == 1
    again = deliver(server.url, WEBCHAT, "k-1")
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("operation", "when"), [("conversation", "after"), ("disconnect", "before"), ("disconnect", "after")]
)
def test_a_worker_killed_while_it_ends_a_session_leaves_it_ended_once_redelivered(
    gunicorn, box, tmp_path, operation, when
):
    server = gunicorn(WEB_CONCURRENCY="1", COBROWSE_FLOW="native")
    ledger = f"sqlite:///{tmp_path}/ledger.sqlite3"
    assert deliver(server.url, WEBCHAT, "start-1").json()["status"] == "initiated"
    before = len(box.calls(operation))
    box.faults.add(operation=operation, kind="delay", seconds=1.0, when=when, times=1)
    ending = {"path": "/data-actions/cobrowse/end"}
    asking = threading.Thread(target=deliver, args=(server.url, WEBCHAT, "end-1"), kwargs=ending)
    asking.start()
    kill_in_call(server, box, asking, ledger, operation, before)
    answer = deliver_until_answered([server.url], WEBCHAT, "end-1", **ending).json()
    assert answer["status"] in ("ended", "already_ended")
    assert [medium for medium in box.state.conversation(WEBCHAT).media if medium.ended is None] == []
    assert deliver(server.url, WEBCHAT, "end-1", **ending).headers["Idempotent-Replayed"] == "true"
    # What was ended stands in nobody's way.
    assert deliver(server.url, WEBCHAT, "start-2").json()["status"] == "initiated"
    assert box.invitations(WEBCHAT) == 2


def test_two_services_on_one_postgresql_start_each_of_80_deliveries_once_while_workers_die(gunicorn, box, database):
    settings = {
        "LEDGER_URL": database.replace("postgresql://", "postgresql+psycopg://"),
        "LEDGER_KEYS": Fernet.generate_key().decode(),
        "DEADLINE_SECONDS": "3",
    }
    upgrade(settings)
    box.options.auto_create = True
    box.faults.add(operation="attach", kind="delay", seconds=0.05, when="after", times="always")
    servers = [gunicorn(**settings), gunicorn(**settings)]
    urls = [server.url for server in servers]
    deliveries = [(f"{number:08d}-0000-4000-8000-000000000000", f"delivery-{number}") for number in range(80)]
    over = threading.Event()
    killer = threading.Thread(target=kill_workers, args=(servers, over))
    killer.start()
    try:
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda one: deliver_until_answered(urls, *one), [*deliveries] * 4))
    finally:
        over.set()
        killer.join()
    assert {answer.json()["status"] for answer in answers} <= {"initiated", "unverified"}
    assert len(answers) == 320
    for number, (conversation_id, _) in enumerate(deliveries):
        assert box.invitations(conversation_id) == 1
        assert len({answers[number + 80 * copy].content for copy in range(4)}) == 1
    # Four workers and those that replaced the dead share one token.
    assert box.tokens.issued == 1


def kill_workers(servers, over):
    """SIGKILL one worker after another: enough that most deliveries meet one, and not without end."""
    for _ in range(20):
        if over.wait(0.4):
            return
        workers = [pid for server in servers for pid in server.workers()]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)


def upgrade(settings):
    from integrations.ledger import connect

    store = connect(settings["LEDGER_URL"], keys=[settings["LEDGER_KEYS"]], retention_seconds=3600)
    store.upgrade()
    store.close()


def test_four_workers_that_start_at_once_ask_for_one_token(gunicorn, box):
    box.options.auto_create = True
    box.faults.add(operation="token", kind="delay", seconds=0.3, times=1)
    server = gunicorn(WEB_CONCURRENCY="4")
    conversations = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(40)]
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda one: deliver(server.url, one, one), conversations))
    assert [answer.text for answer in answers if answer.json()["status"] != "initiated"] == []
    assert box.tokens.issued == 1


def test_a_refused_token_is_renewed_once_for_all_workers(gunicorn, box):
    box.options.auto_create = True
    server = gunicorn(WEB_CONCURRENCY="2")
    conversations = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(60)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda one: deliver(server.url, one, one), conversations[:20]))
        assert box.tokens.issued == 1
        box.tokens.clear()
        answers = list(pool.map(lambda one: deliver(server.url, one, one), conversations[20:]))
    assert [answer.text for answer in answers if answer.json()["status"] != "initiated"] == []
    assert box.tokens.issued == 1
