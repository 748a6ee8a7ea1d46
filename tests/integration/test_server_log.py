"""What gunicorn's workers write to the log: each request's lines can be found, and no secret is in them."""

import json

import pytest

from sandbox.state import WEBCHAT
from tests.http_client import HTTP
from tests.integration.conftest import KEY
from tests.integration.wire import ask


@pytest.mark.parametrize("secret", ["test-key-0123456789abcdef", "sandbox-secret"])
def test_no_secret_is_in_the_log(gunicorn, box, secret):
    server = gunicorn(LOG_LEVEL="DEBUG")
    box.faults.add(operation="create", kind="status", status=403, times=1)
    for body in ({"conversationId": WEBCHAT}, {"conversationId": WEBCHAT}, {"conversationId": "x"}):
        HTTP.post(f"{server.url}/data-actions/cobrowse", json=body, headers={"X-Api-Key": KEY})
    assert '"status":"initiated"' in server.log
    assert secret not in server.log


def test_every_log_line_of_a_request_carries_its_correlation_id_and_the_callers_name(gunicorn, box):
    server = gunicorn()
    box.faults.add(operation="create", kind="status", status=500, times=1)
    ask(server, **{"ININ-Correlation-Id": "corr-7"})
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["upstream call failed", "initiation"]
    assert {line["correlation_id"] for line in lines} == {"corr-7"}
    assert lines[-1]["credential"] == "flow"
    assert set(lines[-1]["steps"]) == {"token", "check", "create", "attach", "verify"}


def test_the_callers_name_is_on_the_record_and_its_key_nowhere(service, box, tmp_path):
    bridge = service()
    bridge.start(WEBCHAT)
    [entry] = bridge.initiate.ledger.recent(1)
    assert entry.command.credential == "flow"
    assert KEY not in repr(entry)
