"""What the ledger promises, on each engine: claims, leases, progress, and every move of a state."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.ledger import Differs, LeaseLost, Progress, State, Taken, Won
from cobrowse.model import Secret, Session, Status
from tests.contract.ledgers import (
    ATTACHED,
    CREATED,
    FINAL,
    FIRST,
    LEASE,
    RETRYABLE,
    SESSION,
    SHORT,
    SPANS,
    again,
    claim_of,
    command,
    failed,
    keyed,
    outcome,
    settle,
    together,
    won,
)

# Claiming


def test_a_first_claim_is_won_and_holds_all_that_was_asked_for(ledger):
    asked = command(
        latest=True,
        check_first=True,
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
    assert (entry.progress, entry.holder, entry.outcome) == (claim.progress, claim.holder, None)
    assert LEASE - 2 < entry.lease_left <= LEASE
    assert entry.held
    assert abs(datetime.now(UTC) - entry.created) < timedelta(seconds=5)
    assert ledger.read(claim.id).command == entry.command


def test_a_repeat_of_a_running_key_is_taken(ledger):
    first = keyed()
    won(ledger, first)

    claimed = ledger.claim(again(first))

    assert isinstance(claimed, Taken)
    assert (claimed.entry.id, claimed.entry.held) == (first.id, True)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED_FINAL, State.IGNORED])
def test_a_repeat_of_a_key_that_has_ended_for_good_is_taken_with_its_answer(ledger, state):
    first = keyed()
    won(ledger, first)
    failure = FINAL if state is State.FAILED_FINAL else None
    settle(ledger, first, state, failure=failure)

    claimed = ledger.claim(again(first))

    assert isinstance(claimed, Taken)
    assert claimed.entry.state is state
    assert not claimed.entry.held
    assert claimed.entry.outcome == outcome(first.id, failure=failure)


def test_a_repeat_of_a_retryable_failure_goes_on_from_its_progress_with_its_first_command(ledger):
    first = keyed(session_settings={"mask": ".card"})
    won(ledger, first)
    failed(ledger, first)
    repeat = again(first, command=replace(first.command, session_settings={}, conversation_id=""), progress=Progress())

    entry = won(ledger, repeat).entry

    assert (entry.id, entry.attempts, entry.state) == (first.id, 2, State.RUNNING)
    assert entry.holder == repeat.holder
    assert entry.progress == CREATED
    assert entry.command == first.command


def test_a_key_with_another_request_differs_whether_the_first_runs_or_has_ended(ledger):
    first = keyed()
    won(ledger, first)
    other = keyed(fingerprint="another")

    assert isinstance(ledger.claim(other), Differs)
    failed(ledger, first)
    assert isinstance(ledger.claim(other), Differs)
    entry = won(ledger, again(first)).entry
    settle(ledger, replace(first, holder=entry.holder))
    differs = ledger.claim(other)
    assert isinstance(differs, Differs)
    assert differs.entry.id == first.id


def test_a_key_whose_lease_ran_out_differs_for_another_request(ledger):
    won(ledger, keyed(lease=0.0))

    assert isinstance(ledger.claim(keyed(fingerprint="another")), Differs)


def test_one_key_of_two_senders_is_two(ledger):
    won(ledger, keyed())
    won(ledger, keyed(sender="crm"))


def test_a_keyless_request_holds_its_conversation_only_while_it_runs(ledger):
    first = claim_of()
    won(ledger, first)
    assert isinstance(ledger.claim(claim_of(fingerprint="whatever")), Taken)
    won(ledger, claim_of(conversation_id="another"))

    settle(ledger, first)

    second = won(ledger, claim_of()).entry
    assert second.id != first.id
    assert second.attempts == 1
    assert ledger.read(first.id).state is State.SUCCEEDED


def test_a_keyless_failure_releases_its_conversation_too(ledger):
    first = claim_of()
    won(ledger, first)
    failed(ledger, first)

    assert won(ledger, claim_of()).entry.id != first.id


def test_a_claim_of_nothing_but_itself_is_always_won(ledger):
    for _ in range(3):
        won(ledger, claim_of(conversation_id=""))


def test_of_24_threads_one_wins_each_round(ledger):
    for turn in range(20):
        claims = [keyed(key=f"round-{turn}") for _ in range(24)]

        claimed = together(24, lambda number, claims=claims: ledger.claim(claims[number]))

        winners = [one for one in claimed if isinstance(one, Won)]
        assert len(winners) == 1
        assert {one.entry.id for one in claimed} == {winners[0].entry.id}


def test_of_24_threads_one_takes_over_what_a_dead_holder_left(ledger):
    for turn in range(5):
        won(ledger, keyed(key=f"round-{turn}", lease=0.0))
        claims = [keyed(key=f"round-{turn}") for _ in range(24)]

        claimed = together(24, lambda number, claims=claims: ledger.claim(claims[number]))

        assert [one.entry.attempts for one in claimed if isinstance(one, Won)] == [2]


def test_claims_of_one_slot_that_come_and_go_are_never_held_by_two(ledger):
    inside = threading.Lock()

    def work(_):
        done = 0
        while done < 5:
            claim = claim_of()
            if not isinstance(ledger.claim(claim), Won):
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


def test_what_a_dead_holder_left_is_taken_over_once_its_lease_ran_out(ledger):
    first = keyed(lease=SHORT)
    won(ledger, first)
    ledger.begin(first.id, first.holder, CREATED)
    assert isinstance(ledger.claim(again(first)), Taken)

    time.sleep(SHORT + 0.05)

    entry = won(ledger, again(first, lease_seconds=LEASE)).entry
    assert (entry.id, entry.attempts) == (first.id, 2)
    assert entry.progress == CREATED


def test_a_keyless_dead_holder_is_taken_over_whatever_the_request(ledger):
    first = claim_of(lease=0.0, fingerprint="one")
    won(ledger, first)

    assert won(ledger, claim_of(fingerprint="two")).entry.id == first.id


def test_whoever_was_taken_over_from_can_begin_and_settle_nothing_more(ledger):
    first = keyed(lease=0.0)
    won(ledger, first)
    second = again(first, lease_seconds=LEASE)
    won(ledger, second)

    with pytest.raises(LeaseLost):
        ledger.begin(first.id, first.holder, CREATED)
    with pytest.raises(LeaseLost):
        settle(ledger, first)

    ledger.begin(first.id, second.holder, CREATED)
    settle(ledger, second, entry_id=first.id)
    assert ledger.read(first.id).state is State.SUCCEEDED


def test_nothing_begins_on_a_lease_that_ran_out_but_what_happened_can_be_settled(ledger):
    claim = keyed(lease=0.0)
    won(ledger, claim)

    with pytest.raises(LeaseLost):
        ledger.begin(claim.id, claim.holder, CREATED)
    settle(ledger, claim)

    assert ledger.read(claim.id).state is State.SUCCEEDED


def test_what_has_ended_or_never_was_can_not_be_begun_or_settled(ledger):
    claim = keyed()
    won(ledger, claim)
    settle(ledger, claim)

    with pytest.raises(LeaseLost):
        ledger.begin(claim.id, claim.holder, CREATED)
    with pytest.raises(LeaseLost):
        failed(ledger, claim)
    with pytest.raises(LeaseLost):
        ledger.begin("nobody", claim.holder, CREATED)


def test_a_settle_whose_answer_was_lost_can_be_made_again_and_counts_once(ledger):
    claim = keyed()
    won(ledger, claim)

    settle(ledger, claim)
    settle(ledger, claim)

    assert ledger.read(claim.id).upstream_calls == 4


# Progress and outcomes


def test_begin_commits_how_far_it_came(ledger, url, opened):
    claim = keyed()
    won(ledger, claim)

    ledger.begin(claim.id, claim.holder, CREATED)

    entry = opened(url).read(claim.id)
    assert entry.progress == CREATED
    assert isinstance(entry.progress.session.join_url, Secret)
    assert entry.held


@pytest.mark.parametrize("failure", [None, FINAL, RETRYABLE])
def test_settle_keeps_the_whole_outcome(ledger, url, opened, failure):
    claim = keyed()
    won(ledger, claim)
    session = replace(SESSION, join_url=Secret("https://another"), state="connected")
    state = State.SUCCEEDED if failure is None else State.FAILED_FINAL if failure.final else State.FAILED_RETRYABLE

    settle(ledger, claim, state, ATTACHED, failure=failure, session=session)

    entry = opened(url).read(claim.id)
    assert entry.outcome == outcome(claim.id, failure=failure, session=session)
    assert entry.outcome.spans == SPANS
    assert isinstance(entry.outcome.status, Status)
    assert (entry.state, entry.progress, entry.lease_left, entry.upstream_calls) == (state, ATTACHED, 0.0, 4)
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


def test_a_conversation_that_was_looked_up_is_part_of_the_command_from_then_on(ledger):
    first = keyed(conversation_id="", latest=True, lease=SHORT)
    won(ledger, first)
    ledger.begin(first.id, first.holder, replace(CREATED, session=Session(conversation_id="found")))
    time.sleep(SHORT + 0.05)

    assert won(ledger, again(first)).entry.command.conversation_id == "found"


def test_an_absent_initiation_reads_as_none(ledger):
    assert ledger.read("nobody") is None


# Claiming again by id


@pytest.mark.parametrize("failure", [FINAL, RETRYABLE])
def test_a_failed_initiation_can_be_reclaimed_final_or_not(ledger, failure):
    first = keyed()
    won(ledger, first)
    failed(ledger, first, failure)

    claimed = ledger.reclaim(first.id, "a person", LEASE)

    assert isinstance(claimed, Won)
    assert (claimed.entry.attempts, claimed.entry.holder, claimed.entry.state) == (2, "a person", State.RUNNING)
    assert claimed.entry.progress == CREATED
    assert claimed.entry.held
    assert isinstance(ledger.reclaim(first.id, "another person", LEASE), Taken)
    assert isinstance(ledger.claim(again(first)), Taken)


def test_what_runs_or_went_well_is_not_reclaimed_and_what_never_was_is_none(ledger):
    running, good, ignored = (keyed(key=key) for key in "abc")
    for claim in (running, good, ignored):
        won(ledger, claim)
    settle(ledger, good)
    settle(ledger, ignored, State.IGNORED)

    for claim in (running, good, ignored):
        assert isinstance(ledger.reclaim(claim.id, "a person", LEASE), Taken)
    assert ledger.reclaim("nobody", "a person", LEASE) is None


def test_what_a_dead_holder_left_is_reclaimed(ledger):
    claim = claim_of(lease=0.0)
    won(ledger, claim)

    assert isinstance(ledger.reclaim(claim.id, "a person", LEASE), Won)


# The other initiation of a conversation


def test_without_a_window_nothing_earlier_is_named(ledger):
    first = claim_of()
    won(ledger, first)
    settle(ledger, first)

    assert won(ledger, claim_of()).previous is None


def test_the_newest_that_may_have_invited_is_named(ledger):
    for _ in range(2):
        newest = claim_of()
        won(ledger, newest)
        settle(ledger, newest)
    unseen = claim_of()
    won(ledger, unseen)
    settle(ledger, unseen, State.FAILED_FINAL, FIRST, failure=FINAL)
    elsewhere = claim_of(conversation_id="another")
    won(ledger, elsewhere)
    settle(ledger, elsewhere)

    previous = won(ledger, claim_of(window=60.0)).previous

    assert previous.id == newest.id
    assert previous.progress.session == SESSION
    assert previous.outcome.session == SESSION


def test_one_that_invited_and_died_is_named(ledger):
    dead = keyed(lease=SHORT)
    won(ledger, dead)
    ledger.begin(dead.id, dead.holder, CREATED)
    time.sleep(SHORT + 0.05)

    previous = won(ledger, claim_of(window=60.0)).previous

    assert (previous.id, previous.held) == (dead.id, False)


def test_one_outside_the_window_is_not_named(ledger):
    first = claim_of()
    won(ledger, first)
    settle(ledger, first)
    time.sleep(0.2)

    assert won(ledger, claim_of(window=0.1)).previous is None


def test_one_at_work_that_came_before_is_named_though_it_has_invited_nobody(ledger):
    first = keyed()
    won(ledger, first)

    previous = won(ledger, claim_of(window=60.0)).previous

    assert (previous.id, previous.held) == (first.id, True)


def test_one_at_work_that_came_after_is_named_only_once_it_may_have_invited(ledger):
    """Else two could wait for each other; but a second invitation beside a live session would be worse than a wait."""
    first = keyed(key="first", window=60.0)
    won(ledger, first)
    failed(ledger, first, progress=FIRST)
    second = keyed(key="second", window=60.0, progress=Progress("media", (), "create"))
    assert won(ledger, second).previous is None

    assert won(ledger, again(first)).previous is None
    failed(ledger, replace(first, holder=ledger.read(first.id).holder), progress=FIRST)
    ledger.begin(second.id, second.holder, Progress("media", ("create",), "attach", invited=True))
    assert won(ledger, again(first)).previous.id == second.id


def test_of_two_at_the_same_moment_one_sees_the_other(ledger):
    for turn in range(20):
        claims = [keyed(key=f"{turn}-{number}", conversation_id=f"c-{turn}", window=60.0) for number in range(4)]

        claimed = together(4, lambda number, claims=claims: ledger.claim(claims[number]))

        seen = [one.previous.id for one in claimed if one.previous is not None]
        assert len(set(seen)) == len(seen) == 3


# Waiting


def test_a_wait_ends_as_soon_as_another_thread_settles(ledger):
    claim = keyed()
    won(ledger, claim)
    timer = threading.Timer(0.2, settle, (ledger, claim))
    timer.start()

    started = time.monotonic()
    ledger.wait(claim.id, 5.0)

    assert 0.15 < time.monotonic() - started < 0.6
    timer.join()


def test_a_wait_ends_soon_after_another_process_settles(ledger, url, opened):
    claim = keyed()
    won(ledger, claim)
    timer = threading.Timer(0.2, settle, (opened(url), claim))
    timer.start()

    started = time.monotonic()
    ledger.wait(claim.id, 5.0)

    assert 0.15 < time.monotonic() - started < 0.8
    assert not ledger.read(claim.id).held
    timer.join()


def test_a_wait_ends_when_the_lease_runs_out_or_the_time_is_over(ledger):
    claim = keyed(lease=0.3)
    won(ledger, claim)

    started = time.monotonic()
    ledger.wait(claim.id, 0.1)
    assert 0.08 < time.monotonic() - started < 0.25
    ledger.wait(claim.id, 5.0)
    assert 0.25 < time.monotonic() - started < 0.8


def test_there_is_no_wait_for_what_nobody_holds(ledger):
    claim = keyed()
    won(ledger, claim)
    settle(ledger, claim)

    started = time.monotonic()
    ledger.wait(claim.id, 5.0)
    ledger.wait("nobody", 5.0)

    assert time.monotonic() - started < 0.2
