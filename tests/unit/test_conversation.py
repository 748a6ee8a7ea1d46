"""What a conversation is, in both shapes that Genesys gives it."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from cobrowse.errors import CobrowseNotSupported, ConversationNotActive
from integrations.genesys.conversation import ConversationSnapshot
from schemas.genesys import ConversationSchema

ROOT = Path(__file__).parents[2]


def seen(**fields):
    return ConversationSnapshot(ConversationSchema().load({"id": "c-1", **fields}))


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
        ([participant(videos=[{"id": "m"}], messages=[{"id": "n"}])], ("message", "video")),
        ([participant(internalMessages=[{"id": "m"}])], ("internal message",)),
        ([participant(socialExpressions=[{"id": "m"}])], ("social media",)),
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
    with pytest.raises(CobrowseNotSupported, match="is video, which can't carry cobrowse"):
        seen(participants=[participant(videos=[{"id": "m", "state": "connected"}])]).raise_if_ineligible()
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
    assert conversation.live[0].viewer_url.reveal() == "https://v"


@pytest.mark.parametrize(
    "ending",
    [{"state": "disconnected"}, {"disconnectedTime": "2026-11-27T09:05:00Z"}, {"state": " Terminated "}],
    ids=["by its state", "by its end alone", "in blanks"],
)
def test_a_session_that_is_over_is_not_live(ending):
    session = {"id": "m", "cobrowseSessionId": "s-1", **ending}
    conversation = seen(participants=[participant(cobrowsesessions=[session])])
    assert conversation.live == ()
    assert conversation.session("s-1").media_id == "m"


def test_a_session_is_found_by_either_id_and_without_one_any_is():
    conversation = seen(participants=[participant(cobrowsesessions=[{"id": "m-1", "cobrowseSessionId": "s-1"}])])
    assert (
        conversation.session("s-1") == conversation.session("m-1") == conversation.session("") == conversation.live[0]
    )
    assert conversation.session("s-2") is None


def test_nulls_count_as_not_given():
    assert seen(state=None, endTime=None, media=None, participants=[{"chats": None, "purpose": None}]).kinds == ()


# A process of its own: what it has taken from the system at most, before and after.
READS = """
import sys
from cobrowse.clock import SystemClock
from integrations.genesys.conversation import ConversationSnapshot
from integrations.genesys.operations import CONVERSATION, parse_response

def taken():
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))

before = taken()
with open(sys.argv[1], "rb") as answer:
    pieces = list(iter(lambda: answer.read(16384), b""))
body = b"".join(pieces)
seen = ConversationSnapshot(parse_response(CONVERSATION, 200, {}, body, SystemClock()))
print(seen.customer, seen.agent, *seen.kinds, (taken() - before) / len(body))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells what a process has taken")
def test_a_conversation_of_thousands_of_messages_is_read_within_eight_times_its_bytes(tmp_path):
    one = {"messageTime": "2026-11-27T10:00:00Z", "messageURI": "/api/v2/" + "u" * 120}
    talk = [{"state": "connected", "messages": [one | {"messageId": f"{number:036}"} for number in range(15_000)]}]
    sides = [{"purpose": purpose, "messages": talk} for purpose in ("customer", "agent")]
    answer = tmp_path / "answer.json"
    answer.write_bytes(orjson.dumps({"id": "c-1", "participants": sides}))
    assert answer.stat().st_size > 7_000_000
    words = [sys.executable, "-c", READS, str(answer)]
    said = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert said[:3] == ["connected", "connected", "message"]
    assert 2.0 < float(said[3]) < 8.0
