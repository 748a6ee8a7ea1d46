"""An org of Genesys Cloud that answers each call as a test says, and the real flows connected to it."""

from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import httpx
from cryptography.fernet import Fernet

from cobrowse.model import Command, Secret
from integrations import genesys
from integrations.genesys.flows import FLOWS
from integrations.ledger import connect
from tests.clocks import ManualClock
from tests.scripted import initiation

C = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"
TOKEN, POST, LOOK = "/oauth/token", f"/api/v2/conversations/{C}/cobrowse", f"/api/v2/conversations/{C}"
CREATE, LIST = "/api/v2/cobrowse/sessions", "/api/v2/conversations/webchat"
MEDIA = f"{LOOK}/media"
SESSION = {"id": "sess-1", "joinCode": "849201", "dateOfferEnds": "2030-01-01T00:00:00Z"}


def conversation(customer="connected", agent="connected", kind="messages", sessions=()):
    return {
        "id": C,
        "participants": [
            {"purpose": "customer", kind: [{"state": customer}], "cobrowsesessions": list(sessions)},
            {"purpose": "agent", kind: [{"state": agent}]},
        ],
    }


def refused(status, code="", message="", headers=None):
    return httpx.Response(status, headers=headers, json={"code": code, "message": message, "status": status})


def page(status):
    return httpx.Response(status, headers={"Content-Type": "text/html"}, content=b"<html>Request blocked</html>")


def cut_off(answered):
    """An answer whose head came with this status (0: none came) and whose body broke off, as a transport tells."""

    def answer(request):
        request.extensions["answered"] = answered
        raise httpx.RemoteProtocolError("the body was cut off")

    return answer


class Org(httpx.BaseTransport):
    """Answers each path with what a test says: a response, a function of the request, or a list of them in turn."""

    def __init__(self, **answers):
        self.answers = {
            TOKEN: lambda _: httpx.Response(200, json={"access_token": "t", "expires_in": 3600}),
            POST: lambda _: httpx.Response(200, json=SESSION),
            LOOK: lambda _: httpx.Response(200, json=conversation()),
        }
        self.answers |= {globals()[name]: answer for name, answer in answers.items()}
        self.calls = []

    def handle_request(self, request):
        path = request.url.path
        self.calls.append(path)
        answer = self.answers.get(path, lambda _: refused(404, "not.found"))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer(request) if callable(answer) else answer


@contextmanager
def opened_ledger(clock):
    """A ledger in a file of its own."""
    with TemporaryDirectory() as place:
        key = Fernet.generate_key().decode()
        ledger = connect(f"sqlite:///{place}/ledger.sqlite3", keys=[key], retention_seconds=86_400, clock=clock)
        ledger.upgrade()
        yield ledger
        ledger.close()


def connected(org, mode="native", clock=None, rows=FLOWS, budgets=None, grants=None, **more):
    clock = clock or ManualClock()
    flows, _ = genesys.connect(
        api_url="https://api.example.com",
        login_url="https://login.example.com",
        client_id="id",
        client_secret=Secret("secret"),
        mode=mode,
        sandbox=False,
        transport=org,
        clock=clock,
        jitter=lambda: 0.0,
        lease_owner="h",
        shared=SimpleNamespace(tokens=None, budgets=budgets, grants=grants),
        **more,
        rows=rows,
    )
    return flows, clock


def start(org, mode="native", *, rows=FLOWS, observers=(), **command):
    flows, clock = connected(org, mode, rows=rows)
    work = initiation(flows, clock=clock, observers=observers)
    return work(Command("architect", "corr", 10.0, **{"conversation_id": C} | command))
