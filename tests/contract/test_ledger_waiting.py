"""Whom a request waits for, on each engine: the other initiation of its conversation, and until when."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from cobrowse.clock import SystemClock
from cobrowse.initiation import Initiation
from cobrowse.ledger import Lease
from tests.clocks import HANGS
from tests.contract.ledgers import (
    CREATED,
    FINAL,
    FIRST,
    LEASE,
    SESSION,
    again,
    claim_of,
    failed,
    keyed,
    lease_of,
    pass_time,
    settle,
    together,
    uncommitted,
    won,
)
from tests.scripted import ScriptedGenesys

# The other initiation of a conversation


def test_the_newest_that_may_have_invited_is_named(ledger):
    for _ in range(2):
        newest = claim_of()
        won(ledger, newest)
        settle(ledger, newest)
    unseen = claim_of()
    won(ledger, unseen)
    settle(ledger, unseen, FIRST, failure=FINAL)
    elsewhere = claim_of(conversation_id="another")
    won(ledger, elsewhere)
    settle(ledger, elsewhere)

    previous = won(ledger, claim_of()).history[0]

    assert previous.id == newest.id
    assert previous.checkpoint.session == SESSION
    assert previous.outcome.session == SESSION


def test_one_that_invited_and_died_is_named(ledger, url):
    dead = keyed()
    won(ledger, dead)
    ledger.save_checkpoint(lease_of(dead), CREATED)
    pass_time(url, LEASE)

    (previous,) = won(ledger, claim_of()).history

    assert (previous.id, previous.has_live_lease) == (dead.id, False)


def test_one_of_yesterday_is_named_too(ledger, url):
    first = claim_of()
    won(ledger, first)
    settle(ledger, first)
    pass_time(url, 80_000)

    assert [entry.id for entry in won(ledger, claim_of()).history] == [first.id]


def test_a_running_one_that_came_before_is_named_though_it_has_invited_nobody(ledger):
    first = keyed()
    won(ledger, first)

    assert won(ledger, claim_of()).ahead == (Lease(first.id, first.lease_owner),)


def test_a_row_that_is_continued_waits_for_a_younger_one_that_is_running(ledger):
    """It was claimed before this attempt; whoever comes from now on sees both."""
    first = keyed(key="first")
    won(ledger, first)
    failed(ledger, first, checkpoint=FIRST)
    second = keyed(key="second")
    assert won(ledger, second).ahead == ()

    continued = again(first)
    assert won(ledger, continued).ahead == (Lease(second.id, second.lease_owner),)
    third = won(ledger, keyed(key="third"))
    assert third.ahead == (Lease(second.id, second.lease_owner), Lease(first.id, continued.lease_owner))


@pytest.mark.parametrize("make", [keyed, claim_of])
def test_who_waits_until_its_deadline_hears_that_the_first_one_runs_and_for_how_long(ledger, make):
    first = make()
    won(ledger, first)

    initiation = Initiation(ScriptedGenesys(), ledger, SystemClock(), lambda: "mine", "a worker")
    told = initiation(replace(first.command, deadline_seconds=0.05))

    assert told.failure.code == "in_progress"
    assert 0 < told.failure.retry_after < LEASE


def test_ends_are_waited_for_first_also_one_that_is_continued(ledger):
    """It is about to end what has been started since its row was made."""
    end, start, end_of_another = keyed(key="end", action="end"), keyed(key="start"), keyed(key="2nd", action="end")
    won(ledger, end)
    failed(ledger, end)
    won(ledger, start)
    won(ledger, again(end))
    won(ledger, end_of_another)

    assert [lease.id for lease in won(ledger, keyed(key="last")).ahead] == [end_of_another.id, end.id, start.id]


def test_a_row_that_a_person_runs_again_waits_for_a_running_one_and_sees_who_invited(ledger):
    first, invited, running = (keyed(key=key) for key in "abc")
    for claim in (first, invited, running):
        won(ledger, claim)
    failed(ledger, first, FINAL)
    settle(ledger, invited)

    reclaimed = ledger.reclaim(Lease(first.id, "a person"), LEASE)

    assert reclaimed.ahead == (Lease(running.id, running.lease_owner),)
    assert [entry.id for entry in reclaimed.history] == [invited.id]


def test_all_that_may_have_invited_are_known_and_running_ones_are_not_among_them(ledger):
    claims = [keyed(key=key) for key in "abcd"]
    for claim in claims:
        won(ledger, claim)
    for claim in claims[:2]:
        settle(ledger, claim)
    settle(ledger, claims[2], FIRST, failure=FINAL)

    claimed = won(ledger, claim_of())

    assert [entry.id for entry in claimed.history] == [claims[1].id, claims[0].id]
    assert claimed.ahead == (Lease(claims[3].id, claims[3].lease_owner),)


def test_an_entry_is_found_by_its_lock_key_in_whatever_state(ledger):
    claim = keyed()
    assert ledger.find(claim.lock_key) is None
    won(ledger, claim)
    assert ledger.find(claim.lock_key).has_live_lease
    settle(ledger, claim)
    assert ledger.find(claim.lock_key, seconds=1.0) == ledger.read(claim.id)


def test_of_two_at_the_same_moment_one_sees_the_other(ledger):
    for turn in range(20):
        claims = [keyed(key=f"{turn}-{number}", conversation_id=f"c-{turn}") for number in range(4)]

        claimed = together(4, lambda number, claims=claims: ledger.claim(claims[number]))

        seen = [one.ahead[0].id for one in claimed if one.ahead]
        assert len(set(seen)) == len(seen) == 3


def test_a_claim_waits_for_its_conversations_last_to_be_committed_and_sees_it(ledger, url):
    ledger.ping()  # the tables are there
    first, second = keyed(key="first"), keyed(key="second")
    with ThreadPoolExecutor(1) as pool:
        with uncommitted(url, first):
            later = pool.submit(won, ledger, second)
            with pytest.raises(TimeoutError):
                later.result(0.3)
        assert later.result(HANGS).ahead[0].id == first.id


# Waiting


def waited(ledger, number, seconds=HANGS):
    """How long a wait took: far less than its own limit, unless something hangs."""
    began = time.monotonic()
    ledger.wait(number, seconds)
    took = time.monotonic() - began
    assert took < HANGS / 2
    return took


@pytest.mark.parametrize("another_process", [False, True])
def test_a_wait_ends_soon_after_somebody_settles(ledger, url, opened, another_process):
    claim = keyed()
    won(ledger, claim)
    timer = threading.Timer(0.2, settle, (opened(url) if another_process else ledger, claim))
    timer.start()
    while ledger.read(claim.id).has_live_lease:
        waited(ledger, claim.id)
    timer.join()


def test_a_wait_ends_when_its_time_is_over(ledger):
    claim = keyed(lease=HANGS)
    won(ledger, claim)
    assert waited(ledger, claim.id, 0.1) > 0.08
    assert ledger.read(claim.id).has_live_lease


def test_a_wait_ends_when_the_lease_runs_out(ledger):
    claim = keyed(lease=0.3)
    won(ledger, claim)
    while ledger.read(claim.id).has_live_lease:
        waited(ledger, claim.id)


def test_there_is_no_wait_for_what_nobody_holds(ledger):
    claim = keyed()
    won(ledger, claim)
    settle(ledger, claim)
    waited(ledger, claim.id)
    waited(ledger, "nobody")
