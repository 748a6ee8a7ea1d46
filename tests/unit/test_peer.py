"""Which peers are this machine itself."""

import pytest

from schemas.addresses import is_loopback
from web.peer import is_this_machine


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
    assert is_this_machine("127.0.0.1", ["Host", "Accept"])
    assert not is_this_machine("127.0.0.1", ["Host", name])
