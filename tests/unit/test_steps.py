"""Each step of the flows, call by call: what goes out, what is kept of the answer, and why it is refused."""

import json
from urllib.parse import parse_qs

import httpx
import pytest
from structlog.testing import capture_logs

from cobrowse.errors import GenesysUnavailable
from cobrowse.flow import Attempt
from cobrowse.model import Command, Secret
from integrations.genesys.circuit_breaker import FAIL_MAX, RESET_TIMEOUT
from integrations.genesys.steps import Calls
from tests.clocks import ManualClock
from tests.scripted import initiation
from tests.unit.org import CREATE, LIST, LOOK, POST, TOKEN, C, Org, connected, conversation, page, refused, start

ATTACH = f"/api/v2/conversations/{C}/media"
MADE = {"id": "s-1", "joinUrl": "https://join.example.com/1", "viewerUrl": "https://view.example.com/1"}
MEDIUM = {"id": "m-1", "state": "alerting"}


class Media(Org):
    """An org with the media flow, which keeps the bodies that it gets."""

    def __init__(self, shown=(), **answers):
        super().__init__(**answers)
        self.answers.setdefault(CREATE, httpx.Response(200, json=MADE))
        self.answers.setdefault(ATTACH, httpx.Response(200, json=MEDIUM))
        self.answers[LOOK] = answers.get("LOOK") or (
            lambda _: httpx.Response(200, json=conversation(kind="chats", sessions=shown))
        )
        self.bodies = {}

    def handle_request(self, request):
        self.bodies[request.url.path] = request.read()
        return super().handle_request(request)


def test_the_media_flow_makes_a_session_attaches_it_and_sees_it():
    org = Media(shown=[{"id": "m-1", "cobrowseSessionId": "s-1", "state": "connected"}])
    outcome = start(org, "media", channel="webchat", session_settings={"maskAll": True})
    session = outcome.session
    assert (outcome.status, outcome.flow, org.calls) == ("initiated", "media", [TOKEN, CREATE, ATTACH, LOOK])
    assert (session.conversation_id, session.cobrowse_session_id, session.media_id) == (C, "s-1", "m-1")
    assert (session.join_url.reveal(), session.viewer_url.reveal()) == (MADE["joinUrl"], MADE["viewerUrl"])
    assert (session.state, session.verified) == ("connected", True)
    assert json.loads(org.bodies[CREATE]) == {"maskAll": True}
    assert json.loads(org.bodies[ATTACH]) == {"type": "cobrowse", "cobrowseSessionId": "s-1"}
    assert b"conversation%3Awebchat" in org.bodies[TOKEN]
    assert b"conversation%3Avoice" not in org.bodies[TOKEN]


def test_while_no_session_can_be_attached_none_is_made_and_who_tries_again_makes_one():
    org = Media()
    org.answers[ATTACH] = httpx.Response(500)
    flows, clock = connected(org, "media")
    work, asked = initiation(flows, clock=clock), Command("architect", "corr", 30.0, conversation_id=C)
    while org.calls.count(ATTACH) < FAIL_MAX:
        work(asked)
    made = org.calls.count(CREATE)
    assert work(asked).failure.message.startswith("circuit breaker open for attach after 20 consecutive failures")
    assert org.calls.count(CREATE) == made
    clock.time += RESET_TIMEOUT
    org.answers[ATTACH] = httpx.Response(200, json=MEDIUM)
    assert work(asked).success
    assert org.calls.count(CREATE) == made + 1


def test_a_medium_that_shows_under_its_own_id_alone_is_the_session():
    org = Media(shown=[{"id": "m-1", "state": "connected"}])
    assert start(org, "media").status == "initiated"


def test_what_the_answer_did_not_tell_is_taken_from_the_conversation():
    shown = [{"id": "m-2", "cobrowseSessionId": "s-1", "state": "connected"}]
    session = start(Media(shown=shown), "media").session
    assert (session.media_id, session.verified) == ("m-1", True)
    org = Media(shown=shown)
    org.answers[ATTACH] = httpx.Response(202)
    assert start(org, "media").session.media_id == "m-2"


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "check sessionSettings against the org's configuration."),
        (404, "set COBROWSE_FLOW=native or auto."),
        (405, "set COBROWSE_FLOW=native or auto."),
    ],
)
def test_a_session_that_is_not_made_says_what_to_look_at(status, hint):
    failure = start(Media(CREATE=refused(status, "x", "no")), "media").failure
    assert (failure.code, failure.message) == ("cobrowse_not_supported", f"create: Genesys answered {status} x: no")
    assert failure.hint.endswith(hint)


