"""What a data action's request must be: its credential, its form, and what a refusal shows."""

import pytest

from cobrowse.model import Secret
from sandbox.state import VOICE, WEBCHAT
from schemas.answers import AnswerSchema
from tests.clocks import LeapingClock
from tests.integration.conftest import KEY, OTHER_KEY

KEYS = list(AnswerSchema().fields)


@pytest.mark.parametrize(
    "credential",
    [
        {"X-Api-Key": KEY},
        {"X-Api-Key": OTHER_KEY},
        {"Authorization": "Basic YW55b25lOnRlc3Qta2V5LTAxMjM0NTY3ODlhYmNkZWY="},
    ],
)
def test_each_key_opens_by_header_or_as_basic_password(service, box, credential):
    assert service().post(conversationId=WEBCHAT, key="", headers=credential).json["success"] is True


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"X-Api-Key": ""},
        {"X-Api-Key": KEY[:-1]},
        {"Authorization": "Basic !!!"},
        {"Authorization": f"Bearer {KEY}"},
    ],
)
def test_nothing_else_opens(service, box, credential):
    answer = service().post(conversationId=WEBCHAT, key="", headers=credential)
    assert (answer.status_code, answer.json["errorCode"]) == (401, "not_authenticated")
    assert list(answer.json) == KEYS
    assert "WWW-Authenticate" in answer.headers
    assert box.calls() == []


def test_without_keys_the_sandbox_is_open(service, box):
    assert service(api_keys=Secret()).post(conversationId=WEBCHAT, key="").json["success"] is True


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"data": "{", "content_type": "application/json"}, 400, "malformed_request"),
        ({"data": "", "content_type": "application/json"}, 400, "malformed_request"),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400, "malformed_request"),
        ({"data": '{"a": NaN}', "content_type": "application/json"}, 400, "malformed_request"),
        ({"data": "x=1", "content_type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"data": "{}"}, 415, "unsupported_media_type"),
        ({"data": "{}", "content_type": "application/json; charset=latin-1"}, 415, "unsupported_media_type"),
        (
            {"data": "{}", "content_type": "application/json", "headers": {"Content-Encoding": "gzip"}},
            415,
            "unsupported_media_type",
        ),
        ({"data": "[]", "content_type": "application/json"}, 422, "invalid_request"),
        ({"json": {"conversationId": "x"}}, 422, "invalid_request"),
        ({"json": {"conversationId": WEBCHAT, "extra": 1}}, 422, "invalid_request"),
        ({"data": "x" * 70_000, "content_type": "application/json"}, 413, "body_too_large"),
        (
            {"json": {"conversationId": WEBCHAT}, "headers": {"Idempotency-Key": "x" * 256}},
            400,
            "idempotency_key_malformed",
        ),
        (
            {"json": {"conversationId": WEBCHAT}, "headers": {"Idempotency-Key": "${input.key}"}},
            400,
            "idempotency_key_malformed",
        ),
    ],
)
def test_what_cannot_be_taken_has_its_real_status_and_the_same_flat_keys(service, box, request_, status, code):
    headers = {"X-Api-Key": KEY, **request_.pop("headers", {})}
    answer = service().client.post("/data-actions/cobrowse", headers=headers, **request_)
    assert (answer.status_code, answer.json["errorCode"]) == (status, code)
    assert list(answer.json) == KEYS
    assert answer.json["errorHint"]
    assert box.calls() == []


# What came in a header, and the words that its remedy has.
REMEDIES = {
    "an unset key": ({"Idempotency-Key": "NOT_SET"}, "input Idempotency-Key was not set; 'NOT_SET' came", ""),
    "compressed": ({"Content-Encoding": "gzip"}, "compressed as 'gzip'", "without the header Content-Encoding"),
    "another charset": ({"Content-Type": "application/json; charset=utf-16"}, "'utf-16'", "in UTF-8"),
}


@pytest.mark.parametrize(("headers", "message", "hint"), REMEDIES.values(), ids=REMEDIES)
def test_the_remedy_is_about_what_came(service, box, headers, message, hint):
    answer = service().post({"conversationId": WEBCHAT}, headers=headers)
    assert message in answer.json["errorMessage"]
    assert hint in answer.json["errorHint"]
    assert box.calls() == []


def test_an_empty_content_encoding_is_none(service):
    assert service().post({"conversationId": WEBCHAT}, headers={"Content-Encoding": ""}).json["success"] is True


def test_json_with_a_utf8_charset_is_fine(service, box):
    answer = service().client.post(
        "/data-actions/cobrowse",
        data=f'{{"conversationId": "{WEBCHAT}"}}',
        content_type="application/json; charset=utf-8",
        headers={"X-Api-Key": KEY},
    )
    assert answer.json["success"] is True


