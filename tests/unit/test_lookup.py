"""Finding an initiation among a caller's own, and how far its session has come by its record or by one look."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.errors import GenesysUnavailable, InitiationNotFound
from cobrowse.ledger import Checkpoint, State, lock_key_for
from cobrowse.lookup import InitiationQuery, Lookup, outcome_on_record, view_on_record
from cobrowse.model import Outcome, Session, SessionState, SessionView, Status
from tests.clocks import ManualClock
from tests.scripted import Watch, command, ended, entry

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
MINE = command(conversation_id="c-1", credential="ada")
END = command(conversation_id="c-1", credential="ada", action="end")
SEEN = SessionView(SessionState.JOINED, customer_connected=True)
ENDED_OUTCOME = Outcome(Status.ENDED, "theirs", "corr")


class Records:
    """One record, wherever it is looked for; what was asked is kept."""

    def __init__(self, record):
        self.record, self.asked = record, []

    def read(self, initiation_id):
        self.asked.append(("read", initiation_id))
        return self.record

    def find(self, lock_key):
        self.asked.append(("find", lock_key))
        return self.record

    def find_own(self, wanted, limit):
        self.asked.append(("own", wanted, limit))
        return [] if self.record is None else [self.record]


class Genesys:
    """Shows a session as joined, by one call, or fails."""

    def __init__(self, error=None):
        self.looks, self.error = [], error

    def view(self, attempt, session):
        self.looks.append((attempt.command, attempt.initiation_id, session))
        attempt.record_call("conversation", attempt.clock.monotonic(), "200")
        if self.error:
            raise self.error
        return SEEN


def lookup(record=None, genesys=None, **observers):
    return Lookup(Records(record), genesys or Genesys(), ManualClock(), **observers)


@pytest.mark.parametrize(
    ("asked", "initiation_id", "question", "what"),
    [
        (replace(MINE, key="k", fingerprint="f"), "i-1", ("read", "i-1"), "id"),
        (
            replace(MINE, key="k", fingerprint="f"),
            "",
            ("find", lock_key_for(replace(MINE, key="k", fingerprint="f"), "")),
            "idempotency key",
        ),
        (MINE, "", ("own", InitiationQuery("crm", "ada", "c-1", action="start"), 1), "conversation"),
    ],
)
def test_it_is_found_by_its_id_else_its_key_else_its_conversation(asked, initiation_id, question, what):
    record = entry(of=MINE)
    found = lookup(record)
    assert found.find(asked, initiation_id) is record
    assert found.records.asked == [question]
    for absent in (None, entry(of=replace(MINE, credential="bob")), entry(of=replace(MINE, sender="other"))):
        with pytest.raises(InitiationNotFound) as missing:
            lookup(absent).find(asked, initiation_id)
        assert missing.value.message == f"no initiation of this credential has this {what}"


def test_of_what_is_asked_for_only_the_given_narrows_it():
    given = {name for name, value in InitiationQuery("crm", "ada")._asdict().items() if value is not None}
    assert given == {"sender", "credential"}


def test_what_may_be_live_is_looked_at_once_and_the_look_is_observed():
    session = Session("c-1", "s-1")
    record = ended(of=MINE, checkpoint=Checkpoint(may_have_notified=True, session=session))
    watch, genesys = Watch(), Genesys()
    assert lookup(genesys=genesys, observers=(watch,)).check(MINE, record) == (SEEN, 1)
    assert genesys.looks == [(MINE, "theirs", session)]
    assert [(at, span.kind, span.name) for at, span in watch.spans] == [
        ("theirs", "call", "conversation"),
        ("theirs", "step", "check"),
    ]
    with pytest.raises(GenesysUnavailable):
        lookup(genesys=Genesys(GenesysUnavailable("away"))).check(MINE, record)


@pytest.mark.parametrize(
    ("record", "view"),
    [
        (entry(of=MINE), SessionView()),
        (ended(of=MINE, ended=NOW), SessionView(SessionState.ENDED, since="2026-11-25T09:00:00+00:00")),
        (ended(of=END, outcome=ENDED_OUTCOME), SessionView(SessionState.ENDED)),
    ],
)
def test_what_can_not_be_live_is_not_looked_at(record, view):
    genesys = Genesys()
    assert lookup(genesys=genesys).check(MINE, record) == (view, 0)
    assert genesys.looks == []


def offered(seconds):
    return Checkpoint(session=Session("c-1", "s-1", offer_ends=(NOW + timedelta(seconds=seconds)).isoformat()))


FAILED = replace(ended().outcome, status=Status.FAILED, failure=object())


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (ended(of=MINE, checkpoint=offered(1)), SessionState.OFFERED),
        (ended(of=MINE, checkpoint=offered(-1)), SessionState.UNKNOWN),
        (ended(of=MINE, checkpoint=offered(1), outcome=FAILED), SessionState.UNKNOWN),
        (entry(of=MINE, checkpoint=offered(1)), SessionState.UNKNOWN),
        (ended(of=MINE, checkpoint=offered(1), ended=NOW), SessionState.ENDED),
        (ended(of=END, outcome=ENDED_OUTCOME, checkpoint=offered(1)), SessionState.ENDED),
        (ended(of=END, outcome=FAILED), SessionState.UNKNOWN),
        (entry(of=END), SessionState.UNKNOWN),
    ],
)
def test_without_a_look_it_is_as_far_as_the_record_says(record, state):
    assert view_on_record(record, NOW).state is state


def test_the_outcome_is_the_recorded_one_once_there_is_one():
    done = ended(of=MINE)
    assert outcome_on_record(done, "corr") is done.outcome


@pytest.mark.parametrize(
    ("lease_left", "message", "retry_after"),
    [
        (3.0, "this initiation is being worked on", 3.0),
        (0.0, "the worker stopped before this initiation was finished", None),
    ],
)
def test_while_it_runs_its_outcome_says_so_and_when_to_ask_again(lease_left, message, retry_after):
    running = entry(of=MINE, lease_left=lease_left, attempts=2, checkpoint=Checkpoint("native"))
    # A second attempt runs, and the first one's outcome is on record: it is not the answer.
    for record in (running, replace(running, outcome=ended().outcome, state=State.RUNNING)):
        outcome = outcome_on_record(record, "corr-9")
        assert (outcome.status, outcome.initiation_id, outcome.correlation_id) == (Status.RUNNING, "theirs", "corr-9")
        assert (outcome.session, outcome.flow, outcome.attempts) == (Session("c-1"), "native", 2)
        failure = outcome.failure
        assert (failure.code, failure.message, failure.retry_after) == ("in_progress", message, retry_after)
        assert (failure.retryable, failure.is_terminal) == (True, False)
