"""The doctor on the sandbox: with each thing wrong that can be, it names that thing and what helps."""

import contextlib
import http.server
import socket
import ssl
import threading

import pytest

from app import create_app
from cobrowse.model import Secret
from diagnostics import ConnectivityProbe, all_passed
from sandbox.state import LIVE, VOICE, WEBCHAT
from tests.certificates import self_signed
from tests.integration.conftest import KEY
from tests.integration.patient import (
    ENVIRON,
    ILLS,
    conversation,
    ledger_without_keys,
    patient,
    row_misspelt,
    scope_missing,
    secret_unset,
    unknown_counter,
    without_media,
    wrong_secret,
)
from tests.receivers import Receiver
from web.reloading import ActiveConfiguration

__all__ = ["patient"]


@pytest.mark.parametrize("ill", ILLS)
def test_each_ill_is_found_and_its_remedy_named(patient, ill):
    spoil, name, found, hint = ILLS[ill]
    spoil(patient)
    checks = patient.checks()
    check = checks[name]
    assert check.ok is False, check
    assert found in check.found
    assert hint in check.hint
    assert not all_passed(checks.values())


def test_a_healthy_installation_passes_every_check(patient):
    patient.conversation = WEBCHAT
    checks = patient.checks()
    assert [name for name, check in checks.items() if check.ok is False] == []
    assert all_passed(checks.values())
    assert checks["flow"].found.startswith("media")
    assert checks["conversation"].found == "active, webchat"
    assert checks["sender desk"].ok
    assert checks["public URL"].ok is None
    assert (checks["api host: DNS"].ok, checks["api host: DNS"].found) == (None, "127.0.0.1 is an IP address")


def test_the_example_url_that_the_demo_signs_with_is_no_failure_on_the_sandbox(patient):
    patient.set(public_base_url="https://cobrowse.example.com")
    checks = patient.checks()
    assert checks["public URL"].ok is None
    assert all_passed(checks.values())


def test_nothing_the_doctor_does_reaches_a_customer(patient, box):
    for which in (WEBCHAT, VOICE, LIVE):
        patient.conversation = which
        patient.checks()
    assert box.invitations() == 0
    assert box.calls("attach") == box.calls("cobrowse") == []


def test_a_live_session_is_mentioned(patient):
    patient.conversation = LIVE
    assert "live cobrowse session" in patient.checks()["conversation"].found


@pytest.mark.parametrize(("mode", "ok"), [("auto", True), ("native", None)])
def test_an_org_without_the_media_flow_has_the_native_one(patient, mode, ok):
    without_media(cobrowse_flow=mode)(patient)
    checks = patient.checks()
    assert checks["flow"].ok is ok
    assert checks["flow"].found.startswith("native")
    assert all_passed(checks.values())
    assert patient.box.calls("cobrowse") == []


def test_a_scope_of_a_flow_that_the_org_lacks_is_not_missed(patient):
    without_media(cobrowse_flow="auto")(patient)
    scope_missing("cobrowse:initiate")(patient)
    checks = patient.checks()
    assert "cobrowse:initiate" not in checks
    assert (checks["flow"].ok, checks["scopes"].ok) == (True, None)
    assert checks["scopes"].found.startswith("the native flow requests none")
    assert all_passed(checks.values())


def test_the_permissions_to_end_and_to_hand_over_are_tried_on_a_conversation_that_is_not_there(patient, box):
    checks = patient.checks()
    assert (checks["ending"].ok, checks["participant data"].ok) == (True, None)
    patient.set(participant_data=True)
    assert patient.checks()["participant data"].ok is True
    for operation in ("disconnect", "attributes"):
        assert box.calls(operation)
        box.faults.add(operation=operation, kind="status", status=403, code="missing.permissions", times="always")
    checks = patient.checks()
    # Ending is not needed by everybody; what a setting asks for is.
    assert (checks["ending"].ok, checks["participant data"].ok) == (None, False)
    assert "role" in checks["ending"].hint
    assert "handedOver" in checks["participant data"].hint


def test_what_rests_on_something_broken_is_not_looked_at(patient):
    wrong_secret(patient)
    checks = patient.checks()
    assert [name for name, check in checks.items() if check.ok is False] == ["credentials"]
    assert [checks[name].ok for name in ("scopes", "reading", "flow", "conversation")] == [None] * 4
    assert "skipped: credentials failed" in checks["flow"].found


