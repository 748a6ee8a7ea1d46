"""Who is in a conversation: each side judged by its communications' states, not by times or names.

Reported was a customer who had gone while the agent was in after-call work, and an agent whose telephone rang. Tried
beside them: calls, direct calls, e-mails and callbacks; two legs and two customers, an external consultant who stays;
states in other letters, missing, unknown or only the participant's own; an end without a state; queues, flows and
bots before an agent.
"""

import pytest

from cobrowse.errors import ConversationNotActive
from integrations.genesys.conversation import ConversationSnapshot
from integrations.genesys.presence import Presence
from schemas.genesys import ConversationSchema


def seen(*participants, **fields):
    return ConversationSnapshot(ConversationSchema().load({"id": "c-1", "participants": list(participants), **fields}))


def one(purpose, state, kind="messages", **more):
    return {"purpose": purpose, kind: [{"id": "m", "state": state}], **more}


# The reported one (customer gone, agent in after-call work) and others of its kind.
GONE = {
    "the agent is in after-call work": [one("customer", "disconnected"), one("agent", "disconnected")],
    "the agent is still connected": [one("customer", "disconnected"), one("agent", "connected")],
    "terminated, not disconnected": [one("customer", "terminated", "calls"), one("agent", "connected", "calls")],
    "another case": [one("Customer", "DISCONNECTED")],
    "blanks around it": [one(" customer ", " disconnected ")],
    "a direct call": [one("external", "disconnected", "calls"), one("user", "connected", "calls")],
    "two legs, both over": [
        {"purpose": "customer", "calls": [{"state": "disconnected"}], "messages": [{"state": "terminated"}]}
    ],
    "two customers, both over": [one("customer", "disconnected"), one("customer", "disconnected", "calls")],
    "an external consultant stays": [one("customer", "disconnected", "calls"), one("external", "connected", "calls")],
    "no communications, but an end": [
        {"purpose": "customer", "endTime": "2026-11-27T09:05:00Z"},
        one("agent", "connected"),
    ],
    "no state, but a time of its end": [
        {"purpose": "customer", "chats": [{"disconnectedTime": "2026-11-27T09:05:00Z"}]}
    ],
    "no state, but how it ended": [{"purpose": "customer", "chats": [{"state": None, "disconnectType": "client"}]}],
    "the participant's own state": [{"purpose": "customer", "state": "disconnected"}],
    "an e-mail that is over": [one("customer", "disconnected", "emails")],
    "a video call that is over": [one("customer", "disconnected", "videos"), one("agent", "connected", "videos")],
    "both of chat and video": [
        {"purpose": "customer", "messages": [{"state": "disconnected"}], "videos": [{"state": "terminated"}]}
    ],
}
STAYS = {
    "connected": [one("customer", "connected"), one("agent", "disconnected")],
    "one of two legs is": [
        {"purpose": "customer", "messages": [{"state": "disconnected"}], "calls": [{"state": "connected"}]}
    ],
    "came back as another participant": [one("customer", "disconnected"), one("customer", "connected")],
    "a customer who is being called": [one("customer", "dialing", "calls"), one("agent", "connected", "calls")],
    "a state of the future": [one("customer", "parked", "calls")],
    "no state at all": [{"purpose": "customer", "chats": [{"id": "m"}]}],
    "nobody has a purpose": [{"messages": [{"state": "disconnected"}]}],
    "a purpose that is no text": [{"purpose": ["customer"], "messages": [{"state": "disconnected"}]}],
    "no customer at all": [one("agent", "connected", "calls"), one("acd", "disconnected", "calls")],
    "no participants": [],
}


@pytest.mark.parametrize("participants", GONE.values(), ids=GONE)
def test_the_customer_has_left_once_none_of_their_communications_is_connected_any_more(participants):
    conversation = seen(*participants)
    assert not conversation.ended
    with pytest.raises(ConversationNotActive, match="the customer has left") as left:
        conversation.raise_if_ineligible()
    assert "The customer has left" in left.value.hint