def test_an_unknown_path_or_method_has_the_flat_keys_too(service):
    client = service().client
    missing, wrong = client.get("/nowhere"), client.get("/data-actions/cobrowse")
    assert (missing.status_code, missing.json["errorCode"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json["errorCode"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["Allow"]
    assert list(missing.json) == list(wrong.json) == KEYS


@pytest.mark.parametrize("name", ["ININ-Correlation-Id", "X-Correlation-Id"])
def test_the_callers_correlation_id_is_echoed_and_sent_on(service, box, name):
    answer = service().post(conversationId=WEBCHAT, headers={name: "corr-42"})
    assert answer.headers["ININ-Correlation-Id"] == answer.json["correlationId"] == "corr-42"
    assert {call.correlation_id for call in box.calls()} == {"corr-42"}


@pytest.mark.parametrize("value", ["", "a b", "x" * 200, "${input.id}", "é"])
def test_a_correlation_id_that_cannot_be_one_is_replaced(service, box, value):
    answer = service().post(conversationId=WEBCHAT, headers={"ININ-Correlation-Id": value})
    assert answer.headers["ININ-Correlation-Id"] not in ("", value)


def test_a_bug_of_ours_is_500_with_the_flat_keys_and_leaks_nothing(service, box, capfd):
    class Broken:
        def handle_request(self, request):
            raise ZeroDivisionError("secret-detail")

        def close(self):
            pass

    answer = service(transport=Broken()).post(conversationId=WEBCHAT)
    assert (answer.status_code, answer.json["errorCode"]) == (500, "internal_error")
    assert list(answer.json) == KEYS
    assert "secret-detail" not in answer.text
    assert "ZeroDivisionError" in capfd.readouterr().err


# Each call of each flow, refused in a way that is final, and one of them in every way that is treated otherwise.
@pytest.mark.parametrize(
    ("flow", "operation", "status"),
    [
        ("media", "token", 401),
        *(("media", "create", status) for status in (400, 401, 403, 409, 502)),
        ("media", "attach", 403),
        ("media", "conversation", 502),
        ("native", "token", 400),
        ("native", "cobrowse", 409),
        ("native", "conversation", 403),
    ],
)
def test_an_upstream_that_quotes_the_request_shows_nobody_its_credentials(
    service, box, tmp_path, capfd, flow, operation, status
):
    box.faults.add(operation=operation, kind="echo", status=status, times="always")
    password = Secret("console-password-0123456789")
    bridge = service(cobrowse_flow=flow, clock=LeapingClock(), console_password=password)
    answer = bridge.post(conversationId=WEBCHAT)
    held = {"sandbox-secret", "c2FuZGJveDpzYW5kYm94LXNlY3JldA", *box.tokens._tokens}
    console = bridge.client.get("/console", auth=("", "console-password-0123456789"))
    assert console.status_code == 200
    written = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.sqlite3*"))
    told = answer.text + console.text + "".join(capfd.readouterr()) + written.decode(errors="replace")
    assert [value for value in held if value in told] == []


def test_a_join_url_that_is_not_https_reaches_nobody(service, box):
    links = {"joinUrl": "http://evil.example/join", "viewerUrl": "javascript:alert(1)"}
    box.faults.add(operation="create", kind="wrong_json", body={"id": "s-1", **links}, when="before")
    box.faults.add(operation="attach", kind="wrong_json", body={"id": "m-1"}, when="before")
    answer = service().start(WEBCHAT)
    assert (answer["success"], answer["cobrowseSessionId"], answer["joinUrl"], answer["viewerUrl"]) == (
        True,
        "s-1",
        "",
        "",
    )


@pytest.mark.parametrize(
    "body",
    [
        f'{{"conversationId": "{WEBCHAT}", "conversationId": "{VOICE}"}}',
        f'{{"conversationId": "{WEBCHAT}", "conversation\\u0049d": "{VOICE}"}}',
        f'{{"conversationId": "{WEBCHAT}", "channel": "voice", "channel": "webchat"}}',
        '{"latest": false, "latest": true}',
    ],
)
def test_a_field_that_comes_twice_starts_nothing(service, box, body):
    bridge = service(allow_latest=True)
    answer = bridge.client.post(
        "/data-actions/cobrowse", data=body, headers={"X-Api-Key": KEY, "Content-Type": "application/json"}
    )
    assert answer.json["errorCode"] == "invalid_request"
    assert "Comes more than once." in answer.json["errorMessage"]
    assert box.invitations() == 0
