"""What the console shows of an initiation, and what it never shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.ledger import Checkpoint, InitiationRecord, State
from cobrowse.model import Command, Failure, Outcome, Secret, Session, Span, Status
from console import view_model
from console.view_model import DOTS, STATES, badge, can_retry, choices, detail, flash, mask_outcome, row
from web.error_responses import hint_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRETS = {"join_url": Secret("https://j/1"), "viewer_url": Secret("https://v/1"), "join_code": Secret("482913")}
SESSION = Session("conv-1", "session-1", "media-1", state="connected", verified=True, **SECRETS)
DONE = Outcome(Status.INITIATED, "id-1", "corr-1", SESSION, "media", 0.062, 4, spans=(Span("step", "create", 0, 0.06),))
FAILURE = Failure("genesys_unavailable", "attach: Genesys answered 503", "ask again", retryable=True, is_terminal=False)
FAILED = replace(DONE, status=Status.FAILED, failure=FAILURE)
COMMAND = Command("crm", "corr-1", 10.0, "conv-1", requested_by="Ann", credential="flow", key="case-1")
ENTRY = InitiationRecord(
    "id-1", COMMAND, State.SUCCEEDED, 1, Checkpoint("media"), outcome=DONE, created=NOW, updated=NOW
)


def entry(**fields):
    return replace(ENTRY, **fields)


def test_every_state_has_a_word_of_its_own_and_an_icon():
    assert set(STATES) == set(State)
    assert len({each.word for each in STATES.values()}) == len(STATES)
    assert len({each.tone for each in STATES.values()}) == len(STATES)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("initiated", "Initiated"),
        ("unverified", "Unverified"),
        ("joined", "Joined"),
        ("already_active", "Already active"),
    ],
)
def test_a_success_is_told_in_the_callers_words(status, word):
    assert badge(entry(outcome=replace(DONE, status=Status(status)))).word == word


def test_running_without_an_owner_is_interrupted():
    assert badge(entry(state=State.RUNNING, lease_left=3.0)).word == "Running"
    assert badge(entry(state=State.RUNNING, lease_left=0.0)).word == "Interrupted"


def test_no_secret_survives_the_masking_and_what_is_not_there_is_not_masked():
    hidden = mask_outcome(DONE)
    assert [getattr(hidden.session, name).reveal() for name in SECRETS] == [DOTS] * 3
    assert mask_outcome(replace(DONE, session=Session("conv-1"))).session == Session("conv-1")
    assert hidden.session.conversation_id == "conv-1"


def test_the_detail_holds_no_secret_anywhere():
    shown = str(detail(ENTRY, NOW))
    assert not [secret for secret in SECRETS.values() if secret.reveal() in shown]
    assert f'"joinCode": "{DOTS}"' in detail(ENTRY, NOW).answer


def test_a_row_of_another_day_says_which():
    assert row(ENTRY, NOW).day == ""
    assert row(ENTRY, NOW + timedelta(days=1)).day == "01 Mar"


def test_a_rows_revision_changes_with_its_state_its_lease_and_its_last_change():
    running = entry(state=State.RUNNING, lease_left=5.0)
    seen = {
        row(each, NOW).revision
        for each in (ENTRY, running, replace(running, lease_left=0.0), entry(updated=NOW + timedelta(milliseconds=1)))
    }
    assert len(seen) == 4


def test_who_asked_is_the_person_or_else_the_callers_key_or_else_the_sender():
    assert row(ENTRY, NOW).requested_by == "Ann"
    nobody = replace(COMMAND, requested_by="")
    assert row(entry(command=replace(nobody, sender="architect")), NOW).requested_by == "flow"
    # Which variable holds a sender's secret is nobody's name.
    assert row(entry(command=replace(nobody, credential="$CRM_SECRET")), NOW).requested_by == "crm"


@pytest.mark.parametrize(
    ("state", "lease", "possible"),
    [
        ("failed_final", 0, True),
        ("failed_retryable", 0, True),
        ("running", 0, True),
        ("running", 2, False),
        ("succeeded", 0, False),
    ],
)
def test_only_what_failed_or_was_interrupted_can_be_run_again(state, lease, possible):
    assert can_retry(entry(state=State(state), lease_left=lease)) is possible


@pytest.mark.parametrize(
    ("retryable", "final", "words"),
    [(True, False, "after 2 s"), (False, True, "gets this response again"), (False, False, "after the cause is fixed")],
)
def test_what_a_retry_would_get_is_reported(retryable, final, words):
    failure = replace(FAILURE, retryable=retryable, is_terminal=final)
    trouble = detail(entry(state=State.FAILED_FINAL, outcome=replace(FAILED, failure=failure)), NOW).failure
    assert words in trouble.next
    assert (trouble.code, trouble.cause, trouble.hint) == (failure.code, failure.message, hint_of(failure))


def test_a_row_running_again_does_not_tell_the_attempt_before_as_its_own():
    again = entry(state=State.RUNNING, lease_left=5.0, outcome=FAILED, attempts=2)
    shown = detail(again, NOW)
    assert (shown.failure, shown.answer, shown.row.duration, shown.row.detail) == (None, "", "", "")
    assert shown.running
    assert flash(again, 2) == ""


def test_the_news_of_an_attempt_is_told_to_the_caller_of_that_one():
    assert flash(ENTRY, 1) == "Attempt 1 has ended: initiated, after 62 ms."
    assert flash(ENTRY, 2) == flash(ENTRY, None) == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "yes"),
        ({"outcome": replace(DONE, status=Status.JOINED)}, "yes, before this one"),
        (
            {
                "state": State.FAILED_FINAL,
                "checkpoint": Checkpoint("media", completed_steps=("create",), may_have_notified=True),
            },
            "no",
        ),
        (
            {
                "state": State.FAILED_RETRYABLE,
                "checkpoint": Checkpoint("media", pending_step="attach", may_have_notified=True),
            },
            "maybe: attach",
        ),
        (
            {
                "state": State.RUNNING,
                "checkpoint": Checkpoint("native", pending_step="cobrowse", may_have_notified=True),
            },
            "maybe: cobrowse",
        ),
        ({"state": State.RUNNING, "checkpoint": Checkpoint("media", pending_step="create")}, "no"),
    ],
)
def test_whether_the_customer_was_invited_is_reported(fields, words):
    assert dict(detail(entry(**fields), NOW).facts)["Customer invited"].startswith(words)


def test_a_conversation_that_was_to_be_looked_up_is_named_once_known():
    latest = replace(COMMAND, conversation_id="", latest=True)
    assert row(entry(command=latest), NOW).conversation == "the newest webchat"
    known = entry(command=latest, checkpoint=Checkpoint(session=Session("conv-9")))
    assert row(known, NOW).conversation == "conv-9"


def test_the_chosen_sender_can_be_seen_even_when_its_row_is_gone():
    assert choices(("crm", "architect"), "former") == ["architect", "crm", "former"]
    assert choices(("crm",), "") == ["crm"]


# A failure has its own words; what is running, was ignored or was only tried has no answer on record.
NEVER_KEPT = {Status.FAILED, Status.RUNNING, Status.IGNORED, Status.WOULD_START, Status.WOULD_END}


def test_every_status_is_explained_or_is_a_failure():
    assert set(view_model._MEANINGS) == set(Status) - NEVER_KEPT
