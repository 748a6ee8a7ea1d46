"""The OpenAPI document is valid, complete, made of real answers, and at one with the service that runs."""

import itertools
import json
import re
import time
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import schemathesis
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import create_app
from cobrowse.errors import kinds
from cobrowse.model import Secret
from integrations.genesys.engine import CurlTransport
from integrations.ledger import connect
from integrations.senders.habits import HABITS, batch_status
from sandbox.server import start
from sandbox.state import ABSENT, EMAIL, ENDED, WEBCHAT
from schemas.data_action import AnswerSchema, StartRequestSchema
from settings import Settings
from web.reference import VERSION, samples
from web.reference.export import stale
from web.reference.fields import REQUEST
from web.reference.openapi import document

ROOT = Path(__file__).parents[2]
KEY = "test-key-0123456789abcdef"
SENDERS = """
[senders.own]
signature = "api-key"
secrets = ["$OPENAPI_TEST_KEY"]
envelope = "custom"

[senders.bus]
signature = "api-key"
secrets = ["$OPENAPI_TEST_KEY"]
envelope = "eventbridge"

[senders.rated]
signature = "api-key"
secrets = ["$OPENAPI_TEST_KEY"]
envelope = "custom"
rate = "1/minute"

[senders.zendesk]
signature = "zendesk"
secrets = ["$OPENAPI_TEST_KEY"]
envelope = "custom"
"""
SCHEMES = {name: row["signature"] for name, row in tomllib.loads(SENDERS)["senders"].items()}
DOCUMENT = document()
OPERATIONS = {operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()}


@pytest.fixture(scope="module")
def box():
    with start(rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def build(box, tmp_path_factory):
    """A factory: the service on the sandbox, with these settings besides."""
    folder = tmp_path_factory.mktemp("openapi")
    (folder / "senders.toml").write_text(SENDERS)
    transport = CurlTransport()
    ledger = connect(f"sqlite:///{folder}/ledger.sqlite3", keys=(), retention_seconds=3600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAPI_TEST_KEY", KEY)

        def make(**settings):
            defaults = Settings(
                genesys_api_url=box.url,
                genesys_login_url=box.url,
                api_keys=Secret(f"flow:{KEY}"),
                senders_file=str(folder / "senders.toml"),
                deadline_seconds=1.0,
                repeat_window=0.0,  # each request stands for itself
                log_level="ERROR",
                log_format="json",
            )
            return create_app(replace(defaults, **settings), ledger=ledger, transport=transport)

        yield make
    ledger.close()
    transport.close()


@pytest.fixture(scope="module")
def app(build):
    return build()


# --- the document itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("senders", [None, SCHEMES], ids=["of any service", "of one with these senders"])
def test_it_is_valid(senders):
    OpenAPIV31SpecValidator(document(senders)).validate()


def test_it_is_of_this_version():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_every_route_of_the_service_is_in_it_and_no_other(app):
    own = ("/docs/static/", "/console", "/static/")
    served = {
        re.sub(r"<(?:\w+:)?name>", "{sender}", rule.rule)
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith(own)
    }
    assert served == set(DOCUMENT["paths"])


def test_the_service_serves_it(app):
    answer = app.test_client().get("/openapi.json")
    assert answer.content_type == "application/json"
    assert answer.json["paths"].keys() == DOCUMENT["paths"].keys()


def test_the_committed_file_is_what_the_code_makes():
    assert stale("openapi") == []


def test_every_field_of_a_request_is_told_in_words():
    assert {str(field.data_key or name) for name, field in StartRequestSchema().fields.items()} == set(REQUEST)
    assert set(DOCUMENT["components"]["schemas"]["StartRequest"]["properties"]) == set(REQUEST)


def test_every_key_of_the_answer_is_in_it_and_needed():
    answer = DOCUMENT["components"]["schemas"]["Answer"]
    assert list(answer["properties"]) == list(AnswerSchema().fields)
    assert set(answer["required"]) == set(answer["properties"])


def examples():
    for operation_id, operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            for media, content in response["content"].items():
                for name, example in content.get("examples", {}).items():
                    yield operation_id, status, media, name, content["schema"], example["value"]


@pytest.mark.parametrize("code", list(kinds()))
def test_every_error_kind_is_told_with_an_answer(code):
    kind = kinds()[code]
    [told] = [told for told in DOCUMENT["x-error-kinds"] if told["code"] == code]
    assert (told["status"], told["retryable"], told["hint"]) == (kind.status, kind.retryable, kind.hint)
    shown = [(status, value) for _, status, _, name, _, value in examples() if name == code]
    assert shown or code == "method_not_allowed"
    for status, value in shown:
        assert value["errorCode"] == code
        assert int(status) in (200, kind.status)


def test_every_example_fits_its_schema():
    count = 0
    for *_, schema, value in examples():
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)
        count += 1
    assert count > 80
    for body in samples.REQUESTS.values():
        shape = DOCUMENT["components"]["schemas"]["StartRequest"]
        Draft202012Validator({**shape, "components": DOCUMENT["components"]}).validate(body)


@pytest.mark.parametrize("habit", list(HABITS.values()), ids=list(HABITS))
def test_every_status_that_a_sender_may_be_told_is_in_it(habit):
    never = {"method_not_allowed", "latest_not_allowed", "no_active_conversation"}
    met = [kind for code, kind in kinds().items() if code not in never]
    told = {batch_status(habit, [(kind.status, kind.retryable)]) for kind in met}
    assert {str(status) for status in told} <= set(OPERATIONS["receiveDelivery"]["responses"])


# --- the examples are what the service says ---------------------------------------------------------------------------

# What an answer has of its own each time.
OWN = {"initiationId", "durationMs", "upstreamCalls", "flow"}


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
    "cobrowse_not_supported": lambda client: post(client, conversationId=EMAIL),
}
FAULTS = {
    "genesys_unauthorized": {"kind": "status", "status": 401},
    "genesys_forbidden": {"kind": "status", "status": 403},
    "genesys_rate_limited": {"kind": "status", "status": 429, "retry_after": 42},
    "genesys_unavailable": {"kind": "status", "status": 500},
    "genesys_timeout": {"kind": "delay", "seconds": 30},
    "genesys_bad_response": {"kind": "not_json"},
}
# These need broken sockets and disks, a second machine, a crowd or a bug: other tests have them.
ELSEWHERE = {
    "request_timeout",
    "in_progress",
    "ledger_unavailable",
    "internal_error",
    "overloaded",
    "no_active_conversation",
}