@pytest.mark.parametrize(("mode", "path"), [("media", ATTACH), ("native", POST)])
def test_a_refusal_by_a_conversation_in_order_says_so(mode, path):
    org = Media(LOOK=httpx.Response(200, json=conversation()))
    org.answers[path] = refused(400, "bad.request", "because")
    failure = start(org, mode).failure
    assert (failure.code, "because" in failure.message) == ("cobrowse_not_supported", True)
    assert failure.hint == (
        "The conversation is live and of a kind that can carry cobrowse, so Genesys has another reason; "
        "check that cobrowse is enabled in the org and in its deployment."
    )


@pytest.mark.parametrize(("mode", "path"), [("media", ATTACH), ("native", POST)])
def test_a_conflict_is_looked_into_and_may_be_the_session_itself(mode, path):
    shown = [{"id": "m-1", "cobrowseSessionId": "s-1", "state": "connected"}]
    org = Media(shown=shown)
    org.answers[path] = refused(409, "conflict")
    assert (start(org, mode).status, org.calls.count(path)) == ("initiated", 1)
    away = Media()
    away.answers[path] = refused(409, "conflict")
    failure = start(away, mode).failure
    assert (failure.code, failure.retryable, away.calls.count(path)) == ("genesys_unavailable", True, 3)


@pytest.mark.parametrize(("mode", "path"), [("media", ATTACH), ("native", POST)])
def test_a_forbidden_call_stays_so_where_the_channel_is_the_conversations(mode, path):
    org = Media(LOOK=httpx.Response(200, json=conversation(kind="calls")))
    org.answers[path] = refused(403, "missing.permissions", "no")
    assert start(org, mode, channel="voice").failure.code == "genesys_forbidden"
    failure = start(org, mode, channel="webchat").failure
    assert (failure.code, "is voice" in failure.message) == ("cobrowse_not_supported", True)


@pytest.mark.parametrize(
    ("channel", "answer", "look", "looks"),
    [
        (None, refused(403, "missing.permissions"), 200, 0),
        ("voice", page(403), 200, 0),
        ("voice", refused(403, "missing.permissions"), 404, 1),
        ("voice", refused(403, "missing.permissions"), 503, 3),
    ],
    ids=["no channel is named", "no matter of roles", "there is no conversation", "it does not say"],
)
def test_a_forbidden_call_is_doubted_only_where_its_channel_may_be_wrong(channel, answer, look, looks):
    org = Media(LOOK=refused(look, "x") if look != 200 else None)
    org.answers[POST] = answer
    assert start(org, channel=channel).failure.code == "genesys_forbidden"
    assert org.calls == [TOKEN, POST, *[LOOK] * looks]


@pytest.mark.parametrize(("status", "code"), [(400, "not_found"), (404, "not_found"), (409, "bad_response")])
def test_a_conversation_that_can_not_be_read_is_told_by_its_id(status, code):
    failure = start(Org(LOOK=refused(status, "x", "gone")), reuse_live_session=True).failure
    assert failure.code in (f"conversation_{code}", f"genesys_{code}")
    assert (C in failure.message) is (code == "not_found")


def test_the_first_step_is_named_token_in_every_flow():
    for mode in ("media", "native"):
        outcome = start(Media(), mode)
        assert next(span.name for span in outcome.spans if span.kind == "step") == "token"


def test_a_look_tells_who_has_yet_to_answer_only_where_that_is_asked():
    flows, clock = connected(Org(LOOK=lambda _: httpx.Response(200, json=conversation(agent="alerting"))))
    for start_when, said in (("agent_connected", True), ("customer_connected", False)):
        command = Command("architect", "corr", 10.0, conversation_id=C, start_when=start_when)
        assert bool(flows.sessions(Attempt(command, "i", "h", clock)).unanswered) is said


@pytest.mark.parametrize(
    ("channel", "scopes"),
    [
        ("webchat", "conversation:webchat"),
        ("voice", "conversation:voice"),
        ("message", "conversation:message"),
        (None, "conversation:webchat conversation:voice conversation:message"),
    ],
)
def test_the_media_flow_asks_for_the_scopes_of_the_channel_and_the_native_one_for_none(channel, scopes):
    for mode, wanted in (("media", f"cobrowse:initiate conversation:read {scopes}"), ("native", "")):
        org = Media()
        start(org, mode, channel=channel)
        assert parse_qs(org.bodies[TOKEN].decode()).get("scope", [""]) == [wanted]


