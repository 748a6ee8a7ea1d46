"""The service user's token: renewed ahead by one of all, each pair committed at once, a refused login named."""

import threading
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cobrowse.errors import (
    GenesysBadResponse,
    GenesysTimeout,
    GenesysUnauthorized,
    GenesysUnavailable,
    InternalError,
    LedgerUnavailable,
    LoginRequired,
)
from cobrowse.flow import Attempt
from cobrowse.model import Command, Secret
from integrations.genesys.retry import RetryingCaller
from integrations.genesys.user_login import UserClient, UserLogin, code_of
from integrations.genesys.user_token import LOOK_AGAIN, RENEWAL_LEASE, UserTokens
from tests.clocks import HANGS, ManualClock

LIFE = 3600.0
CONFIDENTIAL = UserClient("https://login.example.com", "user-client", Secret("user-s3cret"), "http://localhost:1/back")
PUBLIC = replace(CONFIDENTIAL, client_secret=Secret())


class Login(httpx.BaseTransport):
    """Gives access-2 and refresh-2 for refresh-1, and so on: of refresh tokens only the newest is good."""

    def __init__(self):
        self.newest = 1
        self.forms = []
        self.authorizations = []
        self.gate = None
        self.strikes = []
        self.rotates = True

    def handle_request(self, request):
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.forms.append(form)
        self.authorizations.append(request.headers.get("Authorization"))
        if self.gate:
            self.gate.wait(HANGS)
        if self.strikes:
            return self.strikes.pop(0)(request)
        if form.get("refresh_token", f"refresh-{self.newest}") != f"refresh-{self.newest}":
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "it is void"})
        self.newest += 1
        given = {"access_token": f"access-{self.newest}", "expires_in": LIFE}
        return httpx.Response(200, json=given | ({"refresh_token": f"refresh-{self.newest}"} if self.rotates else {}))


@dataclass
class Grant:
    access: str
    refresh: str
    ends: float
    lifetime: float
    version: int
    clock: ManualClock
    refused: str = ""

    @property
    def seconds_left(self):
        return self.ends - self.clock.time


class Store:
    """One login, as the ledger keeps it. While it is `away` nothing can be had of it."""

    def __init__(self, clock):
        self.clock = clock
        self.grant = Grant(Secret("access-1"), Secret("refresh-1"), clock.time + LIFE, LIFE, 1, clock)
        self.lease = ("", 0.0)
        self.away = False
        self.lock = threading.Lock()

    def _reached(self):
        if self.away:
            raise LedgerUnavailable("away")

    def read(self, name):
        self._reached()
        return self.grant and replace(self.grant)

    def begin_rotation(self, name, lease_owner, seconds, version):
        self._reached()
        with self.lock:
            owner, until = self.lease
            free = owner in ("", lease_owner) or until <= self.clock.time
            if not free or version != self.grant.version or self.grant.refused:
                return False
            self.lease = lease_owner, self.clock.time + seconds
            return True

    def rotate(self, name, version, access, refresh, expires_in):
        self._reached()
        if version != self.grant.version:
            return False
        self.grant = Grant(access, refresh, self.clock.time + expires_in, expires_in, version + 1, self.clock)
        self.lease = ("", 0.0)
        return True

    def refuse(self, name, version, why):
        self._reached()
        if version == self.grant.version:
            self.grant.refused, self.lease = why, ("", 0.0)

    def release(self, name, lease_owner):
        self._reached()
        if self.lease[0] == lease_owner:
            self.lease = ("", 0.0)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def login():
    return Login()


@pytest.fixture
def store(clock):
    return Store(clock)


def at_once(work):
    work()


def make(clock, login, store, owner="one", client=CONFIDENTIAL, run=at_once):
    calls = UserLogin(RetryingCaller(login, clock, lambda: 0.0), client)
    return UserTokens(calls, store, clock, "g", lease_owner=owner, run=run)


@pytest.fixture
def tokens(clock, login, store):
    return make(clock, login, store)


@pytest.fixture
def attempt(clock):
    return lambda seconds=10.0: Attempt(Command("architect", "corr-1", seconds), "i", "h", clock)


