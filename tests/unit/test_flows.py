"""The flows as the domain sees them: their steps, what a conversation shows, and what of it can be ended."""

import httpx
import pytest

from cobrowse.errors import CobrowseNotSupported, GenesysBadResponse
from cobrowse.flow import Attempt
from cobrowse.model import Command, Ending, Session, SessionState, SessionView
from integrations.genesys.notifications import CHANNEL, Notifications
from tests.unit.org import TOKEN, C, Org, connected, conversation, refused, start

COMMAND = Command("architect", "corr", 10.0, conversation_id=C)
CHANNELS = "/api/v2/notifications/channels"


def shown(*sessions, customer="connected"):
    """An org whose conversation shows these cobrowse sessions of its customer, as their id and their state."""
    held = [
        {"id": f"of-{name}", "cobrowseSessionId": name, "state": state, "connectedTime": "2026-11-27T09:30:00Z"}
        for name, state in sessions
    ]
    seen = conversation(customer=customer, sessions=held)
    seen["participants"][0]["id"] = "customer-1"
    return Org(LOOK=lambda _: httpx.Response(200, json=seen))


def asked(org, mode="native", command=COMMAND, **more):
    flows, clock = connected(org, mode, **more)
    return flows, Attempt(command, "i", "h", clock)


@pytest.mark.parametrize(
    ("mode", "steps"),
    [
        ("media", ["token", "create", "attach", "verify", "hand over"]),
        ("native", ["token", "cobrowse", "verify", "hand over"]),
    ],
)
def test_a_flows_steps_have_the_names_that_spans_metrics_and_records_show(mode, steps):
    flow = connected(Org(), mode)[0].flow()
    assert (flow.name, [step.name for step in flow.steps]) == (mode, steps)


def test_a_session_of_the_media_flow_is_recorded_before_it_is_made_and_found_once_it_is_attached():
    """What is made and not attached reaches no customer, so that nothing is looked for and it is made again."""
    steps = {step.name: step for step in connected(Org(), "media")[0].flow().steps}
    assert [name for name, step in steps.items() if step.has_side_effect] == ["create", "attach"]
    assert [name for name, step in steps.items() if step.probe is not None] == ["attach"]


def test_legacy_web_chat_is_told_what_to_do_instead():
    org = Org(LOOK=lambda _: httpx.Response(200, json=conversation(kind="chats")), POST=refused(400, "bad.request"))
    assert start(org, "native").failure.hint == (
        "The native flow is for web messaging and voice: Genesys's legacy web chat has had no co-browse since "
        "30 June 2024. Move the site's chat to Messenger."
    )


# Ending.

LIVE = [("s-1", "connected"), ("s-2", "disconnected")]


@pytest.mark.parametrize(("mode", "more"), [("native", {}), ("media", {"end_media_sessions": True})])
def test_a_live_session_is_ended_by_its_customers_communication(mode, more):
    flows, attempt = asked(shown(*LIVE), mode, **more)
    assert flows.find_live(attempt) == Ending(("customer-1/of-s-1",), ("s-1", "s-2"))


def test_a_session_of_the_media_flow_can_not_be_ended_without_the_setting():
    flows, attempt = asked(shown(*LIVE), "media")
    with pytest.raises(CobrowseNotSupported, match="a session of the media flow is live"):
        flows.find_live(attempt)


def ending(answer):
    """The step of an end, for the one session that is live, where Genesys answers its call so."""
    org = shown(("s-1", "connected"))
    path = f"/api/v2/conversations/cobrowsesessions/{C}/participants/customer-1/communications/of-s-1"
    org.answers[path] = lambda _: answer
    flows, attempt = asked(org)
    attempt.update_session({"targets": ("customer-1/of-s-1",)})
    flow = flows.ending()
    assert flow.name == "end"
    (step,) = flow.steps
    return step, attempt, lambda: org.calls.count(path)


