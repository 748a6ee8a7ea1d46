"""What people report of Genesys Cloud, played to the flows call by call: the error, the hint, and what was not sent.

Reported was `ip.not.authorized` at the POST, a number as join code, and a login host that answers 404. Tried beside
them: the same refusal with 403, in words only and at the token; expired and missing credentials, roles, divisions, a
WAF, a proxy, a demanded user; 2xx without a body, as a page, as a list, nested, cut short and broken off, with the
session shown and not; and a login host that answers 405, a redirect or a page.
"""

from dataclasses import replace

import httpx
import pytest

from cobrowse.errors import CobrowseError
from cobrowse.flow import Attempt
from cobrowse.model import Command
from integrations.genesys.transport import BodyTooLarge
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
    conversation,
    cut_off,
    opened_ledger,
    page,
    refused,
    start,
)
from web.error_responses import hint_of

REFUSALS = {
    # What is answered to the POST → the error, a part of its hint.
    "ip.not.authorized": (
        refused(401, "ip.not.authorized", "IP address is not authorized"),
        "genesys_unauthorized",
        "IP",
    ),
    "with 403": (refused(403, "ip.not.authorized", "x"), "genesys_unauthorized", "allowed IP addresses"),
    "in words only": (
        refused(401, "", "The IP address 192.0.2.1 is not allowed"),
        "genesys_unauthorized",
        "allowed IP",
    ),
    "credentials.expired": (refused(401, "credentials.expired", "x"), "genesys_unauthorized", "have expired"),
    "no token seen": (refused(401, "authentication.required", "x"), "genesys_unauthorized", "Authorization header"),
    "a WAF": (page(403), "genesys_forbidden", "not Genesys's"),
    "a WAF without a body": (httpx.Response(403), "genesys_forbidden", "not Genesys's"),
    "missing.permissions": (refused(403, "missing.permissions", "x"), "genesys_forbidden", "role"),
    "missing.any.permissions": (refused(403, "missing.any.permissions", "x"), "genesys_forbidden", "role"),
    "not.authorized": (refused(403, "not.authorized", "x"), "genesys_forbidden", "division"),
    "a division": (refused(403, "missing.division.permission", "x"), "genesys_forbidden", "division"),
    "a proxy": (page(407), "genesys_unauthorized", "GENESYS_PROXY"),
    "user context": (
        refused(400, "bad.request", "This request requires a user context. Client credentials cannot be used"),
        "user_token_required",
        "service user",
    ),
    "user context with 403": (refused(403, "not.authorized", "Requires a USER CONTEXT"), "user_token_required", "user"),
    "too many, by the code": (
        refused(400, "too.many.requests.per.user", "Retry in [42] seconds"),
        "genesys_rate_limited",
        "",
    ),
}


