"""Waiting for another's run, and what has changed in the ledger by the time that it is over."""

from datetime import UTC, datetime

import pytest

from cobrowse.errors import GenesysTimeout, InProgress
from cobrowse.flow import Attempt
from cobrowse.ledger import Acquired, State
from cobrowse.model import Failure, Outcome, Status
from cobrowse.waiting import (
    MIN_READ_SECONDS,
    applies_to_all_waiters,
    exclude_ended,
    read_in_time,
    refresh_if_completed,
    wait_for_owner,
)
from tests.clocks import ManualClock
from tests.scripted import ScriptedLedger, command, ended, entry

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def waiting(*reads):
    clock = ManualClock()
    return ScriptedLedger(clock, reads=reads), Attempt(command(), "mine", "owner", clock)


def running(initiation_id="theirs", **fields):
    return entry(initiation_id, **{"lease_owner": "them", "lease_left": 3.0} | fields)


def test_it_waits_while_the_lease_lasts_and_reads_within_what_is_left():
    over = ended()
    ledger, attempt = waiting(running(), over)
    assert wait_for_owner(ledger, running(), attempt) is over
    assert ledger.told == [("wait", "theirs", 3.0), ("read", "theirs")] * 2
    assert ledger.waits == [("read", 7.0), ("read", 4.0)]


def test_it_waits_no_longer_than_the_deadline_and_says_how_long_the_lease_still_lasts():
    ledger, attempt = waiting(running(lease_left=40.0))
    with pytest.raises(InProgress, match="the first delivery of this request is still running") as late:
        wait_for_owner(ledger, running(lease_left=50.0), attempt)
    assert late.value.retry_after == 40.0
    assert ledger.told[0] == ("wait", "theirs", 10.0)
    assert ledger.waits == [("read", MIN_READ_SECONDS)]


@pytest.mark.parametrize("now", [None, running(lease_left=0.0), entry(state=State.SUCCEEDED)])
def test_what_is_gone_or_left_or_without_an_answer_is_none(now):
    ledger, attempt = waiting()
    assert wait_for_owner(ledger, now, attempt) is None
    assert ledger.told == []


def test_only_the_owner_that_is_named_is_waited_for():
    ledger, attempt = waiting()
    assert wait_for_owner(ledger, running(lease_owner="another"), attempt, "them") is None
    assert ledger.told == []


def test_what_an_end_has_ended_meanwhile_is_no_longer_in_the_history():
    standing = ended("standing")
    ledger, attempt = waiting(ended("over", ended=NOW), standing, None)
    acquired = Acquired(entry("mine"), history=(ended("over"), ended("standing"), ended("gone")))
    assert exclude_ended(ledger, attempt, acquired) == Acquired(entry("mine"), history=(standing,))
    assert ledger.told == [("read", "over"), ("read", "standing"), ("read", "gone")]
    assert ledger.waits == [("read", 10.0)] * 3


def test_what_is_read_with_little_time_left_has_a_moment_and_without_any_is_not_read():
    ledger, attempt = waiting(running(), running())
    attempt.clock.time += 9.9
    read_in_time(ledger, "theirs", attempt)
    assert ledger.waits == [("read", MIN_READ_SECONDS)]
    attempt.clock.time += 0.2
    with pytest.raises(GenesysTimeout, match="no time was left to see"):
        read_in_time(ledger, "theirs", attempt)
    assert len(ledger.told) == 1


def test_an_answer_is_late_if_one_that_ran_has_ended_since():
    ledger, attempt = waiting()
    assert refresh_if_completed(ledger, attempt, (ended("one"), ended("two"))) is None
    assert ledger.told == []

    ledger, attempt = waiting(running("one"), ended("two"), None)
    assert refresh_if_completed(ledger, attempt, (running("one"), ended("two"), running("three"))) is None
    assert ledger.waits == [("read", 10.0)] * 3

    late, done = ended("one"), ended("two")
    ledger, attempt = waiting(late, done, ended("three", ended=NOW), None)
    known = (running("one"), ended("two"), ended("three"), running("four"))
    assert refresh_if_completed(ledger, attempt, known) == (late, done)
    assert ledger.told == [("read", each) for each in ("one", "two", "three", "four")]


def test_a_permanent_failure_is_its_own_requests():
    def failed(*, retryable):
        failure = Failure("code", "message", "", retryable=retryable, is_terminal=not retryable)
        return ended(outcome=Outcome(Status.FAILED, "theirs", "their-corr", failure=failure))

    assert applies_to_all_waiters(ended())
    assert applies_to_all_waiters(failed(retryable=True))
    assert not applies_to_all_waiters(failed(retryable=False))
    assert not applies_to_all_waiters(entry())
