"""Steps of the wall clock by hours, forward and back, while a SQLite ledger is in use and between two starts."""

from datetime import timedelta

import pytest

from cobrowse.clock import SystemClock
from cobrowse.ledger import Acquired, InitiationRecord
from tests.contract.ledgers import again, execute, keyed, opened, settle, won

__all__ = ["opened"]

HOURS = [7_200.0, 86_400.0 * 3, -7_200.0]


class SteppedClock(SystemClock):
    """The machine's clock after its wall clock was set by so many seconds."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def now(self):
        return super().now() + timedelta(seconds=self.seconds)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.sqlite3"


@pytest.mark.parametrize("seconds", HOURS)
def test_a_step_while_a_request_runs_ends_no_lease_and_forgets_nothing(url, opened, seconds):
    clock = SteppedClock()
    before = opened(url, clock=clock)
    running, ended = keyed(key="running"), keyed(key="ended")
    won(before, running)
    won(before, ended)
    settle(before, ended)
    clock.seconds = seconds
    for process in (before, opened(url, clock=SteppedClock(seconds))):  # the second one starts after the step
        held = process.claim(again(running))
        assert isinstance(held, InitiationRecord)
        assert 0 < held.lease_left <= running.lease_seconds
        assert isinstance(process.claim(again(ended)), InitiationRecord)
        assert process.purge() == 0
    settle(before, running)


@pytest.mark.parametrize("seconds", HOURS)
def test_a_step_while_a_request_runs_makes_no_dead_owner_hold_it_for_longer(url, opened, seconds):
    clock = SteppedClock()
    before = opened(url, clock=clock)
    died = keyed(lease=0.01)
    won(before, died)
    clock.seconds = seconds
    after = opened(url, clock=SteppedClock(seconds))
    clock.sleep(0.05)
    assert isinstance(after.claim(again(died)), Acquired)


def test_after_a_step_back_and_a_new_start_a_dead_owner_holds_it_no_longer_than_any_owner_can(url, opened):
    before = opened(url)
    died = keyed(lease=55.0)
    won(before, died)
    assert before.tokens.try_acquire_refresh_lease("t", "dead", 10.0, 0)
    before.close()
    held = opened(url, clock=SteppedClock(-7_200.0)).claim(again(died))
    assert isinstance(held, InitiationRecord)
    assert held.lease_left <= 60.0
    (lease,) = execute(url, "SELECT lease_until FROM leases")[0]
    assert lease == (0.0,)