def same(answer, code):
    """The answer is the sample, but for what is its own and the names of the sandbox's host and conversations."""
    sample = samples.failure(kinds()[code])
    text = answer.get_data(as_text=True).replace("127.0.0.1", "api.mypurecloud.com").replace("3601 s", "3600 s")
    for conversation in (ABSENT, ENDED, EMAIL):
        text = text.replace(conversation, samples.CONVERSATION)
    told = json.loads(text)
    # The sandbox's session has an id of its own, and its URLs hold it.
    for key in ("cobrowseSessionId", "joinUrl", "viewerUrl"):
        assert bool(told[key]) is bool(sample[key])
        told[key] = sample[key]
    if code == "rate_limited":
        told["retryAfterSeconds"] = sample["retryAfterSeconds"]
    assert answer.status_code == kinds()[code].status
    assert {key: value for key, value in told.items() if key not in OWN} == {
        key: value for key, value in sample.items() if key not in OWN
    }


def test_every_kind_has_its_words_and_is_provoked_or_said_not_to_be():
    assert set(samples.SAID) == set(kinds())
    assert {*REFUSED, *FAULTS} | ELSEWHERE == set(kinds())


@pytest.mark.parametrize("code", list(REFUSED))
def test_a_refusals_example_is_the_services_own_answer(app, code):
    same(REFUSED[code](app.test_client()), code)


@pytest.mark.parametrize("code", list(FAULTS))
def test_a_failures_example_is_the_services_own_answer(app, box, code):
    box.faults.add(operation="create", times="always", **FAULTS[code])
    try:
        same(post(app.test_client(), conversationId=WEBCHAT), code)
    finally:
        box.faults.clear()


