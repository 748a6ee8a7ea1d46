"""What flow authors really send: the default template, Genesys's own words, placeholders that nobody filled in.

Reported was the default template with every input. Tried beside it, over HTTP: its inputs as null, empty, blank and
left in place; a key in the header, in the body and in both; each spelling of an id and of a channel that
`unit/test_texts.py` has more of; and a body as .NET writes it.
"""

import pytest

from sandbox.state import WEBCHAT
from tests.integration.conftest import KEY

STATUS = {"Prefer": "status"}


@pytest.fixture
def post(service):
    running = service()
    return lambda body, **headers: running.post(body, headers={**STATUS, **headers})


def raw_request(**inputs):
    """What `${input.rawRequest}` makes of the contract's inputs, Genesys's default template."""
    return {
        "conversationId": WEBCHAT,
        "channel": "webchat",
        "latest": False,
        "requestedBy": "ivr",
        "sessionSettings": "",
        "idempotencyKey": "abc-cobrowse-1",
        **inputs,
    }


def test_genesyss_default_template_works_as_it_is_and_its_key_is_a_key(post, box):
    first, again = post(raw_request()), post(raw_request())
    assert (first.status_code, first.json["status"]) == (200, "initiated")
    assert (again.data, again.headers["Idempotent-Replayed"]) == (first.data, "true")
    assert box.invitations(WEBCHAT) == 1


UNSET = ("channel", "latest", "requestedBy", "sessionSettings", "idempotencyKey", "startWhen")


@pytest.mark.parametrize(
    "inputs",
    [
        dict.fromkeys(UNSET),
        dict.fromkeys(UNSET, ""),
        dict.fromkeys(UNSET, " "),
        {name: f"${{input.{name}}}" for name in UNSET},
        {"latest": "false", "sessionSettings": "{}", "startWhen": "customer_connected"},
        {"sessionSettings": '{"mask": ["#iban"]}', "startWhen": "CUSTOMER_CONNECTED", "channel": "WEBCHAT"},
    ],
)
def test_the_default_template_works_whichever_inputs_are_set(post, inputs):
    assert post(raw_request(**inputs)).json["status"] == "initiated"


def test_a_key_is_the_same_in_the_header_and_in_the_body(post):
    first = post(raw_request(idempotencyKey=""), **{"Idempotency-Key": "k-1"})
    assert post(raw_request(idempotencyKey="k-1")).data == first.data
    assert post(raw_request(idempotencyKey=" k-1 "), **{"Idempotency-Key": "k-1"}).data == first.data
    assert post(raw_request(idempotencyKey="${input.key}"), **{"Idempotency-Key": "k-1"}).data == first.data


def test_two_keys_that_differ_are_refused_and_nothing_is_started(post, box):
    answer = post(raw_request(idempotencyKey="k-1"), **{"Idempotency-Key": "k-2"})
    assert (answer.status_code, answer.json["errorCode"]) == (422, "invalid_request")
    assert "idempotencyKey" in answer.json["errorMessage"]
    assert box.calls() == []


@pytest.mark.parametrize("key", ["é", "x" * 256, "a\tb"])
def test_a_key_in_the_body_has_a_keys_form(post, key):
    answer = post(raw_request(idempotencyKey=key))
    assert (answer.status_code, answer.json["errorCode"]) == (400, "idempotency_key_malformed")


def test_a_retry_is_the_same_request_however_it_is_written(post):
    first = post(raw_request())
    same = post(raw_request(conversationId=f'"{WEBCHAT.upper()}"', channel="CHAT", latest="", sessionSettings=None))
    assert same.data == first.data
    other = post(raw_request(requestedBy="somebody else"))
    assert other.json["errorCode"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    "channel", ["CHAT", "chat", "Webchat", "WEBCHAT", "web-chat", "chats", "UNKNOWN", "", "${input.channel}"]
)
def test_a_channel_in_genesyss_own_words_is_taken(post, channel):
    assert post({"conversationId": WEBCHAT, "channel": channel}).json["status"] == "initiated"


@pytest.mark.parametrize(
    "written",
    [f'"{WEBCHAT}"', f" {WEBCHAT} ", f"{{{WEBCHAT}}}", WEBCHAT.upper(), WEBCHAT.replace("-", ""), f"'{WEBCHAT}'"],
)
def test_a_conversation_id_is_fixed(post, written):
    assert post({"conversationId": written}).json["conversationId"] == WEBCHAT


@pytest.mark.parametrize(
    "written",
    [
        "$esc.jsonEncode(${input.conversationId})",
        "${conversationId}",
        "$!{input.conversationId}",
        '"${input.conversationId}"',
        "$input.conversationId",
        "$util.escapeJavaScript(${input.conversationId})",
    ],
)
def test_an_id_that_was_not_set_is_named_with_what_came(post, written):
    answer = post({"conversationId": written})
    assert answer.status_code == 422
    assert "input conversationId was not set" in answer.json["errorMessage"]
    assert written in answer.json["errorMessage"]


def test_a_body_of_a_net_writer_with_a_cut_emoji_and_a_long_label_is_taken(service):
    body = b'\xef\xbb\xbf{"conversationId": "%s", "requestedBy": "%s\\ud83d"}' % (WEBCHAT.encode(), b"x" * 300)
    for kind in ("application/json; charset=us-ascii", "application/json; charset=iso-8859-1"):
        headers = {**STATUS, "X-Api-Key": KEY, "Content-Type": kind}
        answer = service().client.post("/data-actions/cobrowse", data=body, headers=headers)
        assert answer.json["success"] is True