def test_one_row_that_is_wrong_leaves_the_others_right(patient):
    secret_unset(patient)
    checks = patient.checks()
    assert (checks["sender crm"].ok, checks["sender desk"].ok) == (False, True)


def test_no_secret_is_in_what_it_says(patient):
    secrets = {*ENVIRON.values(), KEY, "guessed", "sandbox-secret", "pw@", "counter-password"}
    for spoil in (wrong_secret, ledger_without_keys, unknown_counter, row_misspelt, conversation(WEBCHAT)):
        spoil(patient)
        said = repr(list(patient.checks().values()))
        assert not [secret for secret in secrets if secret in said]


def test_a_host_that_keeps_silent_is_given_up(patient):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        patient.reach = ConnectivityProbe(timeout=0.2)
        patient.set(genesys_api_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        check = patient.checks()["api host: TLS"]
    assert "did not answer in time" in check.found
    assert "firewall" in check.hint


@contextlib.contextmanager
def served_with_tls(directory, *, days=30, host="localhost"):
    """A web server on loopback with a certificate that nobody has signed: its URL and the certificate's file."""
    certificate, key = self_signed("localhost", days=days, host=host)
    file = directory / "host.pem"
    file.write_bytes(key + certificate)
    (directory / "ca.pem").write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    class Server(http.server.ThreadingHTTPServer):
        def finish_request(self, request, client_address):
            with contextlib.suppress(OSError), context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield f"https://localhost:{server.server_port}", str(directory / "ca.pem")
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.mark.parametrize(
    ("certificate", "trusted", "found", "hint"),
    [
        ({}, False, "self-signed", "GENESYS_CA_FILE"),
        ({"days": -1}, True, "expired", "clock"),
        ({"host": "elsewhere.example.com"}, True, "ostname mismatch", "for another host"),
    ],
)
def test_a_certificate_that_can_not_be_trusted_is_recognised(patient, tmp_path, certificate, trusted, found, hint):
    with served_with_tls(tmp_path, **certificate) as (url, authority):
        patient.set(genesys_api_url=url, genesys_ca_file=authority if trusted else "")
        check = patient.checks()["api host: TLS"]
    assert check.ok is False
    assert found in check.found
    assert hint in check.hint


def test_a_ca_file_makes_a_gateway_trusted(patient, tmp_path):
    with served_with_tls(tmp_path) as (url, authority):
        patient.set(genesys_api_url=url, genesys_ca_file=authority)
        check = patient.checks()["api host: TLS"]
    assert check.ok
    assert check.found.startswith("TLSv1.")
    assert "certificate until 20" in check.found


@contextlib.contextmanager
def served(app):
    """The address of an app that serves."""
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_a_running_service_is_found_at_its_public_url(patient, service):
    with served(service().app) as url:
        patient.set(public_base_url=url)
        checks = patient.checks()
    assert checks["public URL"].ok
    assert "running service" in checks["public URL"].found
    assert "reload" not in checks


def test_a_reload_that_the_running_service_refused_is_told(patient, service):
    active_configuration = ActiveConfiguration()
    active_configuration.errors = ("senders.toml: [senders.crm] secrets: $CRM_KEY is not set in the environment",)
    app = create_app(service().settings, environ={}, active_configuration=active_configuration)
    with served(app) as url:
        patient.set(public_base_url=url)
        checks = patient.checks()
    app.extensions["cobrowse"].ledger.close()
    assert checks["public URL"].ok
    assert checks["reload"].ok is False
    assert "refused its last reload" in checks["reload"].found
    assert "SIGHUP" in checks["reload"].hint


def test_the_receiver_of_callbacks_is_reached_and_no_event_is_sent(patient):
    assert patient.checks()["outcome webhook"].ok is None
    with Receiver() as receiver:
        patient.set(outcome_webhook_url=Secret(receiver.url))
        assert patient.checks()["outcome webhook"].ok
        assert receiver.received == []
    check = patient.checks()["outcome webhook"]
    assert (check.ok, check.found) == (False, "127.0.0.1 can't be reached: ConnectionRefusedError")
    assert "SSL_CERT_FILE" in check.hint
