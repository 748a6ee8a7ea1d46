"""Leases by name, on both engines: one owner at a time, until it releases, or until it has not prolonged in time."""

from tests.clocks import HANGS
from tests.contract.ledgers import pass_time


def test_one_owner_has_a_lease_and_may_prolong_it(ledger):
    assert ledger.leases.acquire("listener", "a", 30.0)
    assert not ledger.leases.acquire("listener", "b", 30.0)
    assert ledger.leases.acquire("listener", "a", 30.0)
    assert ledger.leases.acquire("another", "b", 30.0)


def test_who_has_a_lease_is_read_until_it_is_over(ledger, url):
    assert ledger.leases.read("listener") is None
    ledger.leases.acquire("listener", "a", 3000.0)
    owner, seconds = ledger.leases.read("listener")
    assert owner == "a"
    assert 3000 - HANGS < seconds <= 3000
    pass_time(url, 3000.0)
    assert ledger.leases.read("listener") is None


def test_a_released_lease_is_free_at_once_and_only_its_owner_can_release_it(ledger):
    assert ledger.leases.acquire("listener", "a", 30.0)
    ledger.leases.release("listener", "b")
    assert not ledger.leases.acquire("listener", "b", 30.0)
    ledger.leases.release("listener", "a")
    assert ledger.leases.acquire("listener", "b", 30.0)


def test_a_lease_that_ran_out_goes_to_who_asks_next(ledger, url):
    assert ledger.leases.acquire("listener", "a", 30.0)
    pass_time(url, 30.0)
    assert ledger.leases.acquire("listener", "b", 30.0)
    assert not ledger.leases.acquire("listener", "a", 30.0)
