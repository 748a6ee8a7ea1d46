"""Refused requests on record: which are, what the record holds, and that no response depends on it."""

import pytest

from integrations.ledger import connect
from tests.integration.conftest import KEY
from tests.integration.deliveries import RELAY, bridge, deliver, senders
from tests.integration.test_webhooks import crm

__all__ = ["bridge", "deliver", "senders"]
JSON = {"Content-Type": "application/json"}


def recorded(bridge):
    """The rows, the newest first, once all that has been refused is written."""
    bridge.app.extensions["recorder"].flush()
    return bridge.initiate.ledger.refusals.newest(50)


def ask(bridge, path, key="", data=b"{}", **headers):
    return bridge.client.post(path, data=data, headers={**JSON, "X-Api-Key": key, **headers})


@pytest.mark.parametrize(
    ("told", "sender", "code", "status"),
    [
        ({"path": "/data-actions/cobrowse"}, "architect", "not_authenticated", 401),
        ({"path": "/webhooks/crm"}, "crm", "signature_missing", 401),
        ({"path": "/webhooks/crn"}, "crn", "not_found", 404),
        ({"path": "/data-actions/cobrowse", "key": KEY, "data": b"x" * 70_000}, "architect", "body_too_large", 413),
        (
            {"path": "/data-actions/cobrowse", "key": KEY, "Content-Type": "text/plain"},
            "architect",
            "unsupported_media_type",
            415,
        ),
        ({"path": "/data-actions/cobrowse", "key": KEY}, "architect", "invalid_request", 422),
    ],
)
def test_what_is_refused_is_on_record_with_its_remedy(bridge, told, sender, code, status):
    answer = ask(bridge, **told)
    assert answer.status_code == status
    [row] = recorded(bridge)
    assert (row.sender, row.code, row.status, row.address, row.count) == (sender, code, status, "127.0.0.1", 1)
    assert (row.message, row.hint) == (answer.json["errorMessage"], answer.json["errorHint"])
    assert row.correlation_id == answer.headers["ININ-Correlation-Id"]


def test_a_rate_that_is_used_up_is_on_record_as_429(service):
    rows = '[senders.relay]\nsignature = "bearer"\nsecrets = ["$RELAY"]\nenvelope = "custom"\nrate_limit = "1/minute"\n'
    bridge = service(environ=RELAY, rows=rows)
    for _ in range(3):
        ask(bridge, "/webhooks/relay", Authorization=f"Bearer {RELAY['RELAY']}")
    assert {(row.code, row.count) for row in recorded(bridge)} == {("rate_limited", 2), ("invalid_request", 1)}


def test_a_refusal_that_its_sender_gets_as_200_is_on_record_too(deliver, bridge):
    answer = deliver("zendesk-trigger", {"conversation_id": "nonsense"})
    [row] = recorded(bridge)
    assert (row.code, row.status) == ("invalid_request", 422)
    assert row.sender == "zendesk-trigger"
    assert answer.json["errorCode"] == "invalid_request"


def test_what_succeeds_what_nobody_sends_and_what_the_service_cannot_do_is_not(deliver, bridge, box):
    deliver("crm", crm())
    bridge.client.get("/wp-login.php")
    bridge.client.get("/console/initiations/none")
    box.faults.add(operation="create", kind="status", status=503, times="always")
    bridge.start("11111111-2222-4333-8444-555555555555")
    assert recorded(bridge) == ()


def test_no_body_and_no_secret_is_in_it(bridge):
    ask(bridge, "/webhooks/crm", data=b'{"private": "of the customer"}', Authorization="Bearer a-secret-of-theirs")
    assert "of the customer" not in repr(recorded(bridge))
    assert "a-secret-of-theirs" not in repr(recorded(bridge))


def test_a_name_that_no_sender_has_is_cut(bridge):
    ask(bridge, f"/webhooks/{'n' * 500}")
    assert [len(row.sender) for row in recorded(bridge)] == [64]


def test_a_ledger_that_is_away_changes_no_response(service):
    bridge = service(
        ledger=connect("postgresql://nobody:x@127.0.0.1:1/none", keys=["A" * 43 + "="], retention_seconds=60)
    )
    assert ask(bridge, "/data-actions/cobrowse").status_code == 401
    bridge.app.extensions["recorder"].flush()
    assert ask(bridge, "/data-actions/cobrowse").status_code == 401
