"""The data action's file: of the form that Genesys imports, and its templates make requests that the service takes."""

import json
import re
from pathlib import Path

import pytest
import yaml

from app import create_app
from cobrowse.model import Secret
from integrations.genesys.transport import CurlTransport
from integrations.ledger import connect
from sandbox.server import start
from sandbox.state import WEBCHAT
from schemas.data_action import AnswerSchema, StartRequestSchema
from schemas.texts import placeholder_in
from settings import Settings
from tests.contract.velocity import as_apache_does, as_it_is, render
from tools.api_reference.data_action import KEY_INPUT, action

GENESYS = Path(__file__).parents[2] / "deploy" / "genesys"
FILE = json.loads((GENESYS / "Start-Cobrowse.custom.json").read_text("utf-8"))
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


def test_its_keys_are_those_of_genesys_own_exports():
    shape = keys_of({**FILE, "contract": {"input": None, "output": None}})
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
    assert list(FILE["contract"]["input"]) == ["inputSchema"]
    assert list(FILE["contract"]["output"]) == ["successSchema"]


def test_it_is_a_web_services_data_action_that_can_be_imported():
    assert (FILE["integrationType"], FILE["actionType"]) == ("custom-rest-actions", "custom")
    assert 0 < len(FILE["name"]) <= 256
    assert FILE["secure"] is False


@pytest.mark.parametrize("contract", [INPUTS, OUTPUTS], ids=["input", "output"])
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


def test_the_inputs_are_the_requests_fields_and_the_key_is_one_of_them():
    fields = [str(field.data_key or name) for name, field in StartRequestSchema().fields.items()]
    assert list(INPUTS["properties"]) == fields
    assert KEY_INPUT in fields
    assert set(INPUTS["required"]) <= set(fields)


def test_the_outputs_are_the_answers_keys():
    assert list(OUTPUTS["properties"]) == list(AnswerSchema().fields)
    kinds = {field["type"] for field in OUTPUTS["properties"].values()}
    assert kinds == {"string", "integer", "boolean"}


def test_every_input_in_the_body_is_escaped_and_optional_ones_are_quiet():
    template = REQUEST["requestTemplate"]
    escaped = re.findall(r'\$esc\.jsonEncode\("\$(!?)\{input\.(\w+)\}"\)', template)
    assert [name for _, name in escaped] == [name for name in INPUTS["properties"] if name != KEY_INPUT]
    assert {name for quiet, name in escaped if not quiet} == set(INPUTS["required"])
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


def test_the_file_is_what_the_code_makes():
    assert action() == FILE


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

    def send(**inputs):
        context = {
            "credentials.baseUrl": "http://localhost",
            "credentials.apiKey": KEY,
            **{f"input.{name}": value for name, value in inputs.items()},
        }
        url = render(REQUEST["requestUrlTemplate"], context)
        headers = {name: render(value, context) for name, value in REQUEST["headers"].items()}
        body = render(REQUEST["requestTemplate"], context, request.param)
        answer = client.open(url, method=REQUEST["requestType"], headers=headers, data=body.encode())
        return answer, json.loads(body)

    return send


def of_the_contract(answer):
    """The answer, once it is sure that it fits the output contract."""
    passed = json.loads(render(RESPONSE["successTemplate"], {"rawResult": answer.get_data(as_text=True)}))
    assert set(passed) == set(OUTPUTS["properties"])
    kinds = {"string": str, "integer": int, "boolean": bool}
    for name, value in passed.items():
        assert type(value) is kinds[OUTPUTS["properties"][name]["type"]]
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


# --- what stands beside it --------------------------------------------------------------------------------------------


def found(thing, key):
    """Every value of this key, however deep."""
    if isinstance(thing, dict):
        for name, inner in thing.items():
            if name == key:
                yield inner
            yield from found(inner, key)
    elif isinstance(thing, list):
        for inner in thing:
            yield from found(inner, key)


FLOW = yaml.safe_load((GENESYS / "start-cobrowse.flow.yaml").read_text("utf-8"))
# What a flow can see of a data action's failure.
FAILURE = {"errorCode", "status", "correlationId", "entityId", "entityName", "userMessage", "userParamsMessage"}
DETAILS = {f"details.{name}" for name in ("errorCode", "fieldName", "entityId", "entityName")}


def test_the_example_flow_speaks_the_contract():
    calls = [call["dataAction"][FILE["name"]] for each in found(FLOW, "category") for call in each.values()]
    assert len(calls) == 2
    for call in calls:
        assert set(call["inputs"]) == set(INPUTS["properties"])
        assert set(call["successOutputs"]) <= set(OUTPUTS["properties"])
        assert {"success", "retryable", "errorCode"} <= set(call["successOutputs"])
        assert set(call["failureOutputs"]) <= FAILURE | DETAILS
    assert calls[0]["inputs"] == calls[1]["inputs"]  # the same request, so the same key


def test_the_example_flow_branches_on_every_output_and_declares_what_it_uses():
    first = next(found(FLOW, "callData"))
    assert set(first["outputs"]) == {"failure", "timeout"}
    text = (GENESYS / "start-cobrowse.flow.yaml").read_text("utf-8")
    declared = {variable["name"] for kind in ("stringVariable", "booleanVariable") for variable in found(FLOW, kind)}
    assert set(re.findall(r"State\.\w+", text)) == declared
    for branch in ("State.Success", "State.Retryable", "State.ErrorCode"):
        assert any(branch in str(one) for kind in ("condition", "case") for one in found(FLOW, kind))


def test_terraform_takes_everything_from_the_file():
    terraform = (GENESYS / "terraform" / "main.tf").read_text("utf-8")
    for path in re.findall(r"local\.action\.([\w.]+)", terraform):
        part = FILE
        for name in path.split("."):
            part = part[name]
    for resource in ("integration", "integration_credential", "integration_action"):
        assert f'resource "genesyscloud_{resource}"' in terraform
    assert "config_timeout_seconds" in terraform
    for field in re.findall(r"\$\{credentials\.(\w+)\}", json.dumps(REQUEST)):
        assert re.search(rf"^\s+{field}\s+= var\.", terraform, re.MULTILINE)
