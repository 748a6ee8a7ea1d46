"""Ending a session: what is at work there is waited for, one look says what is live, and one step ends it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.ending import build_end_command, can_end, end_session, preview_end
from cobrowse.errors import GenesysBadResponse, InProgress
from cobrowse.flow import Attempt, Flow, Step
from cobrowse.initiation import Initiation
from cobrowse.ledger import Acquired, Checkpoint, Lease, State
from cobrowse.model import Command, Ending, Outcome, Session, Status
from tests.clocks import ManualClock
from tests.scripted import ScriptedLedger, command, ended, entry

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
END = command(conversation_id="c-1", action="end")
LIVE = Ending(("p-1/m-1",), ("s-1",))
OVER = Ending(session_ids=("s-1",))
NOTHING = Ending()


class Genesys:
    """Shows what is to be ended, the last look again and again, and disconnects what the attempt has as targets."""

    def __init__(self, *looks):
        self.looks, self.calls = list(looks), []

    def ending(self):
        step = Step(
            "end", self._disconnect, has_side_effect=True, applies=lambda attempt: bool(attempt.session.targets)
        )
        return Flow("native-end", (step,))

    def find_live(self, attempt):
        self.calls.append(("look", attempt.session.conversation_id, attempt.session.cobrowse_session_id))
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def _disconnect(self, attempt):
        self.calls.append(("disconnect", attempt.session.targets))
        return {"targets": (), "state": "disconnected"}


class Ledger(ScriptedLedger):
    """Keeps which sessions were marked as ended, and after which calls."""

    def __init__(self, clock, **scripted):
        super().__init__(clock, **scripted)
        self.marked = []

    def mark_ended(self, entry, *, seconds=None):
        self.marked.append(entry.id)
        self.waits.append(("mark", seconds))


def started(initiation_id="theirs", session_id="s-1", *, verified=True, **fields):
    """A start that has its answer: its session shows, unless it is not `verified`."""
    session = Session("c-1", session_id, verified=verified, offer_ends=fields.pop("offer_ends", ""))
    usual = {"checkpoint": Checkpoint(may_have_notified=True, session=session), "updated": NOW - timedelta(hours=1)}
    return ended(initiation_id, **usual | fields)


def end(genesys, *, asked=END, ahead=(), history=(), **reads):
    clock = ManualClock()
    ledger, attempt = Ledger(clock, **reads), Attempt(asked, "mine", "owner", clock)
    mine = entry("mine", of=asked, updated=NOW)
    return end_session(genesys, ledger, attempt, Acquired(mine, ahead, history)), ledger, attempt


def test_a_live_session_is_ended_by_a_look_and_a_call_and_marked_after_it():
    genesys = Genesys(LIVE)
    outcome, ledger, attempt = end(genesys, history=(started(), started("older", "s-0")))
    assert (outcome.status, outcome.flow) == (Status.ENDED, "native-end")
    assert (outcome.session.state, outcome.session.targets) == ("disconnected", ())
    assert genesys.calls == [("look", "c-1", ""), ("disconnect", ("p-1/m-1",))]
    assert ledger.marked == ["theirs"]
    ((_, initiation_id, owner, checkpoint),) = [said for said in ledger.told if said[0] == "begin"]
    assert (initiation_id, owner, checkpoint.pending_step) == ("mine", "owner", "end")
    assert (checkpoint.session.targets, checkpoint.session.state) == (("p-1/m-1",), "")
    assert ledger.waits == [("begin", 10.0), ("mark", 10.0)]
    assert [span.name for span in attempt.spans] == ["check", "end"]


def test_an_end_claims_its_own_flows_first_step():
    clock = ManualClock()
    work = Initiation(Genesys(LIVE), Ledger(clock), clock, lambda: "mine", "worker")
    assert work(END).status is Status.ENDED
    (claim,) = work.ledger.claims
    assert (claim.checkpoint.flow, claim.checkpoint.pending_step) == ("native-end", "end")


@pytest.mark.parametrize(("seen", "marked"), [(OVER, ["theirs"]), (Ending(all_over=True), ["theirs", "older"])])
def test_where_nothing_is_live_nothing_is_called_and_what_is_over_is_marked(seen, marked):
    genesys = Genesys(seen)
    outcome, ledger, _ = end(genesys, history=(started(), started("older", "s-0")))
    assert (outcome.status, outcome.session.state) == (Status.ALREADY_ENDED, "disconnected")
    assert (genesys.calls, ledger.marked) == ([("look", "c-1", "")], marked)


def test_an_end_by_its_initiation_reads_it_and_ends_its_session_alone():
    genesys = Genesys(LIVE)
    outcome, ledger, attempt = end(
        genesys, asked=command(conversation_id="c-1", action="end", ends="theirs"), reads=[started()]
    )
    assert outcome.status is Status.ENDED
    assert ledger.told[0] == ("read", "theirs")
    assert genesys.calls[0] == ("look", "c-1", "s-1")
    assert (ledger.marked, ledger.waits[0]) == (["theirs"], ("read", 10.0))
    assert attempt.session.cobrowse_session_id == "s-1"


def test_a_start_that_was_claimed_before_is_waited_for_and_its_session_ended():
    running = entry("theirs", lease_owner="them", lease_left=3.0)
    ahead = (Lease("theirs", "them"),)
    outcome, ledger, _ = end(Genesys(LIVE), ahead=ahead, reads=[running, started()])
    assert outcome.status is Status.ENDED
    assert ledger.told[:3] == [("read", "theirs"), ("wait", "theirs", 3.0), ("read", "theirs")]
    assert ledger.waits[:2] == [("read", 10.0), ("read", 7.0)]
    assert ledger.marked == ["theirs"]
    with pytest.raises(InProgress):
        end(Genesys(LIVE), ahead=ahead, reads=[replace(running, lease_left=30.0)] * 2)


def test_who_has_taken_over_from_a_start_that_was_ahead_is_not_waited_for():
    taken_over = entry("theirs", lease_owner="another", lease_left=3.0)
    outcome, ledger, _ = end(Genesys(LIVE), ahead=(Lease("theirs", "them"),), reads=[taken_over])
    assert outcome.status is Status.ENDED
    assert [what for what, *_ in ledger.told][:2] == ["read", "begin"]


def test_an_earlier_end_is_waited_for_and_is_no_session():
    other = entry("other", of=END, lease_owner="them", lease_left=3.0)
    over = ended("other", of=END, checkpoint=Checkpoint(session=Session("c-1", "s-1")))
    _, ledger, _ = end(Genesys(LIVE), ahead=(Lease("other", "them"),), reads=[other, over])
    assert ledger.marked == []


def test_what_is_too_young_to_show_is_looked_for_again():
    young = started(verified=False, updated=NOW - timedelta(seconds=0.5))
    genesys = Genesys(NOTHING, NOTHING, LIVE)
    outcome, ledger, attempt = end(genesys, history=(young,))
    assert (outcome.status, len(genesys.calls), ledger.marked) == (Status.ENDED, 4, ["theirs"])
    waits = [(span.name, span.seconds) for span in attempt.spans if span.kind == "wait"]
    assert waits == [("before another check for what is to be ended", pytest.approx(each)) for each in (0.2, 0.5)]
    # It showed nothing for long enough: nothing is there.
    genesys = Genesys(NOTHING)
    assert end(genesys, history=(young,))[0].status is Status.ALREADY_ENDED
    assert len(genesys.calls) == 3


@pytest.mark.parametrize("seen", [Ending(all_over=True), Ending(customer_left=True), OVER])
def test_one_look_is_enough_where_nothing_can_show_any_more(seen):
    genesys = Genesys(seen)
    assert end(genesys, history=(started(verified=False, updated=NOW),))[0].status is Status.ALREADY_ENDED
    assert len(genesys.calls) == 1


def test_any_session_that_shows_may_be_the_one_whose_id_is_not_known():
    genesys = Genesys(LIVE)
    _, ledger, _ = end(genesys, history=(started(session_id="", verified=False, updated=NOW),))
    assert len(genesys.calls) == 2
    assert ledger.marked == []


OPEN = {"offer_ends": (NOW + timedelta(seconds=60)).isoformat()}
UNVERIFIED = {
    "verified": False,
    "updated": NOW - timedelta(seconds=30),
    "outcome": Outcome(Status.UNVERIFIED, "theirs", "corr"),
}


@pytest.mark.parametrize("standing", [OPEN, UNVERIFIED])
def test_an_offer_that_stands_and_does_not_show_is_not_said_to_have_ended(standing):
    with pytest.raises(GenesysBadResponse) as unseen:
        end(Genesys(NOTHING), history=(started(**standing),))
    assert unseen.value.message == "conversation c-1 does not show a session that the customer may still accept"
    assert unseen.value.hint == "Nothing was ended: retry, until the offer has ended or the conversation shows it."
    # One that is on record as ended does not stand.
    assert end(Genesys(NOTHING), history=(started(ended=NOW, **standing),))[0].status is Status.ALREADY_ENDED


def test_an_offer_that_is_over_does_not_stand():
    passed = {"offer_ends": (NOW - timedelta(seconds=1)).isoformat()}
    genesys = Genesys(NOTHING)
    assert end(genesys, history=(started(**passed),))[0].status is Status.ALREADY_ENDED
    assert len(genesys.calls) == 1


def test_an_answer_that_came_late_is_looked_for_by_what_it_says():
    left = entry("theirs", lease_owner="them")
    genesys = Genesys(NOTHING, NOTHING, NOTHING, LIVE)
    outcome, ledger, _ = end(genesys, history=(left,), reads=[started()])
    assert (outcome.status, ledger.marked) == (Status.ENDED, ["theirs"])


def test_an_answer_that_came_late_and_may_stand_unseen_is_not_said_to_have_ended():
    with pytest.raises(GenesysBadResponse):
        end(Genesys(NOTHING), history=(entry("theirs", lease_owner="them"),), reads=[started(**UNVERIFIED)])


def test_a_second_attempt_ends_what_has_begun_since_the_first():
    clock = ManualClock()
    ledger, attempt = Ledger(clock), Attempt(END, "mine", "owner", clock)
    attempt.checkpoint = Checkpoint("native-end", ("end",), session=Session("c-1"))
    genesys = Genesys(LIVE)
    outcome = end_session(genesys, ledger, attempt, Acquired(entry("mine", of=END, updated=NOW)))
    assert outcome.status is Status.ENDED
    assert genesys.calls[-1] == ("disconnect", ("p-1/m-1",))


@pytest.mark.parametrize(("seen", "status"), [(LIVE, Status.WOULD_END), (OVER, Status.ALREADY_ENDED)])
def test_a_preview_reads_its_initiation_and_only_looks(seen, status):
    clock, genesys = ManualClock(), Genesys(seen)
    ledger = Ledger(clock, reads=[started()])
    attempt = Attempt(command(conversation_id="c-1", action="end", ends="theirs"), "mine", "owner", clock)
    assert preview_end(genesys, ledger, attempt).status is status
    assert genesys.calls == [("look", "c-1", "s-1")]
    assert (ledger.told, ledger.marked) == ([("read", "theirs")], [])


@pytest.mark.parametrize(
    ("fields", "looks", "result"),
    [
        ({"updated": NOW - timedelta(seconds=0.5), "verified": False}, 3, Status.ALREADY_ENDED),
        ({"updated": NOW - timedelta(seconds=5), "verified": False}, 1, Status.ALREADY_ENDED),
        (UNVERIFIED | {"updated": NOW - timedelta(seconds=59)}, 3, GenesysBadResponse),
        (UNVERIFIED | {"updated": NOW - timedelta(seconds=60)}, 1, Status.ALREADY_ENDED),
    ],
    ids=["young", "old enough to show", "may stand unseen", "stands no more"],
)
def test_a_preview_of_what_does_not_show_says_what_an_end_would(fields, looks, result):
    clock, genesys, record = ManualClock(), Genesys(NOTHING), started(**fields)
    asked = command(conversation_id="c-1", action="end", ends="theirs")
    for come_to in (
        lambda: preview_end(genesys, Ledger(clock, reads=[record]), Attempt(asked, "mine", "owner", clock)),
        lambda: end(genesys, asked=asked, reads=[record])[0],
    ):
        clock.time, genesys.calls[:] = 1_000.0, []
        if isinstance(result, Status):
            assert come_to().status is result
        else:
            with pytest.raises(result, match="does not show a session"):
                come_to()
        assert len(genesys.calls) == looks


def test_the_command_to_end_is_of_the_records_conversation():
    record = started(of=command(conversation_id="c-0"))
    assert build_end_command(record, "console", "ada", 9.0, "corr-9") == Command(
        "console", "corr-9", 9.0, conversation_id="c-1", requested_by="ada", action="end", ends="theirs"
    )


@pytest.mark.parametrize(
    ("record", "can"),
    [
        (started(), True),
        (entry(), False),
        (entry(checkpoint=Checkpoint(may_have_notified=True)), True),
        (ended(state=State.SUCCEEDED), True),
        (ended(outcome=Outcome(Status.IGNORED, "theirs", "corr")), False),
        (started(ended=NOW), False),
        (started(of=END), False),
    ],
)
def test_what_was_started_or_found_can_be_ended_until_it_has_been(record, can):
    assert can_end(record) is can
