"""Who is in a cobrowse session, and what has to be disconnected: as the conversation's participants show it."""

from datetime import UTC, datetime

import pytest

from cobrowse.model import Session, SessionState, SessionView
from integrations.genesys.cobrowse_parts import targets_of, view_of
from integrations.genesys.conversation import ConversationSnapshot
from schemas.genesys import ConversationSchema

NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)
PAST, FUTURE = "2026-11-27T09:00:00Z", "2026-11-27T11:00:00.000Z"
JOINED, LEFT = "2026-11-27T09:30:00Z", "2026-11-27T09:45:00Z"
OURS = Session("c-1", "s-1", offer_ends=FUTURE)


def part(part_id, state, session_id="s-1", **fields):
    return {"id": part_id, "cobrowseSessionId": session_id, "state": state, **fields}


def parts(customer=(), agent=(), media=()):
    shown = {
        "id": "c-1",
        "media": list(media),
        "participants": [
            {"id": "p-agent", "purpose": "agent", "cobrowsesessions": list(agent)},
            {"id": "p-customer", "purpose": "customer", "cobrowsesessions": list(customer)},
        ],
    }
    return ConversationSnapshot(ConversationSchema().load(shown)).parts


def view(found, session=OURS, *, ended=False):
    return view_of(found, session, ended=ended, now=NOW)


@pytest.mark.parametrize(
    ("customer", "agent", "expected"),
    [
        ("alerting", "connected", SessionView(SessionState.OFFERED, agent_connected=True)),
        ("offering", "alerting", SessionView(SessionState.OFFERED)),
        ("connected", "alerting", SessionView(SessionState.JOINED, customer_connected=True, since=JOINED)),
    ],
)
def test_a_session_is_joined_once_its_customer_is_in(customer, agent, expected):
    found = parts([part("k-1", customer, connectedTime=JOINED)], [part("k-2", agent)])
    assert view(found) == expected


def test_what_all_have_left_has_ended_and_what_nobody_took_has_expired():
    left = {"disconnectedTime": LEFT}
    taken = parts([part("k-1", "disconnected", connectedTime=JOINED, **left)], [part("k-2", "terminated")])
    assert view(taken) == SessionView(SessionState.ENDED, since=LEFT)
    never = parts([part("k-1", "disconnected", **left)], [part("k-2", "disconnected", connectedTime=JOINED)])
    assert view(never, Session("c-1", "s-1", offer_ends=PAST)).state is SessionState.EXPIRED
    # It was ended before its offer was.
    assert view(never).state is SessionState.ENDED


def test_what_does_not_show_has_expired_with_its_offer_and_is_unknown_before():
    other = parts([part("k-1", "connected", "s-2")])
    assert view(other) == SessionView()
    assert view(other, Session("c-1", "s-1", offer_ends=PAST)) == SessionView(SessionState.EXPIRED, since=PAST)
    assert view(other, Session("c-1", "s-1", offer_ends="soon")) == SessionView()
    # Any session may be that of an answer that was lost.
    assert view(other, Session("c-1")).state is SessionState.JOINED


def test_in_a_conversation_that_is_over_nothing_is_live():
    assert view(parts([part("k-1", "connected")]), ended=True).state is SessionState.ENDED


def test_a_medium_of_the_whole_conversation_names_nobody():
    medium = {"type": "cobrowse", **part("m-1", "connected")}
    assert view(parts(media=[medium])) == SessionView(SessionState.JOINED)
    assert view(parts(media=[medium | {"state": "inviting"}])) == SessionView(SessionState.OFFERED)
    assert targets_of(parts(media=[medium]), "") == ()


def test_each_live_session_is_disconnected_once_at_its_customers_end():
    found = parts(
        [part("k-1", "alerting"), part("k-3", "disconnected", "s-2")],
        [part("k-2", "connected"), part("k-4", "connected", "s-3")],
    )
    assert targets_of(found, "") == ("p-customer/k-1", "p-agent/k-4")
    assert targets_of(found, "s-1") == ("p-customer/k-1",)
    assert targets_of(found, "s-2") == ()
