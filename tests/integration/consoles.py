"""The console of a service over a real ledger and a sandbox, as fixtures, and what to put into it."""

import html
import re

import pytest

from cobrowse.clock import SystemClock
from cobrowse.model import Command, Secret
from console.views import Console
from integrations.ids import new_id
from sandbox.state import WEBCHAT
from schemas.console_users import parse_users
from tests.clocks import LeapingClock
from tests.integration.conftest import TEMPLATES
from tests.users import quick_row
from web.error_handlers import register_error_handlers
from web.flask_app import App

PASSWORD = "console-password-0123456789"
FORM_KEY = Secret("form-key-0123456789")
USERS = parse_users(
    [quick_row("ann", "operator", "a-password-of-ann"), quick_row("bob", "viewer", "a-password-of-bob")]
)
OURS = {"Sec-Fetch-Site": "same-origin"}
# Fails at once, and for now; and after having asked Genesys again and again.
LIMITED = {"operation": "create", "kind": "status", "status": 429, "retry_after": 60}
UNAVAILABLE = {"operation": "attach", "kind": "status", "status": 503, "times": "always"}


def console(bridge, **told):
    """An app that has the console of this service and nothing besides."""
    ledger = bridge.initiate.ledger
    parts = {
        "records": ledger,
        "retry": bridge.initiate.retry,
        "end": bridge.initiate,
        "clock": SystemClock(),
        "deadline_seconds": 3.0,
        "key": FORM_KEY,
        "senders": ("architect", "crm"),
    }
    app = App("console")
    app.jinja_options = {"bytecode_cache": TEMPLATES}
    register_error_handlers(app, new_id)
    app.register_blueprint(Console(**parts | told).blueprint())
    return app


@pytest.fixture
def bridge(service):
    return service(clock=LeapingClock())


@pytest.fixture
def client(bridge):
    return console(bridge).test_client()


def ask(bridge, conversation_id, *, key="", sender="crm", correlation_id="corr-1", seconds=10.0, **fields):
    """An initiation by this sender: its outcome."""
    command = Command(sender, correlation_id, seconds, conversation_id, key=key, fingerprint="f", **fields)
    return bridge.initiate(command)


def failing(bridge, box, conversation_id=WEBCHAT, fault=LIMITED, **fields):
    """One that has failed for now; nothing is wrong any more."""
    box.faults.add(**fault)
    outcome = ask(bridge, conversation_id, **fields)
    box.faults.clear()
    assert outcome.failure.retryable
    return outcome


def token_in(page):
    return html.unescape(re.search(r'name="token" value="([^"]+)"', page)[1])


def retry(client, outcome, **more):
    page = client.get(f"/console/initiations/{outcome.initiation_id}").text
    return client.post(
        f"/console/initiations/{outcome.initiation_id}/retry", data={"token": token_in(page)}, headers=OURS, **more
    )


def listed(client, **query):
    """The ids on the list's page."""
    answer = client.get("/console", query_string=query)
    assert answer.status_code == 200
    return re.findall(r'id="row-([^"]+)"', answer.text)
