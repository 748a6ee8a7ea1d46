"""The login of the service user: its page, the code that comes back, and the pair that the code is exchanged for."""

from urllib.parse import parse_qs, urlsplit

import pytest

from cobrowse.errors import (
    GenesysBadResponse,
    LoginRequired,
)
from cobrowse.model import Secret
from integrations.genesys.retry import RetryingCaller
from integrations.genesys.user_login import UserLogin, code_of
from tests.clocks import ManualClock
from tests.unit.user_logins import CONFIDENTIAL, LIFE, PUBLIC, attempt, clock, login

__all__ = ["attempt", "clock", "login"]


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
