"""A row of steps, run once whatever gets lost on the way."""

import pytest

from cobrowse.errors import ConversationNotActive, GenesysBadResponse, GenesysTimeout, GenesysUnavailable
from cobrowse.flow import PROBE_DELAYS, Attempt, Flow, Step, run
from cobrowse.ledger import Checkpoint
from cobrowse.model import Command
from tests.clocks import ManualClock


class Script:
    """A flow whose steps do what a test says; `journal` is the order of all that happened."""

    def __init__(self, attach=(), probe=(), create=()):
        self.journal = []
        self.answers = {"create": list(create), "attach": list(attach), "probe": list(probe)}
        self.flow = Flow(
            "media",
            (
                Step("token", self.does("token")),
                Step("create", self.does("create", {"cobrowse_session_id": "s-1"}), has_side_effect=True),
                Step(
                    "attach",
                    self.does("attach", {"media_id": "m-1"}),
                    self.does("probe"),
                    has_side_effect=True,
                    notifies_customer=True,
                ),
                Step("verify", self.does("verify", {"verified": True})),
            ),
        )
        command = Command("architect", "corr", 10.0, conversation_id="c-1")
        self.clock = ManualClock()
        self.attempt = Attempt(command, "i-1", "lease_owner", self.clock)
        self.recorded = []

    def does(self, name, facts=None):
        def act(attempt):
            self.journal.append(name)
            answer = self.answers[name].pop(0) if self.answers.get(name) else (facts if name != "probe" else None)
            if isinstance(answer, Exception):
                raise answer
            return answer or ({} if name != "probe" else None)

        return act

    def run(self, recorded=None):
        def save_checkpoint(checkpoint):
            self.journal.append(f"commit {checkpoint.pending_step}")
            self.recorded.append(checkpoint)

        recorded = self.flow.initial_checkpoint("") if recorded is None else recorded
        self.attempt.checkpoint = (
            recorded if recorded.completed_steps or self.attempt.checkpoint.flow else Checkpoint(flow="media")
        )
        run(self.flow, self.attempt, recorded, save_checkpoint)


def lost(**kind):
    return GenesysTimeout("attach: no answer", ambiguous=True, **kind)


def test_the_steps_run_in_order_and_the_ledger_knows_before_the_customer_does():
    script = Script()
    script.run()
    assert script.journal == ["token", "create", "commit attach", "attach", "verify"]
    assert script.attempt.session.verified
    [before_attach] = script.recorded
    assert before_attach.completed_steps == ("create",)
    assert before_attach.session.cobrowse_session_id == "s-1"
    assert before_attach.may_have_notified


def test_a_lost_answer_is_resolved_by_a_check_and_nothing_is_sent_twice():
    script = Script(attach=[lost()], probe=[{"media_id": "m-7"}])
    script.run()
    assert script.journal == ["token", "create", "commit attach", "attach", "probe", "verify"]
    assert script.attempt.session.media_id == "m-7"


def test_it_looks_with_patience_before_it_believes_that_nothing_happened():
    script = Script(attach=[lost()])
    script.run()
    assert script.journal[3:] == ["attach", *["probe"] * len(PROBE_DELAYS), "attach", "verify"]


def test_what_is_lost_three_times_is_a_failure():
    script = Script(attach=[lost(), lost(), lost()])
    with pytest.raises(GenesysTimeout):
        script.run()
    assert script.journal.count("attach") == 3
    assert script.attempt.checkpoint.pending_step == "attach"
    assert script.attempt.checkpoint.may_have_notified


def test_a_check_that_fails_leaves_it_unknown_and_starts_nothing_more():
    script = Script(attach=[lost()], probe=[GenesysUnavailable("conversation: 503")])
    with pytest.raises(GenesysTimeout, match="attach: no answer"):
        script.run()
    assert script.journal.count("attach") == 1


def test_a_check_that_finds_the_conversation_over_says_so():
    script = Script(attach=[lost()], probe=[ConversationNotActive("it has ended")])
    with pytest.raises(ConversationNotActive):
        script.run()


def test_an_error_that_is_certain_is_not_looked_into():
    script = Script(attach=[GenesysBadResponse("redirect")])
    with pytest.raises(GenesysBadResponse):
        script.run()
    assert "probe" not in script.journal


def test_a_step_without_a_probe_is_not_looked_for():
    script = Script(create=[GenesysTimeout("create", ambiguous=True)])
    with pytest.raises(GenesysTimeout):
        script.run()
    assert script.journal == ["token", "create"]


def test_a_wait_that_genesys_names_is_kept_before_the_effect_is_tried_again():
    script = Script(attach=[GenesysUnavailable("503", retry_after=3, ambiguous=True)])
    script.run()
    assert 3 in script.clock.slept
    assert script.journal.count("attach") == 2


def test_a_wait_that_does_not_fit_the_deadline_goes_to_the_caller():
    script = Script(attach=[GenesysUnavailable("503", retry_after=30, ambiguous=True)])
    with pytest.raises(GenesysUnavailable) as error:
        script.run()
    assert error.value.retry_after == 30
    assert script.journal.count("attach") == 1


def test_a_continued_attempt_goes_on_after_the_last_finished_step():
    script = Script()
    script.run(Checkpoint("media", ("create",), "", False))
    assert script.journal == ["token", "commit attach", "attach", "verify"]


def test_an_attempt_taken_over_looks_before_it_retries_what_may_have_happened():
    script = Script(probe=[{"media_id": "m-1"}])
    script.run(Checkpoint("media", ("create",), "attach", True))
    assert script.journal == ["token", "probe", "verify"]


def test_a_taken_over_attach_that_did_not_happen_is_done_without_another_commit():
    script = Script()
    script.run(Checkpoint("media", ("create",), "attach", True))
    assert script.journal == ["token", *["probe"] * len(PROBE_DELAYS), "attach", "verify"]


def test_no_check_is_taken_past_the_deadline_but_the_first():
    script = Script(attach=[lost(), lost(), lost()])
    script.attempt.deadline = type(script.attempt.deadline)(script.clock, script.clock.time + 0.1)
    with pytest.raises(GenesysTimeout):
        script.run()
    assert script.clock.time <= script.attempt.deadline.ends + 0.001


def test_every_step_is_timed_and_a_failed_one_carries_its_code():
    script = Script(attach=[GenesysBadResponse("x")])
    with pytest.raises(GenesysBadResponse):
        script.run()
    assert [(s.name, s.result) for s in script.attempt.spans if s.kind == "step"] == [
        ("token", "done"),
        ("create", "done"),
        ("attach", "genesys_bad_response"),
    ]
