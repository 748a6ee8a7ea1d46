"""What a conversation is, in both shapes that Genesys gives it."""

import pytest

from cobrowse.errors import CobrowseNotSupported, ConversationNotActive
from integrations.genesys.conversation import parse_conversation
from schemas.genesys import ConversationSchema


def seen(**fields):
    return parse_conversation(ConversationSchema().load({"id": "c-1", **fields}))


def participant(**media):
    return {"purpose": "customer", **media}


def test_a_conversation_with_an_end_time_has_ended_whatever_its_state():
    assert seen(endTime="2026-11-25T09:00:00Z", participants=[]).ended
    assert seen(endTime="2026-11-25T09:00:00Z", state="active").ended


def test_a_conversation_without_state_or_end_time_is_live():
    assert not seen(participants=[participant(chats=[{"id": "m", "state": "connected"}])]).ended


@pytest.mark.parametrize("state", ["ended", "disconnected", "TERMINATED", "closed"])
def test_the_media_shape_says_it_by_its_state(state):
    assert seen(state=state).ended


@pytest.mark.parametrize(
    ("participants", "kinds"),
    [
        ([participant(chats=[{"id": "m"}])], ("webchat",)),
        ([participant(calls=[{"id": "m"}])], ("voice",)),
        ([participant(messages=[{"id": "m", "type": "webmessaging"}])], ("message",)),
        ([participant(messages=[{"id": "m", "type": "whatsapp"}])], ("whatsapp message",)),
        ([participant(emails=[{"id": "m"}])], ("e-mail",)),
        ([participant(callbacks=[{"id": "m"}]), participant(calls=[{"id": "n"}])], ("callback", "voice")),
        ([participant(chats=None, calls=[])], ()),
    ],
)
def test_its_kind_is_read_from_the_participants_media(participants, kinds):
    assert seen(participants=participants).kinds == kinds


def test_an_ended_or_unsupported_conversation_is_ruled_out_and_says_why():
    with pytest.raises(ConversationNotActive, match="has ended"):
        seen(endTime="x").raise_if_ineligible()
    with pytest.raises(CobrowseNotSupported, match="is e-mail, which can't carry cobrowse"):
        seen(participants=[participant(emails=[{"id": "m"}])]).raise_if_ineligible()
    with pytest.raises(CobrowseNotSupported, match="sms message"):
        seen(participants=[participant(messages=[{"id": "m", "type": "sms"}])]).raise_if_ineligible()


def test_one_capable_medium_is_enough_and_an_unknown_kind_is_given_a_try():
    for participants, kinds in (
        ([participant(emails=[{"id": "m"}], calls=[{"id": "n"}])], ("voice", "e-mail")),
        ([], ()),
    ):
        conversation = seen(participants=participants)
        assert conversation.raise_if_ineligible() is None
        assert (conversation.ended, conversation.kinds) == (False, kinds)


def test_live_sessions_are_found_in_the_media_list():
    conversation = seen(
        media=[{"id": "m-1", "type": "cobrowse", "cobrowseSessionId": "s-1", "state": "connected"}, {"type": "chat"}]
    )
    assert [(s.cobrowse_session_id, s.media_id, s.state) for s in conversation.live] == [("s-1", "m-1", "connected")]
    assert conversation.kinds == ("webchat",)


def test_live_sessions_are_found_in_the_participants_and_counted_once():
    session = {"id": "m-1", "cobrowseSessionId": "s-1", "state": "alerting", "viewerUrl": "https://v"}
    conversation = seen(
        participants=[participant(cobrowsesessions=[session]), participant(cobrowsesessions=[dict(session, id="m-2")])]
    )
    assert [s.cobrowse_session_id for s in conversation.live] == ["s-1"]
    assert conversation.live[0].viewer_url == "https://v"


def test_a_disconnected_session_is_not_live():
    assert seen(participants=[participant(cobrowsesessions=[{"id": "m", "state": "disconnected"}])]).live == ()


def test_a_session_is_found_by_either_id_and_without_one_any_is():
    conversation = seen(participants=[participant(cobrowsesessions=[{"id": "m-1", "cobrowseSessionId": "s-1"}])])
    assert (
        conversation.session("s-1") == conversation.session("m-1") == conversation.session("") == conversation.live[0]
    )
    assert conversation.session("s-2") is None


def test_nulls_count_as_not_given():
    assert seen(state=None, endTime=None, media=None, participants=[{"chats": None, "purpose": None}]).kinds == ()
