"""Kinds of behaviour that people report of Genesys Cloud: for each, inputs beside those that were reported."""

import gzip
from dataclasses import replace

import httpx
import pytest

from cobrowse.model import Command
from tests.scripted import initiation
from tests.unit.org import (
    CREATE,
    LOOK,
    MEDIA,
    POST,
    SESSION,
    TOKEN,
    C,
    Org,
    connected,
    cut_off,
    opened_ledger,
    page,
    refused,
    start,
)
from web.error_responses import hint_of


def shown(*participants):
    return lambda _: httpx.Response(200, json={"id": C, "participants": list(participants)})


def one(purpose, state, kind="messages", **more):
    return {"purpose": purpose, kind: [{"id": "m", "state": state}], **more}


HERE = one("customer", "connected")
# A customer who has left, while something else of the conversation lasts.
LEFT = {
    "the session that they had still shows": [
        one("customer", "disconnected", cobrowsesessions=[{"id": "x", "state": "connected"}]),
        one("agent", "connected"),
    ],
    "a call, and the agent asks a colleague": [
        one("customer", "terminated", "calls"),
        one("agent", "connected", "calls"),
        one("agent", "alerting", "calls"),
    ],
    "a message that was moved to a call that ended": [
        {"purpose": "customer", "messages": [{"state": "disconnected"}], "calls": [{"state": "terminated"}]},
        one("agent", "connected", "calls"),
    ],
}


@pytest.mark.parametrize("mode", ["native", "media"])
@pytest.mark.parametrize("participants", LEFT.values(), ids=LEFT)
def test_a_customer_who_left_is_not_invited_in_either_flow(participants, mode):
    org = Org(LOOK=shown(*participants))
    failure = start(org, mode, reuse_live_session=True).failure
    assert (failure.code, org.calls) == ("conversation_not_active", [TOKEN, LOOK])


UNANSWERED = {
    "a call that is being placed": [one("customer", "connected", "calls"), one("agent", "contacting", "calls")],
    "offered to two, one refused": [HERE, one("agent", "terminated"), one("agent", "offering")],
    "back in the queue": [HERE, one("agent", "disconnected"), one("acd", "connected")],
    "a user's telephone, in a direct call": [
        one("external", "connected", "calls"),
        one("user", "dialing", "calls"),
    ],
}


@pytest.mark.parametrize("participants", UNANSWERED.values(), ids=UNANSWERED)
def test_nothing_is_started_before_an_agent_has_answered(participants):
    org = Org(LOOK=shown(*participants))
    failure = start(org, start_when="agent_connected").failure
    assert (failure.code, failure.retryable, POST in org.calls) == ("agent_not_connected", True, False)


# Who asks next, while the first one's offer stands and the conversation does not show it.
EVENT = Command("eventbridge", "corr", 10.0, conversation_id=C, start_when="agent_connected", reuse_live_session=True)
NEXT = {
    "the second agent's event": replace(EVENT, key="event-2"),
    "the same event without a key": EVENT,
    "the handover's event, of another row": replace(EVENT, sender="eventbridge-handover", key="event-3"),
    "a CRM": Command("crm", "corr", 10.0, conversation_id=C, key="case-1"),
    "a flow in the conversation": Command("architect", "corr", 10.0, conversation_id=C),
}


@pytest.mark.parametrize("agents", [[], [one("agent", "connected")]], ids=["customer alone", "with an agent"])
@pytest.mark.parametrize("later", NEXT.values(), ids=NEXT)
def test_an_offer_that_is_not_shown_is_the_answer_to_whoever_asks_next(later, agents):
    org = Org(LOOK=shown(HERE, *agents))
    flows, clock = connected(org)
    with opened_ledger(clock) as ledger:
        work = replace(initiation(flows, clock=clock), ledger=ledger)
        first = work(replace(EVENT, key="event-1"))
        second = work(later)
    assert (first.status, second.status) == ("unverified", "already_active")
    assert second.session.cobrowse_session_id == first.session.cobrowse_session_id == SESSION["id"]
    assert org.calls.count(POST) == 1


TOO_MANY = {
    "a part of a second": ({"inin-ratelimit-reset": "42.5"}, "", 42.5),
    "an empty Retry-After": ({"Retry-After": "", "inin-ratelimit-reset": "42"}, "", 42),
    "a date that is none": ({"Retry-After": "Mon, 99 Nov"}, "Retry the request in [42] seconds", 42),
    "minutes in words": ({}, "Try again after 2 minutes", 120),
    "with a budget that says otherwise": (
        {"inin-ratelimit-count": "1", "inin-ratelimit-allowed": "300", "inin-ratelimit-reset": "42"},
        "",
        42,
    ),
}


@pytest.mark.parametrize(("headers", "words", "seconds"), TOO_MANY.values(), ids=TOO_MANY)
def test_a_wait_is_found_however_it_is_told(headers, words, seconds):
    org = Org(POST=refused(429, "too.many.requests.retry.after", words, headers))
    failure = start(org).failure
    assert (failure.code, failure.retry_after, org.calls.count(POST)) == ("genesys_rate_limited", seconds, 1)


