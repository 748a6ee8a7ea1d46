"""A sender's rate counted across machines, in a real Redis."""

import os
import shutil
import subprocess
import time

import pytest

from cobrowse.errors import RateLimitStorageUnavailable, SenderRateLimited
from cobrowse.model import Secret
from integrations.senders.rate_limit import RateLimiter
from sandbox.state import WEBCHAT
from tests.clocks import HANGS


class Sender:
    name, rate_limit, rate_limit_fail_open = "crm", "3/minute", False


class FailsOpen(Sender):
    rate_limit_fail_open = True


ROW = """
[senders.crm]
signature = "bearer"
secrets = ["$CRM"]
envelope = "custom"
conversation_id = "conversationId"
rate_limit = "3/minute"
"""
SECRET = "crm-secret-0123456789abcdef"


@pytest.fixture
def redis(tmp_path, unused_tcp_port):
    """The URL of a Redis of our own; skipped where there is none, unless REQUIRE_REDIS=1."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("REQUIRE_REDIS"):
            pytest.fail("redis-server is not installed, and REQUIRE_REDIS asks for it")
        pytest.skip("redis-server is not installed")
    port = unused_tcp_port()
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}"
    process.kill()
    process.wait()


def counted(rates):
    """Whether one more delivery is within the rate; waits for a Redis that is still starting."""
    ends = time.monotonic() + HANGS
    while time.monotonic() < ends:
        try:
            rates.check(Sender)
        except SenderRateLimited:
            return False
        except RateLimitStorageUnavailable:
            time.sleep(0.1)
        else:
            return True
    raise AssertionError("Redis did not come up")


def test_two_machines_share_one_count(redis):
    machines = [RateLimiter(redis), RateLimiter(redis)]
    assert [counted(machines[number % 2]) for number in range(5)] == [True, True, True, False, False]


def test_while_the_counter_is_away_a_sender_with_a_rate_waits(unused_tcp_port):
    rates = RateLimiter(f"redis://127.0.0.1:{unused_tcp_port()}")
    with pytest.raises(RateLimitStorageUnavailable, match="the counters in redis can't be reached") as away:
        rates.check(Sender)
    assert away.value.retry_after > 0
    assert rates.check(FailsOpen) is None


def test_a_counter_that_is_away_shows_in_readyz_and_in_the_answer(service, box, tmp_path, unused_tcp_port):
    file = tmp_path / "senders.toml"
    file.write_text(ROW)
    told = {"senders_file": str(file), "rate_limit_storage": Secret(f"redis://127.0.0.1:{unused_tcp_port()}")}
    bridge = service(environ={"CRM": SECRET}, **told)
    ready = bridge.client.get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (200, "degraded")
    assert ready.json["checks"]["rates"].startswith("rate_limit_storage_unavailable: the counters in redis can't")
    delivery = {"path": "/webhooks/crm", "key": "", "headers": {"Authorization": f"Bearer {SECRET}"}}
    answer = bridge.post({"conversationId": WEBCHAT}, **delivery)
    assert (answer.status_code, answer.json["errorCode"]) == (503, "rate_limit_storage_unavailable")
    assert answer.json["retryable"]
    assert bridge.start(WEBCHAT)["success"]
    file.write_text(f"{ROW}rate_limit_fail_open = true\n")
    assert service(environ={"CRM": SECRET}, **told).post({"conversationId": WEBCHAT}, **delivery).status_code == 200


def test_a_counter_that_is_there_is_reached(redis):
    rates = RateLimiter(redis)
    assert counted(rates)
    assert rates.ping() is None
