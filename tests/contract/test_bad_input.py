"""Bad input through the app and through gunicorn: refused as what it is, at once, with nothing started.

`make fuzz` has the same by the hundred thousand.
"""

import contextlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from cobrowse.errors import InvalidRequest, MalformedRequest, SignatureInvalid
from integrations.senders.requests import Ignored, UnverifiedRequest
from sandbox.server import start
from tests.clocks import HANGS
from tests.http_client import HTTP
from tests.in_process import KEY
from tests.integration.conftest import running_gunicorn
from tests.integration.wire import connect
from tests.payloads import senders
from tests.robustness import fuzz_app
from tests.robustness.inputs import CONVERSATION, HEADER_BOMBS, JSON_BOMBS, PLACES, XML_BOMBS
from tests.robustness.malformed_requests import ANSWERED, INNER, SHAPES, head
from tests.robustness.parsers import authenticated, genuine, read, with_headers

# Seconds of this thread's own work, whatever else the machine does: each takes some milliseconds.
COSTS = 1.0
SENDERS = senders()
HEADERS = {"X-Api-Key": KEY, "Content-Type": "application/json"}
# One sender for each way in which a body is read and answered; one delivery for each scheme that signs it.
BODIES = {(row.envelope, row.content_type, row.handshake, row.response_policy): row for row in SENDERS}
SIGNED = {row.signature: (row, delivery) for row, delivery in genuine()}
# Settings that can be read but not written again were a 500: the ledger keeps them.
DEEP = {name for name in JSON_BOMBS if name.endswith("deep")}
AS_TEXT = {"sessionSettings, as text", "a setting"}


@pytest.fixture(scope="module")
def client():
    with fuzz_app.client() as made:
        yield made


def judged(client, *args, **request):
    """The answer to a request, once it costs little and has the form that every caller can read; and its code."""
    begun = time.thread_time()
    answer = client.post(*args, **request)
    assert time.thread_time() - begun < COSTS
    assert fuzz_app.wrong_with(answer) == ""
    return answer, (answer.json or {}).get("errorCode", "") if answer.mimetype == "application/json" else ""


def act(client, body, **headers):
    return judged(client, "/data-actions/cobrowse", data=body, headers={**HEADERS, **headers})


@pytest.mark.parametrize("place", PLACES)
def test_no_json_in_any_place_of_a_data_action_is_a_fault_of_the_service(client, place):
    allowed = {"", "malformed_request", "invalid_request", "body_too_large"}
    for name, bomb in JSON_BOMBS.items():
        # Settings may be refused for their own reasons only, so deep ones as those of too many levels.
        of_settings = name in DEEP and place in AS_TEXT
        assert act(client, PLACES[place](bomb))[1] in ({"", "invalid_request"} if of_settings else allowed), name


def test_nor_are_settings_that_are_nested_too_deeply_taken_from_a_webhook(client):
    row = SENDERS.get("helpdesk")
    for name in DEEP:
        bomb = f'{{"a":{JSON_BOMBS[name].decode()}}}'
        body = json.dumps({"conversationId": CONVERSATION, "sessionSettings": bomb}).encode()
        signed = row.sign("POST", "/webhooks/helpdesk", body, datetime.now(UTC))
        headers = {"Content-Type": "application/json", **signed.headers}
        assert judged(client, "/webhooks/helpdesk", data=body, headers=headers)[1] in ("", "invalid_request"), name


def test_the_whole_body_is_read_as_rfc_8259_has_it_or_refused(client):
    statuses = {name: act(client, bomb)[0].status_code for name, bomb in JSON_BOMBS.items()}
    assert {name: status for name, status in statuses.items() if status not in (400, 413, 422)} == {}


def test_a_key_that_comes_twice_is_refused(client):
    answer, code = act(client, f'{{"conversationId":"nonsense","conversationId":"{CONVERSATION}"}}')
    assert code == "invalid_request"
    assert answer.json["errorMessage"] == "conversationId: Comes more than once."


@pytest.mark.parametrize("row", BODIES.values(), ids=lambda row: row.name)
def test_no_body_that_a_sender_signs_is_a_fault_of_the_service(client, row):
    path, kind = f"/webhooks/{row.name}", {"Content-Type": row.content_type}
    for name, bomb in {**JSON_BOMBS, **XML_BOMBS}.items():
        try:
            signed = row.sign("POST", path, bomb, datetime.now(UTC), kind)
        except (UnicodeDecodeError, SignatureInvalid):
            # Standard Webhooks signs text only, Twilio forms of so many fields.
            assert row.signature.startswith(("standard-webhooks", "twilio"))
            continue
        answer, _ = judged(client, signed.target(path), data=bomb, headers={**kind, **signed.headers})
        assert answer.status_code in (200, 400, 403, 404, 410, 413, 415, 422), name


def test_xml_that_swells_or_reaches_out_is_refused_before_it_does():
    for name, bomb in XML_BOMBS.items():
        incoming = UnverifiedRequest("POST", "/webhooks/salesforce-messages", "", {"content-type": "text/xml"}, bomb)
        begun, message = time.thread_time(), ""
        try:
            # Well-formed, but without a notification.
            events = SENDERS.get("salesforce-messages").parse_events(incoming)
            assert all(isinstance(event, Ignored) for event in events), name
        except (MalformedRequest, InvalidRequest) as refused:
            message = refused.message
        assert time.thread_time() - begun < COSTS, name
        assert "root:" not in message, name


