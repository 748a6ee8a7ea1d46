"""Bad input through the app and through gunicorn: refused as what it is, at once, with nothing started. `make fuzz` has
the same by the hundred thousand.
"""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from cobrowse.errors import InvalidRequest, MalformedRequest, SignatureInvalid
from integrations.senders.registry import load_senders
from integrations.senders.requests import Ignored, UnverifiedRequest
from sandbox.server import start
from schemas.data_action import AnswerSchema
from tests.clocks import HANGS
from tests.robustness import wires
from tests.robustness.fuzz_app import app_in
from tests.robustness.inputs import CONVERSATION, HEADER_BOMBS, JSON_BOMBS, PLACES, XML_BOMBS
from tests.robustness.parsers import authenticated, known, read, with_headers
from tests.robustness.service import EXAMPLE, KEY, PUBLIC, SECRETS, Service

KEYS = list(AnswerSchema().fields)
# Seconds of this thread's own work, whatever else the machine does: each takes some milliseconds.
COSTS = 1.0
SENDERS = load_senders(EXAMPLE, SECRETS, public_base_url=PUBLIC)
# Settings that can be read but not written again were a 500: the ledger keeps them.
DEEP = {name for name in JSON_BOMBS if name.endswith("deep")}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return app_in(tmp_path_factory.mktemp("app")).test_client()


def told(answer, begun):
    """The answer's code, once it has the form that every caller can read."""
    assert time.thread_time() - begun < COSTS
    assert answer.status_code != 500, answer.get_data(as_text=True)
    if answer.mimetype == "text/xml" or "text" in answer.json:  # an Ack, or a message for people
        return ""
    assert [key for key in answer.json if key != "results"] == KEYS
    return answer.json["errorCode"]


@pytest.mark.parametrize("place", PLACES, ids=[place.name for place in PLACES])
def test_no_json_in_any_place_of_a_data_action_is_a_fault_of_the_service(client, place):
    for name, bomb in JSON_BOMBS.items():
        if name in DEEP and place.name in ("sessionSettings, as text", "a setting"):
            continue  # the next test's
        code = bombed(client, place, bomb)
        assert code in ("", "malformed_request", "invalid_request", "body_too_large"), name


@pytest.mark.parametrize("name", sorted(DEEP))
def test_settings_that_are_nested_too_deeply_are_refused(client, name):
    for place in PLACES:
        if place.name in ("sessionSettings, as text", "a setting"):
            assert bombed(client, place, JSON_BOMBS[name]) in ("", "invalid_request")


@pytest.mark.parametrize("name", sorted(DEEP))
def test_nor_are_they_taken_from_a_webhook(client, name):
    bomb = f'{{"a":{JSON_BOMBS[name].decode()}}}'
    body = json.dumps({"conversationId": CONVERSATION, "sessionSettings": bomb}).encode()
    signed = SENDERS.get("helpdesk").sign("POST", "/webhooks/helpdesk", body, datetime.now(UTC))
    begun = time.thread_time()
    headers = {"Content-Type": "application/json", **signed.headers}
    assert told(client.post("/webhooks/helpdesk", data=body, headers=headers), begun) in ("", "invalid_request")


def bombed(client, place, bomb):
    begun = time.thread_time()
    answer = client.post(
        "/data-actions/cobrowse",
        data=place.body(bomb),
        headers={"X-Api-Key": KEY, "Content-Type": "application/json"},
    )
    return told(answer, begun)


def test_the_whole_body_is_read_as_rfc_8259_has_it_or_refused(client):
    headers = {"X-Api-Key": KEY, "Content-Type": "application/json"}
    statuses = {
        name: client.post("/data-actions/cobrowse", data=bomb, headers=headers).status_code
        for name, bomb in JSON_BOMBS.items()
    }
    assert {name: status for name, status in statuses.items() if status not in (400, 413, 422)} == {}


def test_a_key_that_comes_twice_is_refused(client):
    body = f'{{"conversationId":"nonsense","conversationId":"{CONVERSATION}"}}'
    answer = client.post(
        "/data-actions/cobrowse", data=body, headers={"X-Api-Key": KEY, "Content-Type": "application/json"}
    )
    assert answer.json["errorCode"] == "invalid_request"
    assert answer.json["errorMessage"] == "conversationId: Comes more than once."


@pytest.mark.parametrize("sender", [sender.name for sender in SENDERS])
def test_no_body_that_a_sender_signs_is_a_fault_of_the_service(client, sender):
    row = SENDERS.get(sender)
    path = f"/webhooks/{sender}"
    for name, bomb in {**JSON_BOMBS, **XML_BOMBS}.items():
        try:
            signed = row.sign("POST", path, bomb, datetime.now(UTC), {"Content-Type": row.content_type})
        except (UnicodeDecodeError, SignatureInvalid):
            # Standard Webhooks signs text only, Twilio forms of so many fields.
            assert row.signature.startswith(("standard-webhooks", "twilio"))
            continue
        begun = time.thread_time()
        answer = client.post(
            signed.target(path),
            data=bomb,
            headers={"Content-Type": row.content_type, **signed.headers},
        )
        told(answer, begun)
        assert answer.status_code in (200, 400, 403, 404, 410, 413, 415, 422), name


