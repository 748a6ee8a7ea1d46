"""What opens what: every endpoint asked with every credential. A route that is not in the table fails the test.

The table is docs/authorisation.md; `python -m tests.contract.test_authorisation` writes it anew.
"""

import base64
import contextlib
import html
import re
import tempfile
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from flask import Flask

from cobrowse.model import Secret
from integrations.senders.registry import load_senders
from sandbox.server import start
from sandbox.state import ABSENT, VOICE, WEBCHAT
from settings import Settings
from tests.in_process import KEY, service
from tests.receivers import SECRET
from web.error_handlers import register_error_handlers
from web.health import HealthEndpoints

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "authorisation.md"

RETIRED_KEY = "retired-key-0123456789abcdef"
PASSWORD = "console-password-0123456789"
METRICS = "metrics-token-0123456789abcdef"
SECRETS = {
    "CRM": "whsec_" + "Y3JtLXNlY3JldC1vZi1tYW55LWJ5dGVz",
    "RELAY": "relay-token-0123456789abcdef",
    "RELAY_BEFORE": "relay-token-before-0123456789",
}
RETIRED = {"CRM": "whsec_" + "Y3JtLXNlY3JldC1vZi1sYXN0LXllYXI=", "RELAY": "relay-token-retired-0123456789"}
ROWS = """
[senders.crm]
signature = "standard-webhooks"
secrets = ["$CRM"]
envelope = "custom"

[senders.relay]
signature = "bearer"
secrets = ["$RELAY", "$RELAY_BEFORE"]
envelope = "custom"

[senders.meta]
signature = "github"
secrets = ["$CRM"]
envelope = "custom"
handshake = "meta"
verify_token = "$RELAY"
"""
BODY = f'{{"conversationId":"{WEBCHAT}"}}'.encode()
# Whoever asks is far away: what this machine alone may do is no part of the table.
_addresses = count(1)


def far():
    """Another machine, each time a new one: nobody is held for the one who has guessed passwords."""
    return {"REMOTE_ADDR": f"203.0.113.{next(_addresses) % 250}"}


def basic(password, name="someone"):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def by_crm(path, secrets=SECRETS, seconds_ago=0, signed_for=BODY):
    rows = load_senders(ROWS, {**SECRETS, **secrets})
    return dict(
        rows.get("crm").sign("POST", path, signed_for, datetime.now(UTC) - timedelta(seconds=seconds_ago)).headers
    )


# The columns: a credential, and the headers it is presented in to a path.
CREDENTIALS = {
    "none": lambda path: {},
    "wrong": lambda path: {
        "X-Api-Key": "wrong-key-wrong-key-wrong",
        **basic("wrong-password-wrong"),
        **by_crm(path, {"CRM": "whsec_" + "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc="}),
    },
    "API key": lambda path: {"X-Api-Key": KEY},
    "API key as Basic password": lambda path: basic(KEY),
    "API key as bearer": lambda path: bearer(KEY),
    "API key, rotated out": lambda path: {"X-Api-Key": RETIRED_KEY},
    "crm's signature": by_crm,
    "crm's signature, an hour old": lambda path: by_crm(path, seconds_ago=3600),
    "crm's signature, of another body": lambda path: by_crm(path, signed_for=b"{}"),
    "crm's signature, secret rotated out": lambda path: by_crm(path, RETIRED),
    "relay's token": lambda path: bearer(SECRETS["RELAY"]),
    "relay's token before, still in its row": lambda path: bearer(SECRETS["RELAY_BEFORE"]),
    "relay's token, rotated out": lambda path: bearer(RETIRED["RELAY"]),
    "console password": lambda path: basic(PASSWORD, "operator"),
    "console password, from its own page": lambda path: {
        **basic(PASSWORD),
        "Origin": "http://localhost",
        "X-Own-Page": "1",
    },
    "console password as API key": lambda path: {"X-Api-Key": PASSWORD},
    "metrics token": lambda path: bearer(METRICS),
}
ANYBODY = frozenset(CREDENTIALS)
NOBODY = frozenset()
CALLERS = frozenset({"API key", "API key as Basic password"})
OPERATOR = frozenset({"console password", "console password, from its own page"})

