"""What an attempt notes of itself, how it looks for what may have happened, and what a flow puts on record."""

import pytest

from cobrowse.errors import ConversationNotActive, GenesysTimeout, GenesysUnavailable
from cobrowse.flow import Attempt, Flow, Step, poll_until_found, run
from cobrowse.ledger import Checkpoint, Invitation
from cobrowse.model import Outcome, Session, Span, Status
from tests.clocks import ManualClock
from tests.scripted import Watch, command


def an_attempt(*observers, deadline=10.0):
    clock = ManualClock()
    attempt = Attempt(command(conversation_id="c-1", deadline_seconds=deadline), "i-1", "lease_owner", clock, observers)
    clock.time += 1
    return attempt


def ambiguous(**more):
    return GenesysUnavailable("attach: 503", ambiguous=True, **more)


class Effect:
    """A step that does in turn what a test says; `poll` is what each look shows."""

    def __init__(self, *does, looks=(), **kind):
        self.does, self.shows, self.ran, self.looked = [*does], [*looks], [], []
        kind = {"has_side_effect": True, "notifies_customer": True} | kind
        self.flow = Flow("native", (Step("attach", self._run, self._look, **kind),))
        self.pending_step = []

    def run(self, attempt, recorded=None):
        run(self.flow, attempt, Checkpoint("native") if recorded is None else recorded, self.pending_step.append)

    def _run(self, attempt):
        self.ran.append((attempt, attempt.clock.time))
        does = self.does.pop(0) if self.does else {"media_id": "m-1"}
        if isinstance(does, Exception):
            raise does
        return does

    def _look(self, attempt):
        self.looked.append((attempt, attempt.clock.time))
        return self.shows.pop(0) if self.shows else None


# What it notes


def test_an_attempt_begins_with_nothing():
    attempt = an_attempt()
    assert (attempt.initiation_id, attempt.lease_owner, attempt.number) == ("i-1", "lease_owner", 1)
    assert (attempt.checkpoint, attempt.session, attempt.spans, attempt.upstream_calls) == (
        Checkpoint(),
        Session(),
        [],
        0,
    )
    assert (attempt.deadline.ends, attempt.seconds()) == (1_010.0, 1.0)


def test_what_is_learnt_is_added_to_what_is_known():
    attempt = an_attempt()
    attempt.checkpoint = Checkpoint("media", ("create",), "attach", may_have_notified=True)
    attempt.update_session({"cobrowse_session_id": "s-1"})
    attempt.update_session({"media_id": "m-1"})
    session = Session(cobrowse_session_id="s-1", media_id="m-1")
    assert attempt.checkpoint == Checkpoint("media", ("create",), "attach", may_have_notified=True, session=session)


def test_calls_waits_and_steps_are_noted_with_their_times_and_every_observer_is_informed():
    one, other = Watch(), Watch()
    attempt = an_attempt(one, other)
    with attempt.step("attach"):
        attempt.clock.time += 2
        attempt.record_call("POST", 1_001.5, "200")
        attempt.wait(0.5, "before another try")
    assert attempt.spans == [
        Span("call", "POST", 1.5, 1.5, "200"),
        Span("wait", "before another try", 3.0, 0.5, ""),
        Span("step", "attach", 1.0, 2.5, "done"),
    ]
    assert one.spans == other.spans == [("i-1", span) for span in attempt.spans]
    assert attempt.upstream_calls == 1
    attempt.record_call("POST", 1_003.5, "500")
    assert attempt.upstream_calls == 2


@pytest.mark.parametrize(
    ("error", "result"), [(ConversationNotActive("x"), "conversation_not_active"), (KeyError("x"), "failed")]
)
def test_a_step_that_fails_is_noted_by_its_code_or_as_failed(error, result):
    attempt = an_attempt()
    with pytest.raises(type(error)), attempt.step("attach"):
        raise error
    assert attempt.spans == [Span("step", "attach", 1.0, 0.0, result)]


def test_a_commit_is_timed_and_observers_do_not_receive_it():
    watch = Watch()
    attempt = an_attempt(watch)
    with attempt.commit("pending attach"):
        attempt.clock.time += 2
    assert attempt.spans == [Span("commit", "pending attach", 1.0, 2.0, "")]
    assert watch.spans == []


def test_every_observer_is_told_what_came_of_it():
    one, other = Watch(), Watch()
    attempt, outcome = an_attempt(one, other), Outcome(Status.INITIATED, "i-1", "corr")
    attempt.on_outcome(outcome)
    assert one.outcomes == other.outcomes == [(attempt.command, outcome)]


# How it looks


