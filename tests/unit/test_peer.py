"""Which peers are this machine itself."""

import pytest

from schemas.addresses import is_loopback
from web.request_parsing import is_this_machine


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1", "localhost"])
def test_this_machines_own_addresses_are_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "localhost.example.com", "unix:"])
def test_other_addresses_and_names_are_not(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "name", ["Forwarded", "via", "X-Forwarded-For", "X-Forwarded-Host", "X-FORWARDED-PROTO", "X-Real-Ip"]
)
def test_a_peer_that_asks_for_somebody_else_is_a_proxy(name):
    assert is_this_machine("127.0.0.1", "localhost", ["Host", "Accept"])
    assert not is_this_machine("127.0.0.1", "localhost", ["Host", name])


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "localhost:8000"),
        ("127.0.0.1", "127.0.0.1:8000"),
        ("127.8.9.1", "LOCALHOST"),
        ("::1", "[::1]:8000"),
        ("::ffff:127.0.0.1", "localhost"),
    ],
)
def test_a_person_at_this_machine_is_known(address, host):
    assert is_this_machine(address, host, {})


@pytest.mark.parametrize(
    ("address", "host", "headers"),
    [
        ("10.0.0.7", "localhost", {}),
        ("::ffff:10.0.0.7", "localhost", {}),
        ("", "localhost", {}),
        # A foreign page whose name points here.
        ("127.0.0.1", "evil.example:8000", {}),
        ("127.0.0.1", "localhost.evil.example", {}),
        ("127.0.0.1", "", {}),
        ("127.0.0.1", "[", {}),
        # A proxy on this machine brings somebody from elsewhere.
        ("127.0.0.1", "localhost", {"x-forwarded-for": "10.0.0.7"}),
        ("127.0.0.1", "localhost", {"forwarded": "for=10.0.0.7"}),
        ("127.0.0.1", "localhost", {"via": "1.1 proxy"}),
    ],
)
def test_nobody_else_is(address, host, headers):
    assert not is_this_machine(address, host, headers)
