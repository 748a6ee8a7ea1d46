"""An installation for the doctor to examine, and each thing that can be wrong with it."""

import contextlib
import datetime as dt
import socket
import sqlite3
from dataclasses import replace
from uuid import uuid4

import pytest

from app import transport_of
from cobrowse.clock import SystemClock
from cobrowse.model import Secret
from diagnostics import ConnectivityProbe, diagnose
from integrations import ledger
from sandbox.state import ABSENT, EMAIL, ENDED
from tests.integration.conftest import KEY, settings_on
from tests.ports import free_port

SENDERS = """
[senders.crm]
signature = "api-key"
secrets = ["$CRM_KEY"]
envelope = "custom"

[senders.desk]
signature = "bearer"
secrets = ["$DESK_TOKEN"]
envelope = "custom"
"""
ENVIRON = {"CRM_KEY": "crm-0123456789abcdef", "DESK_TOKEN": "desk-0123456789abcdef"}


class Off(SystemClock):
    """The machine's clock, so many seconds wrong."""

    def __init__(self, seconds):
        self.seconds = seconds

    def now(self):
        return super().now() + dt.timedelta(seconds=self.seconds)


class Patient:
    """An installation in good health, until a test spoils it."""

    def __init__(self, box, tmp_path):
        self.box = box
        self.directory = tmp_path
        (tmp_path / "senders.toml").write_text(SENDERS)
        self.settings = settings_on(
            box, tmp_path, api_keys=Secret(f"flow:{KEY}"), senders_file=str(tmp_path / "senders.toml")
        )
        self.environ = dict(ENVIRON)
        self.clock = SystemClock()
        self.reach = ConnectivityProbe()
        self.conversation = ""

    def set(self, **settings):
        self.settings = replace(self.settings, **settings)

    def fault(self, operation, kind, **fields):
        self.box.faults.add(operation=operation, kind=kind, times="always", **fields)

    def checks(self):
        found = list(
            diagnose(
                self.settings,
                environ=self.environ,
                clock=self.clock,
                new_id=lambda: str(uuid4()),
                conversation_id=self.conversation,
                probe=self.reach,
                transport=transport_of(self.settings),
            )
        )
        by_name = {check.name: check for check in found}
        assert len(by_name) == len(found), "each check has a name of its own"
        return by_name


@pytest.fixture
def patient(box, tmp_path):
    return Patient(box, tmp_path)


def wrong_secret(it):
    it.set(genesys_client_id="sandbox", genesys_client_secret=Secret("guessed"))


def wrong_client(it):
    it.set(genesys_client_id="nobody", genesys_client_secret=Secret("sandbox-secret"))


