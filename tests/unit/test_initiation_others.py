"""An initiation among others: who waits for whom, what a key keeps, and how many run at once."""

from contextlib import suppress
from dataclasses import replace

import pytest

from cobrowse.admission import Admission
from cobrowse.errors import (
    GenesysTimeout,
    InProgress,
    InternalError,
    KeyReused,
    LedgerUnavailable,
)
from cobrowse.ledger import Acquired, Lease, LeaseLost, State
from cobrowse.model import Status
from tests.clocks import ManualClock
from tests.scripted import IN_C1, ScriptedGenesys, Watch, command, ended, entry, initiation

# Somebody else's run


def test_the_second_caller_waits_and_is_told_the_same():
    clock = ManualClock()
    running, over = entry("row", of=command(key="k"), lease_left=4.0), ended("row", of=command(key="k"))
    work = initiation(clock=clock, claims=[running], reads=[running, over])
    told = work(command(key="k", correlation_id="second"))
    assert told == over.outcome
    assert told.replayed
    # No longer than its lease; the next test has one that outlives our deadline.
    assert work.ledger.told == [
        ("wait", "row", 4.0),
        ("read", "row"),
        ("wait", "row", 4.0),
        ("read", "row"),
    ]
    assert work.genesys.calls == []


def test_one_that_waits_too_long_learns_that_it_is_still_running_and_which():
    running = entry("row", of=command(key="k"), lease_left=60.0)
    watch = Watch()
    work = initiation(claims=[running], reads=[replace(running, lease_left=47.0)] * 9, observers=(watch,))
    told = work(command(key="k"))
    assert work.ledger.told[0] == ("wait", "row", 10.0)
    assert (told.initiation_id, told.failure.code) == ("row", "in_progress")
    assert told.failure.message == "the first delivery of this request is still running"
    assert told.failure.retry_after == 47.0
    assert work.ledger.settled == []


def test_the_second_caller_waits_to_the_end_of_its_deadline():
    running = entry("row", of=command(key="k"), lease_left=60.0)
    over = ended("row", of=command(key="k"))
    work = initiation(claims=[running], reads=[over])
    assert work(command(key="k", deadline_seconds=0.5)) == over.outcome
    assert work.ledger.told[0] == ("wait", "row", 0.5)


@pytest.mark.parametrize("left", ["gone", "its lease is over", "ended without an answer"])
def test_what_a_dead_owner_has_left_is_claimed_anew(left):
    running = entry("row", of=command(key="k"), lease_left=4.0)
    found = {
        "gone": None,
        "its lease is over": replace(running, lease_left=0.0),
        "ended without an answer": replace(running, state=State.SUCCEEDED),
    }[left]
    work = initiation(claims=[running], reads=[found])
    assert work(command(key="k", conversation_id="c-1")).status is Status.INITIATED
    assert len(work.ledger.claims) == 2


def test_an_entry_that_runs_is_no_answer_though_it_has_one_of_an_earlier_attempt():
    stale = replace(ended("row", of=command(key="k")), state=State.RUNNING)
    work = initiation(claims=[stale])
    told = work(command(key="k", conversation_id="c-1"))
    assert (told.initiation_id, told.replayed) == ("id-1", False)


def test_one_that_is_taken_over_from_gives_the_answer_of_who_did_it():
    over = ended("id-1", of=command(key="k"))
    work = initiation(settles=[LeaseLost()], reads=[over])
    told = work(command(key="k", conversation_id="c-1"))
    assert (told, told.replayed) == (over.outcome, True)
    assert work.ledger.told[-1] == ("read", "id-1")
    assert work.ledger.waits[-1] == ("read", 10.0)


def test_one_that_is_taken_over_from_waits_for_who_did_it():
    running = entry("id-1", of=command(key="k"), lease_left=2.0)
    over = ended("id-1", of=command(key="k"))
    work = initiation(settles=[LeaseLost()], reads=[running, over])
    assert work(command(key="k", conversation_id="c-1")) == over.outcome
    assert work.ledger.told[-2:] == [("wait", "id-1", 2.0), ("read", "id-1")]


def test_one_that_is_taken_over_from_with_no_answer_in_sight_is_in_progress():
    work = initiation(settles=[LeaseLost()], reads=[entry("id-1", lease_left=0.0)])
    told = work(IN_C1)
    assert told.failure.code == InProgress.code
    assert told.failure.message == "another worker has taken this request over"
    assert told.failure.retry_after == 1