def refused(_request):
    return httpx.Response(400, json={"error": "invalid_grant", "error_description": "revoked"})


def test_the_one_in_the_store_is_used_without_a_call(tokens, login, attempt):
    assert tokens.get(attempt()).reveal() == "access-1"
    assert login.forms == []


def test_without_a_login_the_error_says_so(tokens, store, attempt):
    store.grant = None
    with pytest.raises(LoginRequired, match="no service user has logged in"):
        tokens.get(attempt())
    assert tokens.problem(needed=False) is None
    assert tokens.problem(needed=True).code == "service_user_login_required"


def test_it_is_renewed_half_of_its_life_ahead_and_nobody_waits_for_that(clock, login, store, attempt):
    begun = []
    tokens = make(clock, login, store, run=begun.append)
    clock.time += LIFE / 2 - 1
    assert (tokens.get(attempt()).reveal(), len(begun)) == ("access-1", 0)
    clock.time += LOOK_AGAIN
    assert (tokens.get(attempt()).reveal(), len(begun)) == ("access-1", 1)
    begun[0]()
    clock.time += LOOK_AGAIN
    assert tokens.get(attempt()).reveal() == "access-2"
    assert store.grant.refresh.reveal() == "refresh-2"
    assert len(login.forms) == 1


def test_a_refresh_is_asked_for_as_rfc_6749_says(clock, login, store, attempt):
    clock.time += LIFE
    make(clock, login, store).get(attempt())
    assert login.forms == [{"grant_type": "refresh_token", "refresh_token": "refresh-1"}]
    assert login.authorizations == ["Basic dXNlci1jbGllbnQ6dXNlci1zM2NyZXQ="]


def test_a_public_client_names_itself_in_the_form(clock, login, store, attempt):
    clock.time += LIFE
    make(clock, login, store, client=PUBLIC).get(attempt())
    assert login.forms[0] == {"grant_type": "refresh_token", "refresh_token": "refresh-1", "client_id": "user-client"}
    assert login.authorizations == [None]


def test_a_login_host_that_gives_no_new_refresh_token_leaves_the_old_one_in_force(clock, login, store, attempt):
    login.rotates = False
    clock.time += LIFE
    assert make(clock, login, store).get(attempt()).reveal() == "access-2"
    assert store.grant.refresh.reveal() == "refresh-1"


def test_thirty_threads_of_two_processes_make_one_call_and_all_get_the_fresh_one(clock, login, store):
    class Real(ManualClock):
        def sleep(self, seconds):
            threading.Event().wait(0.001)

    clock = Real()
    store = Store(clock)
    clock.time += LIFE
    login.gate = threading.Event()
    processes = [
        UserTokens(
            UserLogin(RetryingCaller(login, clock, lambda: 0.0), CONFIDENTIAL), store, clock, "g", lease_owner=owner
        )
        for owner in ("one", "two")
    ]
    got = []

    def ask(number):
        got.append(processes[number % 2].get(Attempt(Command("architect", "c", HANGS), "i", "h", clock)).reveal())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    login.gate.set()
    for thread in threads:
        thread.join()
    assert set(got) == {"access-2"}
    assert len(login.forms) == 1


def test_who_cannot_wait_gets_a_timeout_and_the_renewal_goes_on(clock, login, store, attempt):
    begun = []
    tokens = make(clock, login, store, run=begun.append)
    clock.time += LIFE
    for _ in range(2):
        with pytest.raises(GenesysTimeout):
            tokens.get(attempt(0.01))
    assert len(begun) == 1
    begun[0]()
    assert tokens.get(attempt()).reveal() == "access-2"
    assert len(login.forms) == 1


def test_while_another_process_renews_it_a_request_waits_until_its_deadline(clock, login, store, attempt):
    store.begin_rotation("g", "another", RENEWAL_LEASE, 1)
    clock.time += LIFE
    store.lease = "another", clock.time + RENEWAL_LEASE
    with pytest.raises(GenesysTimeout, match="another process"):
        make(clock, login, store).get(attempt(5.0))
    assert login.forms == []