@pytest.mark.parametrize("flow", ["media", "native"])
def test_a_successs_example_has_the_services_own_form(build, flow):
    sample = samples.success("initiated" if flow == "media" else "initiated_native")
    answer = post(build(cobrowse_flow=flow).test_client(), conversationId=WEBCHAT, headers={"Idempotency-Key": flow})
    told = answer.json
    assert told["status"] == sample["status"] == "initiated"
    assert {key: (type(value), bool(value)) for key, value in told.items()} == {
        key: (type(value), bool(value)) for key, value in sample.items()
    }


# --- the page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page loads, links to and names."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.styled = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        held = dict(attrs)
        self.tags.append(tag)
        self.ids += [held["id"]] if "id" in held else []
        self.links += [held[name] for name in ("href", "src") if name in held]
        self.styled += [name for name in held if name == "style" or name.startswith("on")]


@pytest.fixture(scope="module")
def docs(app):
    return app.test_client().get("/docs")


def test_the_page_tells_of_everything(docs):
    text = docs.get_data(as_text=True)
    names = [*OPERATIONS, *kinds(), *AnswerSchema().fields, *REQUEST, *DOCUMENT["components"]["securitySchemes"]]
    assert [name for name in names if name not in text] == []


def test_the_page_loads_one_style_sheet_of_ours_and_nothing_else(app, docs):
    page = Page(docs.get_data(as_text=True))
    assert not {"script", "style", "iframe", "img"} & set(page.tags)
    assert page.styled == []
    foreign = [link for link in page.links if not link.startswith(("#", "/", "data:,"))]
    assert foreign == []
    policy = docs.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for link in page.links:
        if link.startswith("/"):
            with app.test_client().get(link) as answer:
                assert answer.status_code == 200


def test_every_link_on_the_page_leads_somewhere(docs):
    page = Page(docs.get_data(as_text=True))
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


# --- the service does what it says ------------------------------------------------------------------------------------


class Running:
    """The app that the cases are sent to; it is made after they are."""

    app = None

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


def loaded():
    """The document of a service with those senders, for schemathesis: the same cases at each run."""
    held = st.dictionaries(st.text(max_size=5), st.integers() | st.booleans(), max_size=3)
    schemathesis.openapi.format("json-object", held.map(json.dumps))
    config = schemathesis.Config.from_dict(
        {
            "generation": {"deterministic": True, "max-examples": 25, "database": "none"},
            # 502 is an answer of its own here: Genesys refuses a webchat's attachment to a token of another channel.
            "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "4xx", 502]}},
        }
    )
    schema = schemathesis.openapi.from_dict(
        document({name: scheme for name, scheme in SCHEMES.items() if name in ("own", "bus")}), config=config
    )
    schema.app = Running()
    return schema


SCHEMA = loaded()


@pytest.fixture(scope="module")
def running(build, box):
    box.options.auto_create = True
    SCHEMA.app.app = build(allow_latest=True)
    yield
    box.options.auto_create = False


NUMBER = itertools.count(1)


def apart(case):
    """The case, with a key that no other case has: a repeat of a key with another body is refused, and rightly.

    Settings that look like JSON as far as a pattern can say, and are none, become an empty object.
    """
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and key.strip() and key.isascii() and key.isprintable() and len(key) < 240:
        case.headers["Idempotency-Key"] = f"{key}{next(NUMBER)}"
    settings = case.body.get("sessionSettings") if isinstance(case.body, dict) else None
    if isinstance(settings, str) and settings.strip().startswith("{") and settings.strip().endswith("}"):
        try:
            json.loads(settings)
        except ValueError:
            case.body["sessionSettings"] = "{}"
    return case


@SCHEMA.exclude(operation_id="receiveDelivery").parametrize()
def test_the_service_and_the_document_agree(running, case):
    apart(case).call_and_validate(headers={"X-Api-Key": KEY})


@SCHEMA.include(operation_id="receiveDelivery").parametrize()
def test_they_agree_on_deliveries(running, case):
    # What a body must hold is said by the sender's row and not by the document, so a well-formed one may be refused.
    apart(case).call_and_validate(
        headers={"X-Api-Key": KEY}, excluded_checks=[schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
    )
