"""The conversations and sessions of the sandbox, and its count of invitations."""

import itertools
import threading

import pytest

from sandbox.errors import GenesysError
from sandbox.faults import Lag
from sandbox.options import Options
from sandbox.state import (
    ABSENT,
    EMAIL,
    ENDED,
    LIVE,
    LIVE_SESSION,
    MESSAGE,
    VOICE,
    WEBCHAT,
    State,
)


@pytest.fixture
def state(options, clock):
    count = itertools.count(1)
    return State(options, clock, lambda: f"id-{next(count)}")


def at_once():
    return Lag()


def code(refused):
    return refused.value.code


def test_a_new_session_belongs_to_no_conversation(state):
    session = state.create({"maskAll": True})
    assert (session.id, session.conversation_id, session.settings) == ("id-1", None, {"maskAll": True})
    assert state.sessions() == [session]
    assert state.invitations() == {}


@pytest.mark.parametrize("conversation", [WEBCHAT, VOICE, MESSAGE])
def test_attaching_a_session_invites_the_customer_once(state, conversation):
    session = state.create({})
    medium, new = state.attach(conversation, session.id, at_once)
    assert new
    assert state.view(conversation).media == (medium,)
    assert state.invitations() == {conversation: 1}
    assert state.sessions()[0].conversation_id == conversation


def test_attaching_it_once_more_invites_once_more_and_changes_nothing_else(state):
    session = state.create({})
    first, _ = state.attach(WEBCHAT, session.id, at_once)
    second, new = state.attach(WEBCHAT, session.id, at_once)
    assert (second, new) == (first, False)
    assert state.view(WEBCHAT).media == (first,)
    assert state.invitations() == {WEBCHAT: 2}


@pytest.mark.parametrize(
    ("conversation", "expected"), [(ABSENT, "not.found"), (ENDED, "not.found"), (EMAIL, "bad.request")]
)
def test_a_conversation_that_cannot_be_cobrowsed_refuses_both_flows(state, conversation, expected):
    session = state.create({})
    with pytest.raises(GenesysError) as refused:
        state.attach(conversation, session.id, at_once)
    assert code(refused) == expected
    with pytest.raises(GenesysError) as refused:
        state.start(conversation, at_once)
    assert code(refused) == expected
    assert state.invitations() == {}
    assert state.sessions() == [session]


def test_a_session_that_is_unknown_or_expired_or_elsewhere_is_refused(state, clock):
    session = state.create({})
    taken = state.create({})
    state.attach(VOICE, taken.id, at_once)
    clock.now += Options().session_ttl
    for unfit in ("nothing", session.id, taken.id):
        with pytest.raises(GenesysError) as refused:
            state.attach(WEBCHAT, unfit, at_once)
        assert code(refused) == "bad.request"
        assert refused.value.details[0]["fieldName"] == "cobrowseSessionId"


def test_an_attached_session_does_not_expire(state, clock):
    session = state.create({})
    state.attach(WEBCHAT, session.id, at_once)
    clock.now += 86_400
    assert state.attach(WEBCHAT, session.id, at_once)[1] is False


def test_each_native_start_makes_another_session_and_another_invitation(state):
    sessions = [state.start(MESSAGE, at_once) for _ in range(3)]
    assert state.sessions() == sessions
    assert [one.session_id for one in state.view(MESSAGE).media] == [one.id for one in sessions]
    assert state.invitations() == {MESSAGE: 3}


def test_the_live_conversation_has_a_cobrowse_that_nobody_was_invited_to_yet(state):
    assert [one.session_id for one in state.view(LIVE).media] == [LIVE_SESSION]
    assert state.sessions() == []
    assert state.invitations() == {}


def test_a_medium_lags_for_so_many_polls(state):
    session = state.start(MESSAGE, lambda: Lag(reads=2))
    assert [len(state.view(MESSAGE).media) for _ in range(4)] == [0, 0, 1, 1]
    assert state.view(MESSAGE).media[0].session_id == session.id


def test_a_medium_lags_for_so_many_seconds(state, clock):
    state.start(MESSAGE, lambda: Lag(seconds=5))
    assert state.view(MESSAGE).media == ()
    clock.now += 5
    assert len(state.view(MESSAGE).media) == 1


def test_a_lag_hides_only_the_new_medium(state):
    state.start(LIVE, lambda: Lag(reads=1))
    assert [one.session_id for one in state.view(LIVE).media] == [LIVE_SESSION]
    assert len(state.view(LIVE).media) == 2


def test_a_disconnected_medium_stays_and_has_ended(state, clock):
    state.start(MESSAGE, at_once)
    medium = state.view(MESSAGE).media[0]
    clock.now += 1
    state.disconnect(MESSAGE, medium.id)
    clock.now += 1
    state.disconnect(MESSAGE, medium.id)
    assert state.view(MESSAGE).media[0].ended == clock.now - 1


def test_an_ended_conversation_ends_its_media_and_takes_no_more(state):
    state.end(LIVE)
    assert all(one.ended is not None for one in state.view(LIVE).media)
    with pytest.raises(GenesysError):
        state.start(LIVE, at_once)


def test_the_newest_webchat_comes_first_and_other_channels_do_not_come(state, clock):
    assert [one.id for one in state.webchats(active=True)] == [WEBCHAT, LIVE]
    assert [one.id for one in state.webchats(active=False)] == [ENDED]
    newer = [state.add("webchat").id for _ in range(2)]
    state.add("voice")
    assert [one.id for one in state.webchats(active=True)] == [*newer[::-1], WEBCHAT, LIVE]


def test_with_auto_create_any_conversation_is_an_active_webchat(state, options):
    options.auto_create = True
    state.start("anything", at_once)
    assert state.view("anything").channel == "webchat"
    assert state.invitations() == {"anything": 1}


def test_clear_puts_everything_back(state):
    before = state.conversations()
    state.end(WEBCHAT)
    state.add("voice")
    state.start(MESSAGE, at_once)
    state.clear()
    assert state.conversations() == before
    assert (state.sessions(), state.invitations()) == ([], {})


def test_no_invitation_is_lost_between_threads(state):
    session = state.create({})
    threads = [
        threading.Thread(target=lambda: [state.attach(WEBCHAT, session.id, at_once) for _ in range(50)])
        for _ in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert state.invitations() == {WEBCHAT: 400}
    assert len(state.view(WEBCHAT).media) == 1
