"""What a repeat finds: an earlier run for the same conversation, a live session, a failed row, a delivery to ignore."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.errors import ConversationNotActive, GenesysUnavailable, InProgress
from cobrowse.ledger import Acquired, Checkpoint, Lease, State
from cobrowse.model import Failure, Outcome, Secret, Session, Status
from tests.clocks import ManualClock
from tests.scripted import IN_C1, ScriptedGenesys, Watch, command, ended, entry, initiation

LIVE = Session("", "live-1", "live-m", state="connected", viewer_url=Secret("https://view"))
THEN = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


def won(previous, *, after=None, **fields):
    """The claim of a row whose conversation had an earlier one; it was last heard of so many seconds ago."""
    mine = entry("row", **fields)
    if after is not None:
        previous, mine = replace(previous, updated=THEN), replace(mine, updated=THEN + timedelta(seconds=after))
    if previous.has_live_lease:
        return Acquired(mine, (Lease(previous.id, previous.lease_owner),))
    return Acquired(mine, history=(previous,))


def asked(genesys, of=IN_C1, **ledger):
    work = initiation(genesys, **ledger)
    return work, work(of)


# One that is at work


def test_a_retry_without_a_key_joins_the_one_that_is_running():
    running = entry("first", lease_left=3.0)
    first = ended("first", checkpoint=Checkpoint("media", session=Session("c-1", "their-session", verified=True)))
    latest = command(latest=True)
    work, told = asked(ScriptedGenesys(webchat="c-1"), latest, claims=[won(running)], reads=[running, first])
    assert (told.status, told.initiation_id, told.correlation_id) == (Status.JOINED, "row", "corr")
    assert (told.session, told.flow) == (first.outcome.session, "media")
    # What it took is its own.
    assert (told.seconds, told.upstream_calls, told.replayed) == (3.0, 0, False)
    assert [span.name for span in told.spans if span.kind != "commit"] == ["find"]
    assert work.genesys.calls == [("find", "id-1")]
    ((initiation_id, _, state, checkpoint, outcome),) = work.ledger.settled
    assert (initiation_id, state, outcome) == ("row", State.SUCCEEDED, told)
    assert checkpoint == Checkpoint("media", session=first.checkpoint.session)


def test_a_retry_of_one_that_failed_has_its_answer_and_keeps_its_own_progress():
    _, told = asked(ScriptedGenesys(fails={"create": [GenesysUnavailable("503")]}))
    failed = ended("first", State.FAILED_RETRYABLE, outcome=replace(told, initiation_id="first"))
    running = entry("first", lease_left=3.0)
    work, told = asked(ScriptedGenesys(), claims=[won(running)], reads=[running, failed])
    assert (told.status, told.initiation_id) == (Status.FAILED, "row")
    assert told.failure == failed.outcome.failure
    assert work.ledger.settled[0][3] == Checkpoint()


def test_a_retry_of_one_that_died_looks_what_it_has_left():
    running = entry("first", lease_left=3.0)
    work, told = asked(ScriptedGenesys(live=[(LIVE,)]), claims=[won(running, after=60)], reads=[None])
    assert told.status is Status.ALREADY_ACTIVE
    assert work.genesys.calls == [("look", "c-1")]


# A session that lives


def test_a_live_session_is_the_answer_and_nothing_is_started():
    earlier = ended("first", checkpoint=Checkpoint("media", session=Session("c-1", "gone")))
    work, told = asked(ScriptedGenesys(live=[(LIVE,)]), claims=[won(earlier, after=60)])
    assert told.status is Status.ALREADY_ACTIVE
    # Nobody knows who started it, so nobody gets its links.
    assert told.session == LIVE._replace(conversation_id="c-1", verified=True, viewer_url=Secret(""))
    assert [span.name for span in told.spans if span.kind != "commit"] == ["check"]
    assert work.genesys.calls == [("look", "c-1")]
    assert work.ledger.settled[0][2:] == (State.SUCCEEDED, Checkpoint(session=told.session), told)


@pytest.mark.parametrize("by", ["session", "medium"])
def test_of_several_live_sessions_the_one_on_record_is_reported_with_what_is_known_of_it(by):
    other = Session("c-1", "other", "other-m")
    known = Session(
        "c-1", "live-1" if by == "session" else "live-m", join_url=Secret("https://join"), join_code=Secret("123456")
    )
    earlier = ended("first", checkpoint=Checkpoint("media", session=known))
    _, told = asked(ScriptedGenesys(live=[(other, LIVE)]), claims=[won(earlier, after=60)])
    assert told.session == known._replace(state="connected", viewer_url=Secret("https://view"), verified=True)


def test_what_is_on_record_of_its_viewer_stays():
    known = Session("c-1", "live-1", viewer_url=Secret("https://known"))
    earlier = ended("first", checkpoint=Checkpoint("media", session=known))
    _, told = asked(ScriptedGenesys(live=[(LIVE,)]), claims=[won(earlier, after=60)])
    assert told.session.viewer_url.reveal() == "https://known"


def test_an_earlier_one_whose_answer_was_lost_may_be_behind_any_live_session():
    earlier = ended("first", checkpoint=Checkpoint("native", session=Session("c-1", join_url=Secret("https://join"))))
    _, told = asked(ScriptedGenesys(live=[(LIVE,)]), claims=[won(earlier, after=60)])
    assert told.session == LIVE._replace(conversation_id="c-1", verified=True)


def test_where_nothing_lives_a_session_is_started():
    earlier = ended("first", checkpoint=Checkpoint("media", session=Session("c-1", "gone", verified=True)))
    work, told = asked(ScriptedGenesys(), claims=[won(earlier, after=60)])
    assert told.status is Status.INITIATED
    assert [what for what, _ in work.genesys.calls] == ["look", "create", "attach", "verify"]


def test_a_session_of_its_own_is_left_to_the_flow():
    mine = Checkpoint("media", ("create",), "attach", session=Session("c-1", "live-1"))
    earlier = ended("first", checkpoint=Checkpoint("media", session=Session("c-1", "gone")))
    claimed = won(earlier, after=60, checkpoint=mine, attempts=2)
    _, told = asked(ScriptedGenesys(live=[(LIVE,)]), claims=[claimed])
    assert (told.status, told.session.cobrowse_session_id) == (Status.INITIATED, "live-1")


def test_another_session_is_the_answer_though_it_has_one_of_its_own():
    mine = Checkpoint("media", ("create",), session=Session("c-1", "mine"))
    earlier = ended("first", checkpoint=Checkpoint("media", session=Session("c-1", "gone")))
    claimed = won(earlier, after=60, checkpoint=mine, attempts=2)
    _, told = asked(ScriptedGenesys(live=[(LIVE,)]), claims=[claimed])
    assert told.status is Status.ALREADY_ACTIVE


@pytest.mark.parametrize("invited", [False, True])
def test_who_asks_for_a_check_has_it_and_a_session_that_may_be_its_own_is_left_to_the_flow(invited):
    row = entry("row", checkpoint=Checkpoint("media", ("create",), "", invited), attempts=2)
    work, told = asked(ScriptedGenesys(live=[(LIVE,)]), replace(IN_C1, reuse_live_session=True), claims=[Acquired(row)])
    assert ("look", "c-1") in work.genesys.calls
    assert told.status is (Status.INITIATED if invited else Status.ALREADY_ACTIVE)


def test_a_conversation_that_is_over_by_now_does_not_hide_what_this_row_may_have_started():
    row = entry("row", checkpoint=Checkpoint("media", ("create",), "", may_have_notified=True), attempts=2)
    over = ScriptedGenesys(live=[ConversationNotActive("ended")])
    _, told = asked(over, replace(IN_C1, reuse_live_session=True), claims=[Acquired(row)])
    assert [what for what, _ in over.calls][-2:] == ["attach", "verify"]
    assert told.status is Status.INITIATED


def test_who_asks_for_no_check_and_has_no_earlier_one_is_not_held_up_by_a_check():
    work, told = asked(ScriptedGenesys(live=[(LIVE,)]))
    assert told.status is Status.INITIATED
    assert ("look", "c-1") not in work.genesys.calls


# What may have yet to show: 0.7 seconds, the patience of all looks together


@pytest.mark.parametrize(
    ("verified", "after", "looks"),
    [(False, 0.0, 3), (False, 0.6, 3), (False, 0.7, 1), (False, 5.0, 1), (True, 0.0, 1), (False, None, 3)],
)
def test_a_young_one_that_nobody_has_seen_is_looked_for_with_patience(verified, after, looks):
    earlier = ended("first", checkpoint=Checkpoint("media", session=Session("c-1", "s", verified=verified)))
    work, _ = asked(ScriptedGenesys(), claims=[won(earlier, after=after)])
    assert [what for what, _ in work.genesys.calls].count("look") == looks


@pytest.mark.parametrize("untold", ["row", "earlier"])
def test_what_has_no_time_on_record_counts_as_young(untold):
    claimed = won(ended("first"), after=60)
    claimed = (
        replace(claimed, entry=replace(claimed.entry, updated=None))
        if untold == "row"
        else replace(claimed, history=(replace(claimed.history[0], updated=None),))
    )
    work, _ = asked(ScriptedGenesys(), claims=[claimed])
    assert [what for what, _ in work.genesys.calls].count("look") == 3


def test_one_that_died_while_it_was_waited_for_is_looked_for_with_patience_however_old_its_record_is():
    tried = Checkpoint("native", pending_step="cobrowse", may_have_notified=True, session=Session("c-1"))
    claimed = won(entry("first", lease_left=3.0, checkpoint=tried), after=60)
    dead = entry("first", checkpoint=tried, updated=THEN)
    work, told = asked(ScriptedGenesys(), claims=[claimed], reads=[dead] * 2)
    assert told.status is Status.INITIATED
    assert [what for what, _ in work.genesys.calls].count("look") == 3


def test_what_shows_at_the_second_check_is_the_answer():
    _, told = asked(ScriptedGenesys(live=[(), (LIVE,)]), claims=[won(ended("first"), after=0.1)])
    assert told.status is Status.ALREADY_ACTIVE
    assert [span.name for span in told.spans if span.kind != "commit"] == [
        "before another check for the earlier session",
        "check",
    ]


def test_a_check_that_has_no_time_for_its_patience_says_so():
    hurried = replace(IN_C1, deadline_seconds=0.5)
    _, told = asked(ScriptedGenesys(), hurried, claims=[won(ended("first"), after=0.1)])
    assert told.failure.code == "genesys_timeout"
    assert told.failure.message == "the earlier session: no time was left to see whether it has happened"


def test_a_check_asks_only_for_what_it_has_not_seen_itself():
    work, told = asked(ScriptedGenesys(), replace(IN_C1, reuse_live_session=True))
    assert told.status is Status.INITIATED
    assert [what for what, _ in work.genesys.calls].count("look") == 1


# Whoever is ahead


def test_a_request_with_a_key_waits_for_who_is_ahead_and_joins_it_under_its_own_key():
    running = entry("first", of=command(key="a", conversation_id="c-1"), lease_owner="h", lease_left=3.0)
    first = ended(
        "first", of=running.command, lease_owner="h", checkpoint=Checkpoint("media", session=Session("c-1", "s"))
    )
    key_b, reads = command(key="b", conversation_id="c-1"), [running, first]
    work, told = asked(ScriptedGenesys(), key_b, claims=[won(running)], reads=reads)
    assert (told.status, told.initiation_id, told.replayed) == (Status.JOINED, "row", False)
    assert told.session == first.outcome.session
    assert work.genesys.calls == []
    assert [settled[2] for settled in work.ledger.settled] == [State.SUCCEEDED]


def test_all_who_are_ahead_are_waited_for():
    def over(name, failure):
        outcome = Outcome(Status.FAILED, name, "corr", failure=failure)
        return ended(name, State.FAILED_FINAL, lease_owner="h", outcome=outcome)

    final = Failure("conversation_not_found", "", "", retryable=False, is_terminal=True)
    ahead = (Lease("second", "h"), Lease("first", "h"))
    claimed = Acquired(entry("row"), ahead)
    running = [entry(each.id, lease_owner="h", lease_left=3.0) for each in ahead]
    reads = [running[0], over("second", final), running[1], over("first", final)]
    work, told = asked(ScriptedGenesys(), claims=[claimed], reads=reads)
    # What no repeat mends is each one's own affair; nobody has invited, so there is nothing to look for.
    assert told.status is Status.INITIATED
    assert [call for call in work.ledger.told if call[0] in ("wait", "read")] == [
        ("read", "second"),
        ("wait", "second", 3.0),
        ("read", "second"),
        ("read", "first"),
        ("wait", "first", 3.0),
        ("read", "first"),
    ]
    assert [what for what, _ in work.genesys.calls] == ["create", "attach", "verify"]


def test_who_has_taken_over_from_one_ahead_is_behind():
    taken_over = entry("first", lease_owner="another", lease_left=9.0)
    running = entry("first", lease_owner="h", lease_left=3.0)
    work, told = asked(ScriptedGenesys(live=[(LIVE,)]), claims=[won(running)], reads=[running, taken_over])
    assert told.status is Status.ALREADY_ACTIVE
    assert [call for call in work.ledger.told if call[0] == "wait"] == [("wait", "first", 3.0)]


def test_a_check_that_fails_starts_nothing_and_can_be_retried():
    earlier = ended("first", checkpoint=Checkpoint("media", session=Session("c-1", "s", verified=True)))
    away = ScriptedGenesys(live=[GenesysUnavailable("503")])
    work, told = asked(away, command(key="b", conversation_id="c-1"), claims=[won(earlier, after=60)])
    assert (told.failure.code, told.failure.retryable) == ("genesys_unavailable", True)
    assert work.ledger.settled[0][2] is State.FAILED_RETRYABLE
    assert [what for what, _ in work.genesys.calls] == ["look"]


# Run again, asked for by a person


def test_run_again_checks_first_and_goes_on_where_the_row_stood():
    checkpoint = Checkpoint("media", ("create",), "", session=Session("c-1", "s-9"))
    old = ended(
        "old", State.FAILED_FINAL, of=command(conversation_id="c-1", key="k"), checkpoint=checkpoint, attempts=3
    )
    work = initiation(reclaims=[Acquired(replace(old, attempts=4, state=State.RUNNING))])
    told = work.retry(old, 8.0, "by hand")
    assert (told.status, told.initiation_id, told.correlation_id, told.attempts) == (
        Status.INITIATED,
        "old",
        "by hand",
        4,
    )
    assert work.ledger.told[0] == ("reclaim", "old", "worker/id-1", 13.0)
    assert work.ledger.waits[0] == ("reclaim", 8.0)
    assert [span.name for span in told.spans if span.kind == "commit"] == ["claim", "checkpoint"]
    assert [what for what, _ in work.genesys.calls] == ["look", "attach", "verify"]


def test_run_again_of_one_that_has_ended_well_is_its_answer():
    over = ended("old", of=command(key="k", conversation_id="c-1"))
    watch = Watch()
    work = initiation(reclaims=[over], observers=(watch,))
    told = work.retry(over, 8.0, "by hand")
    assert (told, told.replayed) == (over.outcome, True)
    assert [outcome for _, outcome in watch.outcomes] == [told]
    assert work.genesys.calls == []


@pytest.mark.parametrize("reclaimed", [None, entry("old", lease_left=0.0)])
def test_run_again_of_one_that_has_no_answer_is_in_progress(reclaimed):
    told = initiation(reclaims=[reclaimed]).retry(ended("old"), 8.0, "by hand")
    assert told.failure.code == InProgress.code
    assert told.failure.message == "this initiation is being worked on"
    assert told.failure.retry_after == 1


def test_run_again_waits_for_a_running_one():
    running, over = entry("old", lease_left=2.0), ended("old")
    work = initiation(clock=ManualClock(), reclaims=[running], reads=[over])
    assert work.retry(running, 8.0, "by hand").status is Status.JOINED
    assert work.ledger.told[1:] == [("wait", "old", 2.0), ("read", "old")]


def test_run_again_waits_for_a_running_one_of_the_conversation():
    old = ended("old", State.FAILED_FINAL, of=command(conversation_id="c-1", key="k"))
    running = entry("other", of=command(conversation_id="c-1", key="b"), lease_owner="h", lease_left=3.0)
    reclaimed = Acquired(replace(old, attempts=2, state=State.RUNNING), (Lease("other", "h"),))
    work = initiation(reclaims=[reclaimed], reads=[running, ended("other", of=running.command, lease_owner="h")])
    told = work.retry(old, 8.0, "by hand")
    assert (told.status, told.initiation_id) == (Status.JOINED, "old")
    assert work.genesys.calls == []


def test_run_again_of_a_search_that_found_one_goes_on_with_it():
    checkpoint = Checkpoint("media", ("create",), session=Session("c-1", "s-9"))
    old = ended("old", State.FAILED_FINAL, of=command(latest=True), checkpoint=checkpoint)
    work = initiation(reclaims=[Acquired(replace(old, attempts=2, state=State.RUNNING))])
    told = work.retry(old, 8.0, "by hand")
    assert (told.status, told.initiation_id, told.session.conversation_id) == (Status.INITIATED, "old", "c-1")
    assert [what for what, _ in work.genesys.calls] == ["look", "attach", "verify"]


def test_run_again_of_a_search_that_found_none_is_a_request_of_its_own():
    none = ended("old", State.FAILED_RETRYABLE, of=command(latest=True))
    work = initiation(ScriptedGenesys(webchat="c-7"))
    told = work.retry(none, 8.0, "by hand")
    assert (told.status, told.initiation_id, told.session.conversation_id) == (Status.INITIATED, "id-1", "c-7")


# Deliveries that start nothing


def test_a_delivery_to_ignore_is_reported_with_the_reason_and_leaves_its_key_free():
    watch, asked_for = Watch(), command(key="k", conversation_id="c-1")
    work = initiation(observers=(watch,))
    told = work.ignore(asked_for, "another event")
    assert told == Outcome(Status.IGNORED, "id-1", "corr", Session("c-1"), reason="another event")
    assert watch.outcomes == [(asked_for, told)]
    assert (work.ledger.found, work.ledger.claims, work.ledger.told, work.genesys.calls) == ([], [], [], [])
    assert work(asked_for).status is Status.INITIATED