def test_whose_row_is_gone_with_a_crash_of_the_ledger_is_reported():
    work = initiation(settles=[LeaseLost()], reads=[None])
    told = work(IN_C1)
    assert (told.failure.code, told.failure.retryable) == ("ledger_unavailable", True)
    assert told.failure.message == "the ledger came back from a crash without this request"


# What a key keeps


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED_FINAL])
def test_a_completed_key_is_answered_from_one_read(state):
    over, watch = ended("row", state, of=command(key="k", conversation_id="c-1")), Watch()
    work = initiation(finds=[over], observers=(watch,))
    told = work(command(key="k", conversation_id="c-1", correlation_id="second"))
    assert (told, told.replayed) == (over.outcome, True)
    assert work.ledger.found == ["key:crm::k"]
    assert (work.ledger.claims, work.ledger.told, work.genesys.calls) == ([], [], [])
    assert [outcome for _, outcome in watch.outcomes] == [told]


@pytest.mark.parametrize("state", [State.RUNNING, State.FAILED_RETRYABLE])
def test_a_key_that_has_no_answer_for_good_is_claimed(state):
    work = initiation(finds=[ended("row", state, of=command(key="k", conversation_id="c-1"))])
    assert work(command(key="k", conversation_id="c-1")).status is Status.INITIATED
    assert len(work.ledger.claims) == 1


def test_a_key_that_came_with_another_request_is_refused_after_one_read():
    work = initiation(finds=[ended("row", of=command(key="k", fingerprint="f"))])
    with pytest.raises(KeyReused, match=r"^Idempotency-Key already used with a different request$"):
        work(command(key="k", fingerprint="g"))
    assert work.ledger.claims == []


def test_a_ledger_that_can_not_be_read_starts_nothing_for_a_key():
    work = initiation(finds=[LedgerUnavailable("find")])
    assert work(command(key="k", conversation_id="c-1")).failure.code == "ledger_unavailable"
    assert (work.ledger.claims, work.genesys.calls) == ([], [])


def test_every_word_with_the_ledger_is_given_the_time_that_is_left_and_the_end_a_second_at_least():
    work = initiation()
    work(command(key="k", conversation_id="c-1"))
    assert [what for what, _ in work.ledger.waits] == ["find", "claim", "begin", "settle"]
    assert all(0 < seconds <= 10.0 for _, seconds in work.ledger.waits)

    work = initiation()
    work(command(conversation_id="c-1", deadline_seconds=0.0))
    assert work.ledger.waits[-1] == ("settle", 1.0)

    mine = entry("id-1", of=IN_C1, lease_owner="worker/id-1")
    work = initiation(claims=[Acquired(mine, ahead=(Lease("other", "theirs"),))])
    work(IN_C1)
    assert work.ledger.waits[:2] == [("claim", 10.0), ("read", 10.0)]


# How many at once


def test_beyond_the_limit_nothing_is_asked_or_written_and_a_completed_key_is_still_answered():
    over = ended("row", of=command(key="k", conversation_id="c-1"))
    work = initiation(finds=[over, None], admission=Admission(1))
    with work.admission:
        told = work(IN_C1)
        assert (told.failure.code, told.failure.retryable, told.failure.retry_after) == ("overloaded", True, 2.0)
        assert work(command(key="k", conversation_id="c-1")) == over.outcome
        assert work(command(key="new", conversation_id="c-1")).failure.code == "overloaded"
        assert work.retry(over, 8.0, "by hand").failure.code == "overloaded"
        assert work.ignore(IN_C1, "another event").status is Status.IGNORED
        assert (work.ledger.claims, work.ledger.told, work.genesys.calls) == ([], [], [])
    assert work(IN_C1).status is Status.INITIATED


@pytest.mark.parametrize("error", [GenesysTimeout("x"), ZeroDivisionError("x")])
def test_whatever_becomes_of_an_initiation_its_place_is_free_again(error):
    work = initiation(ScriptedGenesys(fails={"attach": [error]}), admission=Admission(1))
    with suppress(InternalError):
        work(IN_C1)
    assert work.admission.running == 0
    assert work(IN_C1).status is Status.INITIATED
