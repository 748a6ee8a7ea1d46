"""The data action's file: of the form that Genesys imports, and its templates make requests that the service takes."""

import json
import re
from pathlib import Path

import pytest

from app import create_app
from cobrowse.model import Secret
from integrations.genesys.transport import CurlTransport
from integrations.ledger import connect
from sandbox.server import start
from sandbox.state import VOICE, WEBCHAT
from schemas.answers import AnswerSchema, StatusAnswerSchema
from schemas.data_action import StartRequestSchema
from schemas.session_actions import EndRequestSchema, StatusRequestSchema
from schemas.texts import placeholder_in
from settings import Settings
from tests.contract.described import DOCUMENT
from tests.contract.velocity import as_apache_does, as_it_is, render
from tools.api_reference.data_action import KEY_INPUT, actions

ROOT = Path(__file__).parents[2]
MADE = actions(DOCUMENT)
FILES = {made["name"]: json.loads((ROOT / path).read_text("utf-8")) for path, made in MADE.items()}
# Of each action the schemas of its request and answer, and the inputs that are always known in a flow.
ROWS = [
    ("Start Cobrowse", StartRequestSchema, AnswerSchema, {"conversationId"}),
    ("Cobrowse Status", StatusRequestSchema, StatusAnswerSchema, set()),
    ("End Cobrowse", EndRequestSchema, AnswerSchema, set()),
]
NAMES = [name for name, *_ in ROWS]
FILE = FILES["Start Cobrowse"]
REQUEST, RESPONSE = FILE["config"]["request"], FILE["config"]["response"]
INPUTS = FILE["contract"]["input"]["inputSchema"]
OUTPUTS = FILE["contract"]["output"]["successSchema"]
KEY = "test-key-0123456789abcdef"
HOSTILE = [
    'say "hello"',
    '"}',
    '", "latest": "true", "x": "',
    '"}{"conversationId": "22222222-2222-4222-8222-222222222222"}',
    "one\ntwo\r\nthree\ttabs",
    'back\\slash \\" \\u0022 \\',
    "Zoë 🧑‍💻 日本 \u2028",
    "$esc.jsonEncode($x) #if(true) <b>&amp;</b> ' ; --",
    "\x00\x1f\x7f",
]


# --- its form ---------------------------------------------------------------------------------------------------------


def keys_of(thing):
    return {name: keys_of(inner) for name, inner in thing.items()} if isinstance(thing, dict) else None


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_its_keys_are_those_of_genesys_own_exports(file):
    shape = keys_of({**file, "contract": {"input": None, "output": None}})
    shape["config"]["request"]["headers"] = shape["config"]["response"]["translationMap"] = None
    shape["config"]["response"]["translationMapDefaults"] = None
    assert shape == {
        "name": None,
        "integrationType": None,
        "actionType": None,
        "config": {
            "request": {"requestUrlTemplate": None, "requestType": None, "headers": None, "requestTemplate": None},
            "response": {"translationMap": None, "translationMapDefaults": None, "successTemplate": None},
        },
        "contract": {"input": None, "output": None},
        "secure": None,
    }
    assert list(file["contract"]["input"]) == ["inputSchema"]
    assert list(file["contract"]["output"]) == ["successSchema"]


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_it_is_a_web_services_data_action_that_can_be_imported(file):
    assert (file["integrationType"], file["actionType"]) == ("custom-rest-actions", "custom")
    assert 0 < len(file["name"]) <= 256
    assert file["secure"] is False


def contracts():
    for file in FILES.values():
        yield file["contract"]["input"]["inputSchema"]
        yield file["contract"]["output"]["successSchema"]


@pytest.mark.parametrize("contract", list(contracts()), ids=lambda contract: contract["title"])
def test_a_contract_is_flat_draft_04(contract):
    assert contract["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert contract["type"] == "object"
    assert "$ref" not in json.dumps(contract)
    assert contract.get("required") != []  # draft-04 wants one at least
    for name, field in contract["properties"].items():
        assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_-]*", name)
        assert name not in {"orgId", "integrationId", "rawRequest"}
        assert field["type"] in {"string", "integer", "number", "boolean"}
        assert set(field) <= {"type", "title", "description"}


@pytest.mark.parametrize(("name", "request_", "_answer", "required"), ROWS, ids=NAMES)
def test_the_inputs_are_the_requests_fields_and_the_key_is_one_of_them(name, request_, _answer, required):
    inputs = FILES[name]["contract"]["input"]["inputSchema"]
    fields = [str(field.data_key or name) for name, field in request_().fields.items()]
    assert list(inputs["properties"]) == fields
    assert KEY_INPUT in fields
    assert set(inputs.get("required", ())) == required <= set(fields)


