"""Readiness: cheap however often it is asked, and easy on Genesys while something is wrong."""

import threading

import pytest

from cobrowse.errors import GenesysUnauthorized, LedgerUnavailable
from diagnostics.readiness import Readiness, TokenCheck, ping_check
from tests.clocks import HANGS, ManualClock


@pytest.fixture
def clock():
    return ManualClock()


def test_an_answer_serves_everybody_for_two_seconds(clock):
    asked = []
    ready = Readiness({"ledger": lambda: asked.append(1)}, clock)
    for _ in range(10):
        assert ready() == {"ledger": None}
    assert len(asked) == 1
    clock.sleep(2.0)
    ready()
    assert len(asked) == 2


def test_a_caller_that_comes_while_it_is_asked_gets_the_last_answer(clock):
    asking, go_on = threading.Event(), threading.Event()
    go_on.set()

    def slow():
        asking.set()
        go_on.wait(HANGS)

    ready = Readiness({"ledger": slow}, clock)
    ready()
    clock.sleep(3.0)
    asking.clear()
    go_on.clear()
    other = threading.Thread(target=ready)
    other.start()
    asking.wait(HANGS)
    assert ready() == {"ledger": None}
    go_on.set()
    other.join()


def test_a_ledger_that_is_away_is_the_problem():
    away = LedgerUnavailable("the SQLite file x can't be opened")

    def ping():
        raise away

    assert ping_check(ping) is away
    assert ping_check(lambda: None) is None


class Genesys:
    """Counts tries, and answers them with an error while there is one."""

    def __init__(self):
        self.tries = 0
        self.error = None
        self.left = 0.0

    def authorize(self, attempt):
        self.tries += 1
        assert attempt.deadline.remaining() <= 2.0
        if self.error is not None:
            raise self.error
        self.left = 3600.0


@pytest.fixture
def genesys():
    return Genesys()


@pytest.fixture
def token(genesys, clock):
    return TokenCheck(lambda: genesys.left, genesys.authorize, clock, "host:1")


def test_a_token_at_hand_costs_no_call(genesys, token):
    genesys.left = 100.0
    assert token() is None
    assert genesys.tries == 0


def test_one_is_fetched_where_there_is_none(genesys, token):
    assert token() is None
    assert token() is None
    assert genesys.tries == 1


def test_while_none_can_be_had_it_is_tried_every_30_seconds_only(genesys, token, clock):
    genesys.error = GenesysUnauthorized("token: Genesys answered 401")
    for _ in range(29):
        assert token() is genesys.error
        clock.sleep(1.0)
    assert genesys.tries == 1
    clock.sleep(1.0)
    token()
    assert genesys.tries == 2


def test_a_token_that_somebody_else_got_makes_it_ready_at_once(genesys, token):
    genesys.error = GenesysUnauthorized("token: Genesys answered 401")
    assert token() is genesys.error
    genesys.left = 100.0
    assert token() is None
    genesys.left = 0.0
    assert token() is None, "one was had lately"
