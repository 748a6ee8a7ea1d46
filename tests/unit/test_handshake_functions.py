"""What each vendor's handshake is recognised by, and the answer it has: the table's functions alone."""

import hashlib
import hmac
import json
import string
from types import MappingProxyType

import pytest

from cobrowse.errors import InvalidRequest, NotAuthenticated
from cobrowse.model import Secret
from integrations.senders.auth.config import AuthConfig
from integrations.senders.handshakes import (
    EVENT_GRID,
    HANDSHAKES,
    KEYS,
    Handshake,
    HandshakeRow,
    check_origins,
)
from integrations.senders.requests import UnverifiedRequest

TOKEN = "14f61c9e-a_b+c/d="
# Every character that a token may have, as often as it may.
LONGEST = (string.ascii_letters + string.digits + "_+/=-").ljust(200, "Z")
# A row that says nothing but that it has the handshake.
SILENT = HandshakeRow()
CONFIRM = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336"


def ask(name, body=b"", headers=None, *, query="", row=SILENT):
    """The answer as what of it people and vendors see; None to what is no handshake."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = HANDSHAKES[name].answer(UnverifiedRequest("POST", "/webhooks/one", query, headers or {}, raw), row)
    return answer and answered(answer.content, answer.headers, note=answer.note, call=answer.call)


def answered(content, headers=MappingProxyType({}), *, note="", call=""):
    return (content, dict(headers), note, call)


def grid(code, kind="Microsoft.EventGrid.SubscriptionValidationEvent"):
    return {"eventType": kind, "data": {"validationCode": code}}


def zoom(token, kind="endpoint.url_validation"):
    return {"event": kind, "payload": {"plainToken": token}}


def slack(token, kind="url_verification"):
    return {"type": kind, "challenge": token}


def sns(kind, url=CONFIRM):
    return {"Type": kind, "SubscribeURL": url}


# What an event of the same sender looks like: it is no handshake, whatever is missing in it.
EVENTS = [
    ("event-grid", [grid(TOKEN, "Cobrowse.Requested")]),
    ("event-grid", [grid(TOKEN), grid(TOKEN)]),
    ("event-grid", grid(TOKEN)),
    ("event-grid", []),
    ("event-grid", [7]),
    ("front", {"type": "sync"}),
    ("zoom", zoom(TOKEN, "meeting.started")),
    ("zoom", [zoom(TOKEN)]),
    ("slack", slack(TOKEN, "event_callback")),
    ("slack", {}),
    ("sns", sns("Notification")),
    ("sns", {}),
    *((name, b"no JSON") for name in ("event-grid", "front", "zoom", "slack", "sns")),
]


@pytest.mark.parametrize(("name", "body"), EVENTS)
def test_an_event_is_no_handshake(name, body):
    assert ask(name, body) is None


def secrets_of(key):
    return HandshakeRow(AuthConfig(secrets=(Secret(key), Secret("the-secret-before-it"))))


@pytest.mark.parametrize("token", [TOKEN, "7", LONGEST])
def test_a_token_is_sent_back_under_the_vendors_name_for_it(token):
    mac = hmac.new(b"the-newest-secret", token.encode(), hashlib.sha256).hexdigest()
    signed = answered({"plainToken": token, "encryptedToken": mac})
    query = f"hub.mode=subscribe&hub.verify_token=known&hub.challenge={token.replace('+', '%2B')}"
    assert ask("event-grid", [grid(token)]) == answered({"validationResponse": token})
    assert ask("front", headers={"x-front-challenge": token}) == answered({"challenge": token})
    assert ask("zoom", zoom(token), row=secrets_of("the-newest-secret")) == signed
    assert ask("slack", slack(token)) == answered({"challenge": token})
    assert ask("meta", query=query, row=HandshakeRow(verify_token=Secret("known"))) == answered(token)


@pytest.mark.parametrize("token", [LONGEST + "Z", "a:b", "a b"])
def test_what_is_no_token_is_refused_with_its_field(token):
    """The form is part of the message: it is all that the sender's side can be told."""
    known = HandshakeRow(verify_token=Secret("known"))
    for field, name, given in [
        ("data.validationCode", "event-grid", {"body": [grid(token)]}),
        ("X-Front-Challenge", "front", {"headers": {"x-front-challenge": token}}),
        ("payload.plainToken", "zoom", {"body": zoom(token), "row": secrets_of("s")}),
        ("challenge", "slack", {"body": slack(token)}),
        (
            "hub.challenge",
            "meta",
            {"query": f"hub.mode=subscribe&hub.verify_token=known&hub.challenge={token}", "row": known},
        ),
    ]:
        with pytest.raises(InvalidRequest) as error:
            ask(name, **given)
        assert error.value.message == f"{field}: is no token of up to 200 letters, digits and _ - + / ="


@pytest.mark.parametrize("body", [[{**grid(1), "data": 7}], [{**grid(1), "data": {}}]])
def test_a_validation_without_its_code_is_no_event_either(body):
    with pytest.raises(InvalidRequest, match=r"^data\.validationCode: is no token"):
        ask("event-grid", body)


# CloudEvents.


@pytest.mark.parametrize("origin", ["eventgrid.azure.net", " EventGrid.Azure.net "])
def test_event_grids_origin_is_allowed_unless_the_row_names_others(origin):
    answer = ask("cloudevents", headers={"webhook-request-origin": origin})
    assert answer == answered("", {"WebHook-Allowed-Origin": EVENT_GRID, "WebHook-Allowed-Rate": "*"})


