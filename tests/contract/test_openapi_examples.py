"""The service's errors and answers are those that the OpenAPI document describes."""

import time
from uuid import NAMESPACE_DNS, uuid5

import pytest

from cobrowse.errors import error_types_by_code
from sandbox.state import ABSENT, EMAIL, ENDED, WEBCHAT
from schemas.answers import AnswerSchema
from tests.contract.described import DOCUMENT, KEY, OPERATIONS, app, box, build
from tools.api_reference import samples
from web.responses import to_answer

__all__ = ["app", "box", "build"]


def post(client, body=None, *, path="/data-actions/cobrowse", key=KEY, headers=None, **fields):
    sent = {"ININ-Correlation-Id": samples.CORRELATION, "Prefer": "status", **({"X-Api-Key": key} if key else {})}
    content = {"data": body} if isinstance(body, bytes) else {"json": fields if body is None else body}
    return client.post(path, headers=sent | {"Content-Type": "application/json"} | (headers or {}), **content)


def twice(client, **more):
    post(client, **more, conversationId=WEBCHAT)
    return post(client, **more, conversationId=ENDED)


def signed(client, seconds_ago, signature="AAAA"):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))
    headers = {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": stamp}
    return post(client, path="/webhooks/zendesk", headers=headers, conversationId=WEBCHAT)


def stale_signature(client):
    import base64
    import hashlib
    import hmac

    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    made = hmac.new(KEY.encode(), stamp.encode() + b"{}", hashlib.sha256).digest()
    headers = {
        "X-Zendesk-Webhook-Signature": base64.b64encode(made).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
    }
    return post(client, b"{}", path="/webhooks/zendesk", headers=headers)


REFUSED = {
    "malformed_request": lambda client: post(client, b"{"),
    "idempotency_key_malformed": lambda client: post(
        client, headers={"Idempotency-Key": "k" * 256}, conversationId=WEBCHAT
    ),
    "idempotency_key_reused": lambda client: twice(client, headers={"Idempotency-Key": "openapi"}),
    "not_authenticated": lambda client: post(client, key="", conversationId=WEBCHAT),
    "signature_missing": lambda client: post(client, path="/webhooks/zendesk", conversationId=WEBCHAT),
    "signature_invalid": lambda client: signed(client, 0),
    "timestamp_out_of_tolerance": stale_signature,
    "not_found": lambda client: post(client, path="/webhooks/nobody"),
    "method_not_allowed": lambda client: client.get(
        "/data-actions/cobrowse", headers={"ININ-Correlation-Id": samples.CORRELATION}
    ),
    "body_too_large": lambda client: post(client, b"x" * 65_537),
    "unsupported_media_type": lambda client: post(
        client, b"a=b", headers={"Content-Type": "application/x-www-form-urlencoded"}
    ),
    "invalid_request": lambda client: post(client, conversationId="?", channel="fax"),
    "latest_not_allowed": lambda client: post(client, latest=True),
    "rate_limited": lambda client: [post(client, {}, path="/webhooks/rated") for _ in range(2)][1],
    "conversation_not_found": lambda client: post(client, conversationId=ABSENT),
    "conversation_not_active": lambda client: post(client, conversationId=ENDED),
    "initiation_not_found": lambda client: post(
        client, path="/data-actions/cobrowse/end", initiationId="nobody's", conversationId=WEBCHAT
    ),
    "cobrowse_not_supported": lambda client: post(client, conversationId=EMAIL),
}
FAULTS = {
    "genesys_unauthorized": {"kind": "status", "status": 401},
    "genesys_forbidden": {"kind": "status", "status": 403},
    "genesys_rate_limited": {"kind": "status", "status": 429, "retry_after": 42},
    "genesys_unavailable": {"kind": "status", "status": 500},
    "genesys_timeout": {"kind": "delay", "seconds": 30},
    "genesys_bad_response": {"kind": "redirect", "location": "http://127.0.0.1:1/"},
    "session_not_identified": {"kind": "not_json"},
}
# These need broken sockets and disks, a second machine, a crowd or a bug: other tests have them.
ELSEWHERE = {
    "request_timeout",
    "keys_unavailable",
    "in_progress",
    "ledger_unavailable",
    "internal_error",
    "overloaded",
    "rate_limit_storage_unavailable",
    "no_active_conversation",
    "agent_not_connected",
    "user_token_required",
    "service_user_login_required",
}


def documented(answer, code):
    """The answer has the status, the code and the advice of this kind's row in the document."""
    [row] = [row for row in DOCUMENT["x-error-kinds"] if row["code"] == code]
    found = answer.json
    assert list(found) == list(AnswerSchema().fields)
    assert (answer.status_code, found["errorCode"], found["retryable"]) == (row["status"], code, row["retryable"])
    assert (found["success"], found["status"], found["joinUrl"]) == (False, "failed", "")
    assert (found["retryAfterSeconds"] > 0) is row["retryable"]
    assert len(found["errorMessage"]) > 10
    assert found["errorHint"]


def test_every_kind_is_provoked_or_said_not_to_be():
    assert {*REFUSED, *FAULTS} | ELSEWHERE == set(error_types_by_code())


@pytest.mark.parametrize("code", list(REFUSED))
def test_a_rejection_is_as_documented(app, code):
    documented(REFUSED[code](app.test_client()), code)


@pytest.mark.parametrize("code", list(FAULTS))
def test_a_failure_is_as_documented(build, box, code):
    box.faults.add(operation="create", times="always", **FAULTS[code])
    box.options.auto_create = True
    try:
        # A conversation of its own: where a session was started before, that is the answer.
        documented(
            post(build(cobrowse_flow="media").test_client(), conversationId=str(uuid5(NAMESPACE_DNS, code))), code
        )
    finally:
        box.faults.clear()
        box.options.auto_create = False


@pytest.mark.parametrize("flow", ["media", "native"])
def test_a_successs_example_has_the_services_own_form(build, box, flow):
    sample = to_answer(samples.OUTCOMES["initiated" if flow == "media" else "initiated_native"])
    box.reset()  # no session of another test stands in the conversation
    answer = post(build(cobrowse_flow=flow).test_client(), conversationId=WEBCHAT, headers={"Idempotency-Key": flow})
    told = answer.json
    assert told["status"] == sample["status"] == "initiated"
    assert {key: (type(value), bool(value)) for key, value in told.items()} == {
        key: (type(value), bool(value)) for key, value in sample.items()
    }


def test_the_readiness_that_is_shown_is_the_services(build):
    shown = {}
    for response in OPERATIONS["getReadiness"]["responses"].values():
        for name, example in response["content"]["application/json"]["examples"].items():
            shown[name] = example["value"]["checks"]
            assert example["value"]["status"] == name
    assert build(sandbox=True).test_client().get("/readyz").json == {"status": "ok", "checks": shown["ok"]}
    assert shown.keys() == {"ok", "degraded", "failing"}
    assert all(checks.keys() == shown["ok"].keys() for checks in shown.values())