@pytest.mark.parametrize("participants", STAYS.values(), ids=STAYS)
def test_a_customer_who_may_be_there_is_not_taken_for_gone(participants):
    conversation = seen(*participants)
    assert conversation.customer is not Presence.LEFT
    conversation.raise_if_ineligible()


CUSTOMER = one("customer", "connected")
ANSWERED = {
    "an agent": [CUSTOMER, one("agent", "connected")],
    "a user, in a direct call": [one("external", "connected", "calls"), one("user", "connected", "calls")],
    "one agent rings, another has answered": [CUSTOMER, one("agent", "alerting"), one("agent", "connected")],
    "on hold": [CUSTOMER, {"purpose": "agent", "calls": [{"state": "connected", "held": True}]}],
    "by the participant's own state": [CUSTOMER, {"purpose": "agent", "state": "connected"}],
    "a conversation that does not tell": [],
    "a conversation that shows the customer alone": [CUSTOMER],
    "a conversation that shows the other end of a call alone": [one("external", "connected", "calls")],
    "participants without a purpose": [{"calls": [{"state": "alerting"}]}],
}
RINGS = {
    "alerting": [CUSTOMER, one("agent", "alerting")],
    "dialing": [CUSTOMER, one("agent", "dialing", "calls")],
    "contacting": [CUSTOMER, one("agent", "contacting", "calls")],
    "offering": [CUSTOMER, one("agent", "offering")],
    "in capitals": [CUSTOMER, one("AGENT", "ALERTING")],
    "two who ring": [CUSTOMER, one("agent", "alerting"), one("agent", "alerting")],
    "one declined, another rings": [CUSTOMER, one("agent", "disconnected"), one("agent", "alerting")],
    "a user who rings": [one("external", "connected", "calls"), one("user", "alerting", "calls")],
    "none yet, in the queue": [CUSTOMER, one("acd", "connected")],
    "in a flow": [CUSTOMER, one("ivr", "connected", "calls")],
    "a bot only": [CUSTOMER, one("bot", "connected"), one("workflow", "connected")],
    "the only one declined": [CUSTOMER, one("agent", "terminated")],
    "a state of the future": [CUSTOMER, one("agent", "parked")],
    "an agent without any communication": [CUSTOMER, {"purpose": "agent"}],
    "an agent whose communications are empty": [CUSTOMER, {"purpose": "agent", "messages": [], "calls": None}],
    "an agent's communication without a state": [CUSTOMER, {"purpose": "agent", "messages": [{"id": "m"}]}],
    "the documented none": [CUSTOMER, one("agent", "none")],
    "the customer is being called": [one("customer", "dialing", "calls"), one("agent", "connected", "calls")],
    "a callback that is due": [one("customer", "scheduled", "callbacks"), one("agent", "connected", "callbacks")],
}


@pytest.mark.parametrize("participants", ANSWERED.values(), ids=ANSWERED)
def test_an_agent_counts_once_connected(participants):
    assert seen(*participants).unanswered() == ""


@pytest.mark.parametrize("participants", RINGS.values(), ids=RINGS)
def test_what_rings_has_not_been_answered(participants):
    assert seen(*participants).unanswered().startswith("conversation c-1: ")


def test_the_shape_with_media_alone_tells_nothing_of_either_side():
    conversation = seen(media=[{"type": "chat", "state": "connected"}], state="active")
    assert (conversation.customer, conversation.agent, conversation.unanswered()) == ("unknown", "unknown", "")


def test_what_is_over_is_no_kind_of_the_conversation_while_something_else_lasts():
    customer = {"purpose": "customer", "chats": [{"state": "disconnected"}], "emails": [{"state": "connected"}]}
    assert seen(customer).kinds == ("e-mail",)
    assert seen(one("customer", "disconnected", "chats")).kinds == ("webchat",)


@pytest.mark.parametrize(
    "participant",
    [
        None,
        {"purpose": 7, "messages": "none"},
        {"purpose": {}, "calls": [None, 3, "x", {"state": 5, "id": 9}]},
        {"purpose": "customer", "messages": {"state": "connected"}, "surveys": [{}], "endTime": None},
    ],
)
def test_what_is_of_another_type_is_left_out_and_never_an_error(participant):
    seen(participant).raise_if_ineligible()
