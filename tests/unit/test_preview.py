"""What a command would come to: looked at once, and nothing is started."""

import pytest

from cobrowse.errors import AgentNotConnected
from cobrowse.flow import Attempt, Flow
from cobrowse.ledger import Checkpoint
from cobrowse.model import Ending, Secret, Session, Sessions, Status
from cobrowse.preview import preview_command
from tests.clocks import ManualClock
from tests.scripted import ScriptedLedger, command, ended, entry, initiation

LIVE = Session("C-1", "s-1", "m-1", join_url=Secret("https://join"), state="connected")


class Genesys:
    """Shows what it is given, and keeps what it was asked."""

    def __init__(self, shown=None, ending=None):
        self.shown, self.live, self.calls = shown or Sessions(), ending or Ending(), []

    def sessions(self, attempt):
        self.calls.append(("sessions", attempt.command.conversation_id))
        return self.shown

    def newest_webchat(self, attempt):
        self.calls.append(("newest", attempt.initiation_id))
        return "found"

    def ending(self):
        return Flow("end", ())

    def find_live(self, attempt):
        self.calls.append(("live", attempt.session.conversation_id))
        return self.live


def preview(genesys, reads=(), **fields):
    clock = ManualClock()
    attempt = Attempt(command(**fields), "i-1", "owner", clock)
    return preview_command(genesys, ScriptedLedger(clock, reads=reads), attempt), attempt


def test_where_no_session_is_live_one_would_start():
    genesys = Genesys()
    outcome, attempt = preview(genesys, conversation_id="c-1")
    assert (outcome.status, outcome.session.conversation_id) == (Status.WOULD_START, "c-1")
    assert genesys.calls == [("sessions", "c-1")]
    assert [span.name for span in attempt.spans] == ["check"]


def test_without_a_conversation_the_newest_is_found_first():
    genesys = Genesys()
    outcome, attempt = preview(genesys)
    assert (outcome.status, outcome.session.conversation_id) == (Status.WOULD_START, "found")
    assert genesys.calls == [("newest", "i-1"), ("sessions", "found")]
    assert [span.name for span in attempt.spans] == ["find", "check"]


def test_a_live_session_is_shown_without_its_links_and_its_code():
    shown = Sessions((LIVE, Session("", "s-2")), unanswered="nobody")
    outcome, attempt = preview(Genesys(shown), conversation_id="c-1")
    assert outcome.status is Status.ALREADY_ACTIVE
    assert attempt.session == outcome.session
    assert outcome.session == Session("c-1", "s-1", "m-1", state="connected", verified=True)


def test_who_has_to_answer_first_is_named_and_when_to_ask_again():
    with pytest.raises(AgentNotConnected, match="the agent has not answered") as ringing:
        preview(Genesys(Sessions(unanswered="the agent has not answered")), conversation_id="c-1")
    assert ringing.value.retry_after == 10.0


@pytest.mark.parametrize(
    ("ending", "status"),
    [(Ending(("p/c",), ("s-1",)), Status.WOULD_END), (Ending(all_over=True), Status.ALREADY_ENDED)],
)
def test_an_end_would_end_what_is_live(ending, status):
    genesys = Genesys(ending=ending)
    outcome, attempt = preview(genesys, conversation_id="c-1", action="end")
    assert outcome.status is status
    assert genesys.calls == [("live", "c-1")]
    assert [span.name for span in attempt.spans] == ["check"]


def test_an_initiations_end_would_end_the_session_that_the_ledger_has_of_it():
    genesys = Genesys(ending=Ending(targets=("p-1/m-1",)))
    fields = {"action": "end", "ends": "theirs", "conversation_id": "C-1"}
    theirs = entry("theirs", checkpoint=Checkpoint(session=Session("C-1", "their-session")))
    outcome, _ = preview(genesys, [theirs], **fields)
    assert (outcome.status, outcome.session.cobrowse_session_id) == (Status.WOULD_END, "their-session")


def test_an_initiation_previews_an_end_by_what_the_ledger_has_of_it():
    theirs = entry("theirs", checkpoint=Checkpoint(session=Session("c-1", "their-session")))
    work = initiation(Genesys(ending=Ending(targets=("p-1/m-1",))), reads=[theirs])
    outcome = work.preview(command(conversation_id="c-1", action="end", ends="theirs"))
    assert (outcome.status, outcome.session.cobrowse_session_id) == (Status.WOULD_END, "their-session")


def test_an_initiation_previews_what_it_would_do_and_answers_a_used_key_from_the_ledger():
    work = initiation()
    assert work.preview(command(conversation_id="c-1")).status is Status.WOULD_START
    assert (work.ledger.told, work.ledger.claims) == ([], [])
    kept = ended(of=command(conversation_id="c-1", key="k"))
    work = initiation(finds=[kept])
    again = work.preview(command(conversation_id="c-1", key="k"))
    assert (again.status, again.replayed, work.genesys.calls) == (Status.INITIATED, True, [])
