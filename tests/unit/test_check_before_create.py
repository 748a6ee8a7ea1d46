"""The check before `create`: no session is made for nothing, and none is lost to a check that fails.

The kind is an API call for a conversation that has ended. Tried beside it: an end or a customer who has left, in five
ways that show it; e-mails, callbacks and SMS; ids that Genesys does not know or take; sessions in four states that
stand already; twelve ways in which the check itself fails; both other flows, `latest`, retries, and a second request
after an invitation.
"""

from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from cobrowse.model import Command
from tests.scripted import initiation
from tests.unit.org import (
    CREATE,
    LIST,
    LOOK,
    MEDIA,
    POST,
    TOKEN,
    C,
    Org,
    connected,
    conversation,
    opened_ledger,
    page,
    refused,
)

# What a data action sends that does not name its channel.
UNNAMED = Command("architect", "corr", 10.0, conversation_id=C, check_before_create=True)
SESSION = {"id": "sess-1", "cobrowseSessionId": "sess-1", "state": "connected"}


def shown(*participants, **more):
    return httpx.Response(200, json={"id": C, "participants": list(participants)} | more)


class LiveOrg(Org):
    """One that has the media flow, and shows its session from the moment it is attached.

    `check` is what answers the conversation's GET before that: a response, or a function of the request and the clock.
    """

    def __init__(self, check=None, **answers):
        super().__init__(
            **{
                "CREATE": lambda _: httpx.Response(201, json={"id": "sess-1", "joinUrl": "https://join.example.com/1"}),
                "MEDIA": lambda _: httpx.Response(201, json={"id": "m-1", "state": "connected"}),
                "LOOK": self._show,
            }
            | answers
        )
        self.check, self.clock = check or httpx.Response(200, json=conversation()), None

    def _show(self, request):
        if MEDIA in self.calls:
            return httpx.Response(200, json=conversation(sessions=[SESSION]))
        return self.check(request, self.clock) if callable(self.check) else self.check


def opened(org, mode="media"):
    flows, org.clock = connected(org, mode)
    return initiation(flows, clock=org.clock)


def start(org, mode="media", command=UNNAMED):
    return opened(org, mode)(command)


@contextmanager
def kept(org):
    """The service with a ledger of its own, for more than one request."""
    work = opened(org)
    with opened_ledger(org.clock) as ledger:
        yield replace(work, ledger=ledger)


def test_a_start_that_does_not_name_its_channel_costs_one_call_more():
    org = LiveOrg()
    outcome = start(org)
    assert (outcome.status, org.calls) == ("initiated", [TOKEN, LOOK, CREATE, MEDIA, LOOK])
    assert [span.name for span in outcome.spans if span.kind == "step"] == [
        *("token", "check", "create", "attach", "verify")
    ]


@pytest.mark.parametrize("more", [{"reuse_live_session": True}, {"start_when": "agent_connected"}])
def test_a_conversation_that_has_to_be_checked_is_checked_once(more):
    org = LiveOrg()
    start(org, command=replace(UNNAMED, **more))
    assert org.calls == [TOKEN, LOOK, CREATE, MEDIA, LOOK]


def test_one_that_names_it_costs_three_calls():
    org = LiveOrg()
    outcome = start(org, command=replace(UNNAMED, channel="message", check_before_create=False))
    assert (outcome.status, org.calls) == ("initiated", [TOKEN, CREATE, MEDIA, LOOK])


def test_the_native_flow_makes_no_session_for_nothing_so_it_checks_nothing():
    org = Org(LOOK=httpx.Response(200, json=conversation(sessions=[SESSION])))
    start(org, "native")
    assert org.calls == [TOKEN, POST, LOOK]


HERE = {"purpose": "customer", "messages": [{"state": "connected"}]}
AGENT = {"purpose": "agent", "messages": [{"state": "connected"}]}


def talk(kind, **more):
    return shown(*({"purpose": purpose, kind: [{"state": "connected", **more}]} for purpose in ("customer", "agent")))