@pytest.mark.parametrize("scheme", SIGNED)
def test_no_header_gets_past_a_signature_or_breaks_it(scheme):
    row, delivery = SIGNED[scheme]
    for name in set(delivery.headers) - {"content-type", "user-agent"}:
        for bomb, value in HEADER_BOMBS.items():
            hostile = with_headers(delivery, {name: value})
            assert authenticated(row, delivery, hostile) == "", (name, bomb)
            assert read(row, hostile) == "", (name, bomb)


@pytest.mark.parametrize(
    "name", ["X-Api-Key", "Authorization", "Idempotency-Key", "ININ-Correlation-Id", "Prefer", "Content-Type"]
)
def test_no_header_of_a_data_action_is_a_fault_of_the_service(client, name):
    for value in HEADER_BOMBS.values():
        plain = re.sub(r"[\r\n\0]", "", value)  # no server hands these on
        answer, _ = act(client, f'{{"conversationId":"{CONVERSATION}"}}', **{name: plain})
        assert answer.headers["ININ-Correlation-Id"].isprintable()


# --- through gunicorn -------------------------------------------------------------------------------------------------

# Seconds of silence after which an answer on a connection that stays open counts as read.
SILENCE = 0.3
CLOSE = b"\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def service(gunicorn_forks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with (
        start(rate_limit=None, auto_create=True) as box,
        running_gunicorn(gunicorn_forks.start, box, folder) as run,
    ):
        yield run(WEB_CONCURRENCY="1", API_KEYS=f"hostile:{KEY}")


def heard(service, data):
    """What comes back until it is silent or ended, while the client's own end stays open."""
    answer = b""
    with connect(service, timeout=HANGS) as connection, contextlib.suppress(OSError):  # a cut ends it too
        connection.sendall(data)
        while chunk := connection.recv(65_536):
            answer += chunk
            connection.settimeout(SILENCE)
    return answer


def status_of(answer):
    """The first answer's status; 0 if there was none, -1 if it is no HTTP."""
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found[1]) if found else -1 if answer else 0


def test_a_request_that_no_honest_client_sends_is_refused_and_never_read_as_two(service):
    with ThreadPoolExecutor(16) as pool:
        answers = dict(zip(SHAPES, pool.map(lambda shape: heard(service, shape.data), SHAPES), strict=True))
    assert {one.name: answer for one, answer in answers.items() if status_of(answer) not in one.statuses} == {}
    assert [one.name for one, answer in answers.items() if ANSWERED in answer and not one.honest] == []


def good(service):
    body = {"conversationId": "22222222-2222-4222-8222-222222222222"}
    return HTTP.post(f"{service.url}/data-actions/cobrowse", json=body, headers={"X-Api-Key": KEY}).status_code


@contextlib.contextmanager
def held(service, count, data):
    """So many clients that have sent this and stay."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(service, timeout=HANGS)) for _ in range(count)]
        for one in clients:
            one.sendall(data)
        yield clients


# Ends that gunicorn's parser waits for, in a thread, while our own count of the bytes takes the request for whole.
UNENDING = {
    "zeros before a length": head(b"Content-Length: " + b"0" * 20 + b"60") + b"\r\n{",
    "two codings": head(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked") + b"\r\n50\r\n{",
    "a chunk line": head(b"Transfer-Encoding: chunked") + b"\r\n5;" + b"a" * 100,
    "a pipeline": INNER + head()[:20],
}


@pytest.mark.parametrize("data", UNENDING.values(), ids=UNENDING)
def test_a_client_that_never_ends_its_request_holds_no_thread_however_it_is_framed(service, data):
    with held(service, 40, data):
        time.sleep(0.3)
        assert good(service) == 200


# Seconds that eight such clients would make the next one wait, were each waited for.
WAITS = 10.0


@pytest.mark.parametrize(
    "data",
    [INNER.replace(b"\r\n\r\n", CLOSE), head(b"Content-Length: +1") + b"\r\n"],
    ids=["it said that it would close", "it was refused"],
)
def test_a_client_that_does_not_hang_up_after_its_answer_keeps_nobody_waiting(service, data):
    """gunicorn's own goodbye waits for the client's, two seconds each, in the loop that serves everybody."""
    with held(service, 8, data) as clients:
        assert all(one.recv(65_536) for one in clients)
        begun = time.monotonic()
        assert good(service) == 200
        assert time.monotonic() - begun < WAITS
        for one in clients:
            while one.recv(65_536):
                pass


def test_a_path_has_one_spelling_and_none_redirects_to_where_the_host_header_says(client):
    for path in ("/data-actions//cobrowse", "/data-actions/cobrowse/", "/webhooks//crm"):
        answer = client.post(path, json={}, headers={"Host": "evil.example", "X-Api-Key": KEY})
        assert (answer.status_code, answer.json["errorCode"]) == (404, "not_found")
        assert "Location" not in answer.headers
