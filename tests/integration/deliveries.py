"""Deliveries as the example's senders sign them, to the service on the sandbox."""

import json
from datetime import UTC, datetime

import pytest

from integrations.senders.registry import load_senders
from schemas.answers import AnswerSchema
from tests.clocks import BusyClock
from tests.integration.conftest import ROOT
from tests.payloads import environ

KEYS = list(AnswerSchema().fields)
EXAMPLE = ROOT / "senders.example.toml"
CRM_SECRET = "whsec_" + "bWFueS1ieXRlcy1vZi1hLXNlY3JldC1vZi1hLWNybQ=="
PUBLIC = "https://bridge.example.com"
SECRETS = environ(EXAMPLE.read_text())
SECRETS |= {"CRM_SECRET": CRM_SECRET, "CRM_SECRET_BEFORE": "whsec_" + "dGhlLXNlY3JldC1vZi1sYXN0LXllYXItb2YtYS1jcm0="}

RELAY = {"RELAY": "relay-secret-0123456789"}


@pytest.fixture
def bridge(service):
    # A sender's patience is short: a loaded machine must not use it up.
    return service(environ=SECRETS, senders_file=str(EXAMPLE), public_base_url=PUBLIC, clock=BusyClock())


@pytest.fixture
def senders():
    return load_senders(EXAMPLE, SECRETS, public_base_url=PUBLIC)


@pytest.fixture
def deliver(bridge, senders):
    """Posts a body as the sender would, signed with its secret."""

    def post(name, body, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = senders.get(name).sign("POST", f"/webhooks/{name}", raw, datetime.now(UTC))
        kind = "text/xml" if name == "salesforce-messages" else "application/json"
        return bridge.client.post(
            signed.target(f"/webhooks/{name}"),
            data=raw,
            headers={"Content-Type": kind, **signed.headers, **(headers or {})},
        )

    return post
