"""The heart's words: what they are in whoever's mouth, and what each is when nothing more is said."""

import json
import logging
from dataclasses import replace
from itertools import product
from string import Template

import orjson
import pytest

from cobrowse.ledger import (
    Acquired,
    Checkpoint,
    Claim,
    InitiationRecord,
    Invitation,
    Lease,
    NullLedger,
    State,
    lock_key_for,
    released_lock_key,
)
from cobrowse.model import (
    Command,
    Ending,
    Failure,
    Outcome,
    Secret,
    Session,
    Sessions,
    SessionState,
    SessionView,
    Span,
    Status,
)

COMMAND = Command("crm", "corr", 10.0)


TEXT = "https://join"
SECRET = Secret(TEXT)


@pytest.mark.parametrize(
    "shown",
    [
        str(SECRET),
        repr(SECRET),
        f"{SECRET}",
        f"{SECRET!s}",
        f"{SECRET!r}",
        "{}".format(SECRET),  # noqa: UP032 - each way is another
        "%s" % SECRET,  # noqa: UP031
        "%r" % SECRET,  # noqa: UP031
        str([SECRET]),
        str({"link": SECRET}),
        str(Session(join_url=SECRET)),
        str(ValueError(SECRET)),
        Template("$link").substitute(link=SECRET),
        logging.LogRecord("l", logging.INFO, "", 1, "%s", (SECRET,), None).getMessage(),
        json.dumps({"link": SECRET}, default=str, ensure_ascii=False),
        orjson.dumps(Session(join_url=SECRET)._asdict(), default=str).decode(),
    ],
)
def test_no_way_to_format_a_secret_shows_it(shown):
    assert "•••" in shown
    assert TEXT not in shown


def test_a_secret_is_shown_as_dots_alone():
    assert str(SECRET) == str(Secret()) == "•••"


@pytest.mark.parametrize(
    "use",
    [
        json.dumps,
        orjson.dumps,
        lambda secret: json.dumps({secret: 1}),
        ",".join,
        str.encode,
        lambda secret: secret[0],
        lambda secret: "a" + secret,
        lambda secret: format(secret, ">20"),
    ],
)
def test_a_secret_is_no_text_that_could_be_written_by_oversight(use):
    with pytest.raises(TypeError):
        use([SECRET] if use == ",".join else SECRET)


def test_a_secret_is_revealed_by_name_and_equals_its_like_only():
    assert SECRET.reveal() == TEXT
    assert Secret(TEXT) == SECRET != Secret("another")
    assert SECRET != TEXT
    assert len({SECRET, Secret(TEXT)}) == 1
    assert len({hash(Secret(str(number))) for number in range(10)}) > 1
    assert (bool(SECRET), bool(Secret()), Secret().reveal()) == (True, False, "")


def test_the_words_of_a_status_and_of_a_state():
    assert [*Status] == [
        *("initiated", "unverified", "joined", "already_active", "ignored", "failed"),
        *("ended", "already_ended", "running", "would_start", "would_end"),
    ]
    assert [*SessionState] == ["offered", "joined", "ended", "expired", "unknown"]
    assert [*State] == ["running", "succeeded", "failed_final", "failed_retryable"]
    assert [*Invitation] == ["no", "yes", "unknown"]


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
            reuse_live_session=False,
            start_when="customer_connected",
            user_token=Secret(""),
            action="start",
            ends="",
            hand_over=False,
        )
        == COMMAND
    )


def test_a_session_of_which_nothing_is_known_is_empty():
    nothing = Secret("")
    unseen = {"verified": False, "targets": (), "customer_id": "", "handed_over": False, "hand_over_error": ""}
    assert Session("", "", "", nothing, nothing, nothing, nothing, "", "", **unseen) == Session()


def test_a_look_that_shows_nothing_says_nothing():
    assert Sessions(live=(), over=(), unanswered="") == Sessions()
    assert Ending(targets=(), session_ids=(), all_over=False, customer_left=False) == Ending()
    unknown = SessionView(SessionState.UNKNOWN, customer_connected=False, agent_connected=False, since="")
    assert unknown == SessionView()


def test_progress_and_a_span_begin_with_nothing():
    assert Checkpoint("", (), "", may_have_notified=False, session=Session()) == Checkpoint()
    assert Span("call", "token", 0.0, 1.0, "") == Span("call", "token", 0.0, 1.0)
    assert Failure("code", "message", "hint", retryable=True, is_terminal=False).retry_after is None


