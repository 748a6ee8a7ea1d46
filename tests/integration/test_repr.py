"""No object of ours shows a secret: what stands in a debugger, a traceback or an assertion is its repr."""

import gc

import pytest
from cryptography.fernet import Fernet

from cobrowse.model import Command, Secret
from integrations.senders.registry import load_senders
from sandbox.state import MESSAGE, WEBCHAT
from tests.integration.conftest import KEY, OTHER_KEY

OURS = ("app", "cobrowse", "console", "diagnostics", "integrations", "schemas", "settings", "web")
SETTINGS = {
    "console_password": Secret("console-password-0123456789"),
    "console_oidc_client_secret": Secret("oidc-client-secret-0123456789"),
    "genesys_client_secret": Secret("sandbox-secret"),
    "metrics_token": Secret("metrics-0123456789abcdef"),
}
RELAY = "relay-secret-0123456789"
ROWS = '[senders.relay]\nsignature = "bearer"\nsecrets = ["$RELAY"]\nenvelope = "custom"\n'


def shown(objects, secrets):
    """The kinds of objects whose repr holds one of these."""
    return {type(one).__qualname__ for one in objects if any(secret in repr(one) for secret in secrets)}


def of_ours(but=()):
    known = {id(one) for one in but}
    # Some classes have a descriptor where others have their module's name.
    return [one for one in gc.get_objects() if _package(type(one)) in OURS and id(one) not in known]


def _package(kind):
    return str(kind.__module__).partition(".")[0]


@pytest.fixture
def earlier():
    """What other tests have left, kept alive so that nothing new is taken for it."""
    return of_ours()


@pytest.fixture
def bridge(service):
    key = Secret(Fernet.generate_key().decode())
    return service(
        environ={"RELAY": RELAY},
        rows=ROWS,
        ledger_keys=(key,),
        genesys_client_id="sandbox",
        allow_user_tokens=True,
        **SETTINGS,
    )


def test_no_object_of_the_service_shows_a_secret(earlier, bridge, box):
    user = box.tokens.add_user().value
    answers = [
        bridge.start(WEBCHAT),
        bridge.start(MESSAGE, headers={"Genesys-Access-Token": user}),
        bridge.post(conversationId=WEBCHAT, path="/webhooks/relay", headers={"Authorization": f"Bearer {RELAY}"}).json,
    ]
    entries = bridge.initiate.ledger.recent(5)
    senders = load_senders(ROWS, {"RELAY": RELAY})
    links = {answer[name] for answer in answers for name in ("joinUrl", "viewerUrl", "joinCode") if answer[name]}
    issued = set(box.tokens._tokens)
    assert len(entries) >= 2
    assert links
    assert len(issued) >= 2
    objects = of_ours(but=earlier)
    secrets = {
        KEY,
        OTHER_KEY,
        RELAY,
        *(each.reveal() for each in (*SETTINGS.values(), *bridge.settings.ledger_keys)),
        *links,
        *issued,
    }
    assert shown(objects, secrets) == set()
    looked_at = {type(one).__qualname__ for one in (*objects, senders)}
    assert looked_at >= {
        "Settings",
        "ApiKeys",
        "Sender",
        "AuthConfig",
        "Session",
        "Command",
        "Outcome",
        "Console",
        "HealthEndpoints",
    }


def test_an_object_that_shows_one_is_found(earlier):
    careless = Command("crm", "c", 1.0, user_token=KEY)
    assert shown(of_ours(but=earlier), [KEY]) == {"Command"}
    assert careless.user_token == KEY