# Why a conversation can't have a session, and how it shows.
REFUSED = {
    "it has an end": (shown(HERE, AGENT, endTime="2026-11-27T09:05:00Z"), "conversation_not_active"),
    "its state is terminated": (shown(HERE, AGENT, state="terminated"), "conversation_not_active"),
    "the customer's message is disconnected": (
        shown({"purpose": "customer", "messages": [{"state": "disconnected"}]}, AGENT),
        "conversation_not_active",
    ),
    "the other end of a direct call hung up": (
        shown({"purpose": "external", "calls": [{"state": "terminated"}]}, {"purpose": "user", "calls": []}),
        "conversation_not_active",
    ),
    "the customer has an end and no communication": (
        shown({"purpose": "customer", "endTime": "2026-11-27T09:05:00Z"}, AGENT),
        "conversation_not_active",
    ),
    "an e-mail": (talk("emails"), "cobrowse_not_supported"),
    "a callback": (talk("callbacks"), "cobrowse_not_supported"),
    "an SMS": (talk("messages", type="sms"), "cobrowse_not_supported"),
    "unknown": (refused(404, "not.found"), "conversation_not_found"),
    "an id that Genesys does not take": (refused(400, "bad.request"), "conversation_not_found"),
}


@pytest.mark.parametrize(("check", "code"), REFUSED.values(), ids=REFUSED)
def test_a_conversation_that_can_have_none_leaves_no_session_behind(check, code):
    org = LiveOrg(check)
    outcome = start(org)
    assert (outcome.failure.code, org.calls) == (code, [TOKEN, LOOK])


@pytest.mark.parametrize("state", ["connected", "alerting", "offering", ""])
def test_a_session_that_stands_is_the_answer_and_nothing_is_started(state):
    org = LiveOrg(httpx.Response(200, json=conversation(sessions=[SESSION | {"state": state, "viewerUrl": ""}])))
    outcome = start(org)
    assert (outcome.status, outcome.session.cobrowse_session_id) == ("already_active", "sess-1")
    # Nobody knows which flow it came from, nor that this caller may have its links.
    assert (outcome.flow, bool(outcome.session.join_url), org.calls) == ("", False, [TOKEN, LOOK])


def hangs(request, clock):
    """No answer in the time that the call has."""
    clock.sleep(request.extensions["timeout"]["read"])
    raise httpx.ReadTimeout("too slow")


def broken(*_):
    raise httpx.ReadError("reset")


# How the check can fail, and how often it is made: what passes is asked for again, within its share of the time.
FAILURES = {
    "no permission to read": (refused(403, "missing.permissions"), 1),
    "not this conversation": (refused(403, "not.authorized"), 1),
    "a WAF": (page(403), 1),
    "a user is demanded": (refused(400, "", "This request requires a user context. Client credentials can't…"), 1),
    "away": (refused(503, "service.unavailable"), 3),
    "a gateway's time-out": (page(504), 3),
    "a wait that is too long": (refused(429, "too.many.requests", "", {"Retry-After": "5"}), 1),
    "no JSON": (httpx.Response(200, content=b"<html>"), 1),
    "not a conversation": (httpx.Response(200, json=[]), 1),
    "too large for a gateway": (page(413), 1),
    "the connection breaks": (broken, 3),
    "no answer in time": (hangs, 3),
}


@pytest.mark.parametrize(("check", "times"), FAILURES.values(), ids=FAILURES)
def test_a_check_that_fails_loses_no_session(check, times):
    org = LiveOrg(check)
    outcome = start(org)
    assert (outcome.failure, outcome.status) == (None, "initiated")
    assert org.calls == [TOKEN, *[LOOK] * times, CREATE, MEDIA, LOOK]


@pytest.mark.parametrize("seconds", [2.0, 10.0, 20.0])
def test_a_check_without_an_answer_takes_its_share_of_the_time_and_no_more(seconds):
    outcome = start(LiveOrg(hangs), command=replace(UNNAMED, deadline_seconds=seconds))
    (check,) = [span for span in outcome.spans if (span.kind, span.name) == ("step", "check")]
    assert (check.result, round(check.seconds, 6) <= seconds * 0.3) == ("genesys_timeout", True)


