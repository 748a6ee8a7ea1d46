"""The heart's words: what they are in whoever's mouth, and what each is when nothing more is said."""

from dataclasses import replace
from itertools import product

import pytest

from cobrowse.ledger import Claim, Entry, Invitation, NoLedger, Progress, State, Won, released_slot, slot_of
from cobrowse.model import Command, Failure, Outcome, Secret, Session, Span, Status

COMMAND = Command("crm", "corr", 10.0)


def test_a_secret_is_its_text_and_never_shows_it():
    secret = Secret("https://join")
    assert secret == "https://join"
    assert (repr(secret), repr([secret]), f"{secret!r}") == ("•••", "[•••]", "•••")
    assert "https://join" not in repr(Session(join_url=secret))


def test_the_words_of_a_status_and_of_a_state():
    assert [*Status] == ["initiated", "unverified", "joined", "already_active", "ignored", "failed"]
    assert [*State] == ["running", "succeeded", "failed_final", "failed_retryable"]


def test_a_command_asks_for_nothing_that_is_not_said():
    assert (
        Command(
            sender="crm",
            correlation_id="corr",
            deadline_seconds=10.0,
            conversation_id="",
            latest=False,
            channel=None,
            requested_by="",
            credential="",
            session_settings={},
            key="",
            fingerprint="",
            check_first=False,
            user_token=Secret(""),
        )
        == COMMAND
    )


def test_a_session_of_which_nothing_is_known_is_empty():
    nothing = Secret("")
    assert Session("", "", "", nothing, nothing, nothing, "", "", verified=False) == Session()


def test_progress_and_a_span_begin_with_nothing():
    assert Progress("", (), "", invited=False, session=Session()) == Progress()
    assert Span("call", "token", 0.0, 1.0, "") == Span("call", "token", 0.0, 1.0)
    assert Failure("code", "message", "hint", retryable=True, final=False).retry_after is None


def test_an_outcome_is_the_same_whether_told_first_or_again():
    plain = Outcome(Status.INITIATED, "i", "corr")
    assert Outcome(Status.INITIATED, "i", "corr", Session(), "", 0.0, 0, 1, None, (), "") == plain
    assert plain.replayed is False
    assert Outcome(Status.INITIATED, "i", "corr", replayed=True) == plain


@pytest.mark.parametrize("status", Status)
def test_an_outcome_is_a_success_if_an_invitation_came_of_it(status):
    assert Outcome(status, "i", "corr").success is (status is not Status.IGNORED)
    failure = Failure("code", "message", "hint", retryable=True, final=False)
    assert not Outcome(status, "i", "corr", failure=failure).success


def test_an_entry_and_a_claim_say_what_they_are_told():
    entry = Entry("i", COMMAND, State.RUNNING, 1, Progress())
    assert Entry("i", COMMAND, State.RUNNING, 1, Progress(), "", 0.0, 0, None, None, None) == entry
    claim = Claim("i", "slot", "holder", COMMAND, 15.0)
    assert Claim("i", "slot", "holder", COMMAND, 15.0, Progress(), 0.0) == claim


@pytest.mark.parametrize(
    ("state", "lease_left", "held"),
    [(State.RUNNING, 0.5, True), (State.RUNNING, 0.0, False), (State.SUCCEEDED, 0.5, False)],
)
def test_an_entry_is_held_while_it_runs_and_its_lease_lasts(state, lease_left, held):
    assert Entry("i", COMMAND, state, 1, Progress(), lease_left=lease_left).held is held


def test_what_a_command_must_hold_alone():
    without_key = Command("crm", "corr", 1.0, conversation_id="c", credential="ada")
    assert slot_of(without_key, "i") == "conversation:crm:ada:c"
    # A caller's own key, and a delivery's id, which is the same whichever of the sender's secrets signed it.
    assert slot_of(replace(without_key, key="k", fingerprint="f"), "i") == "key:crm:ada:k"
    assert slot_of(replace(without_key, key="k"), "i") == "key:crm::k"
    assert slot_of(COMMAND, "i") == released_slot("i") == "id:i"


def test_no_two_callers_and_keys_make_one_slot():
    texts = ("a", "a:b", "b", ":", "%3A", "%", "a%3Ab", "")
    commands = [
        Command(sender, "corr", 1.0, credential=credential, key=key, fingerprint="f")
        for sender, credential, key in product(texts, texts, texts[:-1])
    ]
    assert len({slot_of(command, "i") for command in commands}) == len(commands)


@pytest.mark.parametrize(
    ("progress", "invitation"),
    [
        (Progress(), Invitation.NO),
        (Progress("media", ("create",), "", invited=False), Invitation.NO),
        (Progress("media", begun="create"), Invitation.NO),
        (Progress("media", ("create",), "attach", invited=True), Invitation.UNKNOWN),
        (Progress("media", ("create", "attach"), invited=True), Invitation.YES),
    ],
)
def test_whether_the_customer_has_been_invited_follows_from_how_far_it_came(progress, invitation):
    assert progress.invitation is invitation


def test_without_a_ledger_all_is_won_and_nothing_kept():
    progress = Progress("media", begun="attach")
    ledger = NoLedger()
    won = ledger.claim(Claim("i", "slot", "holder", COMMAND, 15.0, progress))
    assert won == Won(Entry("i", COMMAND, State.RUNNING, 1, progress, "holder", 15.0))
    assert won.previous is None
    assert ledger.read("i") is ledger.find("slot") is ledger.reclaim("i", "holder", 15.0) is None
