"""The use case step by step: what the ledger and Genesys are told, and what the caller is."""

from dataclasses import replace

import pytest

from cobrowse.errors import (
    ConversationNotActive,
    GenesysForbidden,
    GenesysTimeout,
    GenesysUnauthorized,
    InternalError,
    KeyReused,
    LedgerUnavailable,
    NoActiveConversation,
)
from cobrowse.flow import FlowUnavailable
from cobrowse.initiation import COMPLETION_INTERVAL, MIN_COMPLETION_SECONDS
from cobrowse.ledger import Acquired, Checkpoint, Claim, Invitation, LeaseLost, State
from cobrowse.model import Failure, Outcome, Session, Status
from tests.scripted import DONE, IN_C1, ScriptedGenesys, Watch, command, entry, initiation


def test_a_session_is_claimed_put_on_record_started_and_completed():
    work = initiation()
    told = work(IN_C1)
    assert told == Outcome(Status.INITIATED, "id-1", "corr", DONE, "media", 0.0, 0, 1, spans=told.spans)
    assert [span.name for span in told.spans if span.kind == "step"] == ["create", "attach", "verify"]
    assert [span.name for span in told.spans if span.kind == "commit"] == ["claim", "checkpoint"]
    intended = Checkpoint("media", pending_step="create", session=Session("c-1"))
    # The lease outlives the deadline of ten seconds by five.
    assert work.ledger.claims == [Claim("id-1", "conversation:crm::c-1", "worker/id-1", IN_C1, 15.0, intended)]
    created = Checkpoint("media", ("create",), "attach", may_have_notified=True, session=Session("c-1", "s-1"))
    finished = created._replace(completed_steps=("create", "attach"), pending_step="", session=DONE)
    assert work.ledger.told == [
        ("begin", "id-1", "worker/id-1", created),
        ("settle", "id-1", "worker/id-1", State.SUCCEEDED, finished, told),
    ]
    assert [what for what, _ in work.genesys.calls] == ["create", "attach", "verify"]


def test_a_session_that_does_not_show_is_reported_as_unverified():
    assert initiation(ScriptedGenesys(verified=False))(IN_C1).status is Status.UNVERIFIED


@pytest.mark.parametrize(
    ("asked", "lock_key"),
    [
        (command(conversation_id="c-1", key="k"), "key:crm::k"),
        (command(conversation_id="c-1", key="k", fingerprint="f", credential="ada"), "key:crm:ada:k"),
        (command(conversation_id="c-1"), "conversation:crm::c-1"),
        (command(), "id:id-1"),
    ],
)
def test_a_claim_is_for_the_key_or_else_for_the_conversation(asked, lock_key):
    work = initiation()
    work(asked)
    (claim,) = work.ledger.claims
    assert claim.lock_key == lock_key


def test_every_attempt_has_an_id_and_an_owner_of_its_own():
    work = initiation()
    assert [work(IN_C1).initiation_id for _ in range(2)] == ["id-1", "id-2"]
    assert [claim.lease_owner for claim in work.ledger.claims] == ["worker/id-1", "worker/id-2"]


def test_observers_of_the_house_and_of_the_call_are_told_of_each_span_and_of_the_end():
    house, own = Watch(), Watch()
    work = initiation(observers=(house,))
    told = work(IN_C1, own)
    for watch in (house, own):
        assert watch.outcomes == [(IN_C1, told)]
        # The commits in the ledger explain an outcome; they are nobody's to watch.
        assert [span for _, span in watch.spans] == [span for span in told.spans if span.kind != "commit"]


# What goes wrong


def test_an_error_is_an_outcome_settled_as_what_a_retry_may_do_with_it():
    work = initiation(ScriptedGenesys(fails={"attach": [ConversationNotActive("it has ended")]}))
    told = work(IN_C1)
    assert told.status is Status.FAILED
    assert told.failure == Failure("conversation_not_active", "it has ended", "", retryable=False, is_terminal=True)
    assert told.session == Session("c-1", "s-1")
    ((_, lease_owner, state, checkpoint, outcome),) = work.ledger.settled
    assert (lease_owner, state, outcome) == ("worker/id-1", State.FAILED_FINAL, told)
    assert (checkpoint.completed_steps, checkpoint.pending_step, checkpoint.invitation) == (
        ("create",),
        "",
        Invitation.NO,
    )


@pytest.mark.parametrize("error", [GenesysTimeout("x", retry_after=3.0), GenesysUnauthorized("x")])
def test_an_error_that_leaves_the_key_free_is_completed_so_that_it_can_be_tried_again(error):
    work = initiation(ScriptedGenesys(fails={"create": [error]}))
    told = work(IN_C1)
    assert (told.failure.is_terminal, told.failure.retry_after) == (False, error.retry_after)
    assert work.ledger.settled[0][2] is State.FAILED_RETRYABLE


