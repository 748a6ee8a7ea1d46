"""The integration's token: kept while it is good, renewed in time, fetched by one for all."""

import itertools
import threading

import httpx
import pytest

from cobrowse.errors import (
    GenesysError,
    GenesysForbidden,
    GenesysRateLimited,
    GenesysTimeout,
    GenesysUnauthorized,
    LedgerUnavailable,
)
from cobrowse.flow import Attempt
from cobrowse.model import Command, Secret
from integrations.genesys.auth import MAX_RENEWALS, MIN_USE, RENEWAL_WINDOW, Tokens
from integrations.genesys.retry import RetryingCaller
from tests.clocks import HANGS, ManualClock, wait_until


class Login(httpx.BaseTransport):
    """Hands out token-1, token-2, …; `status` other than 200 refuses."""

    def __init__(self, expires_in=86_400, status=200, error="invalid_client"):
        self.expires_in, self.status, self.error = expires_in, status, error
        self.requests = []
        self.gate = None

    def handle_request(self, request):
        self.requests.append(request)
        if self.gate:
            self.gate.wait(HANGS)
        if self.status != 200:
            headers = {"Retry-After": "2"} if self.status == 429 else {}
            return httpx.Response(self.status, headers=headers, json={"error": self.error})
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


def make(clock, login, store=None, secret="s3cret", **parts):
    caller = RetryingCaller(login, clock, lambda: 0.0)
    return Tokens(
        caller, clock, "https://login.example.com", "client", Secret(secret), lease_owner="h", store=store, **parts
    )


@pytest.fixture
def attempt(clock):
    return Attempt(Command("architect", "corr-1", 10.0), "i", "h", clock)


def test_it_is_asked_for_as_rfc_6749_says_with_the_secret_in_the_header_alone(tokens, login, attempt):
    assert tokens.get(attempt, "a b").reveal() == "token-1"
    [request] = login.requests
    assert str(request.url) == "https://login.example.com/oauth/token"
    assert request.headers["Authorization"] == "Basic Y2xpZW50OnMzY3JldA=="
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["ININ-Correlation-Id"] == "corr-1"
    assert request.content == b"grant_type=client_credentials&scope=a+b"


def test_a_secret_of_bytes_that_are_no_utf_8_is_refused_by_genesys_and_not_by_us(clock, attempt):
    login = Login(status=401)
    with pytest.raises(GenesysUnauthorized):
        make(clock, login, secret="s3cret\udcff").get(attempt, "")
    assert login.requests[0].headers["Authorization"] == "Basic Y2xpZW50OnMzY3JldP8="


def test_no_scope_is_sent_where_none_is_asked_for(tokens, login, attempt):
    tokens.get(attempt, "")
    assert login.requests[0].content == b"grant_type=client_credentials"


def test_it_is_kept_until_a_minute_before_it_expires(tokens, login, attempt, clock):
    tokens.get(attempt, "")
    clock.time += 86_400 - 61
    attempt.deadline = type(attempt.deadline).after(10, clock)
    assert tokens.get(attempt, "").reveal() == "token-1"
    clock.time += 2
    assert tokens.get(attempt, "").reveal() == "token-2"


def test_one_that_lives_for_less_than_two_minutes_is_used_for_half_of_it(clock, attempt):
    login = Login(expires_in=60)
    tokens = make(clock, login)
    tokens.get(attempt, "")
    clock.time += 29
    assert tokens.get(attempt, "").reveal() == "token-1"
    clock.time += 2
    attempt.deadline = type(attempt.deadline).after(10, clock)
    assert tokens.get(attempt, "").reveal() == "token-2"


def test_each_set_of_scopes_has_its_own(tokens, attempt):
    assert tokens.get(attempt, "a").reveal() == "token-1"
    assert tokens.get(attempt, "b").reveal() == "token-2"
    assert tokens.get(attempt, "a").reveal() == "token-1"


def test_a_refused_one_is_replaced_and_a_late_refusal_of_the_old_changes_nothing(tokens, login, attempt):
    old = tokens.get(attempt, "")
    tokens.invalidate("", old)
    assert tokens.get(attempt, "").reveal() == "token-2"
    tokens.invalidate("", old)
    assert tokens.get(attempt, "").reveal() == "token-2"
    assert len(login.requests) == 2


def test_fifty_threads_make_one_request(clock, attempt):
    login = Login()
    login.gate = threading.Event()
    tokens = make(clock, login)
    got = []
    threads = [threading.Thread(target=lambda: got.append(tokens.get(attempt, "").reveal())) for _ in range(50)]
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
    assert tokens.get(attempt, "").reveal() == "token-2"


def in_turn(*statuses):
    """A login host that answers with one status after the other, again and again."""
    login, turn = Login(), itertools.cycle(statuses)
    handle = login.handle_request

    class Flapping(httpx.BaseTransport):
        requests = login.requests

        def handle_request(self, request):
            login.status = next(turn)
            return handle(request)

    return Flapping()


@pytest.mark.parametrize("statuses", [(401,), (403,), (400,), (429,), (401, 401, 401, 200)], ids=str)
def test_a_login_host_that_refuses_is_asked_so_often_and_each_request_gets_its_error(clock, statuses):
    login = in_turn(*statuses)
    tokens, errors = make(clock, login), []
    for _ in range(600):  # a minute, ten requests a second; a token is rejected as soon as it is there
        attempt = Attempt(Command("architect", "c", 0.05), "i", "h", clock)
        try:
            tokens.invalidate("", tokens.get(attempt, ""))
        except GenesysError as error:
            errors.append(error)
        clock.time += 0.1
    assert len(login.requests) <= 2 * MAX_RENEWALS * (60 / RENEWAL_WINDOW + 1)
    assert len(errors) >= 600 - len(login.requests)
    assert len({id(error) for error in errors}) == len(errors)
    assert {(type(error), error.message) for error in errors} == {(type(errors[0]), errors[0].message)}


