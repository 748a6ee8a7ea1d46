"""Signing in to the console at an OpenID Connect provider, over sockets and with real signatures."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from structlog.testing import capture_logs

from cobrowse.clock import SystemClock
from cobrowse.model import Secret
from console.single_sign_on import SingleSignOn, values_of
from integrations import identity_provider
from integrations.identity_provider import IdentityProvider
from tests.identity import CLIENT, CLIENT_SECRET, KEY, NEXT, OTHER, provider_on_a_socket, signing_key
from tests.integration.consoles import OURS, bridge, console, failing, token_in

__all__ = ["bridge"]

SITE = "http://localhost"


@pytest.fixture
def provider():
    with provider_on_a_socket() as provider:
        yield provider


@pytest.fixture
def client(bridge, provider):
    return console(bridge, sso=sso_at(provider), public_url=SITE).test_client()


def sso_at(provider, claim="roles", issuer="", clock=None):
    found = IdentityProvider(
        issuer or provider.url,
        CLIENT,
        Secret(CLIENT_SECRET),
        "openid profile email",
        f"{SITE}/console/sign-in/callback",
        clock or SystemClock(),
    )
    return SingleSignOn(found, claim, values_of("ops, on call"), values_of("agents"))


def leave(client, path="/console"):
    """The provider's page that the console's sign-in page leads to."""
    page = client.get(path)
    assert page.status_code == 401
    href = page.text.partition('class="button" href="')[2].partition('"')[0].replace("&amp;", "&")
    answer = client.get(href)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def at_the_provider(url):
    """Where the provider sends the browser back to: a path of the console's."""
    back = urlsplit(requests.get(url, allow_redirects=False, timeout=10).headers["Location"])
    return f"{back.path}?{back.query}"


def sign_in(client, path="/console"):
    return client.get(at_the_provider(leave(client, path)))


def cookie_of(answer, name="cobrowse_console"):
    return next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{name}="))


def test_who_the_provider_confirms_is_let_in_and_led_on_to_the_page(client, bridge, box):
    failed = failing(bridge, box)
    path = f"/console/initiations/{failed.initiation_id}"
    with capture_logs() as lines:
        answer = sign_in(client, f"{path}?attempt=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{path}?attempt=1")
    [line] = [line for line in lines if line["event"] == "console sign-in"]
    assert (line["requested_by"], line["role"], line["subject"]) == ("ann", "operator", "u-1")
    page = client.get(path).text
    assert "ann, operator" in page
    with capture_logs() as lines:
        answer = client.post(f"{path}/retry", data={"token": token_in(page)}, headers=OURS)
    assert answer.status_code == 303
    [line] = [line for line in lines if line["event"] == "retried from the console"]
    assert line["requested_by"] == "ann"


def test_the_cookie_is_for_the_browser_and_the_console_alone(bridge, provider):
    client = console(bridge, sso=sso_at(provider), public_url=SITE).test_client()
    cookie = cookie_of(sign_in(client))
    for flag in ("HttpOnly", "SameSite=Lax", "Path=/console", "Max-Age=43200"):
        assert flag in cookie
    assert "Secure" not in cookie
    client = console(bridge, sso=sso_at(provider), public_url="https://cobrowse.example.com").test_client()
    under_way = cookie_of(client.get("/console/sign-in/provider"), "cobrowse_console_sign_in")
    for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600"):
        assert flag in under_way


@pytest.mark.parametrize(
    ("claims", "seen"),
    [
        ({"roles": ["agents"]}, "ann, viewer"),
        ({"roles": "agents"}, "ann, viewer"),
        ({"roles": ["agents", "on call"]}, "ann, operator"),
        ({"preferred_username": None, "email": "ann@example.com"}, "ann@example.com, operator"),
        ({"preferred_username": None}, "u-1, operator"),
        ({"preferred_username": "<script>x</script>"}, "&lt;script&gt;x&lt;/script&gt;, operator"),
    ],
)
def test_the_claim_says_who_may_what(client, provider, claims, seen):
    provider.claims |= claims
    assert sign_in(client).status_code == 303
    assert seen in client.get("/console").text


@pytest.mark.parametrize("roles", [["others"], [], None, "operator", 1, {"ops": 1}, [["ops"]]])
def test_without_a_role_nobody_gets_in(client, provider, roles):
    provider.claims["roles"] = roles
    answer = sign_in(client)
    assert (answer.status_code, "The claim roles" in answer.text) == (403, True)
    assert client.get("/console").status_code == 401


@pytest.mark.parametrize(("verified", "status"), [(True, 303), (False, 403), (None, 403), ("true", 403)])
def test_an_address_counts_once_it_is_verified(bridge, provider, verified, status):
    provider.claims |= {"email": "ops", "email_verified": verified}
    client = console(bridge, sso=sso_at(provider, "email"), public_url=SITE).test_client()
    assert sign_in(client).status_code == status


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.example"},
        {"aud": "another-client"},
        {"aud": "another-client", "azp": CLIENT},
        {"aud": [CLIENT, "another-client"]},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": -3_600},
        {"exp": None},
        {"nbf": 3_600},
        {"sub": None},
    ],
)
def test_a_token_for_another_is_refused(client, provider, claims):
    # The times are seconds from now.
    now = int(time.time())
    provider.claims |= {name: now + each if isinstance(each, int) else each for name, each in claims.items()}
    answer = sign_in(client)
    assert (answer.status_code, "did not confirm" in answer.text) == (401, True)
    assert client.get("/console").status_code == 401


