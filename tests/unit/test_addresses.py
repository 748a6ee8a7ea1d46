"""allow_from: the caller's own address behind the proxies that are trusted, and nobody else's word for it."""

import pytest

from cobrowse.errors import NotAuthenticated
from integrations.senders.auth.addresses import client_address
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import NOW

PROXIES = ("10.0.0.0/8", "fd00::/8")
KEY = "0123456789abcdef"
SALESFORCE = "13.108.0.0/14"


def came(peer, forwarded=None):
    headers = {"x-api-key": KEY, **({"x-forwarded-for": forwarded} if forwarded is not None else {})}
    return UnverifiedRequest("POST", "/webhooks/one", "", headers, b"{}", peer)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("13.110.1.2", None, "13.110.1.2"),
        ("13.110.1.2", "1.2.3.4", "13.110.1.2"),
        ("10.0.0.1", "13.110.1.2", "13.110.1.2"),
        ("10.0.0.1", "1.2.3.4, 13.110.1.2", "13.110.1.2"),
        ("10.0.0.1", "13.110.1.2, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "13.110.1.2, 10.0.0.9", "13.110.1.2"),
        ("10.0.0.1", "13.110.1.2:50123", "13.110.1.2"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::a]", "2001:db8::a"),
        ("10.0.0.1", "[2001:DB8::A]:443", "2001:DB8::A"),
        ("10.0.0.1", "13.110.1.2, unknown", "unknown"),
        ("10.0.0.1", "13.110.1.2, ", "13.110.1.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.1"),
        ("::ffff:10.0.0.1", "13.110.1.2", "13.110.1.2"),
        ("fd00::1", "13.110.1.2", "13.110.1.2"),
        ("", "13.110.1.2", ""),
    ],
)
def test_whose_address_counts(peer, forwarded, client):
    assert client_address(came(peer, forwarded), PROXIES) == client


def test_trusted_proxies_may_be_named_by_one_of_their_addresses_with_its_prefix():
    assert client_address(came("10.9.9.9", "13.110.1.2"), ("10.0.0.1/8",)) == "13.110.1.2"


def sender(allowed, proxies=PROXIES):
    text = f'[senders.one]\nsignature = "api-key"\nsecrets = ["$S"]\nenvelope = "custom"\nallow_from = ["{allowed}"]\n'
    return load_senders(text, {"S": KEY}, trusted_proxies=proxies).get("one")


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        ("13.110.1.2", None),
        ("10.0.0.1", "13.108.0.0"),
        ("10.0.0.1", "9.9.9.9, 13.111.255.255"),
        ("::ffff:13.110.1.2", None),
    ],
)
def test_a_caller_of_an_allowed_address_is_taken(peer, forwarded):
    assert sender(SALESFORCE).authenticate(came(peer, forwarded), NOW) == "S"


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        ("13.112.0.0", None),
        ("192.0.2.7", "13.110.1.2"),
        ("10.0.0.1", "13.110.1.2, 9.9.9.9"),
        ("10.0.0.1", None),
        ("10.0.0.1", "13.110.1.2, garbage"),
        ("10.0.0.1", "é"),
        ("", None),
        ("::1", None),
    ],
)
def test_a_caller_of_another_address_is_refused_whatever_it_holds(peer, forwarded):
    with pytest.raises(NotAuthenticated, match="allow_from"):
        sender(SALESFORCE).authenticate(came(peer, forwarded), NOW)


def test_without_trusted_proxies_nobodys_word_counts_and_the_start_says_so():
    row = sender(SALESFORCE, proxies=())
    assert row.warnings[0].startswith("allow_from: TRUSTED_PROXIES is not set")
    assert sender(SALESFORCE).warnings == ()
    with pytest.raises(NotAuthenticated) as refused:
        row.authenticate(came("10.0.0.1", "13.110.1.2"), NOW)
    assert refused.value.message == "the address '10.0.0.1' is not one of the row's allow_from"
    with pytest.raises(NotAuthenticated, match=f"the address '{'x' * 60}' is"):
        row.authenticate(came("x" * 61), NOW)
    told = "Compare allow_from in the sender's row with the addresses that the vendor publishes, and TRUSTED_PROXIES."
    assert refused.value.hint == told


@pytest.mark.parametrize("wrong", ["13.108.0.1/14", "salesforce.com", "13.108.0.0/33", "13.108"])
def test_what_is_no_network_stops_the_start(wrong):
    with pytest.raises(SendersFileError, match=r"allow_from: .* is no address or network"):
        sender(wrong)


def test_ipv4_that_is_written_as_ipv6_would_let_nobody_in_and_stops_the_start():
    with pytest.raises(SendersFileError, match=r"allow_from: .* is IPv4 written as IPv6; write it as IPv4"):
        sender("::ffff:13.108.0.0/110")