@pytest.mark.parametrize(("name", "invites"), [("media", "attach"), ("native", "cobrowse")])
def test_the_step_that_invites_the_customer_is_marked_and_has_a_probe(name, invites):
    flow = connected(Media(), name)[0].flow()
    marked = [step for step in flow.steps if step.notifies_customer]
    assert [step.name for step in marked] == [invites]
    assert all(step.has_side_effect and step.probe is not None for step in marked)
    assert [step.name for step in flow.steps if step.has_side_effect][-1] == invites


def test_the_newest_webchat_is_the_first_of_the_list_and_none_is_said():
    found = Org(LIST=httpx.Response(200, json={"entities": [{"id": C}, {"id": "older"}]}))
    assert start(found, conversation_id="", latest=True).session.conversation_id == C
    # By the token that the flow then goes on with.
    org = Media(LIST=httpx.Response(200, json={"entities": [{"id": C}]}))
    assert start(org, "media", conversation_id="", latest=True).success
    assert org.calls[:4] == [TOKEN, LIST, CREATE, ATTACH]
    none = start(Org(LIST=httpx.Response(200, json={"entities": []})), conversation_id="", latest=True).failure
    assert (none.code, none.message) == ("no_active_conversation", "Genesys lists no active webchat")
    away = start(Org(LIST=refused(404, "not.found")), conversation_id="", latest=True).failure
    assert away.hint == (
        "This org does not list webchats (GET /api/v2/conversations/webchat); send the conversationId."
    )


def test_the_look_after_an_invitation_is_told_and_a_conflict_keeps_genesyss_words():
    org = Media()
    waits = [(span.name, round(span.seconds, 6)) for span in start(org, "native").spans if span.kind == "wait"]
    assert waits == [("before another check for the session", seconds) for seconds in (0.2, 0.4, 0.8)]
    org.answers[POST] = refused(409, "conflict", "somebody was faster")
    assert "somebody was faster" in start(org, "native").failure.message


@pytest.mark.parametrize(("mode", "path"), [("media", ATTACH), ("native", POST)])
def test_a_conflict_with_nothing_to_see_has_invited_nobody(mode, path):
    org = Media()
    org.answers[path] = refused(409, "conflict")
    flows, clock = connected(org, mode)
    work = initiation(flows, clock=clock)
    failure = work(Command("architect", "corr", 10.0, conversation_id=C)).failure
    assert (failure.code, failure.hint) == (
        "genesys_unavailable",
        "Genesys reports a conflict: this conversation may have an offer that it does not show; retry.",
    )
    ((*_, checkpoint, _),) = work.ledger.settled
    assert (checkpoint.pending_step, checkpoint.may_have_notified) == ("", False)


def test_another_session_that_shows_is_not_what_a_lost_attachment_has_made():
    org = Media(shown=[{"id": "m-9", "cobrowseSessionId": "s-9", "state": "connected"}])
    org.answers[ATTACH] = [httpx.Response(500), httpx.Response(200, json=MEDIUM)]
    session = start(org, "media").session
    assert (org.calls.count(ATTACH), session.cobrowse_session_id, session.media_id) == (2, "s-1", "m-1")


def test_the_native_flow_keeps_the_code_the_socket_and_the_end_of_the_offer():
    answer = {"id": "s-1", "joinCode": "849201", "websocketUrl": "wss://ws.example.com/1", "dateOfferEnds": "2030"}
    session = start(Media(POST=httpx.Response(200, json=answer)), "native").session
    assert (session.cobrowse_session_id, session.join_code.reveal(), session.offer_ends) == ("s-1", "849201", "2030")
    assert session.websocket_url.reveal() == "wss://ws.example.com/1"


@pytest.mark.parametrize("shown", [[], [{"id": "m-1", "cobrowseSessionId": "s-1", "state": "connected"}]])
def test_the_customers_participant_is_kept_whether_or_not_the_session_shows(shown):
    seen = conversation(kind="chats", sessions=shown)
    seen["participants"][0]["id"] = "customer-1"
    outcome = start(Media(LOOK=lambda _: httpx.Response(200, json=seen)), "media")
    assert (outcome.session.customer_id, outcome.session.verified) == ("customer-1", bool(shown))


