"""The integration's token: kept while it is good, renewed in time, fetched by one for all."""

import threading

import httpx
import pytest

from cobrowse.errors import GenesysForbidden, GenesysTimeout, GenesysUnauthorized, LedgerUnavailable
from cobrowse.flow import Attempt
from cobrowse.model import Command, Secret
from integrations.genesys.auth import Tokens
from integrations.genesys.retry import RetryingCaller
from tests.clocks import ManualClock


class Login(httpx.BaseTransport):
    """Hands out token-1, token-2, …; `status` other than 200 refuses."""

    def __init__(self, expires_in=86_400, status=200):
        self.expires_in, self.status = expires_in, status
        self.requests = []
        self.gate = None

    def handle_request(self, request):
        self.requests.append(request)
        if self.gate:
            self.gate.wait(5)
        if self.status != 200:
            return httpx.Response(self.status, json={"error": "invalid_client"})
        token = f"token-{len(self.requests)}"
        return httpx.Response(200, json={"access_token": token, "token_type": "bearer", "expires_in": self.expires_in})


class Away:
    """A store that can't be reached."""

    def __getattr__(self, name):
        def fail(*_):
            raise LedgerUnavailable("away")

        return fail


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def login():
    return Login()


@pytest.fixture
def tokens(clock, login):
    return make(clock, login)


def make(clock, login, store=None):
    caller = RetryingCaller(login, clock, lambda: 0.0)
    return Tokens(caller, clock, "https://login.example.com", "client", Secret("s3cret"), holder="h", store=store)


@pytest.fixture
def attempt(clock):
    return Attempt(Command("architect", "corr-1", 10.0), "i", "h", clock)


def test_it_is_asked_for_as_rfc_6749_says_with_the_secret_in_the_header_alone(tokens, login, attempt):
    assert tokens.get(attempt, "a b") == "token-1"
    [request] = login.requests
    assert str(request.url) == "https://login.example.com/oauth/token"
    assert request.headers["Authorization"] == "Basic Y2xpZW50OnMzY3JldA=="
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["ININ-Correlation-Id"] == "corr-1"
    assert request.content == b"grant_type=client_credentials&scope=a+b"


def test_no_scope_is_sent_where_none_is_asked_for(tokens, login, attempt):
    tokens.get(attempt, "")
    assert login.requests[0].content == b"grant_type=client_credentials"


def test_it_is_kept_until_a_minute_before_it_expires(tokens, login, attempt, clock):
    tokens.get(attempt, "")
    clock.time += 86_400 - 61
    attempt.deadline = type(attempt.deadline).after(10, clock)
    assert tokens.get(attempt, "") == "token-1"
    clock.time += 2
    assert tokens.get(attempt, "") == "token-2"


def test_one_that_lives_for_less_than_two_minutes_is_used_for_half_of_it(clock, attempt):
    login = Login(expires_in=60)
    tokens = make(clock, login)
    tokens.get(attempt, "")
    clock.time += 29
    assert tokens.get(attempt, "") == "token-1"
    clock.time += 2
    attempt.deadline = type(attempt.deadline).after(10, clock)
    assert tokens.get(attempt, "") == "token-2"


def test_each_set_of_scopes_has_its_own(tokens, attempt):
    assert tokens.get(attempt, "a") == "token-1"
    assert tokens.get(attempt, "b") == "token-2"
    assert tokens.get(attempt, "a") == "token-1"


def test_a_refused_one_is_replaced_and_a_late_refusal_of_the_old_changes_nothing(tokens, login, attempt):
    old = tokens.get(attempt, "")
    tokens.invalidate("", old)
    assert tokens.get(attempt, "") == "token-2"
    tokens.invalidate("", old)
    assert tokens.get(attempt, "") == "token-2"
    assert len(login.requests) == 2


def test_fifty_threads_make_one_request(clock, attempt):
    login = Login()
    login.gate = threading.Event()
    tokens = make(clock, login)
    got = []
    threads = [threading.Thread(target=lambda: got.append(tokens.get(attempt, ""))) for _ in range(50)]
    for thread in threads:
        thread.start()
    login.gate.set()
    for thread in threads:
        thread.join()
    assert set(got) == {"token-1"}
    assert len(login.requests) == 1


def test_who_cannot_wait_for_another_threads_fetch_gets_a_timeout(clock, login, tokens):
    tokens._state("").guard.acquire()
    hurried = Attempt(Command("architect", "c", 0.01), "i", "h", clock)
    with pytest.raises(GenesysTimeout):
        tokens.get(hurried, "")


def test_a_wrong_client_is_unauthorized_and_the_next_request_tries_anew(clock, attempt):
    login = Login(status=401)
    tokens = make(clock, login)
    with pytest.raises(GenesysUnauthorized):
        tokens.get(attempt, "")
    login.status = 200
    assert tokens.get(attempt, "") == "token-2"


def test_refused_scopes_are_named(clock, attempt):
    tokens = make(clock, Login(status=403))
    with pytest.raises(GenesysForbidden, match="scopes asked for: cobrowse:initiate"):
        tokens.get(attempt, "cobrowse:initiate")


def test_a_store_that_is_away_is_no_reason_to_have_no_token(clock, login, attempt):
    assert make(clock, login, Away()).get(attempt, "") == "token-1"


def test_its_repr_hides_it(tokens, attempt):
    assert repr(tokens.get(attempt, "")) == "•••"