def test_a_bug_is_completed_for_a_retry_to_go_on_from_and_raised_with_its_cause():
    fault, watch = ZeroDivisionError("x"), Watch()
    work = initiation(ScriptedGenesys(fails={"attach": [fault]}), observers=(watch,))
    with pytest.raises(InternalError, match=r"^internal error$") as raised:
        work(IN_C1)
    assert raised.value.__cause__ is fault
    ((_, _, state, _, outcome),) = work.ledger.settled
    assert (state, outcome.failure.code) == (State.FAILED_RETRYABLE, "internal_error")
    assert outcome.failure.message == "internal error"
    assert watch.outcomes == []


@pytest.mark.parametrize("away", [1, 5])
def test_a_success_is_put_on_record_once_the_ledger_is_back(away):
    work = initiation(settles=[LedgerUnavailable("settle")] * away)
    assert work(IN_C1).status is Status.INITIATED
    assert [state for _, _, state, *_ in work.ledger.settled] == [State.SUCCEEDED] * (away + 1)
    assert work.clock.slept == [0.25] * away


def test_a_success_that_can_not_be_put_on_record_in_time_is_reported_all_the_same():
    work = initiation(settles=[LedgerUnavailable("settle")] * 1000)
    begun = work.clock.time
    assert work(IN_C1).status is Status.INITIATED
    last = begun + IN_C1.deadline_seconds - MIN_COMPLETION_SECONDS
    assert last - COMPLETION_INTERVAL <= work.clock.time <= last


def test_a_failure_is_reported_at_once_where_the_ledger_is_away():
    work = initiation(
        ScriptedGenesys(fails={"create": [GenesysForbidden("no")]}), settles=[LedgerUnavailable("settle")] * 1000
    )
    assert work(IN_C1).failure.code == "genesys_forbidden"
    assert len(work.ledger.settled) == 1


def test_a_key_with_another_request_is_refused_before_anything_is_done():
    work = initiation(claims=[entry(of=command(conversation_id="c-1", key="k", fingerprint="another"))])
    with pytest.raises(KeyReused, match=r"^Idempotency-Key already used with a different request$"):
        work(command(conversation_id="c-1", key="k"))
    assert work.genesys.calls == []


def test_without_its_ledger_nothing_is_started_unless_it_may_be_done_without():
    watch = Watch()
    work = initiation(claims=[LedgerUnavailable("claim")], observers=(watch,))
    told = work(IN_C1)
    assert (told.status, told.failure.code) == (Status.FAILED, "ledger_unavailable")
    assert watch.outcomes == [(IN_C1, told)]
    assert work.genesys.calls == []

    work = initiation(claims=[LedgerUnavailable("claim")], ledger_required=False)
    told = work(IN_C1)
    assert (told.status, told.session) == (Status.INITIATED, DONE)
    assert work.ledger.told == []


def test_an_org_without_the_flow_is_served_by_the_other_from_the_start():
    genesys = ScriptedGenesys(fails={"attach": [FlowUnavailable()]})
    work = initiation(genesys)
    told = work(IN_C1)
    assert (told.status, told.flow, told.session) == (Status.INITIATED, "native", DONE)
    assert [what for what, _ in genesys.calls] == ["create", "attach", "create", "attach", "verify"]
    # Once for the claim, then whichever is in force.
    assert genesys.asked == ["", "", ""]
    begun = [checkpoint for what, _, _, checkpoint, *_ in work.ledger.told if what == "begin"]
    assert [(checkpoint.flow, checkpoint.pending_step) for checkpoint in begun] == [
        ("media", "attach"),
        ("native", "create"),
        ("native", "attach"),
    ]
    assert {checkpoint.session.conversation_id for checkpoint in begun} == {"c-1"}


def test_an_attempt_goes_on_with_the_flow_it_began_with():
    begun = entry("row", checkpoint=Checkpoint("native", ("create",), session=Session("c-1", "s-9")), attempts=2)
    work = initiation(claims=[Acquired(begun)])
    told = work(IN_C1)
    assert (told.initiation_id, told.flow, told.attempts) == ("row", "native", 2)
    assert told.session.cobrowse_session_id == "s-9"
    assert [what for what, _ in work.genesys.calls] == ["attach", "verify"]
    assert work.ledger.told[0] == (
        "begin",
        "row",
        "worker/id-1",
        Checkpoint("native", ("create",), "attach", may_have_notified=True, session=Session("c-1", "s-9")),
    )