@pytest.mark.parametrize(("name", "_request", "answer", "_required"), ROWS, ids=NAMES)
def test_the_outputs_are_the_answers_keys(name, _request, answer, _required):
    outputs = FILES[name]["contract"]["output"]["successSchema"]
    assert list(outputs["properties"]) == list(answer().fields)
    kinds = {field["type"] for field in outputs["properties"].values()}
    assert kinds == {"string", "integer", "boolean"}


@pytest.mark.parametrize("name", NAMES)
def test_every_input_in_the_body_is_escaped_and_optional_ones_are_quiet(name):
    request, inputs = FILES[name]["config"]["request"], FILES[name]["contract"]["input"]["inputSchema"]
    template = request["requestTemplate"]
    escaped = re.findall(r'\$esc\.jsonEncode\("\$(!?)\{input\.(\w+)\}"\)', template)
    # Where the key says what is asked for, it stays in the body.
    left_out = set() if name == "Cobrowse Status" else {KEY_INPUT}
    assert ("Idempotency-Key" in request["headers"]) is bool(left_out)
    assert [name for _, name in escaped] == [name for name in inputs["properties"] if name not in left_out]
    assert {name for quiet, name in escaped if not quiet} == set(inputs.get("required", ()))
    assert template.count("{input.") == len(escaped)


def test_the_headers_carry_credential_type_and_the_callers_key():
    assert REQUEST["headers"] == {
        "Content-Type": "application/json",
        "X-Api-Key": "${credentials.apiKey}",
        "Idempotency-Key": "$!{input.idempotencyKey}",
    }
    assert REQUEST["requestUrlTemplate"] == "${credentials.baseUrl}/data-actions/cobrowse"
    assert REQUEST["requestType"] == "POST"


def test_the_answer_passes_as_it_is():
    assert RESPONSE == {"translationMap": {}, "translationMapDefaults": {}, "successTemplate": "${rawResult}"}


def test_with_a_category_and_an_integration_it_is_what_genesys_api_takes():
    """POST /api/v2/integrations/actions: five keys are demanded, one is optional, others are not known."""
    known = {"name", "config", "contract", "secure"}
    body = {key: value for key, value in FILE.items() if key in known} | {"category": "c", "integrationId": "i"}
    assert set(FILE) - known == {"integrationType", "actionType"}  # of the file alone
    assert {"category", "config", "contract", "integrationId", "name"} <= set(body)
    assert isinstance(body["secure"], bool)
    for key, kind in {"requestUrlTemplate": str, "requestTemplate": str, "requestType": str, "headers": dict}.items():
        assert isinstance(REQUEST[key], kind)
    for mapping in (REQUEST["headers"], RESPONSE["translationMap"], RESPONSE["translationMapDefaults"]):
        assert all(isinstance(value, str) for value in mapping.values())
    for contract in (INPUTS, OUTPUTS):
        assert set(contract) <= {
            "id",
            "$schema",
            "title",
            "description",
            "type",
            "required",
            "properties",
            "additionalProperties",
        }
        assert all(isinstance(field, dict) for field in contract["properties"].values())


def test_the_files_are_what_the_code_makes():
    assert list(MADE.values()) == list(FILES.values())
    assert list(FILES) == NAMES


