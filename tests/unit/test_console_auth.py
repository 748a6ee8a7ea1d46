"""That a form is the console's own."""

import pytest

from cobrowse.model import Secret
from console.auth import HEADERS, Signer, same_origin


def test_a_token_holds_in_every_worker_for_its_own_initiation_alone():
    one, other = Signer(Secret("key")), Signer(Secret("key"))
    token = one.token("id-1")
    assert other.verify(token, "id-1")
    assert not other.verify(token, "id-2")
    assert not Signer(Secret("another key")).verify(token, "id-1")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "\x00", "." * 400])
def test_what_is_no_token_proves_nothing(token):
    assert not Signer(Secret("key")).verify(token, "id-1")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "origin": "https://console.example"},
        {"origin": "http://localhost:8000"},
        # In front of the service, a proxy speaks https.
        {"origin": "https://localhost:8000"},
    ],
)
def test_our_own_page_is_known(headers):
    assert same_origin(headers, "localhost:8000")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost:8000"},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:9000"},
        {"origin": "http://localhost:8000.evil.example"},
        {"origin": "http://["},
    ],
)
def test_a_foreign_page_is_too(headers):
    assert not same_origin(headers, "localhost:8000")


def test_nothing_inline_and_nothing_foreign_may_run():
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