def nobody(*_, **__):
    """A resolver that knows no name."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def without_a_name(it):
    it.set(
        genesys_api_url="",
        genesys_login_url="",
        genesys_region="mypurecloud.ie",
        genesys_client_id="id",
        genesys_client_secret=Secret("secret"),
    )
    it.reach = ConnectivityProbe(nobody)


def two_regions(it):
    it.set(
        sandbox=False, genesys_api_url="https://api.mypurecloud.de", genesys_login_url="https://login.mypurecloud.ie"
    )
    it.reach = ConnectivityProbe(nobody)


def refused_connection(it):
    it.set(genesys_login_url=f"http://127.0.0.1:{free_port()}")


def https_to_a_plain_port(it):
    it.set(genesys_api_url=it.box.url.replace("http:", "https:"))


def a_missing_ca_file(it):
    it.set(genesys_api_url=it.box.url.replace("http:", "https:"), genesys_ca_file="/nowhere/ca.pem")


def clock_ahead(it):
    it.clock = Off(90)


def clock_behind(it):
    it.clock = Off(-3600)


def scope_missing(scope):
    def spoil(it):
        it.box.options.grants = tuple(one for one in it.box.options.grants if one != scope)

    return spoil


def scopes_refused_as_a_whole(it):
    # The first token is the one for the credentials, which asks for no scope.
    it.box.faults.add(operation="token", kind="delay", seconds=0, times=1)
    it.fault("token", "status", status=400, code="invalid_scope", message="unknown scope")


def without_media(**settings):
    def spoil(it):
        it.box.options.api = "native"
        it.set(**settings)

    return spoil


def struck(operation, kind, **fields):
    return lambda it: it.fault(operation, kind, **fields)


def conversation(which):
    def spoil(it):
        it.conversation = which

    return spoil


def ledger_nowhere(it):
    it.set(ledger_url=Secret(f"sqlite:///{it.directory}/absent/ledger.sqlite3"))


def ledger_not_a_database(it):
    (it.directory / "ledger.sqlite3").write_bytes(b"this is no database, whatever its name says" * 40)


def ledger_newer(it):
    with contextlib.closing(
        ledger.connect(it.settings.ledger_url.reveal(), keys=(), retention_seconds=it.settings.ledger_retention_seconds)
    ) as store:
        store.ping()
    with contextlib.closing(sqlite3.connect(it.directory / "ledger.sqlite3")) as connection:
        connection.execute("UPDATE ledger_schema SET version = 99, min_reader = 99")
        connection.commit()


def ledger_without_keys(it):
    it.set(ledger_url=Secret("postgresql+psycopg://bridge:pw@localhost/bridge"))


def secret_unset(it):
    del it.environ["CRM_KEY"]


def row_misspelt(it):
    (it.directory / "senders.toml").write_text(SENDERS.replace('"bearer"', '"bearar"'))


def senders_file_gone(it):
    (it.directory / "senders.toml").unlink()


def short_key(it):
    it.set(api_keys=Secret("flow:short"))


def unknown_counter(it):
    it.set(rate_limit_storage=Secret("redish://:counter-password@localhost"))


def counter_away(it):
    it.set(rate_limit_storage=Secret(f"redis://127.0.0.1:{free_port()}"))


def public_without_tls(it):
    it.set(sandbox=False, public_base_url="http://bridge.example.com")
    it.reach = ConnectivityProbe(nobody)


def public_elsewhere(it):
    it.set(public_base_url=it.box.url)


def public_not_running(it):
    refused_connection(it)
    it.set(public_base_url=it.settings.genesys_login_url, genesys_login_url=it.box.url)


# What is wrong, the check that says so, what it has found, and the remedy.
ILLS = {
    "the secret": (wrong_secret, "credentials", "401", "copy GENESYS_CLIENT_SECRET anew"),
    "the client id": (wrong_client, "credentials", "400", "check GENESYS_CLIENT_ID, and GENESYS_REGION"),
    "the region's name": (without_a_name, "api host: DNS", "api.mypurecloud.ie", "GENESYS_REGION is mypurecloud.ie"),
    "two regions": (two_regions, "region", "two regions", "same region"),
    "a refused connection": (refused_connection, "login host: TLS", "refuses", "host and port"),
    "no TLS there": (https_to_a_plain_port, "api host: TLS", "TLS with", "scheme and port"),
    "no CA file": (a_missing_ca_file, "api host: TLS", "GENESYS_CA_FILE /nowhere/ca.pem", "Name a PEM file"),
    "a clock ahead": (clock_ahead, "clock", "s ahead of", "NTP"),
    "a clock behind": (clock_behind, "clock", "s behind", "NTP"),
    "no right to start": (scope_missing("cobrowse:initiate"), "cobrowse:initiate", "not granted", "Add the scope"),
    "no right to read": (scope_missing("conversation:read"), "reading", "403", "may view conversations"),
    "no voice scope": (scope_missing("conversation:voice"), "conversation:voice", "not granted", "conversation:voice"),
    "an invalid scope": (scopes_refused_as_a_whole, "conversation:message", "not granted", "conversation:message"),
    "media, and no such flow": (without_media(cobrowse_flow="media"), "flow", "404", "COBROWSE_FLOW=native or auto"),
    "create forbidden": (struck("create", "status", status=403), "flow", "403", "scope cobrowse:initiate and a role"),
    "create limited": (struck("create", "status", status=429, retry_after=30), "flow", "429", "wait 30 s"),
    "create broken": (struck("create", "status", status=500), "flow", "500", "unreachable or failing"),
    "create a web page": (struck("create", "not_json"), "flow", "does not say which session", "any proxy in between"),
    "create cut": (struck("create", "drop"), "flow", "broke", "is unreachable"),
    "create moved": (struck("create", "redirect", location="/"), "flow", "a redirect", "GENESYS_API_URL"),
    "token limited": (struck("token", "status", status=429, retry_after=60), "credentials", "429", "wait 60 s"),
    "token broken": (struck("token", "status", status=503), "credentials", "503", "status page"),
    "token a web page": (struck("token", "not_json"), "credentials", "not JSON", "GENESYS_LOGIN_URL and any proxy"),
    "token forbidden": (struck("token", "status", status=403), "credentials", "403", "a role"),
    "token dropped": (struck("token", "drop"), "credentials", "broke", "is unreachable"),
    "reading broken": (struck("conversation", "status", status=504), "reading", "504", "deadline"),
    "conversation absent": (conversation(ABSENT), "conversation", "404", "check the id, the region, and the divisions"),
    "conversation ended": (conversation(ENDED), "conversation", "has ended", "while the customer is connected"),
    "an e-mail": (conversation(EMAIL), "conversation", "e-mail", "webchat, web messaging or voice"),
    "no directory": (ledger_nowhere, "ledger", "can't be opened", "LEDGER_URL's directory exists"),
    "no database": (ledger_not_a_database, "ledger", "not a SQLite database", "another file"),
    "a newer ledger": (ledger_newer, "ledger", "version 99", "deploy that release here"),
    "no ledger keys": (ledger_without_keys, "ledger", "LEDGER_KEYS is needed", "LEDGER_KEYS"),
    "a secret unset": (secret_unset, "sender crm", "$CRM_KEY is not set", "Set CRM_KEY in the service's environment"),
    "a row misspelt": (row_misspelt, "sender desk", "did you mean 'bearer'", "senders.example.toml"),
    "no senders file": (senders_file_gone, "senders", "can't be read", "senders.toml"),
    "a short API key": (short_key, "API keys", "pair 1 (flow): the key is under 16 bytes", "name:key"),
    "an unknown counter": (unknown_counter, "rates", "'redish' can't be used", "RATE_LIMIT_STORAGE"),
    "a counter away": (
        counter_away,
        "rates",
        "the counters in redis can't be reached",
        "RATE_LIMIT_STORAGE is unreach",
    ),
    "http in public": (public_without_tls, "public URL", "is not https", "https address"),
    "another's URL": (public_elsewhere, "public URL", "answers 404", "check PUBLIC_BASE_URL"),
    "nothing in public": (public_not_running, "public URL", "refuses", "Is the service started"),
}