# --- its templates, rendered and sent ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    transport = CurlTransport()
    ledger = connect(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/l.sqlite3", keys=(), retention_seconds=3600)
    with start(rate_limit=None) as box:
        settings = Settings(
            sandbox=True,
            genesys_api_url=box.url,
            genesys_login_url=box.url,
            api_keys=Secret(f"architect:{KEY}"),
            allow_latest=True,
            log_level="ERROR",
        )
        yield create_app(settings, ledger=ledger, transport=transport).test_client()
    ledger.close()
    transport.close()


@pytest.fixture(params=[as_it_is, as_apache_does], ids=["escaped as JSON demands", "escaped as Apache does"])
def sent(request, client):
    """Sends what Genesys would send for these inputs; gives the answer, and the body that was sent."""

    def send(action="Start Cobrowse", **inputs):
        asked = FILES[action]["config"]["request"]
        context = {
            "credentials.baseUrl": "http://localhost",
            "credentials.apiKey": KEY,
            **{f"input.{name}": value for name, value in inputs.items()},
        }
        url = render(asked["requestUrlTemplate"], context)
        headers = {name: render(value, context) for name, value in asked["headers"].items()}
        body = render(asked["requestTemplate"], context, request.param)
        answer = client.open(url, method=asked["requestType"], headers=headers, data=body.encode())
        return answer, json.loads(body)

    return send


def of_the_contract(answer, outputs=OUTPUTS):
    """The answer, once it is sure that it fits the output contract."""
    passed = json.loads(render(RESPONSE["successTemplate"], {"rawResult": answer.get_data(as_text=True)}))
    assert set(passed) == set(outputs["properties"])
    kinds = {"string": str, "integer": int, "boolean": bool}
    for name, value in passed.items():
        assert type(value) is kinds[outputs["properties"][name]["type"]]
    return passed


def test_with_every_input_set_a_session_is_started(sent, request):
    answer, body = sent(
        conversationId=WEBCHAT,
        channel="webchat",
        latest=False,
        requestedBy="Ann",
        sessionSettings='{"mask": ["#card"]}',
        idempotencyKey=f"every input set, {request.node.name}",
    )
    assert answer.status_code == 200
    assert of_the_contract(answer)["success"] is True
    assert body == {
        "conversationId": WEBCHAT,
        "channel": "webchat",
        "latest": "false",
        "requestedBy": "Ann",
        "startWhen": "",
        "participantData": "",
        "dryRun": "",
        "sessionSettings": '{"mask": ["#card"]}',
    }


def test_with_the_optional_inputs_unset_it_is_the_same(sent):
    answer, body = sent(conversationId=WEBCHAT)
    assert of_the_contract(answer)["success"] is True
    assert body == {
        "conversationId": WEBCHAT,
        "channel": "",
        "latest": "",
        "requestedBy": "",
        "startWhen": "",
        "participantData": "",
        "dryRun": "",
        "sessionSettings": "",
    }


def test_latest_is_asked_for_with_an_empty_conversation(sent):
    answer, _ = sent(conversationId="", latest=True)
    assert of_the_contract(answer)["conversationId"] == WEBCHAT


def test_a_conversation_that_is_not_set_is_refused_by_its_name(sent):
    answer, _ = sent()
    assert answer.status_code == 422
    assert "input conversationId was not set" in answer.json["errorMessage"]


def test_the_flows_key_makes_the_second_call_a_retry(sent, request):
    inputs = {"conversationId": WEBCHAT, "idempotencyKey": f"twice, {request.node.name}"}
    first, second = sent(**inputs)[0], sent(**inputs)[0]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.get_data() == first.get_data()


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_name_stays_a_name(sent, value):
    answer, body = sent(conversationId=WEBCHAT, requestedBy=value)
    assert body == {
        "conversationId": WEBCHAT,
        "channel": "",
        "latest": "",
        "requestedBy": value,
        "startWhen": "",
        "participantData": "",
        "dryRun": "",
        "sessionSettings": "",
    }
    assert of_the_contract(answer)["conversationId"] == WEBCHAT


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["conversationId", "channel", "sessionSettings"])
def test_a_hostile_value_elsewhere_is_refused_by_its_field(sent, name, value):
    answer, body = sent(**{"conversationId": WEBCHAT, name: value})
    assert body[name] == value
    if name != "conversationId" and placeholder_in(value):
        assert of_the_contract(answer)["conversationId"] == WEBCHAT  # as not set
        return
    assert answer.status_code == 422
    assert answer.json["errorMessage"].startswith(f"{name}: ")


def test_what_was_started_is_asked_for_by_its_key_and_ended(sent, request):
    key = request.node.name
    started = of_the_contract(sent(conversationId=VOICE, idempotencyKey=key)[0])
    outputs = FILES["Cobrowse Status"]["contract"]["output"]["successSchema"]
    asked = of_the_contract(sent("Cobrowse Status", idempotencyKey=key, live="true")[0], outputs)
    assert (asked["initiationId"], asked["sessionState"]) == (started["initiationId"], "offered")
    unknown = of_the_contract(sent("Cobrowse Status", idempotencyKey=f"{key}-other")[0], outputs)
    assert unknown["errorCode"] == "initiation_not_found"
    # The media flow's end is left to a setting.
    ended, body = sent("End Cobrowse", initiationId=started["initiationId"], requestedBy='say "stop"')
    assert of_the_contract(ended)["errorCode"] == "cobrowse_not_supported"
    assert body["requestedBy"] == 'say "stop"'