# The rows: method, the route's rule, the path that is asked, and which credentials open it.
TABLE = [
    ("GET", "/healthz", "/healthz", ANYBODY),
    ("GET", "/", "/", ANYBODY),
    ("GET", "/readyz", "/readyz", ANYBODY),
    ("GET", "/metrics", "/metrics", frozenset({"metrics token"})),
    ("GET", "/openapi.json", "/openapi.json", ANYBODY),
    ("GET", "/docs", "/docs", ANYBODY),
    ("GET", "/docs/static/<path:filename>", "/docs/static/docs.css", ANYBODY),
    (
        "POST",
        "/data-actions/cobrowse",
        "/data-actions/cobrowse",
        CALLERS,
    ),
    ("POST", "/data-actions/cobrowse/status", "/data-actions/cobrowse/status", CALLERS),
    ("POST", "/data-actions/cobrowse/end", "/data-actions/cobrowse/end", CALLERS),
    ("GET", "/initiations", "/initiations?correlationId=c", CALLERS),
    ("GET", "/initiations/<initiation_id>", "/initiations/{id}", CALLERS),
    ("POST", "/webhooks/<name>", "/webhooks/crm", frozenset({"crm's signature"})),
    (
        "POST",
        "/webhooks/<name>",
        "/webhooks/relay",
        frozenset({"relay's token", "relay's token before, still in its row"}),
    ),
    ("POST", "/webhooks/<name>", "/webhooks/nobody", NOBODY),
    ("GET", "/webhooks/<name>", "/webhooks/meta", NOBODY),
    ("POST", "/webhooks/<name>", "/webhooks/architect", NOBODY),
    ("GET", "/console", "/console", OPERATOR),
    ("GET", "/console/refused", "/console/refused", OPERATOR),
    ("GET", "/console/senders", "/console/senders", OPERATOR),
    ("GET", "/console/callbacks", "/console/callbacks", OPERATOR),
    ("POST", "/console/sign-in", "/console/sign-in", NOBODY),
    ("POST", "/console/sign-out", "/console/sign-out", frozenset({"console password, from its own page"})),
    ("GET", "/console/static/<path:filename>", "/console/static/console.css", ANYBODY),
    ("GET", "/console/initiations/<initiation_id>", "/console/initiations/{id}", OPERATOR),
    (
        "POST",
        "/console/initiations/<initiation_id>/retry",
        "/console/initiations/{id}/retry",
        frozenset({"console password, from its own page"}),
    ),
    (
        "POST",
        "/console/initiations/<initiation_id>/end",
        "/console/initiations/{started}/end",
        frozenset({"console password, from its own page"}),
    ),
    (
        "POST",
        "/console/initiations/<initiation_id>/callbacks/<webhook_id>",
        "/console/initiations/{id}/callbacks/{id}:failed:1",
        frozenset({"console password, from its own page"}),
    ),
]


class RequestInfo:
    """The service, with a failed initiation in its ledger, and the answers it gave to each credential."""

    def __init__(self, app, box):
        self.app, self.box = app, box
        client = app.test_client()
        failed = client.post("/data-actions/cobrowse", json={"conversationId": ABSENT}, headers={"X-Api-Key": KEY})
        self.failed = failed.json["initiationId"]
        self.started = self.start()

    def ask(self, method, path, credential):
        """The status, and whether anything was started for it."""
        if "{started}" in path and credential == "console password, from its own page":
            self.started = self.start()  # the one before may have been ended
        path = path.format(id=self.failed, started=self.started)
        headers, data, kind = CREDENTIALS[credential](path), None, None
        if method == "POST" and not path.startswith("/console"):
            data, kind = BODY, "application/json"
        elif method == "POST":
            data = {"token": self.token(path, headers)}
        app = self.app if path != "/metrics" or served(self.app, "/metrics") else metrics_alone()
        with app.test_client().open(
            path, method=method, data=data, content_type=kind, headers=headers, environ_base=far()
        ) as answer:
            return answer.status_code

    def start(self):
        """The id of a new initiation whose session is live."""
        sent = {"json": {"conversationId": VOICE}, "headers": {"X-Api-Key": KEY}}
        return self.app.test_client().post("/data-actions/cobrowse", **sent).json["initiationId"]

    def token(self, path, headers):
        """The token of the console's own form, for whoever has opened its page."""
        if not headers.pop("X-Own-Page", ""):
            return "made-up"
        known = {} if path == "/console/sign-in" else basic(PASSWORD)
        one = "/console" if path.startswith("/console/sign-") else "/".join(path.split("/")[:4])
        page = self.app.test_client().get(one, headers=known, environ_base=far())
        found = re.search(
            rf'action="{path}">.*?<input type="hidden" name="token" value="([^"]+)"', page.text, re.DOTALL
        )
        return html.unescape(found[1])


def served(app, rule):
    return any(one.rule == rule for one in app.url_map.iter_rules())


def metrics_alone():
    """The metrics' endpoint as the service has it where they are gathered."""
    app = Flask(__name__, static_folder=None)
    register_error_handlers(app, lambda: "correlation")
    operations = HealthEndpoints(exposition=lambda accept: (b"", "text/plain"), metrics_token=Secret(METRICS))
    app.register_blueprint(operations.blueprint())
    return app