def test_a_channel_without_scopes_of_its_own_asks_for_none():
    attempt = Attempt(Command("architect", "corr", 10.0), "i", "h", ManualClock())
    calls = Calls(None, {"voice": "of-voice"}, lambda: False, "", {})
    assert calls.scope(attempt) == ""
    attempt.command = Command("architect", "corr", 10.0, channel="voice")
    assert calls.scope(attempt) == "of-voice"


class Away:
    """A client whose every call fails."""

    def call(self, *_args, **_more):
        raise GenesysUnavailable("away")


def test_a_look_that_fails_after_the_invitation_is_no_failure_and_forgets_no_customer():
    attempt = Attempt(Command("architect", "corr", 10.0), "i", "h", ManualClock())
    attempt.update_session({"customer_id": "customer-1"})
    seen = Calls(Away(), {}, lambda: False, "", {}).verify(attempt)
    assert seen == {"verified": False, "customer_id": "customer-1"}


@pytest.mark.parametrize(("mode", "fields"), [("media", ["joinUrl", "viewerUrl"]), ("native", ["websocketUrl"])])
def test_a_link_of_another_scheme_is_not_kept_and_the_log_says_which_and_where(mode, fields):
    answer = {"id": "s-1", "joinUrl": "http://a/1", "viewerUrl": "http://a/2", "websocketUrl": "https://a/3"}
    org = Media(CREATE=httpx.Response(200, json=answer), POST=httpx.Response(200, json=answer))
    with capture_logs() as lines:
        session = start(org, mode).session
    assert (session.join_url, session.viewer_url, session.websocket_url) == (Secret(), Secret(), Secret())
    warned = [(line["field"], line["conversation_id"]) for line in lines if line["event"] == "link not passed on"]
    assert warned == [(field, C) for field in fields]


HAND_OVER = f"{LOOK}/participants/customer-1/attributes"


def handed_over(answer, *, mode="native", customer="customer-1", hand_over=True):
    """An org whose customer's participant has this id, and the outcome where this is the answer to the hand-over."""
    seen = conversation(
        kind="messages" if mode == "native" else "chats", sessions=[{"id": "m-1", "state": "connected"}]
    )
    seen["participants"][0]["id"] = customer
    org = Media(LOOK=lambda _: httpx.Response(200, json=seen))
    org.answers[POST] = httpx.Response(200, json={"id": "m-1", "joinCode": "849201"})
    org.answers[HAND_OVER] = answer
    return org, start(org, mode, hand_over=hand_over)


@pytest.mark.parametrize(("mode", "links"), [("media", ("joinUrl", "viewerUrl")), ("native", ())])
def test_a_hand_over_writes_all_names_to_the_customers_participant(mode, links):
    org, outcome = handed_over(httpx.Response(204), mode=mode)
    assert json.loads(org.bodies[HAND_OVER]) == {
        "attributes": {
            "cobrowse.joinUrl": MADE["joinUrl"] if links else "",
            "cobrowse.viewerUrl": MADE["viewerUrl"] if links else "",
            "cobrowse.joinCode": outcome.session.join_code.reveal(),
            "cobrowse.initiationId": outcome.initiation_id,
            "cobrowse.state": "offered",
        }
    }
    assert (outcome.session.handed_over, outcome.session.hand_over_error) == (True, "")
    assert (org.calls[-1], bool(outcome.session.join_code)) == (HAND_OVER, not links)
    assert org.calls.count(TOKEN) == 1


def test_a_hand_over_that_is_not_asked_for_is_no_call():
    org, outcome = handed_over(httpx.Response(204), hand_over=False)
    assert HAND_OVER not in org.calls
    assert (outcome.session.handed_over, outcome.session.hand_over_error) == (False, "")


@pytest.mark.parametrize(
    ("answer", "customer", "error"),
    [
        (
            refused(403, "x", "no"),
            "customer-1",
            "attributes: Genesys answered 403 x: no; no scopes requested, so it is the client's roles",
        ),
        (refused(404, "x", "gone"), "customer-1", "attributes: Genesys answered 404 x: gone"),
        (httpx.Response(204), "", "the conversation did not show the customer's participant"),
    ],
)
def test_a_hand_over_that_fails_is_told_and_no_failure_of_the_start(answer, customer, error):
    _, outcome = handed_over(answer, customer=customer)
    assert (outcome.failure, outcome.status) == (None, "initiated")
    assert (outcome.session.handed_over, outcome.session.hand_over_error) == (False, error)
