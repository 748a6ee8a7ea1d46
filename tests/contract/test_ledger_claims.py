"""Whose a request is, on each engine: claims by keys and conversations, and leases that run out."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.ledger import Acquired, Checkpoint, InitiationRecord, Lease, LeaseLost, State
from cobrowse.model import Secret
from tests.contract.ledgers import (
    CREATED,
    FINAL,
    LEASE,
    RETRYABLE,
    again,
    claim_of,
    command,
    failed,
    keyed,
    lease_of,
    outcome,
    pass_time,
    settle,
    together,
    won,
)

# Claiming


def test_a_first_claim_is_won_and_holds_all_that_was_asked_for(ledger):
    asked = command(
        latest=True,
        reuse_live_session=True,
        start_when="agent_connected",
        key="k",
        fingerprint="f",
        channel="voice",
        session_settings={"mask": [".card"], "depth": 2},
        user_token=Secret("user-token"),
    )
    claim = claim_of(asked)

    entry = won(ledger, claim).entry

    assert entry.command == replace(asked, user_token=Secret())
    assert (entry.id, entry.state, entry.attempts) == (claim.id, State.RUNNING, 1)
    assert (entry.checkpoint, entry.lease_owner, entry.outcome) == (claim.checkpoint, claim.lease_owner, None)
    assert LEASE - 2 < entry.lease_left <= LEASE
    assert entry.has_live_lease
    assert abs(datetime.now(UTC) - entry.created) < timedelta(seconds=5)
    assert ledger.read(claim.id).command == entry.command


def test_a_retry_of_a_running_key_is_taken(ledger):
    first = keyed()
    won(ledger, first)

    claimed = ledger.claim(again(first))

    assert isinstance(claimed, InitiationRecord)
    assert (claimed.id, claimed.has_live_lease) == (first.id, True)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED_FINAL])
def test_a_retry_of_a_key_that_has_ended_for_good_is_taken_with_its_answer(ledger, state):
    first = keyed()
    won(ledger, first)
    failure = FINAL if state is State.FAILED_FINAL else None
    settle(ledger, first, failure=failure)

    claimed = ledger.claim(again(first))

    assert isinstance(claimed, InitiationRecord)
    assert claimed.state is state
    assert not claimed.has_live_lease
    assert claimed.outcome == outcome(first.id, failure=failure)


def test_a_retry_of_a_retryable_failure_goes_on_from_its_progress_with_its_first_command(ledger):
    first = keyed(session_settings={"mask": ".card"})
    won(ledger, first)
    failed(ledger, first)
    repeat = again(
        first, command=replace(first.command, session_settings={}, conversation_id=""), checkpoint=Checkpoint()
    )

    entry = won(ledger, repeat).entry

    assert (entry.id, entry.attempts, entry.state) == (first.id, 2, State.RUNNING)
    assert entry.lease_owner == repeat.lease_owner
    assert entry.checkpoint == CREATED
    assert entry.command == first.command


def test_a_key_with_another_request_differs_whether_the_first_runs_or_has_ended(ledger):
    first = keyed()
    won(ledger, first)
    other = keyed(fingerprint="another")

    assert isinstance(ledger.claim(other), InitiationRecord)
    failed(ledger, first)
    assert isinstance(ledger.claim(other), InitiationRecord)
    entry = won(ledger, again(first)).entry
    settle(ledger, replace(first, lease_owner=entry.lease_owner))
    differs = ledger.claim(other)
    assert isinstance(differs, InitiationRecord)
    assert differs.id == first.id


def test_a_key_whose_lease_ran_out_differs_for_another_request(ledger):
    won(ledger, keyed(lease=0.0))

    assert isinstance(ledger.claim(keyed(fingerprint="another")), InitiationRecord)


def test_one_key_of_two_senders_is_two(ledger):
    won(ledger, keyed())
    won(ledger, keyed(sender="crm"))


def test_a_keyless_request_holds_its_conversation_only_while_it_runs(ledger):
    first = claim_of()
    won(ledger, first)
    assert isinstance(ledger.claim(claim_of(fingerprint="whatever")), InitiationRecord)
    won(ledger, claim_of(conversation_id="another"))

    settle(ledger, first)

    second = won(ledger, claim_of()).entry
    assert second.id != first.id
    assert second.attempts == 1
    assert ledger.read(first.id).state is State.SUCCEEDED


@pytest.mark.parametrize("failure", [RETRYABLE, FINAL])
def test_a_keyless_failure_releases_its_conversation_too(ledger, failure):
    first = claim_of()
    won(ledger, first)
    failed(ledger, first, failure)

    second = claim_of()
    entry = won(ledger, second).entry
    assert (entry.id, entry.attempts) == (second.id, 1)
    assert ledger.read(first.id).outcome.failure == failure
    assert isinstance(ledger.claim(claim_of()), InitiationRecord)


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_keyless_failure_that_is_claimed_again_by_its_id_is_waited_for_and_holds_nothing(ledger, asked_before):
    first, second = claim_of(), claim_of()
    won(ledger, first)
    failed(ledger, first)
    if asked_before:
        won(ledger, second)
        settle(ledger, second)

    ledger.reclaim(Lease(first.id, "a person"), LEASE)

    third = won(ledger, claim_of())
    assert third.entry.id not in (first.id, second.id)
    assert third.ahead == (Lease(first.id, "a person"),)


def test_a_claim_of_nothing_but_itself_is_always_won(ledger):
    for _ in range(3):
        won(ledger, claim_of(conversation_id=""))


def test_of_24_threads_one_wins_each_round(ledger):
    for turn in range(20):
        claims = [keyed(key=f"round-{turn}") for _ in range(24)]

        claimed = together(24, lambda number, claims=claims: ledger.claim(claims[number]))

        winners = [one for one in claimed if isinstance(one, Acquired)]
        assert len(winners) == 1
        others = [one for one in claimed if one not in winners]
        assert {one.id for one in others} == {winners[0].entry.id}


def test_of_24_threads_one_wins_a_conversation_whose_last_request_has_ended(ledger):
    for _ in range(10):
        claims = [claim_of() for _ in range(24)]

        claimed = together(24, lambda number, claims=claims: ledger.claim(claims[number]))

        winners = [one for one in claimed if isinstance(one, Acquired)]
        assert [one.entry.attempts for one in winners] == [1]
        others = [one for one in claimed if one not in winners]
        assert {one.id for one in others} == {winners[0].entry.id}
        settle(ledger, next(claim for claim in claims if claim.id == winners[0].entry.id))


def test_of_24_threads_one_takes_over_what_a_dead_owner_left(ledger):
    for turn in range(5):
        won(ledger, keyed(key=f"round-{turn}", lease=0.0))
        claims = [keyed(key=f"round-{turn}") for _ in range(24)]

        claimed = together(24, lambda number, claims=claims: ledger.claim(claims[number]))

        assert [one.entry.attempts for one in claimed if isinstance(one, Acquired)] == [2]


def test_claims_of_one_lock_key_that_come_and_go_are_never_held_by_two(ledger):
    inside = threading.Lock()

    def work(_):
        done = 0
        while done < 5:
            claim = claim_of()
            if not isinstance(ledger.claim(claim), Acquired):
                continue
            assert inside.acquire(blocking=False)
            inside.release()
            settle(ledger, claim)
            done += 1
        return done

    assert together(8, work) == [5] * 8


def test_a_claim_whose_answer_was_lost_is_still_won_when_it_is_made_again(ledger):
    claim = keyed()
    first = won(ledger, claim)

    assert won(ledger, claim).entry.attempts == first.entry.attempts == 1


def test_text_no_database_holds_is_no_fault(ledger):
    won(ledger, claim_of(requested_by="a\0da", conversation_id="c\0", correlation_id="\0"))
    assert ledger.recent(1, search="c\0")


# Leases


def test_what_a_dead_owner_left_is_taken_over_once_its_lease_ran_out(ledger, url):
    first = keyed()
    won(ledger, first)
    ledger.save_checkpoint(lease_of(first), CREATED)
    assert isinstance(ledger.claim(again(first)), InitiationRecord)

    pass_time(url, LEASE)

    entry = won(ledger, again(first, lease_seconds=LEASE)).entry
    assert (entry.id, entry.attempts) == (first.id, 2)
    assert entry.checkpoint == CREATED


def test_a_keyless_dead_owner_is_taken_over_whatever_the_request(ledger):
    first = claim_of(lease=0.0, fingerprint="one")
    won(ledger, first)

    assert won(ledger, claim_of(fingerprint="two")).entry.id == first.id


def test_an_owner_that_was_taken_over_from_can_begin_and_complete_nothing_more(ledger):
    first = keyed(lease=0.0)
    won(ledger, first)
    second = again(first, lease_seconds=LEASE)
    won(ledger, second)

    with pytest.raises(LeaseLost):
        ledger.save_checkpoint(lease_of(first), CREATED)
    with pytest.raises(LeaseLost):
        settle(ledger, first)

    ledger.save_checkpoint(Lease(first.id, second.lease_owner), CREATED)
    settle(ledger, second, entry_id=first.id)
    assert ledger.read(first.id).state is State.SUCCEEDED


def test_nothing_begins_on_a_lease_that_ran_out_but_what_happened_can_be_completed(ledger):
    claim = keyed(lease=0.0)
    won(ledger, claim)

    with pytest.raises(LeaseLost):
        ledger.save_checkpoint(lease_of(claim), CREATED)
    settle(ledger, claim)

    assert ledger.read(claim.id).state is State.SUCCEEDED


def test_what_has_ended_or_never_was_can_not_be_begun_or_completed(ledger):
    claim = keyed()
    won(ledger, claim)
    settle(ledger, claim)

    with pytest.raises(LeaseLost):
        ledger.save_checkpoint(lease_of(claim), CREATED)
    with pytest.raises(LeaseLost):
        failed(ledger, claim)
    with pytest.raises(LeaseLost):
        ledger.save_checkpoint(Lease("nobody", claim.lease_owner), CREATED)


def test_a_settle_whose_answer_was_lost_can_be_made_again_and_counts_once(ledger):
    claim = keyed()
    won(ledger, claim)

    settle(ledger, claim)
    settle(ledger, claim)

    assert ledger.read(claim.id).upstream_calls == 4
