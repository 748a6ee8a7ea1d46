"""What Genesys or a service says can't steer the terminal of the person who asked."""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.faults import Fault
from sandbox.state import WEBCHAT
from tests.integration.test_command_line import bridge

__all__ = ["bridge"]

ATTACK = "\x1b]52;c;cm0gLXJmIH4=\x07\x1b]8;;https://evil.example\x1b\\x\u202e\x9b2J\n✓ initiated: forged"
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
WIRE = {"id": f"s-1{ATTACK}", "joinUrl": f"https://x/{ATTACK}", "viewerUrl": "https://y/"}


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_sessions_ids_and_urls(bridge, box, options):
    box.faults.add(operation="create", kind="wrong_json", body=WIRE)
    box.faults.add(operation="attach", kind="wrong_json", body={"id": ATTACK, "state": ATTACK}, when="before")
    done = bridge("start", WEBCHAT, *options)
    assert "s-1" in done.stdout
    check_is_harmless(done)


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("operation", ["token", "create"])
def test_genesyss_messages(bridge, box, options, operation):
    box.faults.enqueue(refusing(operation))
    done = bridge("start", WEBCHAT, *options, COBROWSE_FLOW="media")
    assert "genesys_forbidden" in done.stdout + done.stderr
    check_is_harmless(done)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_doctors_findings(bridge, box, options):
    box.faults.enqueue(refusing("any"))
    done = bridge("doctor", *options, "--conversation", ATTACK)
    assert "credentials" in done.stdout
    check_is_harmless(done)


@pytest.mark.parametrize("body", [ATTACK, '{"errorMessage": "\u202e\x9b2J"}'])
def test_a_services_answer_to_send(bridge, tmp_path, body):
    (tmp_path / "senders.toml").write_text(
        '[senders.crm]\nenvelope = "custom"\nconversation_id = "id"\nsecrets = ["$CRM"]\n'
        'signature = "api-key"\nheader = "X-Key"\n'
    )
    (tmp_path / "body.json").write_text("{}")
    with answering(body) as url:
        done = bridge(
            *("send", "crm", "--file", str(tmp_path / "body.json"), "--url", url),
            SENDERS_FILE=str(tmp_path / "senders.toml"),
            CRM="sender-secret-0123456789",
        )
    assert "< HTTP 200" in done.stdout, done.stderr
    check_is_harmless(done)


def refusing(operation):
    """A 403 with hostile words, which the sandbox's own document for a fault does not allow."""
    words = {"status": 403, "code": ATTACK, "message": ATTACK}
    return Fault(operation, "status", "before", None, words)


def check_is_harmless(done):
    for told in (done.stdout, done.stderr):
        assert not UNSAFE.search(told)
        assert not re.search("^✓ initiated: forged", told, re.MULTILINE)


@contextlib.contextmanager
def answering(body):
    """A service that answers everything with this body and a hostile correlation id."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("ININ-Correlation-Id", "a\x1b]0;owned\x07")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