class CountingLock:
    """A lock that counts those who have come to it."""

    def __init__(self):
        self.lock, self.came = threading.Lock(), itertools.count(1)
        self.count = 0

    def acquire(self, blocking=True, timeout=-1):
        self.count = next(self.came)
        return self.lock.acquire(blocking, timeout)

    def release(self):
        self.lock.release()


def test_forty_threads_that_wait_for_a_fetch_that_is_refused_are_all_told_and_none_asks_again(clock, attempt):
    login, lock, told = Login(status=401), CountingLock(), []
    login.gate = threading.Event()
    tokens = make(clock, login, new_lock=lambda: lock)

    def ask():
        with pytest.raises(GenesysUnauthorized) as raised:
            tokens.get(attempt, "")
        told.append(str(raised.value))

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    wait_until(lambda: lock.count == 40, "not all came")
    login.gate.set()
    for thread in threads:
        thread.join()
    assert (len(told), len(set(told)), len(login.requests)) == (40, 1, 1)


def test_a_fetch_that_a_short_deadline_ended_is_no_answer_to_others(clock, login, tokens, attempt):
    with pytest.raises(GenesysTimeout):
        tokens.get(Attempt(Command("architect", "c", 0.0), "i", "h", clock), "")
    assert tokens.get(attempt, "").reveal() == "token-1"


def test_a_wait_that_did_not_fit_one_deadline_is_waited_for_where_it_fits(clock, attempt):
    login = in_turn(429, 200)
    tokens = make(clock, login)
    with pytest.raises(GenesysRateLimited):
        tokens.get(Attempt(Command("architect", "c", 0.5), "i", "h", clock), "")
    assert tokens.get(attempt, "").reveal() == "token-2"


def test_refused_scopes_are_named(clock, attempt):
    tokens = make(clock, Login(status=400, error="invalid_scope"))
    with pytest.raises(GenesysForbidden, match="scopes requested: cobrowse:initiate"):
        tokens.get(attempt, "cobrowse:initiate")


def test_a_store_that_is_away_is_no_reason_to_have_no_token(clock, login, attempt):
    assert make(clock, login, Away()).get(attempt, "").reveal() == "token-1"


def test_its_repr_hides_it(tokens, attempt):
    assert repr(tokens.get(attempt, "")) == "•••"


class InvalidatingLock:
    """A lock whose release is the moment at which another request learns that the token in force was rejected."""

    def __init__(self, on_release):
        self.on_release = on_release

    def acquire(self, blocking=True, timeout=-1):
        return True

    def release(self):
        self.on_release()


@pytest.mark.parametrize("expires_in", [86_400, 0])
def test_a_token_invalidated_before_it_is_returned_is_never_handed_out_empty(clock, attempt, expires_in):
    login = Login(expires_in=expires_in)
    tokens = make(
        clock,
        login,
        new_lock=lambda: InvalidatingLock(lambda: tokens.invalidate("", Secret(f"token-{len(login.requests)}"))),
    )
    assert tokens.get(attempt, "").reveal() == "token-1"
    assert tokens.get(attempt, "").reveal() == "token-2"


class InvalidatingClock(ManualClock):
    """Reads the time while another request learns that the token in force was rejected."""

    on_read = staticmethod(lambda: None)

    def monotonic(self):
        self.on_read()
        return super().monotonic()


def test_a_token_invalidated_while_its_expiry_is_checked_is_not_handed_out_empty(login):
    clock = InvalidatingClock()
    attempt = Attempt(Command("architect", "corr-1", 10.0), "i", "h", clock)
    tokens = make(clock, login)
    tokens.get(attempt, "")

    def invalidate():
        clock.on_read = lambda: None
        tokens.invalidate("", Secret("token-1"))

    clock.on_read = invalidate
    assert tokens.get(attempt, "").reveal() == "token-1"
    assert tokens.get(attempt, "").reveal() == "token-2"


@pytest.mark.parametrize("expires_in", ["soon", "", None, -1, [3600], {}, "86400", 3600.5])
def test_a_token_whose_time_cannot_be_read_is_a_token_all_the_same(clock, attempt, expires_in):
    login = Login(expires_in=expires_in)
    tokens = make(clock, login)
    assert [tokens.get(attempt, "").reveal(), tokens.get(attempt, "").reveal()] == ["token-1", "token-1"]


@pytest.mark.parametrize("expires_in", [0, 1, 9])
def test_a_token_that_expires_at_once_is_not_fetched_for_each_call(clock, expires_in):
    login = Login(expires_in=expires_in)
    tokens = make(clock, login)
    for _ in range(600):  # a minute, ten calls a second
        tokens.get(Attempt(Command("architect", "c", 10.0), "i", "h", clock), "")
        clock.time += 0.1
    assert len(login.requests) <= 60 / MIN_USE + 1


def test_an_api_that_rejects_every_token_does_not_cost_a_fetch_for_each_call(clock, login, tokens):
    for _ in range(600):
        token = tokens.get(Attempt(Command("architect", "c", 10.0), "i", "h", clock), "")
        assert token
        tokens.invalidate("", token)
        clock.time += 0.1
    assert len(login.requests) <= MAX_RENEWALS * (60 / RENEWAL_WINDOW + 1) + 1
    clock.time += RENEWAL_WINDOW
    before = len(login.requests)
    attempt = Attempt(Command("architect", "c", 10.0), "i", "h", clock)
    tokens.invalidate("", tokens.get(attempt, ""))
    tokens.get(attempt, "")
    assert len(login.requests) == before + 1
