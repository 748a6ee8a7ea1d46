"""Certificates' subjects over live sockets: who a proxy is on a socket of both families, where IPv4 looks like IPv6."""

import json
import socket
from http.client import HTTPConnection

import pytest

from sandbox.state import VOICE, WEBCHAT
from tests.integration.conftest import running_gunicorn
from tests.integration.served import box, served

__all__ = ["box", "served"]

SUBJECT = "CN=partner.example.com,O=Example"
ROW = f"""
[senders.partner]
signature = "mtls"
subjects = ["{SUBJECT}"]
subject_header = "X-Client-Subject"
envelope = "custom"
conversation_id = "conversationId"
"""


@pytest.fixture(scope="module")
def server(gunicorn_forks, served, tmp_path_factory):
    folder = tmp_path_factory.mktemp("both-families")
    (folder / "senders.toml").write_text(ROW)
    with running_gunicorn(gunicorn_forks.start, served, folder) as run:
        yield run(HOST="[::]", SENDERS_FILE=str(folder / "senders.toml"), TRUSTED_PROXIES="127.0.0.1")


def delivered(server, peer, conversation=WEBCHAT, **headers):
    """The status of a delivery from this address of this machine, over a socket of that address's own family."""
    port = int(server.environment["PORT"])
    connection = HTTPConnection("::1" if ":" in peer else "127.0.0.1", port, timeout=30, source_address=(peer, 0))
    sent = {"Content-Type": "application/json"} | {name.replace("__", "-"): value for name, value in headers.items()}
    connection.request("POST", "/webhooks/partner", json.dumps({"conversationId": conversation}), sent)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_proxy_is_known_though_its_address_arrives_as_ipv6(server, box):
    with socket.create_connection(("127.0.0.1", int(server.environment["PORT"]))):
        pass  # IPv4 reaches the socket at all
    assert delivered(server, "127.0.0.1", X__Client__Subject=SUBJECT) == 200
    assert box.invitations(WEBCHAT) == 1


@pytest.mark.parametrize("peer", ["127.0.0.2", "::1"])
@pytest.mark.parametrize(
    "chain",
    [
        {},
        {"X__Forwarded__For": "127.0.0.1"},
        {"X__Forwarded__For": "127.0.0.1, ::ffff:127.0.0.1"},
        {"X__Real__IP": "127.0.0.1"},
        {"Forwarded": 'for=127.0.0.1;by="[::ffff:127.0.0.1]"'},
    ],
)
def test_nobody_else_is_whatever_chain_of_proxies_is_claimed(server, box, peer, chain):
    assert delivered(server, peer, VOICE, X__Client__Subject=SUBJECT, **chain) == 401
    assert box.invitations(VOICE) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Client_Subject": SUBJECT},  # a name that some servers take for the same
        {"X__Client__Subject": f"{SUBJECT},{SUBJECT}"},  # what two of them are made into
        {"X__Client__Subject": SUBJECT.lower()},
    ],
)
def test_through_the_proxy_only_the_subject_itself_counts(server, box, headers):
    assert delivered(server, "127.0.0.1", VOICE, **headers) in (400, 401)
    assert box.invitations(VOICE) == 0
