"""A sender's rate counted across machines, in a real Redis."""

import os
import shutil
import subprocess
import time

import pytest

from cobrowse.errors import SenderRateLimited
from integrations.senders.rate_limit import RateLimiter
from tests.clocks import HANGS


class Sender:
    name, rate_limit = "crm", "3/minute"


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
        except SenderRateLimited as limited:
            if "can't be counted" not in str(limited):
                return False
            time.sleep(0.1)
        else:
            return True
    raise AssertionError("Redis did not come up")


def test_two_machines_share_one_count(redis):
    machines = [RateLimiter(redis), RateLimiter(redis)]
    assert [counted(machines[number % 2]) for number in range(5)] == [True, True, True, False, False]


def test_while_the_counter_is_away_a_sender_with_a_rate_waits(unused_tcp_port):
    with pytest.raises(SenderRateLimited, match="can't be counted") as limited:
        RateLimiter(f"redis://127.0.0.1:{unused_tcp_port()}").check(Sender)
    assert limited.value.retry_after > 0
