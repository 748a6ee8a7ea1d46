"""The service user's token: renewed ahead by one of all, each pair committed at once, a refused login named."""

import threading

import httpx
import pytest

from cobrowse.errors import (
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
from integrations.genesys.user_login import UserLogin
from integrations.genesys.user_token import CACHE_SECONDS, RENEWAL_LEASE, UserTokens
from tests.clocks import HANGS, ManualClock
from tests.unit.user_logins import (
    CONFIDENTIAL,
    LIFE,
    PUBLIC,
    Grant,
    Store,
    attempt,
    clock,
    login,
    make,
    store,
    tokens,
)

__all__ = ["attempt", "clock", "login", "store", "tokens"]


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
    clock.time += CACHE_SECONDS
    assert (tokens.get(attempt()).reveal(), len(begun)) == ("access-1", 1)
    begun[0]()
    clock.time += CACHE_SECONDS
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
    clock.time += CACHE_SECONDS
    assert tokens.get(attempt()).reveal() == "access-b"
    store.grant = None
    clock.time += CACHE_SECONDS
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
