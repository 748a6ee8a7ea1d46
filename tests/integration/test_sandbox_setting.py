"""SANDBOX=true opens the service only on what says that it is a sandbox; loopback alone opens nothing."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cobrowse.model import Secret
from sandbox.state import WEBCHAT
from tests.integration.conftest import started_in_vain
from tests.ports import free_port


@contextlib.contextmanager
def gateway():
    """A gateway to the real Genesys on this machine: it gives tokens, and counts what it is asked besides."""
    asked = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = json.dumps({"access_token": "real-token-0123456789", "expires_in": 3600}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


@pytest.mark.parametrize("flow", ["media", "native"])
def test_a_gateway_on_loopback_is_no_sandbox(service, flow):
    with gateway() as (url, asked):
        bridge = service(genesys_api_url=url, genesys_login_url=url, api_keys=Secret(), cobrowse_flow=flow)
        answer = bridge.post(conversationId=WEBCHAT, key="")
    assert answer.json["errorCode"] == "genesys_bad_response"
    assert "SANDBOX is set" in answer.json["errorMessage"]
    assert "API_KEYS" in answer.json["errorHint"]
    assert set(asked) == {"/oauth/token"}


def test_a_token_that_was_got_without_the_setting_is_not_used_with_it(service, box, tmp_path):
    with gateway() as (url, asked):
        closed = service(genesys_api_url=url, genesys_login_url=url, sandbox=False, genesys_client_id="sandbox")
        closed.start(WEBCHAT)
        del asked[:]
        bridge = service(genesys_api_url=url, genesys_login_url=url, api_keys=Secret(), ledger=closed.initiate.ledger)
        answer = bridge.post(conversationId=WEBCHAT, key="")
    assert "SANDBOX is set" in answer.json["errorMessage"]
    assert set(asked) == {"/oauth/token"}


def test_without_the_setting_loopback_opens_neither_the_endpoint_nor_the_console(service):
    bridge = service(sandbox=False, api_keys=Secret())
    assert bridge.post(conversationId=WEBCHAT, key="").status_code == 401
    assert bridge.client.get("/console").status_code == 404


def test_a_sandbox_says_what_it_is_and_is_used(service, box):
    assert service(api_keys=Secret()).post(conversationId=WEBCHAT, key="").json["status"] == "initiated"


def test_the_service_does_not_start_on_loopback_without_keys(box, tmp_path):
    done = started_in_vain(
        {
            "PATH": "/usr/bin:/bin",
            "GENESYS_API_URL": box.url,
            "GENESYS_LOGIN_URL": box.url,
            "LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite3",
            "HOST": "127.0.0.1",
            "PORT": str(free_port()),
            "TMPDIR": str(tmp_path),
        }
    )
    assert done.returncode != 0
    assert "API_KEYS: required" in done.stderr
