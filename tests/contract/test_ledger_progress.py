"""What the ledger holds of an initiation, on each engine: how far it came, its outcome, and claiming it again."""

import pytest

from cobrowse.ledger import Acquired, InitiationRecord, Lease, State
from cobrowse.model import Secret, Status
from tests.contract.ledgers import (
    ATTACHED,
    CREATED,
    FINAL,
    LEASE,
    RETRYABLE,
    SESSION,
    SPANS,
    again,
    claim_of,
    failed,
    keyed,
    lease_of,
    outcome,
    settle,
    won,
)

# Progress and outcomes


def test_begin_commits_how_far_it_came(ledger, url, opened):
    claim = keyed()
    won(ledger, claim)

    ledger.save_checkpoint(lease_of(claim), CREATED)

    entry = opened(url).read(claim.id)
    assert entry.checkpoint == CREATED
    assert isinstance(entry.checkpoint.session.join_url, Secret)
    assert entry.has_live_lease


@pytest.mark.parametrize("failure", [None, FINAL, RETRYABLE])
def test_complete_keeps_the_whole_outcome(ledger, url, opened, failure):
    claim = keyed()
    won(ledger, claim)
    session = SESSION._replace(join_url=Secret("https://another"), state="connected")
    state = (
        State.SUCCEEDED if failure is None else State.FAILED_FINAL if failure.is_terminal else State.FAILED_RETRYABLE
    )

    settle(ledger, claim, ATTACHED, failure=failure, session=session)

    entry = opened(url).read(claim.id)
    assert entry.outcome == outcome(claim.id, failure=failure, session=session)
    assert entry.outcome.spans == SPANS
    assert isinstance(entry.outcome.status, Status)
    assert (entry.state, entry.checkpoint, entry.lease_left, entry.upstream_calls) == (state, ATTACHED, 0.0, 4)
    assert entry.updated >= entry.created


def test_calls_are_summed_over_the_attempts(ledger):
    first = keyed()
    won(ledger, first)
    failed(ledger, first)
    second = again(first)
    won(ledger, second)

    settle(ledger, second, entry_id=first.id, calls=3)

    entry = ledger.read(first.id)
    assert (entry.upstream_calls, entry.attempts, entry.outcome.upstream_calls) == (7, 2, 3)


def test_an_absent_initiation_reads_as_none(ledger):
    assert ledger.read("nobody") is None


# Claiming again by id


@pytest.mark.parametrize("failure", [FINAL, RETRYABLE])
def test_a_failed_initiation_can_be_reclaimed_final_or_not(ledger, failure):
    first = keyed()
    won(ledger, first)
    failed(ledger, first, failure)

    claimed = ledger.reclaim(Lease(first.id, "a person"), LEASE)

    assert isinstance(claimed, Acquired)
    assert (claimed.entry.attempts, claimed.entry.lease_owner, claimed.entry.state) == (2, "a person", State.RUNNING)
    assert claimed.entry.checkpoint == CREATED
    assert claimed.entry.has_live_lease
    assert isinstance(ledger.reclaim(Lease(first.id, "another person"), LEASE), InitiationRecord)
    assert isinstance(ledger.claim(again(first)), InitiationRecord)


def test_what_runs_or_went_well_is_not_reclaimed_and_what_never_was_is_none(ledger):
    running, good = (keyed(key=key) for key in "ab")
    for claim in (running, good):
        won(ledger, claim)
    settle(ledger, good)

    for claim in (running, good):
        assert isinstance(ledger.reclaim(Lease(claim.id, "a person"), LEASE), InitiationRecord)
    assert ledger.reclaim(Lease("nobody", "a person"), LEASE) is None


def test_what_a_dead_owner_left_is_reclaimed(ledger):
    claim = claim_of(lease=0.0)
    won(ledger, claim)

    assert isinstance(ledger.reclaim(Lease(claim.id, "a person"), LEASE), Acquired)
