"""A session that is asked for once an agent has answered: looked for by a budget, nothing started before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.ledger import Acquired, Checkpoint
from cobrowse.model import Failure, Outcome, Session, Sessions, Status
from tests.scripted import ScriptedGenesys, command, ended, entry, initiation

WANTED = command(conversation_id="c-1", start_when="agent_connected")
LIVE = Session("c-1", "live-1", "m-1")
RINGS = Sessions(unanswered="no agent is connected")


class Ringing(ScriptedGenesys):
    """Its looks are whole Sessions; the last stays."""

    def __init__(self, *looks):
        super().__init__()
        self.poll = [*looks]

    def sessions(self, attempt):
        self.calls.append(("look", attempt.command.conversation_id))
        return self.poll.pop(0) if len(self.poll) > 1 else self.poll[0]


def asked(genesys, wanted=WANTED, **ledger):
    work = initiation(genesys, **ledger)
    outcome = work(wanted)
    return outcome, [what for what, _ in genesys.calls], work


def test_while_nobody_has_answered_nothing_is_started_and_the_caller_may_retry():
    outcome, calls, work = asked(Ringing(RINGS))
    assert (outcome.failure.code, outcome.failure.retryable, outcome.failure.is_terminal) == (
        "agent_not_connected",
        True,
        False,
    )
    assert (outcome.failure.message, outcome.failure.retry_after) == (RINGS.unanswered, 10.0)
    waits = [(span.name, span.seconds) for span in outcome.spans if span.kind == "wait"]
    assert waits == [("before another check for an agent who answers", seconds) for seconds in (1.0, 1.5)]
    assert calls == ["look"] * 3
    (settled,) = work.ledger.settled
    assert not settled[3].may_have_notified


def test_an_agent_who_answers_inside_the_deadline_is_waited_for():
    outcome, calls, _ = asked(Ringing(RINGS, Sessions()))
    assert outcome.status is Status.INITIATED
    assert calls == ["look", "look", "create", "attach", "verify"]


@pytest.mark.parametrize(("deadline", "looks"), [(0.5, 1), (2.0, 2), (4.5, 3), (30.0, 3)])
def test_the_checks_stay_inside_the_deadline_and_the_budget(deadline, looks):
    outcome, calls, _ = asked(Ringing(RINGS), replace(WANTED, deadline_seconds=deadline))
    assert outcome.failure.code == "agent_not_connected"
    assert calls == ["look"] * looks


def test_who_does_not_ask_for_it_is_not_held_up_by_a_check():
    outcome, calls, _ = asked(Ringing(RINGS), replace(WANTED, start_when="customer_connected"))
    assert (outcome.status, calls[0]) == (Status.INITIATED, "create")


def test_a_row_whose_worker_died_before_its_call_waits_for_the_agent_too():
    intended = Checkpoint("native", pending_step="cobrowse", may_have_notified=True, session=Session("c-1"))
    outcome, calls, _ = asked(Ringing(RINGS), claims=[Acquired(entry("row", checkpoint=intended, attempts=2))])
    assert outcome.failure.code == "agent_not_connected"
    assert set(calls) == {"look"}


def test_a_session_that_stands_is_the_answer_even_while_it_rings():
    died = Acquired(entry("row", checkpoint=Checkpoint("native", session=Session("c-1")), attempts=2))
    for claims in ([], [died]):
        outcome, calls, _ = asked(Ringing(Sessions((LIVE,), unanswered="no agent is connected")), claims=claims)
        assert (outcome.status, outcome.flow, calls) == (Status.ALREADY_ACTIVE, "", ["look"])


def test_an_offer_that_the_conversation_does_not_show_is_the_answer_for_the_second_agents_event():
    offered = Session("c-1", "sess-1", offer_ends="2999-01-01T00:00:00Z")
    first = ended("first", checkpoint=Checkpoint("native", session=offered))
    claimed = Acquired(entry("row"), history=(first,))
    outcome, calls, _ = asked(Ringing(RINGS), claims=[claimed])
    assert (outcome.status, outcome.session.cobrowse_session_id) == (Status.ALREADY_ACTIVE, "sess-1")
    assert set(calls) == {"look"}


NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
TAKEN = Session("c-1", "sess-1")
# What is known of an invitation that Genesys took and nothing shows, how long ago, and whether it stands.
UNSEEN = {
    "at once": (TAKEN, 1, Status.UNVERIFIED, True),
    "an answer that could not be read, so without an id": (Session("c-1"), 5, Status.UNVERIFIED, True),
    "an end that is none": (TAKEN._replace(offer_ends="soon"), 59, Status.UNVERIFIED, True),
    "just short of a minute": (TAKEN, 59.9, Status.UNVERIFIED, True),
    "after a minute": (TAKEN, 60, Status.UNVERIFIED, False),
    "an offer that has ended": (TAKEN._replace(offer_ends="2020-01-01T00:00:00Z"), 5, Status.UNVERIFIED, False),
    "one that was shown and is no more": (TAKEN._replace(verified=True), 5, Status.INITIATED, False),
    "one that failed": (TAKEN, 5, Status.FAILED, False),
    "one that is shown as over": (TAKEN._replace(cobrowse_session_id="over"), 5, Status.UNVERIFIED, False),
}


@pytest.mark.parametrize(("session", "seconds", "status", "stands"), UNSEEN.values(), ids=UNSEEN)
def test_an_invitation_that_was_taken_stands_for_a_while_though_nothing_shows_it(session, seconds, status, stands):
    first = ended(
        "first",
        outcome=Outcome(status, "first", "corr", session, "native"),
        checkpoint=Checkpoint("native", session=session),
        updated=NOON - timedelta(seconds=seconds),
    )
    shown = Ringing(Sessions((), (Session("c-1", "over"),)))
    claimed = Acquired(entry("row", updated=NOON), history=(first,))
    outcome, calls, _ = asked(shown, replace(WANTED, start_when="customer_connected"), claims=[claimed])
    assert (outcome.status is Status.ALREADY_ACTIVE) is stands
    assert ("create" not in calls) is stands


@pytest.mark.parametrize("untold", ["first", "row"])
def test_an_invitation_whose_time_nobody_knows_does_not_stand_unseen(untold):
    known = {name: NOON for name in ("first", "row") if name != untold}
    unverified = Outcome(Status.UNVERIFIED, "first", "corr", TAKEN, "native")
    first = ended("first", outcome=unverified, checkpoint=Checkpoint("native", session=TAKEN))
    first = replace(first, updated=known.get("first"))
    claimed = Acquired(replace(entry("row"), updated=known.get("row")), history=(first,))
    outcome, _, _ = asked(Ringing(Sessions()), replace(WANTED, start_when="customer_connected"), claims=[claimed])
    assert outcome.status is Status.INITIATED


def test_a_person_who_retries_does_not_start_what_still_rings():
    failure = Failure("agent_not_connected", "", "", retryable=True, is_terminal=False)
    rang = ended("rang", outcome=Outcome(Status.FAILED, "rang", "corr", failure=failure), of=WANTED)
    genesys = Ringing(RINGS)
    work = initiation(genesys, reclaims=[Acquired(entry("rang", attempts=2, of=rang.command))])
    assert work.retry(rang, 10.0, "corr").failure.code == "agent_not_connected"
    assert {what for what, _ in genesys.calls} == {"look"}