def test_an_attempt_that_goes_on_puts_its_own_call_on_record_even_where_the_row_tells_of_one():
    checkpoint = Checkpoint("media", ("create",), "attach", may_have_notified=True, session=Session("c-1", "s-9"))
    work = initiation(claims=[Acquired(entry("row", checkpoint=checkpoint, attempts=2))])
    assert work(IN_C1).status is Status.INITIATED
    assert work.ledger.told[0] == ("begin", "row", "worker/id-1", checkpoint)


@pytest.mark.parametrize("known", ["its progress", "its command"])
def test_an_attempt_stays_with_the_conversation_it_began_with(known):
    checkpoint = Checkpoint("media", session=Session("c-old")) if known == "its progress" else Checkpoint("media")
    begun = entry("row", of=command(conversation_id="c-old" if known == "its command" else ""), checkpoint=checkpoint)
    work = initiation(claims=[Acquired(replace(begun, attempts=2))])
    assert work(command(conversation_id="c-new", key="k")).session.conversation_id == "c-old"
    assert {conversation for _, conversation in work.genesys.calls} == {"c-old"}


def test_a_first_attempt_takes_nothing_from_the_row_it_has_just_made():
    row = entry("row", checkpoint=Checkpoint("native", pending_step="create"))
    work = initiation(claims=[Acquired(row)])
    told = work(command(conversation_id="c-1"))
    assert (told.flow, told.attempts) == ("media", 1)


# The latest conversation


def test_without_a_key_the_latest_conversation_is_found_before_it_is_claimed():
    work = initiation(ScriptedGenesys(webchat="c-7"))
    told = work(command(latest=True))
    assert told.session.conversation_id == "c-7"
    assert work.ledger.claims[0].lock_key == "conversation:crm::c-7"
    assert work.genesys.calls[0] == ("find", "id-1")
    assert [span.name for span in told.spans if span.kind == "step"] == ["find", "create", "attach", "verify"]


def test_with_a_key_too_the_latest_conversation_is_found_before_it_is_claimed():
    work = initiation(ScriptedGenesys(webchat="c-7"))
    told = work(command(latest=True, key="k"))
    (claim,) = work.ledger.claims
    assert (claim.lock_key, claim.command.conversation_id) == ("key:crm::k", "c-7")
    assert work.genesys.calls[0] == ("find", "id-1")
    assert told.session.conversation_id == "c-7"


def test_a_key_that_came_before_stays_with_the_conversation_that_was_the_latest_then():
    begun = entry("row", State.FAILED_RETRYABLE, of=command(latest=True, key="k", conversation_id="c-old"))
    work = initiation(ScriptedGenesys(webchat="c-new"), finds=[begun])
    assert work(command(latest=True, key="k")).session.conversation_id == "c-old"
    assert ("find", "id-1") not in work.genesys.calls


def test_without_its_ledger_the_latest_conversation_is_served_where_that_was_chosen():
    away = {"finds": [LedgerUnavailable("find")], "claims": [LedgerUnavailable("claim")]}
    work = initiation(ScriptedGenesys(webchat="c-7"), ledger_required=False, **away)
    assert work(command(latest=True, key="k")).session.conversation_id == "c-7"

    work = initiation(ScriptedGenesys(webchat=NoActiveConversation("none")), ledger_required=False, **away)
    assert work(command(latest=True)).failure.code == "no_active_conversation"


def test_a_search_that_finds_none_has_its_row_too():
    work = initiation(ScriptedGenesys(webchat=NoActiveConversation("none is active")))
    told = work(command(latest=True))
    assert (told.status, told.failure.code) == (Status.FAILED, "no_active_conversation")
    (claim,) = work.ledger.claims
    assert (claim.id, claim.lock_key, claim.checkpoint) == ("id-1", "id:id-1", Checkpoint())
    ((initiation_id, lease_owner, state, _, outcome),) = work.ledger.settled
    assert (initiation_id, lease_owner, state) == ("id-1", "worker/id-1", State.FAILED_RETRYABLE)
    assert outcome.failure == told.failure


def test_a_search_that_finds_none_is_reported_though_somebody_took_its_row_over():
    work = initiation(ScriptedGenesys(webchat=NoActiveConversation("none")), settles=[LeaseLost()])
    assert work(command(latest=True)).failure.code == "no_active_conversation"


def test_a_search_whose_row_is_taken_completes_nothing():
    work = initiation(ScriptedGenesys(webchat=NoActiveConversation("none")), claims=[entry()])
    assert work(command(latest=True)).failure.code == "no_active_conversation"
    assert work.ledger.settled == []