@pytest.mark.parametrize(("deadline", "waited"), [(10.0, [0.2, 0.5]), (1.6, [0.2]), (1.1, [])])
def test_it_looks_at_once_and_then_as_often_as_the_deadline_allows(deadline, waited):
    attempt = an_attempt(deadline=deadline)
    assert len([*attempt.poll((0.0, 0.2, 0.5), "before another check")]) == 1 + len(waited)
    assert attempt.clock.slept == waited
    assert [(span.kind, span.name) for span in attempt.spans] == [("wait", "before another check")] * len(waited)


def test_the_first_check_is_had_though_the_deadline_is_over():
    attempt = an_attempt(deadline=0.5)
    assert len([*attempt.poll((0.0, 0.2), "x")]) == 1


def test_a_first_check_may_have_to_wait_too():
    attempt = an_attempt(deadline=0.5)
    assert len([*attempt.poll((0.3, 0.2), "x")]) == 1
    assert attempt.clock.slept == [0.3]


def test_what_a_check_finds_is_had_and_no_more_calls_follow():
    found = iter([None, {"media_id": ""}, {"media_id": "m-2"}])
    attempt = an_attempt()
    assert poll_until_found(attempt, lambda: next(found), "attach") == {"media_id": ""}
    assert [span.name for span in attempt.spans] == ["before another check for attach"]


def test_only_all_checks_together_say_that_it_is_not_there():
    assert poll_until_found(an_attempt(), lambda: None, "attach") is None
    with pytest.raises(GenesysTimeout) as cut:
        poll_until_found(an_attempt(deadline=1.6), lambda: None, "attach")
    assert cut.value.message == "attach: no time was left to see whether it has happened"


# What a flow puts on record


def test_what_must_be_on_record_before_anything_goes_out_is_the_first_effect():
    look, create = Step("look", lambda _: {}), Step("create", lambda _: {}, has_side_effect=True)
    attach = Step("attach", lambda _: {}, has_side_effect=True, notifies_customer=True)
    session = Session("c-1")
    assert Flow("media", (look, create, attach)).initial_checkpoint("c-1") == Checkpoint(
        "media", (), "create", session=session
    )
    expected = Checkpoint("native", (), "attach", may_have_notified=True, session=session)
    assert Flow("native", (look, attach)).initial_checkpoint("c-1") == expected


def test_a_step_is_no_effect_invites_nobody_and_has_no_probe_unless_it_says_so():
    def act(_attempt):
        return {}

    assert Step("look", act) == Step("look", act, probe=None, has_side_effect=False, notifies_customer=False)


def test_a_step_that_is_done_is_not_run_and_one_after_it_is():
    ran = []
    steps = tuple(Step(name, lambda _, name=name: ran.append(name) or {}) for name in ("one", "two", "three"))
    attempt = an_attempt()
    attempt.checkpoint = Checkpoint("media", completed_steps=("two",))
    run(Flow("media", steps), attempt, Checkpoint(), lambda _: None)
    assert ran == ["one", "three"]


def test_an_effect_is_done_with_its_attempt_and_then_begun_no_more():
    effect, attempt = Effect(), an_attempt()
    effect.run(attempt)
    assert effect.ran == [(attempt, 1_001.0)]
    assert effect.pending_step == [Checkpoint("", (), "attach", may_have_notified=True)]
    session = Session(media_id="m-1")
    assert attempt.checkpoint == Checkpoint("", ("attach",), "", may_have_notified=True, session=session)


@pytest.mark.parametrize(
    ("recorded", "commits"),
    [
        (Checkpoint("native", (), "attach", session=Session("c-1")), 0),
        (Checkpoint("media", (), "attach", session=Session("c-1")), 1),
        (Checkpoint("native", ("create",), "attach", session=Session("c-1")), 1),
        (Checkpoint("native", (), "create", session=Session("c-1")), 1),
        (Checkpoint("native", (), "attach", session=Session("c-2")), 1),
    ],
)
def test_only_what_is_not_on_record_yet_is_committed(recorded, commits):
    effect, attempt = Effect(), an_attempt()
    attempt.checkpoint = Checkpoint("native", session=Session("c-1"))
    effect.run(attempt, recorded)
    assert len(effect.pending_step) == commits


def test_what_has_invited_once_has_invited_for_good():
    effect, attempt = Effect(notifies_customer=False), an_attempt()
    attempt.checkpoint = Checkpoint("native", ("earlier",), may_have_notified=True)
    effect.run(attempt)
    assert effect.pending_step[0].may_have_notified is True
    assert attempt.checkpoint.may_have_notified is True
    plain = an_attempt()
    Effect(notifies_customer=False).run(plain)
    assert plain.checkpoint.may_have_notified is False


def test_an_effect_begun_before_and_found_is_neither_committed_nor_done():
    effect, attempt = Effect(looks=[{"media_id": "m-9"}]), an_attempt()
    attempt.checkpoint = Checkpoint("native", (), "attach", may_have_notified=True)
    effect.run(attempt)
    assert (effect.ran, effect.pending_step, effect.looked) == ([], [], [(attempt, 1_001.0)])
    assert attempt.session.media_id == "m-9"
    assert attempt.checkpoint.completed_steps == ("attach",)


