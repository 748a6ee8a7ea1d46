"""Signing in to the console and out of it in a real Chromium: by password, at a provider, as both roles."""

import re

import pytest
from playwright.sync_api import expect

from cobrowse.clock import SystemClock
from cobrowse.model import Secret
from console.single_sign_on import SingleSignOn, values_of
from integrations.identity_provider import IdentityProvider
from sandbox.state import WEBCHAT
from tests.identity import CLIENT, CLIENT_SECRET, provider_on_a_socket
from tests.integration.consoles import USERS, ask, console, failing
from tests.ports import free_port


@pytest.fixture
def site(bridge, serve):
    return f"{serve(console(bridge, users=USERS))}/console"


def signed_in(page, name, password):
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def forget_401s(open_page):
    """A browser writes a line of each page that is refused, as the first one here is meant to be."""
    assert all("401" in words or "403" in words for words in open_page.complaints)
    open_page.complaints.clear()


def test_a_viewer_looks_and_an_operator_acts(site, open_page, bridge, box):
    failed = failing(bridge, box, key="case-1")
    path = f"{site}/initiations/{failed.initiation_id}"
    page = open_page(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    signed_in(page, "bob", "a-password-of-ann")
    expect(page.get_by_role("status")).to_contain_text("don't belong together")
    signed_in(page, "bob", "a-password-of-bob")
    expect(page).to_have_url(path)
    expect(page.get_by_text("bob, viewer")).to_be_visible()
    expect(page.get_by_role("heading", name="Why it failed")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("Signed out.")
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    signed_in(page, "ann", "a-password-of-ann")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("Attempt 2 has ended: initiated")
    forget_401s(open_page)


def test_who_signed_in_sees_what_comes_live_and_who_signed_out_elsewhere_is_told(site, open_page, bridge):
    page = open_page(site)
    signed_in(page, "ann", "a-password-of-ann")
    outcome = ask(bridge, WEBCHAT)
    expect(page.locator(f"#row-{outcome.initiation_id}")).to_be_visible()
    page.context.clear_cookies()
    expect(page.get_by_text("Signed out; reload the page")).to_be_visible()
    forget_401s(open_page)


def test_the_provider_signs_in_who_comes_back(bridge, serve, open_page):
    with provider_on_a_socket() as provider:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        back = f"{url}/console/sign-in/callback"
        found = IdentityProvider(provider.url, CLIENT, Secret(CLIENT_SECRET), "openid", back, SystemClock())
        sso = SingleSignOn(found, "roles", values_of("ops"), frozenset())
        serve(console(bridge, sso=sso, public_url=url), port)
        page = open_page(f"{url}/console/refused?q=crm")
        page.get_by_role("link", name="Sign in with 127.0.0.1").click()
        expect(page).to_have_url(re.compile(r"/console/refused\?q=crm$"))
        expect(page.get_by_text("ann, operator")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in with 127.0.0.1")).to_be_visible()
    forget_401s(open_page)