def test_an_end_is_one_step_and_a_call_for_what_the_check_found():
    step, attempt, calls = ending(httpx.Response(200, json={}))
    assert (step.name, step.applies(attempt), step.has_side_effect) == ("end", True, True)
    assert (step.run(attempt)["targets"], calls()) == ((), 1)


def test_what_genesys_refuses_to_end_and_is_live_is_a_failure():
    step, attempt, calls = ending(refused(409, "conflict"))
    with pytest.raises(CobrowseNotSupported, match="409"):
        step.run(attempt)
    assert calls() == 1


# What a conversation shows.


def test_a_conversations_sessions_are_told_as_live_and_over():
    flows, attempt = asked(shown(*LIVE))
    found = flows.sessions(attempt)
    assert [one.cobrowse_session_id for one in found.live] == ["s-1"]
    assert [one.cobrowse_session_id for one in found.over] == ["s-2"]


@pytest.mark.parametrize("mode", ["media", "native"])
def test_a_view_is_of_the_session_that_is_asked_for(mode):
    flows, attempt = asked(shown(*LIVE), mode)
    joined = SessionView(SessionState.JOINED, customer_connected=True, since="2026-11-27T09:30:00Z")
    assert flows.view(attempt, Session(C, "s-1")) == joined
    assert flows.view(attempt, Session(C, "s-2")).state is SessionState.ENDED
    assert flows.view(attempt, Session(C, "s-3")).state is SessionState.UNKNOWN


def test_an_offer_that_nobody_took_in_time_has_expired_by_the_attempts_clock():
    flows, attempt = asked(shown())
    lapsed, open_offer = (Session(C, "s-3", offer_ends=f"{year}-01-01T00:00:00Z") for year in (2000, 2100))
    assert flows.view(attempt, lapsed) == SessionView(SessionState.EXPIRED, since="2000-01-01T00:00:00Z")
    assert flows.view(attempt, open_offer).state is SessionState.UNKNOWN


def test_a_view_of_a_conversation_whose_customer_has_left_is_of_an_ended_session():
    flows, attempt = asked(shown(("s-1", "connected"), customer="disconnected"))
    assert flows.view(attempt, Session(C, "s-1")).state is SessionState.ENDED


def test_a_view_of_a_conversation_that_is_gone_is_unknown():
    flows, attempt = asked(Org(LOOK=refused(404, "not.found")))
    assert flows.view(attempt, Session(C, "s-1")) == SessionView()


# The list of webchats.


@pytest.mark.parametrize("status", [400, 404, 405])
def test_an_org_that_lists_no_webchats_says_so_with_genesyss_answer(status):
    flows, attempt = asked(Org(LIST=refused(status, "x", "no such list")))
    with pytest.raises(CobrowseNotSupported) as raised:
        flows.newest_webchat(attempt)
    assert raised.value.message == f"list: Genesys answered {status} x: no such list"


def test_a_list_that_is_refused_for_another_reason_is_a_bad_answer():
    flows, attempt = asked(Org(LIST=refused(409, "x", "why")))
    with pytest.raises(GenesysBadResponse, match="409 x: why"):
        flows.newest_webchat(attempt)


# Notifications.


def test_a_notification_channels_calls_go_out_by_the_same_client_each_with_an_attempt_of_its_own():
    org = Org()
    org.answers[CHANNEL.path] = httpx.Response(200, json={"id": "ch-1", "connectUri": "wss://a.example.com/1"})
    org.answers[f"{CHANNELS}/ch-1/subscriptions"] = httpx.Response(200, json={"entities": []})
    flows, clock = connected(org, "native")
    made = []

    def new_attempt():
        made.append(Attempt(Command("listen", "corr", 10.0), "listen", "h", clock))
        return made[-1]

    channel = Notifications(flows.client, new_attempt).open_channel(("v2.users.u.conversations",))
    assert (channel.id, len(made)) == ("ch-1", 2)
    assert org.calls[:2] == [TOKEN, CHANNEL.path]
