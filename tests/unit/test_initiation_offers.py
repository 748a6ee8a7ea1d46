"""Offers that a conversation does not show, and whose the links of a session are.

Reported was a second agent's event while the offer stood. Tried beside it: ends with other zones and without one,
that have passed, that can't be read and are missing; an offer that shows as over; another request's failure in
between; and an owner that was taken for dead and comes back. `unit/test_reported_of_genesys.py` has who may ask next.
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cobrowse.ledger import Acquired, Checkpoint, Lease, State
from cobrowse.model import Secret, Session, Status
from tests.scripted import ScriptedGenesys, command, ended, entry
from tests.unit.test_initiation_repeats import asked, won

LIVE = Session("", "live-1", "live-m", state="connected", viewer_url=Secret("https://view"))
THEN = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


# An offer that the conversation doesn't show


def offered(ends, **fields):
    session = Session("c-1", "offered", "m", join_code=Secret("123"), offer_ends=ends, verified=True)
    return ended("first", checkpoint=Checkpoint("native", session=session), **fields)


@pytest.mark.parametrize(
    ("ends", "over", "started"),
    [
        ("2026-11-25T09:00:01Z", (), False),
        ("2026-11-25T11:00:01+02:00", (), False),
        ("2026-11-25T10:59:59+02:00", (), True),
        ("2026-11-25T09:00:01", (), False),
        ("2026-11-25T09:00:00Z", (), True),
        ("in a while", (), True),
        ("", (), True),
        ("2026-11-25T09:00:01Z", (Session("c-1", "offered"),), True),
        ("2026-11-25T09:00:01Z", (Session("c-1", "another"),), False),
    ],
)
def test_an_open_offer_stands_though_the_conversation_does_not_show_it(ends, over, started):
    _, told = asked(
        ScriptedGenesys(over=over), command(key="b", conversation_id="c-1"), claims=[won(offered(ends), after=60)]
    )
    assert told.status is (Status.INITIATED if started else Status.ALREADY_ACTIVE)
    if not started:
        assert (told.session.cobrowse_session_id, told.session.join_code.reveal()) == ("offered", "123")


def test_an_open_offer_is_found_behind_one_that_failed_later():
    later = ended(
        "later", State.FAILED_RETRYABLE, checkpoint=Checkpoint("media", session=Session("c-1", "gone", verified=True))
    )
    claimed = Acquired(entry("row"), (), (later, offered("2026-11-25T09:00:01Z")))
    _, told = asked(ScriptedGenesys(), claims=[claimed])
    assert (told.status, told.session.cobrowse_session_id) == (Status.ALREADY_ACTIVE, "offered")


@pytest.mark.parametrize("late", ["an open offer", "a lapsed offer", "a failure", "nothing"])
def test_an_owner_that_was_taken_for_dead_may_have_put_an_offer_on_record_since(late):
    """A worker that stood still past its lease wakes up between another's claim and its check."""
    tried = Checkpoint("native", pending_step="cobrowse", may_have_notified=True, session=Session("c-1"))
    then = entry("first", lease_left=0.0, checkpoint=tried)
    now = {
        "an open offer": offered("2026-11-25T09:00:01Z"),
        "a lapsed offer": offered("2026-11-25T09:00:00Z"),
        "a failure": ended("first", State.FAILED_RETRYABLE, checkpoint=tried),
        "nothing": then,
    }[late]
    claimed = Acquired(entry("row"), (), (then,))
    work, told = asked(ScriptedGenesys(), claims=[claimed], reads=[now])
    if late == "an open offer":
        assert (told.status, told.session.cobrowse_session_id) == (Status.ALREADY_ACTIVE, "offered")
    else:
        assert told.status is Status.INITIATED
    looks = [call for call, _ in work.genesys.calls].count("look")
    assert looks == {"nothing": 3, "a failure": 6}.get(late, 4)


def test_the_offer_of_one_that_was_waited_for_and_died_stands():
    session = Session("c-1", "offered", "m", offer_ends="2026-11-25T09:00:10Z")
    running = entry("first", lease_left=3.0, checkpoint=Checkpoint("native", ("cobrowse",), "", True, session))
    dead = replace(running, lease_left=0.0)
    _, told = asked(ScriptedGenesys(), claims=[won(running)], reads=[running, dead, dead])
    assert (told.status, told.session.cobrowse_session_id) == (Status.ALREADY_ACTIVE, "offered")


@pytest.mark.parametrize("crashed", [False, True])
def test_one_that_an_end_in_between_has_ended_is_neither_joined_nor_standing(crashed):
    session = Session("c-1", "offered", "m", offer_ends="2026-11-25T09:00:10Z")
    fields = {"ended": THEN, "checkpoint": Checkpoint("native", ("cobrowse",), "", True, session)}
    first = entry("first", **fields) if crashed else ended("first", **fields)
    end = entry("end", of=command(conversation_id="c-1", action="end"), lease_left=3.0)
    claimed = Acquired(entry("row"), (Lease("end", end.lease_owner), Lease("first", first.lease_owner)))
    done = ended("end", of=end.command)
    _, told = asked(ScriptedGenesys(), claims=[claimed], reads=[end, done, first])
    assert (told.status, told.session.cobrowse_session_id) == (Status.INITIATED, "s-1")


