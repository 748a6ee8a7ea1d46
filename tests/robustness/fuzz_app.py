"""Bad input for the app through WSGI, and for gunicorn through sockets: parts of the fuzz run.

A part yields the strategy of its inputs and what says what is wrong with one, "" if nothing is.
"""

import contextlib
import re
import socket
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
from hypothesis import strategies as st

from cobrowse.errors import SignatureInvalid
from sandbox.server import start
from tests.http_client import HTTP
from tests.in_process import KEY, service
from tests.integration.conftest import as_a_shell_would, running_gunicorn
from tests.leftovers import held_by
from tests.payloads import BASE_URL, EXAMPLE, environ, write_senders
from tests.robustness import inputs
from tests.robustness.judgement import KEYS
from tests.robustness.malformed_requests import BODY, LENGTH, head
from tests.robustness.parsers import changed, genuine

SESSION = "77777777-0000-4000-8000-000000000001"
MEDIUM = {"id": "m-1", "type": "cobrowse", "cobrowseSessionId": SESSION, "state": "connected"}
LINKS = {"joinUrl": "https://join.example/1", "viewerUrl": "https://view.example/1"}
# What gunicorn may hold more at the end than at the beginning: bytes of memory, files.
MORE_MEMORY, MORE_FILES = 24_000_000, 8


def grant(request):
    """The good answer of a Genesys Cloud in which each conversation is live and shows the one session there is."""
    path = request.url.path
    answers = {
        "token": {"access_token": "t-1", "expires_in": 86_400},
        "sessions": {"id": SESSION, **LINKS},
        "media": MEDIUM,
        "webchat": {"entities": [{"id": inputs.CONVERSATION}]},
    }
    last = path.rpartition("/")[2]
    live = {"id": last, "state": "active", "media": [{"type": "webchat"}, MEDIUM]}
    return httpx.Response(200, content=orjson.dumps(answers.get(last, live)))


@contextlib.contextmanager
def client():
    """A client of the service in this process, with every sender, on a Genesys that grants everything."""
    chosen = {
        "public_base_url": BASE_URL,
        "allow_latest": True,
        "allow_user_tokens": True,
        "deadline_seconds": 1.0,
    }
    secrets = environ(EXAMPLE.read_text())
    with tempfile.TemporaryDirectory() as folder:
        chosen["senders_file"] = str(write_senders(Path(folder)))
        with service("http://127.0.0.1:1", folder, secrets, httpx.MockTransport(grant), **chosen) as (app, _):
            yield app.test_client()


def wrong_with(answer):
    """What is wrong with an answer: a 500, or a form that no caller could read."""
    if answer.status_code == 500:
        return f"500: {answer.get_data(as_text=True)[:200]}"
    if answer.mimetype == "application/json" and "errorCode" in (answer.json or {}):
        keys = [key for key in answer.json if key != "results"]
        return "" if keys == KEYS else f"{answer.status_code} with other keys"
    if answer.status_code >= 400 and answer.mimetype not in ("text/xml", "text/html"):
        return f"{answer.status_code} as {answer.mimetype}"
    return ""


@contextlib.contextmanager
def deliveries():
    """Bad bodies, signed as each sender signs."""
    with client() as bridge:

        def judge(case):
            row, incoming = case
            path = target = f"/webhooks/{row.name}"
            headers = {"Content-Type": incoming.headers.get("content-type", "application/json")}
            with contextlib.suppress(
                UnicodeDecodeError, SignatureInvalid
            ):  # Twilio signs not any form, others no bytes
                signed = row.sign("POST", path, incoming.body, datetime.now(UTC), headers)
                target, headers = signed.target(path), {**headers, **signed.headers}
            return wrong_with(bridge.post(target, data=incoming.body, headers=headers))

        yield changed(genuine()), judge


@contextlib.contextmanager
def data_actions():
    """Bad bodies and headers of a data action."""
    body = {"conversationId": inputs.CONVERSATION, "channel": "webchat", "requestedBy": "Ann", "sessionSettings": "{}"}
    names = ("Idempotency-Key", "ININ-Correlation-Id", "Prefer", "Content-Type", "Genesys-Access-Token", "X-Api-Key")
    bombs = st.builds(
        lambda place, bomb: place(bomb),
        st.sampled_from(list(inputs.PLACES.values())),
        st.sampled_from(list(inputs.JSON_BOMBS.values())),
    )
    # What a WSGI server hands on: no line breaks and no NUL.
    value = inputs.header_values.map(lambda text: re.sub(r"[\r\n\0]", "", text))
    headers = st.dictionaries(st.sampled_from(names), value, max_size=2)
    with client() as bridge:

        def judge(case):
            sent = {"X-Api-Key": KEY, "Content-Type": "application/json", **case[1]}
            return wrong_with(bridge.post("/data-actions/cobrowse", data=case[0], headers=sent))

        yield st.tuples(inputs.changed_json(body) | bombs, headers), judge


@contextlib.contextmanager
def paths():
    """Paths and methods that lead nowhere."""
    known = ["data-actions", "cobrowse", "webhooks", "crm", "healthz", "readyz", "metrics", "console", "docs", "static"]
    odd = ["openapi.json", "..", ".", "", "%00", "%2e%2e", "%ff"]
    part = st.sampled_from([*known, *odd]) | st.text(max_size=8)
    method = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])
    query = st.text(st.characters(codec="utf-8"), max_size=20)
    with client() as bridge:

        def judge(case):
            path = "/" + "/".join(case[1])
            # As a server hands it on: each byte a character. The client itself would take //x for a host.
            raw = {"PATH_INFO": path.encode().decode("latin-1"), "QUERY_STRING": case[2].encode().decode("latin-1")}
            with bridge.open("/", method=case[0], headers={"X-Api-Key": KEY}, environ_overrides=raw) as answer:
                return "" if case[0] == "HEAD" or answer.status_code < 400 else wrong_with(answer)

        yield st.tuples(method, st.lists(part, max_size=5), query), judge


@contextlib.contextmanager
def wire():
    """Good requests with some bytes changed, through gunicorn, which must not grow and serve the next good one."""
    with (
        start(rate_limit=None, auto_create=True) as box,
        tempfile.TemporaryDirectory() as folder,
        running_gunicorn(as_a_shell_would, box, Path(folder)) as run,
    ):
        server = run(WEB_CONCURRENCY="1", API_KEYS=f"hostile:{KEY}", LOG_LEVEL="WARNING")
        port = int(server.url.rpartition(":")[2])

        def serve_good_ones():
            for number in range(64):
                body = {"conversationId": f"{number:08x}-0000-4000-8000-000000000000"}
                HTTP.post(
                    f"{server.url}/data-actions/cobrowse", json=body, headers={"X-Api-Key": KEY}
                ).raise_for_status()

        def judge(data):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                answer = b""
                with contextlib.suppress(ConnectionError):  # to cut the connection is a refusal too
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)  # what is not whole now will never be
                    while chunk := connection.recv(65_536):
                        answer += chunk
                return f"500: {answer[-200:]!r}" if answer.startswith(b"HTTP/1.1 500") else ""

        serve_good_ones()  # whatever is made once is there now
        memory, _, files = held_by(server.workers())
        yield inputs.changed_bytes(head(LENGTH) + b"\r\n" + BODY), judge
        serve_good_ones()
        time.sleep(3)  # the kernel's own close may come after the last answer
        after = held_by(server.workers())
        assert after.memory < memory + MORE_MEMORY, f"the worker grew by {after.memory - memory} bytes"
        assert after.files < files + MORE_FILES, f"the worker has {after.files - files} files more open"