def test_the_record_of_one_effect_is_what_the_next_is_compared_with():
    ran = []

    def act(name):
        return Step(name, lambda _: ran.append(name) or {}, has_side_effect=True)

    begun = []
    attempt = an_attempt()
    run(Flow("media", (act("one"), act("two"))), attempt, Checkpoint("", (), "one"), begun.append)
    assert [checkpoint.pending_step for checkpoint in begun] == ["two"]


# A lost answer


def test_a_lost_answer_that_nobody_finds_is_sent_again_after_the_wait_that_was_named():
    effect, attempt = Effect(ambiguous(retry_after=1.5)), an_attempt()
    effect.run(attempt)
    assert [(span.kind, span.name, span.seconds) for span in attempt.spans[:-1]] == [
        ("wait", "before another check for attach", pytest.approx(0.2)),
        ("wait", "before another check for attach", pytest.approx(0.5)),
        ("wait", "before another try of attach", pytest.approx(1.5)),
    ]
    assert len(effect.ran) == 2


def test_without_a_named_wait_it_is_sent_again_at_once():
    effect, attempt = Effect(ambiguous()), an_attempt()
    effect.run(attempt)
    assert attempt.clock.slept == [0.2, 0.5]


def test_a_lost_answer_is_had_from_the_check_that_finds_it():
    effect, attempt = Effect(ambiguous(), looks=[None, {"media_id": "m-5"}]), an_attempt()
    effect.run(attempt)
    assert (len(effect.ran), attempt.session.media_id) == (1, "m-5")


def test_an_answer_lost_three_times_is_raised_as_it_was_last_told():
    effect, attempt = Effect(ambiguous(), ambiguous(), last := ambiguous()), an_attempt(deadline=60.0)
    with pytest.raises(GenesysUnavailable) as raised:
        effect.run(attempt)
    assert raised.value is last
    assert len(effect.ran) == 3
    assert attempt.checkpoint.pending_step == "attach"


def test_a_failed_check_leaves_the_lost_answer_as_what_is_reported():
    effect, attempt = Effect(lost := ambiguous()), an_attempt(deadline=1.5)
    with pytest.raises(GenesysUnavailable) as raised:
        effect.run(attempt)
    assert raised.value is lost
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("error", [GenesysUnavailable("attach: refused"), ConversationNotActive("it has ended")])
def test_a_call_that_is_refused_for_certain_has_begun_nothing_and_invited_nobody(error):
    effect, attempt = Effect(error), an_attempt()
    with pytest.raises(type(error)):
        effect.run(attempt)
    assert attempt.checkpoint == Checkpoint()
    assert effect.looked == []


def test_a_refusal_takes_no_earlier_invitation_back():
    effect, attempt = Effect(ConversationNotActive("it has ended")), an_attempt()
    attempt.checkpoint = Checkpoint("native", ("earlier",), may_have_notified=True)
    with pytest.raises(ConversationNotActive):
        effect.run(attempt)
    assert attempt.checkpoint == Checkpoint("native", ("earlier",), may_have_notified=True)


def test_a_conflict_that_a_check_does_not_explain_has_invited_nobody():
    conflict = ambiguous(refused=True)
    effect, attempt = Effect(conflict, conflict, conflict), an_attempt(deadline=60.0)
    with pytest.raises(GenesysUnavailable):
        effect.run(attempt)
    assert attempt.checkpoint == Checkpoint()


@pytest.mark.parametrize(
    "errors",
    [
        (ambiguous(), ConversationNotActive("it has ended")),
        (ambiguous(), ambiguous(refused=True), ambiguous(refused=True)),
        (ambiguous(refused=True), ambiguous(), ambiguous(refused=True)),
    ],
)
def test_what_was_lost_before_it_was_refused_may_have_happened(errors):
    effect, attempt = Effect(*errors), an_attempt(deadline=60.0)
    with pytest.raises((GenesysUnavailable, ConversationNotActive)):
        effect.run(attempt)
    assert (attempt.checkpoint.pending_step, attempt.checkpoint.invitation) == ("attach", Invitation.UNKNOWN)


def test_what_an_earlier_attempt_began_may_have_happened_though_this_one_is_refused():
    effect, attempt = Effect(ConversationNotActive("it has ended")), an_attempt()
    attempt.checkpoint = Checkpoint("native", (), "attach", may_have_notified=True)
    with pytest.raises(ConversationNotActive):
        effect.run(attempt)
    assert (attempt.checkpoint.pending_step, attempt.checkpoint.invitation) == ("attach", Invitation.UNKNOWN)