# Where the address is refused, and with what.
ADDRESS = {
    "the look": ({"LOOK": refused(401, "ip.not.authorized", "x")}, [TOKEN, LOOK]),
    "the token, in words": (
        {"TOKEN": httpx.Response(403, json={"error": "access_denied", "description": "IP not allowed"})},
        [TOKEN],
    ),
    "the token, by the code": ({"TOKEN": refused(401, "ip.not.authorized", "x")}, [TOKEN]),
}


@pytest.mark.parametrize(("answers", "calls"), ADDRESS.values(), ids=ADDRESS)
def test_an_address_that_is_not_allowed_is_named_and_nothing_is_sent_twice(answers, calls):
    org = Org(**answers)
    failure = start(org, reuse_live_session=True).failure
    assert (failure.code, org.calls) == ("genesys_unauthorized", calls)
    assert "allowed IP" in hint_of(failure)


TAKEN = {
    "broken compression": httpx.Response(200, content=gzip.compress(b"{}")[:9]),
    "an id that is a number": httpx.Response(200, json=SESSION | {"id": 77, "dateOfferEnds": 1893456000}),
    "the session inside a list": httpx.Response(200, json=[SESSION]),
    "a lone surrogate": httpx.Response(200, content=b'{"id": "sess-1", "joinCode": "\\ud800"}'),
    "a text": httpx.Response(200, json="created"),
    "a body that breaks off": cut_off(202),
}


@pytest.mark.parametrize("flow", [("native", POST), ("media", MEDIA)], ids=["native", "media"])
@pytest.mark.parametrize("answer", TAKEN.values(), ids=TAKEN)
def test_an_invitation_that_was_taken_is_never_sent_again(answer, flow):
    mode, path = flow
    made = httpx.Response(201, json={"id": "sess-1"})
    org = Org(CREATE=made, **{"POST" if path == POST else "MEDIA": answer})
    outcome = start(org, mode)
    assert (outcome.failure, outcome.status, org.calls.count(path)) == (None, "unverified", 1)


UNTIDY = {
    "half a surrogate pair": rb'"\ud83d"',
    "a few of a letter's bytes": b'"x \xf0\x9f\x98"',
}


@pytest.mark.parametrize("text", UNTIDY.values(), ids=UNTIDY)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "with a byte order mark"])
def test_a_conversation_with_a_text_cut_in_a_letter_is_read(text, mark):
    body = b'%s{"id": "%s", "participants": [{"purpose": "customer", "attributes": {"note": %s}}]}'
    org = Org(LOOK=httpx.Response(200, content=body % (mark, C.encode(), text)))
    assert start(org, reuse_live_session=True).failure is None


def test_a_refusal_with_half_a_letter_in_it_keeps_its_code():
    body = rb'{"code": "ip.not.authorized", "message": "IP \ud83d", "status": 401}'
    failure = start(Org(POST=httpx.Response(401, content=body))).failure
    assert (failure.code, "ip.not.authorized: IP" in failure.message) == ("genesys_unauthorized", True)


LARGE = {
    "a thousand transfers": [one("agent", "disconnected", attributes={"n": "x" * 2_000}) for _ in range(1_500)],
    "one attribute of three megabytes": [one("agent", "connected", attributes={"transcript": "x" * 3_000_000})],
}


@pytest.mark.parametrize("others", LARGE.values(), ids=LARGE)
def test_a_large_conversation_is_read(others):
    body = {"id": C, "participants": [HERE, *others, one("agent", "connected")]}
    org = Org(LOOK=lambda _: httpx.Response(200, json=body))
    assert start(org, start_when="agent_connected", reuse_live_session=True).failure is None


NO_SCOPES = {
    "with 401": httpx.Response(401, json={"error": "invalid_scope"}),
    "with 403": httpx.Response(403, json={"error": "invalid_scope", "description": "not granted"}),
    "in capitals": httpx.Response(403, json={"error": "INVALID_SCOPE"}),
    "in the Platform API's form": refused(400, "invalid.scope", "not granted"),
    "in words": httpx.Response(
        400, json={"error": "invalid_request", "error_description": "The requested scope is invalid, or unknown"}
    ),
    "by the client's rights": httpx.Response(
        401, json={"error": "unauthorized_client", "description": "client may not ask for these scopes"}
    ),
}


@pytest.mark.parametrize("answer", NO_SCOPES.values(), ids=NO_SCOPES)
def test_auto_is_native_where_no_scope_is_granted(answer):
    granted = httpx.Response(200, json={"access_token": "t"})
    org = Org(TOKEN=lambda request: answer if b"scope=" in request.read() else granted)
    outcome = start(org, "auto")
    assert (outcome.failure, outcome.flow, CREATE in org.calls) == (None, "native", False)


def test_a_refusal_that_is_not_about_scopes_leaves_the_flow_as_it_is():
    org = Org(TOKEN=httpx.Response(400, json={"error": "invalid_request", "description": "telescope"}))
    failure = start(org, "auto").failure
    assert (failure.code, org.calls) == ("genesys_unauthorized", [TOKEN])


@pytest.mark.parametrize("answer", [httpx.Response(404), page(410), httpx.Response(404, json=[])])
def test_a_login_that_is_not_there_names_its_own_setting(answer):
    failure = start(Org(TOKEN=answer)).failure
    assert failure.code == "genesys_bad_response"
    assert "GENESYS_LOGIN_URL" in hint_of(failure)
