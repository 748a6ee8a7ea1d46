"""examples/crm_webhook.py: what a CRM's developer copies."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests
import responses
from standardwebhooks import Webhook

from examples.crm_webhook import start_cobrowse
from sandbox.state import WEBCHAT
from tests.integration.deliveries import CRM_SECRET, bridge, senders

__all__ = ["bridge", "senders"]


@responses.activate
def test_the_example_for_crm_developers_works_as_it_stands(bridge, box):
    """`responses` carries what `requests` sends into the app: it can't see httpx, and need not."""

    def into_the_app(request):
        answer = bridge.client.post(request.path_url, data=request.body, headers=dict(request.headers))
        return answer.status_code, dict(answer.headers), answer.data

    responses.add_callback(responses.POST, "https://bridge.example.com/webhooks/crm", into_the_app)
    first = start_cobrowse("https://bridge.example.com", CRM_SECRET, WEBCHAT, "4711", agent="Ann")
    again = start_cobrowse("https://bridge.example.com", CRM_SECRET, WEBCHAT, "4711", agent="Ann")
    assert first["status"] == "initiated"
    assert again == first
    assert box.invitations(WEBCHAT) == 1
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get("https://elsewhere.example.com", timeout=1)


def test_the_example_signs_as_the_standards_own_library_verifies():
    captured = {}

    with responses.RequestsMock() as mock:
        mock.add_callback(
            responses.POST,
            "https://b.example.com/webhooks/crm",
            lambda request: captured.update(body=request.body, headers=dict(request.headers)) or (200, {}, "{}"),
        )
        start_cobrowse("https://b.example.com", CRM_SECRET, WEBCHAT, "1")
    assert Webhook(CRM_SECRET).verify(captured["body"], captured["headers"])["type"] == "cobrowse.wanted"


def test_the_readme_and_the_example_agree():
    assert "examples/crm_webhook.py" in Path("README.md").read_text()


def test_the_example_says_what_it_needs():
    run = subprocess.run([sys.executable, "examples/crm_webhook.py"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "BRIDGE_URL=https://cobrowse.example.com CRM_SECRET=whsec_… python crm_webhook.py" in run.stderr
