"""Refusing at once what would fail anyway, and seeing by one call whether it still would."""

import pytest

from cobrowse.errors import GenesysUnavailable
from integrations.genesys.circuit_breaker import Circuit
from tests.clocks import ManualClock

HOST, OTHER = "api.example.com", "login.example.com"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def circuit(clock):
    return Circuit(clock, failures=3, rest=5.0)


def fail(circuit, times=1, host=HOST):
    for _ in range(times):
        circuit.enter(host)
        circuit.left(host, well=False)


def test_it_lets_everything_through_until_so_many_have_failed_in_a_row(circuit):
    fail(circuit, 2)
    circuit.enter(HOST)
    circuit.left(HOST, well=True)
    fail(circuit, 3)
    with pytest.raises(GenesysUnavailable) as refused:
        circuit.enter(HOST)
    assert refused.value.retry_after == 5.0
    assert not refused.value.ambiguous
    assert circuit.open_hosts() == (HOST,)


def test_each_host_has_its_own(circuit):
    fail(circuit, 3)
    circuit.enter(OTHER)


def test_after_its_rest_one_call_sees_and_the_others_still_wait(circuit, clock):
    fail(circuit, 3)
    clock.time += 5
    circuit.enter(HOST)
    with pytest.raises(GenesysUnavailable):
        circuit.enter(HOST)
    circuit.left(HOST, well=True)
    circuit.enter(HOST)
    assert circuit.open_hosts() == ()


def test_a_look_that_fails_leaves_it_alone_once_more(circuit, clock):
    fail(circuit, 3)
    clock.time += 5
    fail(circuit)
    with pytest.raises(GenesysUnavailable):
        circuit.enter(HOST)
    clock.time += 5
    circuit.enter(HOST)
