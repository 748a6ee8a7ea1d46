"""Tokens of the sandbox: both ways to log in, scopes, expiry and the limit per minute, by a clock that a test moves."""

import base64
import itertools

import pytest

from sandbox.errors import GenesysError, OAuthError
from sandbox.options import SCOPES
from sandbox.tokens import Tokens, require_scopes


@pytest.fixture
def tokens(options, clock):
    count = itertools.count(1)
    return Tokens(options, clock, lambda: f"token-{next(count)}")


FORM = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox-secret"}


def basic(client, secret):
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def bearer(answer):
    return f"Bearer {answer['access_token']}"


def test_a_client_logs_in_with_its_secret_in_the_form(tokens):
    assert tokens.login(None, FORM) == {"access_token": "token-1", "token_type": "bearer", "expires_in": 86_400}


def test_a_client_logs_in_with_its_secret_in_the_basic_header(tokens):
    answer = tokens.login(basic("sandbox", "sandbox-secret"), {"grant_type": "client_credentials"})
    assert tokens.authenticate(bearer(answer)).scopes == set(SCOPES)


@pytest.mark.parametrize(
    ("authorization", "form", "status", "error"),
    [
        (None, {}, 400, "invalid_client"),
        (None, FORM | {"client_id": "other"}, 400, "invalid_client"),
        (None, FORM | {"client_secret": "wrong"}, 401, "invalid_client"),
        (basic("sandbox", "wrong"), FORM, 401, "invalid_client"),
        ("Basic é", FORM, 400, "invalid_request"),
        ("Basic /////w==", FORM, 400, "invalid_request"),
        ("Basic " + base64.b64encode(b"no colon").decode(), FORM, 400, "invalid_request"),
        (None, {**FORM, "grant_type": "password"}, 400, "unsupported_grant_type"),
        (None, {name: FORM[name] for name in ("client_id", "client_secret")}, 400, "invalid_request"),
    ],
)
def test_a_login_that_is_not_good_is_refused_as_oauth_does(tokens, authorization, form, status, error):
    with pytest.raises(OAuthError) as refused:
        tokens.login(authorization, form)
    assert (refused.value.status, refused.value.error) == (status, error)
    assert tokens.issued == 0


def test_a_token_has_the_scopes_that_were_asked_for_as_far_as_the_client_has_them(tokens, options):
    options.grants = ("cobrowse:initiate", "conversation:read")
    answer = tokens.login(None, FORM | {"scope": "conversation:read conversation:voice"})
    assert answer["scope"] == "conversation:read"
    assert tokens.authenticate(bearer(answer)).scopes == {"conversation:read"}


def test_a_token_ends_after_its_life_and_not_before(tokens, options, clock):
    options.expires_in = 300
    header = bearer(tokens.login(None, FORM))
    clock.now += 299.9
    tokens.authenticate(header)
    clock.now += 0.1
    with pytest.raises(GenesysError) as refused:
        tokens.authenticate(header)
    assert refused.value.code == "bad.credentials"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "token-1"])
def test_a_call_without_a_bearer_token_learns_that_it_needs_one(tokens, header):
    with pytest.raises(GenesysError) as refused:
        tokens.authenticate(header)
    assert refused.value.code == "authentication.required"


def test_the_scheme_of_a_token_may_be_written_in_any_case(tokens):
    answer = tokens.login(None, FORM)
    assert tokens.authenticate(f"bearer {answer['access_token']}").value == answer["access_token"]


def test_the_call_after_the_limit_is_told_how_long_to_wait_until_the_minute_is_over(tokens, options, clock):
    options.rate_limit = 3
    header = bearer(tokens.login(None, FORM))
    for _ in range(3):
        tokens.authenticate(header)
    clock.now += 18
    with pytest.raises(GenesysError) as refused:
        tokens.authenticate(header)
    assert refused.value.headers == {"Retry-After": "42"}
    body = refused.value.answer("c").get_data()
    assert b"Rate limit exceeded the maximum. Retry the request in [42] seconds" in body
    clock.now += 42
    tokens.authenticate(header)


def test_each_token_has_a_limit_of_its_own(tokens, options):
    options.rate_limit = 1
    first, second = (bearer(tokens.login(None, FORM)) for _ in range(2))
    tokens.authenticate(first)
    tokens.authenticate(second)
    with pytest.raises(GenesysError):
        tokens.authenticate(first)


def test_without_a_limit_a_token_is_good_for_any_number_of_calls(tokens, options):
    options.rate_limit = None
    header = bearer(tokens.login(None, FORM))
    (token,) = {tokens.authenticate(header).value for _ in range(1000)}
    assert header == f"Bearer {token}"


def test_any_user_token_is_good_until_it_is_revoked(tokens):
    assert tokens.authenticate("Bearer user-token-anna").scopes == set(SCOPES)
    tokens.revoke("user-token-anna")
    with pytest.raises(GenesysError):
        tokens.authenticate("Bearer user-token-anna")


def test_a_registered_user_token_has_its_own_scopes_and_its_own_life(tokens, clock):
    tokens.add_user("annas", ["conversation:read"], 60)
    assert tokens.authenticate("Bearer annas").scopes == {"conversation:read"}
    clock.now += 60
    with pytest.raises(GenesysError):
        tokens.authenticate("Bearer annas")


def test_a_missing_scope_is_named(tokens):
    token = tokens.add_user("annas", ["conversation:read"])
    require_scopes(token, "conversation:read")
    with pytest.raises(GenesysError) as refused:
        require_scopes(token, "cobrowse:initiate", "conversation:voice")
    assert refused.value.code == "missing.permissions"
    assert refused.value.params == {"permissions": "cobrowse:initiate, conversation:voice"}


def test_after_clear_no_token_is_good(tokens):
    header = bearer(tokens.login(None, FORM))
    tokens.clear()
    assert tokens.issued == 0
    with pytest.raises(GenesysError):
        tokens.authenticate(header)