def test_a_process_that_died_before_genesys_had_its_call_is_followed_by_another(clock, login, store, attempt):
    clock.time += LIFE
    store.lease = "dead", clock.time + 1.0
    assert make(clock, login, store).get(attempt()).reveal() == "access-2"


def test_a_process_that_died_with_the_new_pair_costs_a_login_half_a_life_later(clock, login, store, attempt):
    clock.time += LIFE / 2
    login.newest = 2  # its call was done, and its commit never came
    tokens = make(clock, login, store)
    assert tokens.get(attempt()).reveal() == "access-1"
    assert "it is void" in tokens.problem(needed=False).message
    clock.time += LIFE / 2 - 100
    assert tokens.get(attempt()).reveal() == "access-1"
    assert len(login.forms) == 1, "a refused login is tried once"
    clock.time += 100
    with pytest.raises(LoginRequired, match="it is void"):
        tokens.get(attempt())
    store.rotate("g", 1, Secret("access-9"), Secret("refresh-9"), LIFE)
    assert tokens.get(attempt()).reveal() == "access-9"


def test_a_pair_that_could_not_be_committed_is_committed_at_the_next_look(clock, login, store, attempt):
    def committed_never(request):
        store.away = True
        login.newest += 1
        given = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": LIFE}
        return httpx.Response(200, json=given)

    clock.time += LIFE
    login.strikes.append(committed_never)
    tokens = make(clock, login, store)
    with pytest.raises(LedgerUnavailable):
        tokens.get(attempt())
    store.away = False
    # Meanwhile another process has tried the old one, and Genesys has refused it.
    store.refuse("g", 1, "invalid_grant")
    assert tokens.get(attempt()).reveal() == "access-2"
    assert (store.grant.refresh.reveal(), store.grant.refused, len(login.forms)) == ("refresh-2", "", 1)


def test_readiness_commits_such_a_pair_too(clock, login, store, attempt):
    clock.time += LIFE
    tokens = make(clock, login, store)
    tokens._uncommitted = (
        1,
        UserLogin(RetryingCaller(login, clock, lambda: 0.0), CONFIDENTIAL).refresh(attempt(), Secret("refresh-1")),
    )
    assert tokens.problem(needed=True) is None
    assert store.grant.refresh.reveal() == "refresh-2"


def test_while_the_store_is_away_the_token_is_used_until_its_end(clock, login, store, attempt):
    tokens = make(clock, login, store)
    tokens.get(attempt())
    store.away = True
    clock.time += LIFE - 100
    assert tokens.get(attempt()).reveal() == "access-1"
    clock.time += 100
    with pytest.raises(LedgerUnavailable):
        tokens.get(attempt())


def test_an_outage_of_the_login_host_is_no_refusal(clock, login, store, attempt):
    clock.time += LIFE
    login.strikes += [lambda _: httpx.Response(503)] * 3
    tokens = make(clock, login, store)
    with pytest.raises(GenesysUnavailable):
        tokens.get(attempt())
    assert (store.grant.refused, store.lease[0]) == ("", "")
    assert tokens.get(attempt()).reveal() == "access-2"


def test_a_wrong_secret_is_no_refusal_of_the_login(clock, login, store, attempt):
    clock.time += LIFE
    login.strikes.append(lambda _: httpx.Response(401, json={"error": "invalid_client"}))
    with pytest.raises(GenesysUnauthorized) as raised:
        make(clock, login, store).get(attempt())
    assert "GENESYS_USER_CLIENT_SECRET" in raised.value.hint
    assert store.grant.refused == ""


def test_a_token_that_genesys_rejects_is_renewed_and_not_for_each_call(clock, login, store, attempt):
    tokens = make(clock, login, store)
    for _ in range(100):
        tokens.invalidate(tokens.get(attempt()))
        clock.time += 0.01
    assert 1 < len(login.forms) <= 6