@pytest.mark.parametrize("headers", [{"webhook-request-origin": "eventgrid.azure.net"}, {}])
def test_an_origin_that_the_row_does_not_name_is_refused(headers):
    with pytest.raises(NotAuthenticated) as error:
        ask("cloudevents", headers=headers, row=HandshakeRow(handshake_origins=("a.example.com", "b.example.com")))
    came = headers.get("webhook-request-origin", "")
    assert error.value.message == f"the WebHook-Request-Origin {came!r} is not one of the row's handshake_origins"
    assert error.value.hint == "Name the sender's origin in handshake_origins."


@pytest.mark.parametrize("hosts", [["eventgrid.azure.net"], ["a-1.example.com", "b"], ["h" * 200]])
def test_hosts_are_good_origins(hosts):
    assert check_origins(hosts) == ""


@pytest.mark.parametrize(
    "value", [[], ["*"], ["https://a.example.com"], ["a", 7], [""], ["A"], ["h" * 201], "a", {"a": 1}, 7, None]
)
def test_what_is_no_list_of_hosts_is_told_what_one_looks_like(value):
    assert check_origins(value) == "must be a list of hosts, such as ['eventgrid.azure.net']"


# Amazon SNS.


def test_a_person_opens_snss_url_unless_the_row_says_that_the_service_does():
    asks = "Amazon SNS asks to confirm the subscription"
    open_it = "open it to confirm, or set confirm_subscription = true"
    assert ask("sns", sns("SubscriptionConfirmation")) == answered({}, note=f"{asks}; {open_it}: {CONFIRM}")
    opened = ask("sns", sns("SubscriptionConfirmation"), row=HandshakeRow(confirm_subscription=True))
    assert opened == answered({}, note=f"{asks}; it is being opened: {CONFIRM}", call=CONFIRM)


def test_the_end_of_a_subscription_is_a_note_and_no_call():
    ended = answered({}, note="Amazon SNS says that the subscription of this address has ended")
    assert ask("sns", sns("UnsubscribeConfirmation"), row=HandshakeRow(confirm_subscription=True)) == ended


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com/" + "a" * (2_000 - len("https://sns.us-east-1.amazonaws.com/")),
    ],
)
def test_snss_own_urls_are_called(url):
    assert ask("sns", sns("SubscriptionConfirmation", url), row=HandshakeRow(confirm_subscription=True))[-1] == url


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com/" + "a" * (2_001 - len("https://sns.us-east-1.amazonaws.com/")),
        "http://sns.us-east-1.amazonaws.com/",
        "https://sns.us-east-1.amazonaws.com@evil.example.com/",
        "https://sns.us-east-1.amazonaws.com/é",
        "https://sns.us-east-1.amazonaws.com/a b",
        "https://sns.us-east-1.amazonaws.com/\x7f",
        "https://[",
        None,
        7,
    ],
)
def test_any_other_url_is_refused_and_not_shown(url):
    with pytest.raises(InvalidRequest) as error:
        ask("sns", sns("SubscriptionConfirmation", url))
    assert error.value.message == "SubscribeURL: is no https URL of sns.<region>.amazonaws.com"


# Meta.


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("hub.mode=subscribe&hub.challenge=1", "hub.mode or hub.verify_token is missing"),
        ("hub.mode=subscribe&hub.verify_token=&hub.challenge=1", "hub.mode or hub.verify_token is missing"),
        ("hub.mode=unsubscribe&hub.verify_token=known&hub.challenge=1", "hub.mode or hub.verify_token is missing"),
        ("hub.mode=subscribe&hub.verify_token=other&hub.challenge=1", "hub.verify_token is not the row's verify_token"),
    ],
)
def test_meta_is_told_which_part_of_its_request_is_wrong(query, told):
    with pytest.raises(NotAuthenticated) as error:
        ask("meta", query=query, row=HandshakeRow(verify_token=Secret("known")))
    assert (error.value.message, error.value.hint) == (
        told,
        "Give the vendor the token that the row's verify_token has.",
    )


@pytest.mark.parametrize("token", ["", "None"])
def test_a_row_without_a_token_fits_nobodys(token):
    with pytest.raises(NotAuthenticated):
        ask("meta", query=f"hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1")


# What the senders file and the server know of them.


def test_intercom_is_answered_with_nothing():
    assert ask("intercom") == answered("")


def test_a_handshakes_row_says_how_it_comes_and_what_it_uses():
    def of(kind):
        return [name for name, handshake in HANDSHAKES.items() if kind(handshake)]

    assert {name: one.method for name, one in HANDSHAKES.items() if one.method != "POST"} == {
        "cloudevents": "OPTIONS",
        "intercom": "HEAD",
        "meta": "GET",
    }
    assert of(lambda one: one.with_credential) == ["cloudevents"]
    assert of(lambda one: one.signs) == ["zoom"]
    assert of(lambda one: one.leaves_notes) == ["sns"]
    assert {name: one.required for name, one in HANDSHAKES.items() if one.required} == {"meta": ("verify_token",)}
    assert KEYS == ("handshake_origins", "confirm_subscription", "verify_token")
    # A vendor's row need only say where it differs: a POST, without anything of the sender's row.
    answer = HANDSHAKES["front"].answer
    usual = {"method": "POST", "with_credential": False, "keys": (), "required": (), "signs": False}
    assert Handshake("plain", answer) == Handshake("plain", answer, **usual, leaves_notes=False)
