"""The JSON of the sandbox: conversations in the shape of each flow, sessions, and Genesys's error bodies."""

import json

import pytest

from sandbox import responses
from sandbox.errors import CODES, DEFAULT_CODES, GenesysError, OAuthError
from sandbox.state import Conversation, Medium, Session

START = 1_700_000_000.0
LIVE = Medium("m-1", "s-1", attached=START + 10)
OVER = Medium("m-2", "s-2", attached=START + 20, ended=START + 30)
CHAT = Conversation("c-1", "webchat", START, media=(LIVE, OVER))

# The property names that Genesys's published OpenAPI has, of those that concern a cobrowse.
CONVERSATION = {"id", "startTime", "endTime", "participants", "recordingState", "selfUri"}
PARTICIPANT = {
    *("id", "name", "purpose", "startTime", "connectedTime", "endTime", "attributes", "wrapupRequired"),
    *("queueId", "userId"),
    *("calls", "callbacks", "chats", "emails", "messages", "cobrowsesessions"),
}
COMMUNICATION = {
    *("id", "state", "direction", "held", "provider", "connectedTime", "disconnectedTime", "disconnectType"),
    *("segments", "type"),
}
COBROWSE = {
    *("id", "state", "provider", "connectedTime", "disconnectedTime", "disconnectType"),
    *("cobrowseSessionId", "cobrowseRole", "controlling", "viewerUrl"),
}
STATES = {"alerting", "connected", "disconnected"}


def test_the_media_shape_has_a_state_and_media_and_no_participants():
    shown = responses.conversation(CHAT, "media")
    assert (shown["id"], shown["state"]) == ("c-1", "active")
    assert "participants" not in shown
    assert shown["media"][0]["type"] == "webchat"
    assert shown["media"][1:] == [
        {"id": "m-1", "type": "cobrowse", "cobrowseSessionId": "s-1", "state": "connected"},
        {"id": "m-2", "type": "cobrowse", "cobrowseSessionId": "s-2", "state": "disconnected"},
    ]


def test_the_native_shape_has_participants_and_neither_media_nor_a_state_of_its_own():
    shown = responses.conversation(CHAT, "native")
    assert set(shown) <= CONVERSATION
    assert [one["purpose"] for one in shown["participants"]] == ["customer", "agent"]
    assert "endTime" not in shown


def test_both_ends_of_a_cobrowse_name_the_same_session_and_different_communications():
    customer, agent = responses.conversation(CHAT, "native")["participants"]
    sharing, viewing = customer["cobrowsesessions"][0], agent["cobrowsesessions"][0]
    assert sharing["cobrowseSessionId"] == viewing["cobrowseSessionId"] == "s-1"
    assert (sharing["cobrowseRole"], viewing["cobrowseRole"]) == ("sharer", "viewer")
    assert (sharing["state"], viewing["state"]) == ("alerting", "connected")
    assert sharing["id"] != viewing["id"]
    assert viewing["viewerUrl"].startswith("https://")
    assert customer["cobrowsesessions"][1]["state"] == "disconnected"
    assert "disconnectedTime" in customer["cobrowsesessions"][1]


@pytest.mark.parametrize(
    ("channel", "place"), [("webchat", "chats"), ("voice", "calls"), ("message", "messages"), ("email", "emails")]
)
@pytest.mark.parametrize("ended", [None, START + 60])
def test_a_participant_has_only_fields_that_genesys_has_and_one_medium_beside_the_cobrowses(channel, place, ended):
    shown = responses.conversation(Conversation("c", channel, START, ended, (LIVE, OVER)), "native")
    for participant in shown["participants"]:
        assert set(participant) <= PARTICIPANT
        assert [name for name in ("calls", "chats", "emails", "messages") if participant[name]] == [place]
        (communication,) = participant[place]
        assert set(communication) <= COMMUNICATION
        for one in (communication, *participant["cobrowsesessions"]):
            assert one["state"] in STATES
        for one in participant["cobrowsesessions"]:
            assert set(one) <= COBROWSE


def test_a_conversation_that_is_over_says_so_in_each_shape():
    over = Conversation("c", "webchat", START, START + 60)
    assert responses.conversation(over, "media")["state"] == "ended"
    assert responses.conversation(over, "native")["endTime"] == "2023-11-14T22:14:20.000Z"
    assert responses.conversation(over, "native")["participants"][0]["chats"][0]["state"] == "disconnected"


def test_the_shape_of_both_flows_has_all_the_fields_of_each():
    both = set(responses.conversation(CHAT, "both"))
    assert both == set(responses.conversation(CHAT, "media")) | set(responses.conversation(CHAT, "native"))


@pytest.mark.parametrize(("channel", "kind"), [("voice", "Call"), ("message", "Message"), ("webchat", "Unknown")])
def test_a_natively_started_session_has_the_fields_of_genesys(channel, kind):
    shown = responses.started_session(Session("s-1", "native", START, START + 600, conversation_id="c-1"), channel)
    assert set(shown) == {"id", "name", "joinCode", "websocketUrl", "dateOfferEnds", "communicationType", "selfUri"}
    assert shown["communicationType"] == kind
    assert shown["dateOfferEnds"] == "2023-11-14T22:23:20.000Z"
    assert len(shown["joinCode"]) == 6
    assert shown["joinCode"].isdigit()


def test_a_created_session_has_a_link_for_each_side():
    shown = responses.created_session(Session("s-1", "media", START, START + 600))
    assert shown["id"] == "s-1"
    assert shown["joinUrl"] != shown["viewerUrl"]
    assert shown["joinUrl"].startswith("https://")


def test_a_communication_is_found_only_with_its_own_participant():
    customer, agent = (responses.derive_id("c-1", purpose) for purpose in ("customer", "agent"))
    communication = responses.communication_id(LIVE, "agent")
    assert responses.medium_of(CHAT.media, "c-1", agent, communication) is LIVE
    assert responses.medium_of(CHAT.media, "c-1", customer, communication) is None
    assert responses.medium_of(CHAT.media, "c-1", "stranger", communication) is None


def test_a_page_of_webchats_counts_from_one():
    chats = [Conversation(f"c-{n}", "webchat", START) for n in range(5)]
    page = responses.webchat_page(chats, 2, 2, "media")
    assert [one["id"] for one in page["entities"]] == ["c-2", "c-3"]
    assert (page["total"], page["pageCount"], page["pageSize"], page["pageNumber"]) == (5, 3, 2, 2)


def test_an_error_body_has_the_fields_that_genesys_always_fills():
    answer = GenesysError("missing.permissions", permissions="conversation:voice").answer("ctx")
    body = json.loads(answer.get_data())
    assert answer.status_code == body["status"] == 403
    assert body["code"] == "missing.permissions"
    assert body["message"].endswith("permission(s): conversation:voice")
    assert body["messageParams"] == {"permissions": "conversation:voice"}
    assert body["messageWithParams"].endswith("permission(s): {permissions}")
    assert (body["contextId"], body["details"], body["errors"]) == ("ctx", [], [])


def test_an_oauth_error_describes_itself_under_both_names():
    answer = OAuthError(401, "invalid_client", "authentication failed").answer("ctx")
    assert json.loads(answer.get_data()) == {
        "error": "invalid_client",
        "description": "authentication failed",
        "error_description": "authentication failed",
    }


def test_every_usual_code_has_the_status_that_it_is_usual_for():
    assert {status: CODES[code].status for status, code in DEFAULT_CODES.items()} == {one: one for one in DEFAULT_CODES}