def test_what_two_ends_may_have_ended_is_read_once_when_both_are_over():
    end = command(conversation_id="c-1", action="end")
    newer, older = (entry(name, of=end, lease_left=3.0) for name in ("newer", "older"))
    claimed = Acquired(
        entry("row"), (Lease("newer", newer.lease_owner), Lease("older", older.lease_owner)), (ended("first"),)
    )
    reads = [newer, ended("newer", of=end), older, ended("older", of=end), ended("first", ended=THEN)]
    work, told = asked(ScriptedGenesys(), claims=[claimed], reads=reads)
    assert told.status is Status.INITIATED
    assert [what for kind, *what in work.ledger.told if kind == "read"] == [
        ["newer"],
        ["newer"],
        ["older"],
        ["older"],
        ["first"],
    ]


def test_a_retry_without_a_key_does_not_join_what_has_been_ended_while_it_waited():
    running = entry("first", lease_owner="h", lease_left=3.0)
    work, told = asked(ScriptedGenesys(), claims=[running], reads=[ended("first", ended=THEN)])
    assert (told.status, told.session.cobrowse_session_id) == (Status.INITIATED, "s-1")
    assert len(work.ledger.claims) == 2


def test_of_two_that_were_waited_for_and_died_the_newer_offer_stands():
    def died(name):
        session = Session("c-1", name, "m", offer_ends="2026-11-25T09:00:10Z")
        return entry(name, checkpoint=Checkpoint("native", ("cobrowse",), "", True, session))

    newer, older = died("newer"), died("older")
    claimed = Acquired(entry("row"), (Lease("newer", ""), Lease("older", "")))
    _, told = asked(ScriptedGenesys(), claims=[claimed], reads=[newer, older, newer, older])
    assert (told.status, told.session.cobrowse_session_id) == (Status.ALREADY_ACTIVE, "newer")


# Whose links


LINKS = {"join_url": Secret("https://join"), "viewer_url": Secret("https://view"), "join_code": Secret("123")}


@pytest.mark.parametrize(("sender", "credential"), [("crm", "another"), ("another", "ada")])
@pytest.mark.parametrize("how", ["joined", "already active"])
def test_links_and_code_are_for_the_credential_that_started_the_session(how, sender, credential):
    known = Session("c-1", "live-1", verified=True, **LINKS)
    of = command(conversation_id="c-1", credential="ada")
    first = ended("first", of=of, lease_owner="h", checkpoint=Checkpoint("media", session=known))
    first = replace(first, outcome=replace(first.outcome, session=known))

    def told(to):
        running = entry("first", of=of, lease_owner="h", lease_left=3.0)
        claimed = won(first, after=60) if how == "already active" else won(running)
        work, outcome = asked(ScriptedGenesys(live=[(LIVE,)]), to, claims=[claimed], reads=[running, first])
        return outcome.session, work.ledger.settled[0][3].session

    for session in told(of):
        assert (session.join_url, session.viewer_url, session.join_code) == tuple(LINKS.values())
    for session in told(replace(of, sender=sender, credential=credential)):
        assert session.cobrowse_session_id == "live-1"
        assert (session.join_url, session.viewer_url, session.join_code) == (Secret(),) * 3


@pytest.mark.parametrize("how", ["replayed", "replayed after a wait", "taken over"])
def test_a_delivery_that_is_redelivered_by_another_credential_gets_no_links(how):
    started = Session("c-1", "live-1", verified=True, **LINKS)
    of = command(conversation_id="c-1", key="delivery-1", credential="CN=ada")
    first = ended("first", of=of, checkpoint=Checkpoint("media", session=started))
    first = replace(first, outcome=replace(first.outcome, session=started))
    dead = entry("first", of=of, attempts=2, checkpoint=Checkpoint("media", ("create", "attach"), session=started))
    scripts = {
        "replayed": {"finds": [first]},
        "replayed after a wait": {"claims": [entry("first", of=of, lease_left=3.0)], "reads": [first]},
        "taken over": {"claims": [Acquired(dead)]},
    }

    def told(to):
        return asked(ScriptedGenesys(live=[(LIVE._replace(viewer_url=Secret()),)] * 3), to, **scripts[how])[1].session

    assert (told(of).join_url, told(of).join_code) == (LINKS["join_url"], LINKS["join_code"])
    other = told(replace(of, credential="CN=another"))
    assert other.conversation_id == "c-1"
    assert (other.join_url, other.viewer_url, other.join_code) == (Secret(),) * 3