def test_an_outcome_is_the_same_whether_told_first_or_again():
    plain = Outcome(Status.INITIATED, "i", "corr")
    assert Outcome(Status.INITIATED, "i", "corr", Session(), "", 0.0, 0, 1, None, (), "") == plain
    assert plain.replayed is False
    assert Outcome(Status.INITIATED, "i", "corr", replayed=True) == plain


@pytest.mark.parametrize("status", Status)
def test_an_outcome_is_a_success_if_an_invitation_came_of_it(status):
    assert Outcome(status, "i", "corr").success is (status is not Status.IGNORED)
    failure = Failure("code", "message", "hint", retryable=True, is_terminal=False)
    assert not Outcome(status, "i", "corr", failure=failure).success


def test_an_entry_and_a_claim_say_what_they_are_told():
    entry = InitiationRecord("i", COMMAND, State.RUNNING, 1, Checkpoint())
    nothing = (Checkpoint(), "", 0.0, 0, None, None, None, None, 0, ())
    assert InitiationRecord("i", COMMAND, State.RUNNING, 1, *nothing) == entry
    assert Acquired(entry, (), ()) == Acquired(entry)
    claim = Claim("i", "slot", "lease_owner", COMMAND, 15.0)
    assert Claim("i", "slot", "lease_owner", COMMAND, 15.0, Checkpoint()) == claim


@pytest.mark.parametrize(
    ("state", "lease_left", "held"),
    [(State.RUNNING, 0.5, True), (State.RUNNING, 0.0, False), (State.SUCCEEDED, 0.5, False)],
)
def test_an_entry_is_held_while_it_runs_and_its_lease_lasts(state, lease_left, held):
    assert InitiationRecord("i", COMMAND, state, 1, Checkpoint(), lease_left=lease_left).has_live_lease is held


def test_what_a_command_must_hold_alone():
    without_key = Command("crm", "corr", 1.0, conversation_id="c", credential="ada")
    assert lock_key_for(without_key, "i") == "conversation:crm:ada:c"
    # A caller's own key, and a delivery's id, which is the same whichever of the sender's secrets signed it.
    assert lock_key_for(replace(without_key, key="k", fingerprint="f"), "i") == "key:crm:ada:k"
    assert lock_key_for(replace(without_key, key="k"), "i") == "key:crm::k"
    assert lock_key_for(COMMAND, "i") == released_lock_key("i") == "id:i"
    # An end is beside the conversation's start, and beside the end of another of its initiations.
    end = replace(without_key, action="end")
    assert lock_key_for(end, "i") == "conversation:crm:ada:c:end:"
    assert lock_key_for(replace(end, ends="a:b%"), "i") == "conversation:crm:ada:c:end:a%3Ab%25"


def test_no_two_callers_and_keys_make_one_lock_key():
    texts = ("a", "a:b", "b", ":", "%3A", "%", "a%3Ab", "")
    commands = [
        Command(sender, "corr", 1.0, credential=credential, key=key, fingerprint="f")
        for sender, credential, key in product(texts, texts, texts[:-1])
    ]
    assert len({lock_key_for(command, "i") for command in commands}) == len(commands)


@pytest.mark.parametrize(
    ("checkpoint", "invitation"),
    [
        (Checkpoint(), Invitation.NO),
        (Checkpoint("media", ("create",), "", may_have_notified=False), Invitation.NO),
        (Checkpoint("media", pending_step="create"), Invitation.NO),
        (Checkpoint("media", ("create",), "attach", may_have_notified=True), Invitation.UNKNOWN),
        (Checkpoint("media", ("create", "attach"), may_have_notified=True), Invitation.YES),
    ],
)
def test_whether_the_customer_has_been_invited_follows_from_how_far_it_came(checkpoint, invitation):
    assert checkpoint.invitation is invitation


def test_without_a_ledger_all_is_won_and_nothing_kept():
    checkpoint = Checkpoint("media", pending_step="attach")
    ledger = NullLedger()
    won = ledger.claim(Claim("i", "slot", "lease_owner", COMMAND, 15.0, checkpoint))
    assert won == Acquired(InitiationRecord("i", COMMAND, State.RUNNING, 1, checkpoint, "lease_owner", 15.0))
    assert ledger.read("i") is ledger.find("slot") is ledger.reclaim(Lease("i", "lease_owner"), 15.0) is None