def test_a_login_and_a_logout_elsewhere_are_in_force_within_a_minute(clock, login, store, tokens, attempt):
    tokens.get(attempt())
    store.grant = Grant(Secret("access-b"), Secret("refresh-b"), clock.time + LIFE, LIFE, 2, clock)
    clock.time += LOOK_AGAIN
    assert tokens.get(attempt()).reveal() == "access-b"
    store.grant = None
    clock.time += LOOK_AGAIN
    with pytest.raises(LoginRequired):
        tokens.get(attempt())


def test_a_bug_in_a_renewal_keeps_nobody_waiting(clock, login, store, attempt):
    def crashes(_request):
        raise ZeroDivisionError

    clock.time += LIFE
    login.strikes.append(crashes)
    with pytest.raises(InternalError, match="failed unexpectedly"):
        make(clock, login, store).get(attempt())


def test_what_an_upstream_quotes_of_the_refresh_token_is_masked(clock, login, store, attempt):
    clock.time += LIFE
    store.grant.refresh = Secret("R3fr3sh-t0k3n-of-the-user")

    def quotes(request):
        words = f"got {request.content.decode()} with user-s3cret"
        return httpx.Response(400, json={"error": "invalid_grant", "error_description": words})

    login.strikes.append(quotes)
    with pytest.raises(LoginRequired) as raised:
        make(clock, login, store).get(attempt())
    assert "R3fr3sh" not in raised.value.message
    assert "user-s3cret" not in raised.value.message


# The login itself


def calls(login, client, clock=None):
    return UserLogin(RetryingCaller(login, clock or ManualClock(), lambda: 0.0), client)


def test_the_page_of_a_public_client_carries_a_challenge_and_a_confidential_one_s_does_not(login):
    asked = parse_qs(
        urlsplit(calls(login, PUBLIC).page("st", Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))).query
    )
    # RFC 7636, appendix B.
    assert asked["code_challenge"] == ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
    assert asked["code_challenge_method"] == ["S256"]
    page = urlsplit(calls(login, CONFIDENTIAL).page("st", Secret("v")))
    assert page.path == "/oauth/authorize"
    assert parse_qs(page.query) == {
        "response_type": ["code"],
        "client_id": ["user-client"],
        "redirect_uri": ["http://localhost:1/back"],
        "state": ["st"],
    }


@pytest.mark.parametrize(("client", "verifier"), [(PUBLIC, {"code_verifier": "v"}), (CONFIDENTIAL, {})])
def test_the_code_is_exchanged_with_the_same_redirect_uri(login, attempt, client, verifier):
    pair = calls(login, client).exchange(attempt(), Secret("the-code"), Secret("v"))
    own = {"client_id": "user-client"} if client is PUBLIC else {}
    assert login.forms == [
        {"grant_type": "authorization_code", "code": "the-code", "redirect_uri": "http://localhost:1/back"}
        | verifier
        | own
    ]
    assert (pair.access.reveal(), pair.refresh.reveal(), pair.expires_in) == ("access-2", "refresh-2", LIFE)


def test_a_login_without_a_refresh_token_is_no_use(login, attempt):
    login.rotates = False
    with pytest.raises(GenesysBadResponse, match="no refresh token"):
        calls(login, CONFIDENTIAL).exchange(attempt(), Secret("c"), Secret("v"))


@pytest.mark.parametrize(
    "came_back",
    [
        "http://localhost:1/back?code=abc&state=st",
        "  https://x.example/?state=st&code=abc#frag ",
        "?code=abc&state=st",
        "code=abc&state=st",
    ],
)
def test_the_code_is_read_from_the_address_or_its_query(came_back):
    assert code_of(came_back, "st").reveal() == "abc"


@pytest.mark.parametrize(
    ("came_back", "why"),
    [
        ("http://localhost:1/back?code=abc&state=other", "state"),
        ("http://localhost:1/back?code=abc", "state"),
        ("abc", "state"),
        ("", "state"),
        ("?error=access_denied&error_description=no&state=st", "access_denied no"),
        ("?state=st", "no code"),
    ],
)
def test_what_is_not_this_login_s_way_back_is_refused(came_back, why):
    with pytest.raises(LoginRequired, match=why):
        code_of(came_back, "st")
