"""The way to Genesys through a proxy or a gateway, end to end: the service, the doctor and the command line alike."""

import base64
import ssl
from dataclasses import replace
from uuid import uuid4

import pytest

from app import transport_of
from cobrowse.clock import SystemClock
from cobrowse.model import Secret
from diagnostics import all_passed, diagnose
from diagnostics.network_checks import is_proxied
from sandbox.state import MESSAGE, VOICE
from settings import Settings
from tests.integration.conftest import ROOT, settings_on
from tests.integration.gateways import Gateway, certified, tunnel
from tests.integration.upstreams import serve
from tools.reference_tables import as_written

__all__ = ["certified", "serve"]


@pytest.fixture
def gateway(box, certified):
    server = certified("127.0.0.1")
    gateway = Gateway(server.context, box.port)
    yield gateway, server
    gateway.close()


@pytest.fixture
def way(box, gateway, service, tmp_path, cli):
    """Starts a session by the service and one by the command line, and examines: its settings are this way's."""

    def play(**settings):
        url, bundle = gateway[0].url, gateway[1].bundle
        chosen = {"genesys_api_url": url, "genesys_login_url": url, "genesys_ca_file": bundle} | settings
        bridge = service(transport=(transport := transport_of(settings_on(box, tmp_path, **chosen))), **chosen)
        told = bridge.start(MESSAGE)
        transport.close()
        checks = examined(settings_on(box, tmp_path, **chosen))
        environment = {"SANDBOX": "true", "LEDGER_URL": f"sqlite:///{tmp_path}/by-hand.sqlite3"}
        environment |= {name.upper(): as_written(value) for name, value in chosen.items()}
        return told, checks, cli("start", VOICE, "--json", cwd=ROOT, env=environment)

    return play


def examined(settings):
    checks = list(
        diagnose(
            settings,
            environ={},
            clock=SystemClock(),
            new_id=lambda: str(uuid4()),
            transport=transport_of(settings),
        )
    )
    return {check.name: check for check in checks if check.name != "public URL"}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_call_goes_through_the_proxy_with_its_credentials(way, serve, gateway, scheme):
    proxy = serve(tunnel, gateway[1].context if scheme == "https" else None)
    url = Secret(f"{scheme}://ann:s%2Fcret@127.0.0.1:{proxy.port}")
    told, checks, done = way(genesys_proxy=url)
    assert told["status"] == "initiated"
    assert done.returncode == 0, done.stderr
    assert all_passed(checks.values()), checks
    shown = f"the proxy {scheme}://127.0.0.1:{proxy.port} of GENESYS_PROXY, with a user resolves it"
    assert checks["api host: DNS"].found == shown
    assert "s/cret" not in repr(checks)
    tunnels = [seen for seen in proxy.seen if seen.raw.startswith(b"CONNECT ")]
    assert len(tunnels) == len(proxy.seen) >= 3  # the service's, the doctor's, the command's
    word = base64.b64encode(b"ann:s/cret")
    assert all(b"Proxy-Authorization: Basic " + word in seen.head for seen in tunnels)


def test_a_proxy_that_refuses_is_named_by_all_three_and_nothing_is_sent(way, serve, box):
    proxy = serve(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    told, checks, done = way(genesys_proxy=Secret(f"http://127.0.0.1:{proxy.port}"), deadline_seconds=2.0)
    assert (told["errorCode"], done.returncode) == ("genesys_unavailable", 1)
    assert "407" in told["errorMessage"]
    assert checks["api host: DNS"].ok is True
    assert checks["credentials"].ok is False
    assert checks["credentials"].hint.startswith("Check GENESYS_PROXY")
    assert box.calls() == []


def test_a_proxy_that_is_not_there_is_the_first_thing_the_doctor_names(way, serve):
    gone = serve()
    gone.close()
    _, checks, _ = way(genesys_proxy=Secret(f"http://127.0.0.1:{gone.port}"), deadline_seconds=1.0)
    assert checks["api host: DNS"].ok is False
    assert "GENESYS_PROXY" in checks["api host: DNS"].found + checks["api host: DNS"].hint
    assert checks["api host: TLS"].ok is None


def test_what_no_proxy_names_is_reached_straight_by_all_three(way, serve):
    proxy = serve(tunnel)
    told, checks, done = way(genesys_proxy=Secret(f"http://127.0.0.1:{proxy.port}"), no_proxy="example.com,127.0.0.0/8")
    assert (told["status"], done.returncode) == ("initiated", 0)
    assert checks["api host: TLS"].found.startswith("TLSv1")
    assert proxy.connections == 0


@pytest.mark.parametrize(
    ("no_proxy", "proxied"),
    [
        ("", True),
        ("*", False),
        ("mypurecloud.de", False),
        (".mypurecloud.de", False),
        ("API.mypurecloud.de", False),
        ("purecloud.de", True),
        ("login.mypurecloud.de, pi.mypurecloud.de", True),
        ("10.0.0.0/8", True),
    ],
)
def test_the_doctor_reads_no_proxy_as_the_engine_does(no_proxy, proxied, serve):
    settings = Settings(genesys_proxy=Secret("http://127.0.0.1:1"), no_proxy=no_proxy)
    assert is_proxied(settings, "https://api.mypurecloud.de") is proxied
    # The engine's own word: the name does not resolve here, so a straight call tells another fault than a proxied one.
    proxy = serve(b"HTTP/1.1 599 No\r\nContent-Length: 0\r\n\r\n")
    transport = transport_of(replace(settings, genesys_proxy=Secret(proxy.url)))
    ask(transport, "http://api.mypurecloud.de.")
    transport.close()
    assert bool(proxy.seen) is proxied


def ask(transport, url):
    import contextlib

    import httpx

    with contextlib.suppress(httpx.HTTPError):
        transport.handle_request(httpx.Request("GET", url, extensions={"timeout": {"read": 3.0}}))


def test_a_gateway_that_demands_a_certificate_gets_it_from_all_three(way, gateway, certified):
    ours = certified("bridge.example")
    gateway[1].context.verify_mode = ssl.CERT_REQUIRED
    gateway[1].context.load_verify_locations(ours.bundle)
    told, checks, done = way(genesys_client_cert=ours.bundle, genesys_client_key=ours.key)
    assert (told["status"], done.returncode) == ("initiated", 0)
    assert all_passed(checks.values()), checks
    assert set(gateway[0].names) == {"bridge.example"}


def test_without_a_certificate_such_a_gateway_lets_nobody_through(way, gateway, box):
    gateway[1].context.verify_mode = ssl.CERT_REQUIRED
    told, checks, done = way(deadline_seconds=2.0)
    assert (told["success"], done.returncode) == (False, 1)
    assert not all_passed(checks.values())
    assert box.calls() == []