@pytest.mark.parametrize(("answer", "code", "hint"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_read_by_its_code_and_neither_token_nor_call_is_retried_for_nothing(answer, code, hint):
    org = Org(POST=answer)
    failure = start(org).failure
    assert failure.code == code
    assert hint in hint_of(failure)
    if code != "genesys_rate_limited":
        assert (org.calls.count(TOKEN), org.calls.count(POST)) == (1, 1)
        assert not failure.is_terminal


def test_a_refused_token_is_renewed_once():
    org = Org(POST=[refused(401, "bad.credentials", "x"), httpx.Response(200, json=SESSION)])
    assert start(org).failure is None
    assert (org.calls.count(TOKEN), org.calls.count(POST)) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "code", "hint"),
    [
        (
            httpx.Response(400, json={"error": "unauthorized_client", "error_description": "IP address not allowed"}),
            "genesys_unauthorized",
            "allowed IP",
        ),
        (
            httpx.Response(401, json={"error": "unauthorized_client", "error_description": "IP address not allowed"}),
            "genesys_unauthorized",
            "allowed IP",
        ),
        (
            httpx.Response(403, json={"error": "unauthorized_client", "error_description": "IP address not allowed"}),
            "genesys_unauthorized",
            "allowed IP",
        ),
        (httpx.Response(400, json={"error": "unauthorized_client"}), "genesys_unauthorized", "grant"),
        (httpx.Response(400, json={"error": "invalid_client"}), "genesys_unauthorized", "GENESYS_CLIENT_SECRET"),
        (page(403), "genesys_forbidden", "not Genesys's"),
        (page(404), "genesys_bad_response", "GENESYS_LOGIN_URL"),
        (refused(404, "not.found"), "genesys_bad_response", "GENESYS_LOGIN_URL"),
        (page(405), "genesys_bad_response", "GENESYS_LOGIN_URL"),
        (httpx.Response(302, headers={"Location": "https://x"}), "genesys_bad_response", "GENESYS_LOGIN_URL"),
        (page(200), "genesys_bad_response", "GENESYS_LOGIN_URL"),
    ],
)
def test_what_the_login_host_refuses_names_what_to_fix(answer, code, hint):
    org = Org(TOKEN=answer)
    failure = start(org).failure
    assert (failure.code, org.calls) == (code, [TOKEN])
    assert hint in hint_of(failure)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json=SESSION | {"joinCode": 849201}),
        httpx.Response(200, json={"id": 7, "joinCode": 1.5, "dateOfferEnds": None}),
        httpx.Response(202),
        httpx.Response(204),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(201, json={"session": SESSION}),
        httpx.Response(200, content=b'{"id": "sess'),
    ],
)
@pytest.mark.parametrize("shown", [[], [{"id": "sess-1", "state": "alerting"}]])
def test_after_a_success_there_is_never_a_second_post(answer, shown):
    org = Org(POST=answer, LOOK=lambda _: httpx.Response(200, json=conversation(sessions=shown)))
    outcome = start(org)
    assert outcome.failure is None
    assert org.calls.count(POST) == 1


def test_an_unreadable_success_is_resolved_by_the_check_or_stays_unverified():
    shown = [{"id": "m-1", "cobrowseSessionId": "sess-9", "state": "alerting"}]
    org = Org(POST=httpx.Response(202), LOOK=lambda _: httpx.Response(200, json=conversation(sessions=shown)))
    outcome = start(org)
    assert (outcome.status, outcome.session.cobrowse_session_id) == ("initiated", "sess-9")
    assert start(Org(POST=httpx.Response(202))).status == "unverified"


def test_a_success_whose_body_breaks_is_one_and_an_answer_that_never_came_is_lost():
    whole, lost = Org(POST=cut_off(200)), Org(POST=cut_off(0))
    assert (start(whole).status, whole.calls.count(POST)) == ("unverified", 1)
    assert start(lost).failure.code == "genesys_unavailable"


@pytest.mark.parametrize("answer", [refused(404, "not.found"), refused(405, "method.not.allowed"), refused(400, "bad")])
def test_latest_where_there_is_no_list_is_final(answer):
    failure = start(Org(LIST=answer), conversation_id="", latest=True).failure
    assert (failure.code, failure.retryable) == ("cobrowse_not_supported", False)
    assert "conversationId" in failure.hint


def test_nothing_goes_out_once_the_customer_has_left():
    gone = conversation("disconnected", "disconnected")
    org = Org(
        LOOK=httpx.Response(200, json=gone), POST=refused(400, "bad.request", "no connected customer communication")
    )
    webhook = start(org, reuse_live_session=True).failure
    assert (webhook.code, POST in org.calls) == ("conversation_not_active", False)
    asked_within = start(org).failure
    assert asked_within.code == "conversation_not_active"
    assert "has left" in asked_within.hint


def test_nothing_goes_out_while_every_agent_rings():
    org = Org(LOOK=lambda _: httpx.Response(200, json=conversation(agent="alerting")))
    failure = start(org, start_when="agent_connected").failure
    assert (failure.code, org.calls) == ("agent_not_connected", [TOKEN, LOOK, LOOK, LOOK])


def test_an_undisturbed_start_from_within_a_conversation_takes_no_check_before():
    shown = [{"id": "m", "cobrowseSessionId": "sess-1"}]
    org = Org(LOOK=lambda _: httpx.Response(200, json=conversation(sessions=shown)))
    assert start(org).upstream_calls == 3
    assert org.calls == [TOKEN, POST, LOOK]