def test_xml_that_swells_or_reaches_out_is_refused_before_it_does():
    for name, bomb in XML_BOMBS.items():
        incoming = UnverifiedRequest("POST", "/webhooks/salesforce-messages", "", {"content-type": "text/xml"}, bomb)
        begun, told_of = time.thread_time(), ""
        try:
            # Well-formed, but without a notification.
            events = SENDERS.get("salesforce-messages").read(incoming)
            assert all(isinstance(event, Ignored) for event in events), name
        except (MalformedRequest, InvalidRequest) as refused:
            told_of = refused.message
        assert time.thread_time() - begun < COSTS, name
        assert "root:" not in told_of, name


@pytest.mark.parametrize("sender", [sender.name for sender in SENDERS])
def test_no_header_gets_past_a_signature_or_breaks_it(sender):
    rows, deliveries = known()
    row = rows.get(sender)
    genuine = next(one.signed_by(row) for one in deliveries if one.sender == sender)
    for name in set(genuine.headers) - {"content-type", "user-agent"}:
        for bomb, value in HEADER_BOMBS.items():
            hostile = with_headers(genuine, {name: value})
            assert authenticated(row, genuine, hostile) == "", (name, bomb)
            assert read(row, hostile) == "", (name, bomb)


@pytest.mark.parametrize(
    "name", ["X-Api-Key", "Authorization", "Idempotency-Key", "ININ-Correlation-Id", "Prefer", "Content-Type"]
)
def test_no_header_of_a_data_action_is_a_fault_of_the_service(client, name):
    for value in HEADER_BOMBS.values():
        plain = re.sub(r"[\r\n\0]", "", value)  # no server hands these on
        begun = time.thread_time()
        answer = client.post(
            "/data-actions/cobrowse",
            data=f'{{"conversationId":"{CONVERSATION}"}}',
            headers={"X-Api-Key": KEY, "Content-Type": "application/json", name: plain},
        )
        told(answer, begun)
        assert answer.headers["ININ-Correlation-Id"].isprintable()


# --- through gunicorn -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with start(rate_limit=None) as box:
        box.options.auto_create = True
        with Service(box.url, folder, WEB_CONCURRENCY="1") as running:
            yield running


def test_a_request_that_no_honest_client_sends_is_refused_and_never_read_as_two(service):
    with ThreadPoolExecutor(16) as pool:
        heard = pool.map(lambda shape: wires.exchange(service.port, shape.data, HANGS), wires.SHAPES)
        faults = {
            shape.name: wires.row_errors(shape, one, slack=HANGS)
            for shape, one in zip(wires.SHAPES, heard, strict=True)
        }
    assert {name: wrong for name, wrong in faults.items() if wrong} == {}


def good(service):
    body = b'{"conversationId": "22222222-2222-4222-8222-222222222222"}'
    data = wires.head(b"Content-Length: %d" % len(body), b"Connection: close") + b"\r\n" + body
    return wires.exchange(service.port, data)


# Seconds that eight such clients would make the next one wait, were each waited for.
WAITS = 10.0
# Ends that gunicorn's parser waits for, in a thread, while our own count of the bytes takes the request for whole.
UNENDING = [
    wires.head(b"Content-Length: " + b"0" * 20 + b"60") + b"\r\n{",
    wires.head(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked") + b"\r\n50\r\n{",
    wires.head(b"Transfer-Encoding: chunked") + b"\r\n5;" + b"a" * 100,
    wires.INNER + wires.head()[:20],
]


@pytest.mark.parametrize("data", UNENDING, ids=["zeros before a length", "two codings", "a chunk line", "a pipeline"])
def test_a_client_that_never_ends_its_request_holds_no_thread_however_it_is_framed(service, data):
    held = [socket.create_connection(("127.0.0.1", service.port), timeout=HANGS) for _ in range(40)]
    try:
        for one in held:
            one.sendall(data)
        time.sleep(0.3)
        assert good(service).status == 200
    finally:
        for one in held:
            one.close()


@pytest.mark.parametrize(
    "data",
    [wires.INNER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), wires.head(b"Content-Length: +1") + b"\r\n"],
    ids=["it said that it would close", "it was refused"],
)
def test_a_client_that_does_not_hang_up_after_its_answer_keeps_nobody_waiting(service, data):
    """gunicorn's own goodbye waits for the client's, two seconds each, in the loop that serves everybody."""
    held = [socket.create_connection(("127.0.0.1", service.port), timeout=HANGS) for _ in range(8)]
    try:
        for one in held:
            one.sendall(data)
            assert one.recv(65_536)
        begun = time.monotonic()
        assert good(service).status == 200
        assert time.monotonic() - begun < WAITS
        for one in held:
            one.settimeout(HANGS)
            while one.recv(65_536):
                pass
    finally:
        for one in held:
            one.close()


def test_a_path_has_one_spelling_and_none_redirects_to_where_the_host_header_says(client):
    for path in ("/data-actions//cobrowse", "/data-actions/cobrowse/", "/webhooks//crm"):
        answer = client.post(path, json={}, headers={"Host": "evil.example", "X-Api-Key": KEY})
        assert (answer.status_code, answer.json["errorCode"]) == (404, "not_found")
        assert "Location" not in answer.headers