# Who is refused here is refused everywhere: no POST goes out, and no second token where it would not help.
UNAUTHORIZED = {
    "the address": (refused(401, "ip.not.authorized", "x"), [TOKEN, LOOK]),
    "the token": (refused(401, "bad.credentials", "x"), [TOKEN, LOOK, TOKEN, LOOK]),
}


@pytest.mark.parametrize(("check", "calls"), UNAUTHORIZED.values(), ids=UNAUTHORIZED)
def test_a_check_that_refuses_the_client_ends_it(check, calls):
    org = LiveOrg(check)
    assert (start(org).failure.code, org.calls) == ("genesys_unauthorized", calls)


def test_a_token_that_is_refused_is_asked_for_once():
    org = LiveOrg(TOKEN=httpx.Response(400, json={"error": "invalid_scope"}))
    assert (start(org).failure.code, org.calls) == ("genesys_forbidden", [TOKEN])


def test_where_auto_turns_native_at_the_token_nothing_is_checked():
    granted = httpx.Response(200, json={"access_token": "t"})
    none = httpx.Response(400, json={"error": "invalid_scope"})
    org = Org(
        TOKEN=lambda request: none if b"scope=" in request.read() else granted,
        LOOK=httpx.Response(200, json=conversation(sessions=[SESSION])),
    )
    assert start(org, "auto").flow == "native"
    assert org.calls == [TOKEN, TOKEN, POST, LOOK]


def test_where_auto_turns_native_at_create_the_check_is_made_once_for_good():
    org = Org()
    work, calls = opened(org, "auto"), []
    for _ in range(2):
        before = len(org.calls)
        assert work(UNNAMED).flow == "native"
        calls.append(org.calls[before : org.calls.index(POST, before) + 1])
    assert calls == [[TOKEN, LOOK, CREATE, TOKEN, POST], [POST]]


def test_the_newest_webchat_has_just_been_listed_as_active():
    org = LiveOrg(LIST=httpx.Response(200, json={"entities": [{"id": C}]}))
    start(org, command=Command("architect", "corr", 10.0, latest=True))
    assert org.calls == [TOKEN, LIST, CREATE, MEDIA, LOOK]


# The same key again.
KEYED = replace(UNNAMED, key="k", fingerprint="f")


def unreached(_):
    raise httpx.ConnectError("refused")


def test_a_retry_that_has_its_session_checks_nothing_and_makes_no_other():
    org = LiveOrg(MEDIA=unreached)
    with kept(org) as work:
        assert work(KEYED).failure.code == "genesys_unavailable"
        org.answers[MEDIA] = httpx.Response(201, json={"id": "m-1", "state": "connected"})
        before = len(org.calls)
        assert work(KEYED).status == "initiated"
    assert (org.calls.count(CREATE), org.calls[before:]) == (1, [MEDIA, LOOK])


def test_a_retry_without_a_session_finds_out_that_the_conversation_is_over_by_now():
    org = LiveOrg(CREATE=unreached)
    with kept(org) as work:
        assert work(KEYED).failure.code == "genesys_unavailable"
        org.check = REFUSED["it has an end"][0]
        before = len(org.calls)
        assert work(KEYED).failure.code == "conversation_not_active"
    assert org.calls[before:] == [LOOK]


LATER = {
    "another request without a channel": UNNAMED,
    "one that names it": replace(UNNAMED, check_before_create=False, channel="message"),
    "one with a key": KEYED,
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_after_an_invitation_a_check_that_fails_is_no_reason_for_a_second(later):
    org = LiveOrg()
    with kept(org) as work:
        assert work(UNNAMED).status == "initiated"
        org.answers[LOOK] = refused(503, "service.unavailable")
        failure = work(later).failure
    assert (failure.code, failure.retryable, org.calls.count(MEDIA)) == ("genesys_unavailable", True, 1)