def test_legacy_web_chat_and_a_channel_that_contradicts_are_named():
    no = refused(400, "bad.request", "x")
    chats = httpx.Response(200, json=conversation(kind="chats"))
    legacy = start(Org(POST=no, LOOK=chats)).failure
    assert "30 June 2024" in legacy.hint
    assert legacy.message.endswith(f"; conversation {C} is webchat")
    voice = httpx.Response(200, json=conversation(kind="calls"))
    for answer in (no, refused(403, "missing.permissions", "x")):
        failure = start(Org(POST=answer, LOOK=voice), channel="webchat").failure
        assert failure.code == "cobrowse_not_supported"
        assert "webchat was requested" in failure.message
        assert "is voice" in failure.message
    assert start(Org(POST=refused(403, "missing.permissions", "x"), LOOK=voice), channel="voice").failure.code == (
        "genesys_forbidden"
    )


def test_a_conversation_of_thousands_of_messages_is_read():
    large = conversation()
    for participant in large["participants"]:
        participant["messages"][0]["messages"] = [{"messageId": "m" * 300, "messageTime": "t" * 24}] * 4_000
    org = Org(LOOK=lambda _: httpx.Response(200, json=large))
    assert start(org, reuse_live_session=True).failure is None


def test_a_body_past_the_limit_says_which_setting_it_is():
    class TooLarge(Org):
        def handle_request(self, request):
            if request.url.path == LOOK:
                raise BodyTooLarge("the response's body is larger than 8388608 bytes")
            return super().handle_request(request)

    flows, clock = connected(TooLarge())
    attempt = Attempt(Command("architect", "corr", 10.0, conversation_id=C), "i", "h", clock)
    with pytest.raises(CobrowseError, match="larger than 8388608") as large:
        flows.sessions(attempt)
    assert "MAX_UPSTREAM_BYTES" in large.value.hint


# What comes of POST /api/v2/cobrowse/sessions with a 2xx and no id that can be read.
NAMELESS = {
    "no fields": httpx.Response(201, json={}),
    "an empty id": httpx.Response(201, json={"id": ""}),
    "a null and a link": httpx.Response(201, json={"id": None, "joinUrl": "https://join.example.com/1"}),
    "an id that is a list": httpx.Response(201, json={"id": ["s-1"]}),
    "a list": httpx.Response(200, json=[]),
    "nothing": httpx.Response(202),
    "no content": httpx.Response(204),
    "a gateway's page": page(200),
    "half of it": httpx.Response(201, content=b'{"id": "s-1'),
    "a body that breaks off": cut_off(201),
}


@pytest.mark.parametrize("answer", NAMELESS.values(), ids=NAMELESS)
def test_a_session_that_was_made_and_not_named_is_never_made_again_for_its_key(answer):
    org = Org(CREATE=answer)
    flows, clock = connected(org, "media")
    with opened_ledger(clock) as ledger:
        work = replace(initiation(flows, clock=clock), ledger=ledger)
        asked = Command("architect", "corr", 10.0, conversation_id=C, key="k", fingerprint="f")
        outcome = work(asked)
        assert (outcome.failure.code, org.calls) == ("session_not_identified", [TOKEN, CREATE])
        assert (outcome.failure.is_terminal, outcome.failure.retryable) == (True, False)
        assert "with a new key" in hint_of(outcome.failure)
        assert not outcome.session.cobrowse_session_id

        again = work(replace(asked, correlation_id="again"))
        assert (again.replayed, again.failure, org.calls.count(CREATE)) == (True, outcome.failure, 1)

        # A person who has read it decides, and a new key is a new request.
        org.answers |= {CREATE: httpx.Response(201, json={"id": "s-2"}), MEDIA: httpx.Response(201, json={"id": "m"})}
        assert work.retry(ledger.read(outcome.initiation_id), 10.0, "by-hand").failure is None
        assert (org.calls.count(CREATE), org.calls.count(MEDIA)) == (2, 1)


def test_a_creation_whose_answer_never_came_is_sent_again_and_one_whose_head_came_is_not():
    lost = Org(CREATE=cut_off(0))
    start(lost, mode="media")
    assert lost.calls.count(CREATE) == 3