@pytest.mark.parametrize(("signing", "algorithm"), [(OTHER, "RS256"), (NEXT, "RS256"), (None, "none"), (KEY, "RS512")])
def test_a_token_that_the_provider_did_not_sign_as_it_says_is_refused(client, provider, signing, algorithm):
    provider.signing, provider.algorithm = signing and signing_key(signing), algorithm
    assert sign_in(client).status_code == 401


def test_a_key_of_the_providers_that_is_new_is_fetched(client, provider):
    assert sign_in(client).status_code == 303
    provider.keys, provider.signing = [signing_key(KEY), signing_key(NEXT)], signing_key(NEXT)
    client.delete_cookie("cobrowse_console", path="/console")
    assert sign_in(client).status_code == 303
    assert provider.asked.count("/.well-known/openid-configuration") == 1
    assert provider.asked.count("/keys") == 2


def test_a_provider_that_takes_its_clients_secret_in_the_body_gets_it_there(client, provider):
    provider.description["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert sign_in(client).status_code == 303


def test_a_way_back_that_was_not_begun_in_this_browser_is_refused(client, bridge, provider):
    back = at_the_provider(leave(client))
    stranger = client.application.test_client()
    answer = stranger.get(back)
    assert (answer.status_code, "not begun in this browser" in answer.text) == (401, True)
    leave(stranger)
    assert stranger.get(back).status_code == 401
    assert "/token" not in provider.asked
    assert client.get(back.replace("state=", "state=x")).status_code == 401
    assert client.get(back).status_code == 401, "the failed one has taken the cookie back"


def test_a_way_back_is_good_once(client):
    back = at_the_provider(leave(client))
    assert client.get(back).status_code == 303
    client.delete_cookie("cobrowse_console", path="/console")
    assert client.get(back).status_code == 401


def test_what_the_provider_refuses_is_said(client):
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    with capture_logs() as lines:
        answer = client.get("/console/sign-in/callback", query_string={"state": state, "error": "access_denied"})
    assert (answer.status_code, "did not confirm" in answer.text) == (401, True)
    assert any(line.get("error") == "access_denied" for line in lines)


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "", "x" * 5000])
def test_a_sign_in_leads_to_no_page_of_anybody_elses(client, to):
    answer = client.get("/console/sign-in/provider", query_string={"to": to})
    assert client.get(at_the_provider(answer.headers["Location"])).headers["Location"] == "/console"


LARGE = b" " * (identity_provider.MAX_BYTES + 1)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/.well-known/openid-configuration", (500, {})),
        ("/.well-known/openid-configuration", (200, b"no json")),
        ("/.well-known/openid-configuration", (200, [])),
        ("/.well-known/openid-configuration", (200, {"issuer": "https://another.example"})),
        ("/.well-known/openid-configuration", (200, LARGE)),
        ("/.well-known/openid-configuration", (302, b"", {"Location": "/elsewhere"})),
    ],
)
def test_a_provider_that_is_none_is_away(client, provider, path, told):
    provider.answers[path] = told
    answer = client.get("/console/sign-in/provider")
    assert (answer.status_code, "can&#39;t be used just now" in answer.text) == (503, True)
    provider.answers.clear()
    assert sign_in(client).status_code == 303, "it is asked again"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("url", ["http://login.example/x", "javascript:alert(1)", "", None, 1])
def test_endpoints_that_are_not_safe_are_not_used(client, provider, name, url):
    provider.description[name] = url
    assert client.get("/console/sign-in/provider").status_code == 503


@pytest.mark.parametrize("path", ["/token", "/keys"])
@pytest.mark.parametrize(
    ("told", "statuses"),
    [((500, {}), {503}), ((200, LARGE), {503}), ((200, b"no json"), {401, 503}), ((200, {"keys": 1}), {401})],
)
def test_answers_that_are_none_let_nobody_in(client, provider, path, told, statuses):
    provider.answers[path] = told
    assert sign_in(client).status_code in statuses
    assert client.get("/console").status_code == 401


def test_wrong_ways_back_are_few(client, provider):
    provider.answers["/token"] = (400, {"error": "invalid_grant"})
    answers = [sign_in(client).status_code for _ in range(32)]
    assert answers == [401] * 30 + [429] * 2


def test_nothing_of_the_sign_in_is_logged_that_could_be_used(client, provider):
    with capture_logs() as lines:
        back = at_the_provider(leave(client))
        client.get(back)
    said = repr(lines)
    for secret in (parse_qs(urlsplit(back).query)["code"][0], CLIENT_SECRET, "an-access-token"):
        assert secret not in said


def test_a_slow_provider_is_waited_for_no_longer_than_is_said(provider, bridge):
    class Hasty(SystemClock):
        calls = 0

        def monotonic(self):
            self.calls += 1
            return super().monotonic() + self.calls * identity_provider.TOTAL_SECONDS

    client = console(bridge, sso=sso_at(provider, clock=Hasty()), public_url=SITE).test_client()
    with capture_logs() as lines:
        assert client.get("/console/sign-in/provider").status_code == 503
    assert any("did not answer within 10 s" in str(line.get("error")) for line in lines)


def test_the_service_has_it_beside_its_passwords(service, provider):
    client = service(
        console_oidc_issuer=provider.url,
        console_oidc_client_id=CLIENT,
        console_oidc_client_secret=Secret(CLIENT_SECRET),
        console_oidc_operators="ops",
        console_password=Secret("console-password-0123456789"),
        public_base_url=SITE,
    ).client
    page = client.get("/console").text
    assert ("Sign in with 127.0.0.1" in page, 'type="password"' in page) == (True, True)
    assert sign_in(client).status_code == 303
    assert "ann, operator" in client.get("/console").text
