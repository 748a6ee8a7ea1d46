"""The sandbox's logins: codes are good once, refresh tokens until their use, and a public client proves its own."""

from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.errors import OAuthError
from sandbox.logins import CODE_SECONDS, Logins
from sandbox.options import Options
from sandbox.tokens import Tokens
from tests.clocks import ManualClock

BACK = "http://localhost:8765/callback"
# RFC 7636, appendix B.
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SECRET = {"client_id": "sandbox-user", "client_secret": "sandbox-user-secret"}
PUBLIC = {"client_id": "sandbox-user"}
ASKED = {"response_type": "code", "client_id": "sandbox-user", "redirect_uri": BACK, "state": "st"}
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def tokens(clock):
    ids = count(1)
    return Tokens(Options(), clock.monotonic, lambda: f"t-{next(ids)}")


@pytest.fixture
def logins(clock, tokens):
    ids = count(1)
    return Logins(Options(), clock.monotonic, lambda: f"id-{next(ids)}", tokens)


def code(logins, **asked):
    """The code that a login comes back with."""
    location = logins.page(ASKED | asked | {"login": "yes"}).headers["Location"]
    told = parse_qs(urlsplit(location).query)
    assert (location.partition("?")[0], told["state"]) == (BACK, ["st"])
    return told["code"][0]


def redeem(logins, code, client=SECRET, **more):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    return logins.grant(None, form | client | more)


def refresh(logins, token, client=SECRET):
    return logins.grant(None, {"grant_type": "refresh_token", "refresh_token": token} | client)


def test_the_page_offers_the_login_and_a_refusal(logins):
    page = logins.page(ASKED)
    assert (page.status_code, page.content_type.partition(";")[0]) == (200, "text/html")
    assert b"login=yes" in page.get_data()
    refused = logins.page(ASKED | {"login": "no"}).headers["Location"]
    assert parse_qs(urlsplit(refused).query) == {"error": ["access_denied"], "state": ["st"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "another"},
        {"redirect_uri": "http://elsewhere.example/"},
        {"response_type": "token"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
    ],
)
def test_a_login_that_is_not_asked_for_rightly_is_refused(logins, wrong):
    with pytest.raises(OAuthError):
        logins.page(ASKED | wrong)


def test_a_code_brings_a_user_s_tokens_once(logins, tokens):
    given = code(logins)
    pair = redeem(logins, given)
    assert tokens.authenticate(f"Bearer {pair['access_token']}").is_user
    with pytest.raises(OAuthError, match="invalid_grant"):
        redeem(logins, given)


@pytest.mark.parametrize(
    ("asked", "client", "more", "error"),
    [
        ({}, SECRET, {"redirect_uri": "http://localhost:1/"}, "invalid_grant"),
        ({}, PUBLIC, {}, "invalid_client"),
        ({}, {"client_id": "another"}, {}, "invalid_client"),
        ({}, SECRET | {"client_secret": "wrong"}, {}, "invalid_client"),
        (PKCE, PUBLIC, {"code_verifier": "another"}, "invalid_grant"),
        (PKCE, PUBLIC, {}, "invalid_grant"),
    ],
)
def test_a_code_that_is_not_this_client_s_brings_nothing(logins, asked, client, more, error):
    with pytest.raises(OAuthError, match=error):
        redeem(logins, code(logins, **asked), client, **more)


def test_a_public_client_shows_its_verifier(logins):
    assert redeem(logins, code(logins, **PKCE), PUBLIC, code_verifier=VERIFIER)["refresh_token"]


def test_a_code_ends(logins, clock):
    given = code(logins)
    clock.time += CODE_SECONDS
    with pytest.raises(OAuthError, match="invalid_grant"):
        redeem(logins, given)


def test_a_refresh_token_is_void_at_its_use(logins):
    first = redeem(logins, code(logins))["refresh_token"]
    second = refresh(logins, first)["refresh_token"]
    with pytest.raises(OAuthError, match="invalid_grant"):
        refresh(logins, first)
    with pytest.raises(OAuthError, match="invalid_grant"):
        refresh(logins, second, PUBLIC)
    assert logins.renewed == 1


def test_a_withdrawn_login_is_over_with_its_token(logins, tokens):
    pair = redeem(logins, code(logins))
    logins.revoke()
    with pytest.raises(Exception, match=r"bad\.credentials"):
        tokens.authenticate(f"Bearer {pair['access_token']}")
    with pytest.raises(OAuthError, match="invalid_grant"):
        refresh(logins, pair["refresh_token"])
