"""Genesys's own Python SDK takes the sandbox for Genesys Cloud: it logs in, reads and starts with its own code."""

import importlib

import pytest

from sandbox.server import start
from sandbox.state import ABSENT, ENDED, LIVE, LIVE_SESSION, MESSAGE, VOICE


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    """The SDK, loaded with a home of its own: it looks there for a configuration, and watches all below it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        module = importlib.import_module("PureCloudPlatformClientV2")
        module.Configuration()
        yield module


@pytest.fixture
def box():
    with start(api="native") as box:
        yield box


@pytest.fixture
def client(sdk, box):
    """A client whose host is the sandbox: the login host is made of it by the SDK, with nothing patched."""
    client = sdk.api_client.ApiClient(host=box.url)
    client.get_client_credentials_token("sandbox", "sandbox-secret")
    yield client
    client.get_http_client().rest_client.pool_manager.clear()


@pytest.fixture
def conversations(sdk, client):
    return sdk.ConversationsApi(client)


def test_it_gets_a_token(box, client):
    assert client.access_token
    (call,) = box.calls("token")
    assert (call.authorization, call.status) == ("Basic", 200)


def test_a_wrong_secret_is_an_api_exception_with_the_status(sdk, box):
    client = sdk.api_client.ApiClient(host=box.url)
    with pytest.raises(sdk.rest.ApiException) as refused:
        client.get_client_credentials_token("sandbox", "wrong")
    client.get_http_client().rest_client.pool_manager.clear()
    assert refused.value.status == 401


def test_it_reads_a_conversation(conversations):
    there = conversations.get_conversation(MESSAGE)
    assert there.id == MESSAGE
    assert (there.state, there.end_time) == (None, None)
    assert there.start_time.tzinfo is not None
    customer, agent = there.participants
    assert (customer.purpose, agent.purpose) == ("customer", "agent")
    assert (customer.messages[0].state, customer.messages[0].type) == ("connected", "webmessaging")
    assert customer.cobrowsesessions == []


def test_it_reads_a_call_and_a_conversation_that_is_over(conversations):
    assert conversations.get_conversation(VOICE).participants[0].calls[0].state == "connected"
    over = conversations.get_conversation(ENDED)
    assert over.end_time > over.start_time
    assert over.participants[0].chats[0].state == "disconnected"


@pytest.mark.parametrize(("conversation", "kind"), [(MESSAGE, "Message"), (VOICE, "Call")])
def test_it_starts_a_cobrowse_and_reads_it_in_the_conversation(box, conversations, conversation, kind):
    session = conversations.post_conversation_cobrowse(conversation)
    assert session.id == box.sessions()[0].id
    assert session.communication_type == kind
    assert session.join_code
    assert session.websocket_url.startswith("wss://")
    assert session.date_offer_ends.tzinfo is not None
    customer, agent = (one.cobrowsesessions[0] for one in conversations.get_conversation(conversation).participants)
    assert customer.cobrowse_session_id == agent.cobrowse_session_id == session.id
    assert (customer.cobrowse_role, agent.cobrowse_role) == ("sharer", "viewer")
    assert (customer.state, agent.state) == ("alerting", "connected")
    assert agent.viewer_url
    assert box.invitations(conversation) == 1


def test_it_reads_and_ends_a_live_cobrowse(sdk, conversations):
    live = conversations.get_conversations_cobrowsesession(LIVE)
    assert [one.cobrowse_session_id for one in live.participants] == [LIVE_SESSION, LIVE_SESSION]
    agent = conversations.get_conversation(LIVE).participants[1]
    body = sdk.MediaParticipantRequest()
    body.state = "disconnected"
    end = conversations.patch_conversations_cobrowsesession_participant_communication
    with pytest.warns(DeprecationWarning, match="patch_conversations_cobrowsesession"):  # by Genesys, not by us
        end(LIVE, agent.id, agent.cobrowsesessions[0].id, body)
    assert conversations.get_conversation(LIVE).participants[1].cobrowsesessions[0].state == "disconnected"


def test_a_conversation_that_is_not_there_is_an_api_exception_with_genesyss_code(sdk, conversations):
    with pytest.raises(sdk.rest.ApiException) as refused:
        conversations.post_conversation_cobrowse(ABSENT)
    assert refused.value.status == 404
    assert '"not.found"' in refused.value.body
    assert refused.value.headers["ININ-Correlation-Id"]


def test_it_sends_a_start_again_when_told_to_retry_and_so_invites_the_customer_more_than_once(box, conversations):
    # Why the adapter doesn't use the SDK: it repeats a POST whose answer it didn't get.
    box.faults.add("cobrowse", "status", status=503, retry_after="1", when="after")
    conversations.post_conversation_cobrowse(MESSAGE)
    assert box.invitations(MESSAGE) == 2