@contextlib.contextmanager
def asked():
    with tempfile.TemporaryDirectory() as folder, start(rate_limit=None) as box:
        rows = Path(folder) / "senders.toml"
        rows.write_text(ROWS)
        more = {"metrics_token": Secret(METRICS)} if "metrics_token" in {one.name for one in fields(Settings)} else {}
        with service(
            box.url,
            Path(folder),
            SECRETS,
            api_keys=Secret(f"flow:{KEY}"),
            senders_file=str(rows),
            console_password=Secret(PASSWORD),
            outcome_webhook_url=Secret("http://127.0.0.1:9/"),
            outcome_webhook_secret=(Secret(SECRET),),
            **more,
        ) as (app, _):
            yield RequestInfo(app, box)


@pytest.fixture(scope="module")
def world():
    with asked() as one:
        yield one


def test_every_route_is_in_the_table_with_each_of_its_methods(world):
    routes = {
        (method, one.rule) for one in world.app.url_map.iter_rules() for method in one.methods - {"HEAD", "OPTIONS"}
    }
    assert routes - {(method, rule) for method, rule, _, _ in TABLE} == set()
    assert {(method, rule) for method, rule, _, _ in TABLE} - routes <= {("GET", "/metrics")}


@pytest.mark.parametrize(("method", "path", "opens"), [(method, path, opens) for method, _, path, opens in TABLE])
def test_it_is_opened_by_these_and_by_nothing_else(world, method, path, opens):
    answers = {credential: world.ask(method, path, credential) for credential in CREDENTIALS}
    assert {credential for credential, status in answers.items() if status < 400} == opens
    assert {status for status in answers.values() if status >= 400} <= {401, 403, 404}


def test_an_unauthenticated_caller_starts_nothing(world):
    before = world.box.invitations(), len(world.box.calls())
    for method, _, path, opens in TABLE:
        for credential in set(CREDENTIALS) - opens:
            world.ask(method, path, credential)
    assert (world.box.invitations(), len(world.box.calls())) == before


@pytest.mark.parametrize("path", [path for method, _, path, opens in TABLE if method == "GET" and opens != ANYBODY])
def test_a_head_request_opens_no_more_than_a_get(world, path):
    assert world.ask("HEAD", path, "none") in (401, 404, 405)


def test_without_a_password_the_console_is_not_there_for_who_is_far_away():
    with start() as box, tempfile.TemporaryDirectory() as folder, service(box.url, Path(folder)) as (app, _):
        for credential in ("none", "console password", "API key"):
            answer = app.test_client().get("/console", headers=CREDENTIALS[credential]("/console"), environ_base=far())
            assert answer.status_code == 404
            assert answer.json["errorCode"] == "not_found"


def test_the_committed_table_is_what_the_service_does(world):
    assert FILE.read_text("utf-8") == table(world)


def table(world):
    """The table as Markdown: a column an endpoint, a row the credentials that open the same."""
    lines = [
        "# Who may do what",
        "",
        "Every endpoint, asked from another machine with every credential but named console users and single sign-on.",
        "**yes**: it opens; a number is the status of the refusal, and nothing was started. Made from the service by",
        "`python -m tests.contract.test_authorisation`; `make test` fails where the two differ, or a route is missing.",
        "",
        "The senders here are examples: `crm` signs its requests (Standard Webhooks), `relay` brings a bearer token",
        "and has two valid ones, as while one is being replaced. `nobody` has no row. The console's own page gives its",
        "form a token, without which nothing is retried.",
        "",
    ]
    for title, rows in groups().items():
        lines += ["", f"## {title}", ""]
        lines.append("| | " + " | ".join(f"{method} `{path}`" for method, _, path, _ in rows) + " |")
        lines.append("|---|" + "---|" * len(rows))
        alike = {}
        for credential in CREDENTIALS:
            told = [world.ask(method, path, credential) for method, _, path, _ in rows]
            cells = " | ".join("**yes**" if status < 400 else str(status) for status in told)
            alike.setdefault(cells, []).append(credential)
        lines += [f"| {'; '.join(names)} | {cells} |" for cells, names in alike.items()]
    return "\n".join(lines) + "\n"


def groups():
    """The rows by who they are for."""
    starts = {
        "For callers": ("/data-actions", "/initiations", "/webhooks"),
        "The console": ("/console",),
        "For everything else": ("/",),
    }
    left, found = list(TABLE), {}
    for title, beginnings in starts.items():
        found[title] = [row for row in left if row[2].startswith(beginnings)]
        left = [row for row in left if row not in found[title]]
    return found


if __name__ == "__main__":
    with asked() as one:
        FILE.write_text(table(one), "utf-8")
