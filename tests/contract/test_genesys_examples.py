"""The example flow, the agent's button and Terraform: each speaks the contracts of the data actions' files."""

import json
import re
from pathlib import Path

import yaml

from tests.contract.described import DOCUMENT
from tools.api_reference.data_action import actions

GENESYS = Path(__file__).parents[2] / "deploy" / "genesys"
PATHS = [GENESYS.parents[1] / path for path in actions(DOCUMENT)]
FILES = {file["name"]: file for file in (json.loads(path.read_text("utf-8")) for path in PATHS)}


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


def calls_of(name):
    return [
        call["dataAction"][name]
        for each in found(FLOW, "category")
        for call in each.values()
        if name in call["dataAction"]
    ]


def test_the_example_flow_speaks_the_contracts():
    assert [len(calls_of(name)) for name in FILES] == [2, 1, 1]
    for name, file in FILES.items():
        contract = file["contract"]
        for call in calls_of(name):
            assert set(call["inputs"]) == set(contract["input"]["inputSchema"]["properties"])
            assert set(call["successOutputs"]) <= set(contract["output"]["successSchema"]["properties"])
            assert {"success", "errorCode"} <= set(call["successOutputs"])
            assert set(call["failureOutputs"]) <= FAILURE | DETAILS
    first, again = calls_of("Start Cobrowse")
    assert first["inputs"] == again["inputs"]  # the same request, so the same key
    assert (first["inputs"]["startWhen"], first["inputs"]["participantData"]) == (
        {"lit": "agent_connected"},
        {"lit": True},
    )


def test_the_example_flow_waits_as_long_as_it_is_told_and_declares_what_it_uses():
    first = next(found(FLOW, "callData"))
    assert set(first["outputs"]) == {"failure", "timeout"}
    text = (GENESYS / "start-cobrowse.flow.yaml").read_text("utf-8")
    kinds = ("stringVariable", "booleanVariable", "integerVariable")
    declared = {variable["name"] for kind in kinds for variable in found(FLOW, kind)}
    assert set(re.findall(r"(?:State|Flow)\.\w+", text)) == declared
    bound = {call["successOutputs"]["retryAfterSeconds"]["var"] for call in calls_of("Start Cobrowse")}
    [wait] = found(FLOW, "wait")
    assert {name for name in bound if name in wait["duration"]["exp"]} == bound
    for branch in ("State.Success", "State.Retryable", "State.ErrorCode", "State.JoinUrl", "State.HandedOver"):
        assert any(branch in str(one) for one in found(FLOW, "condition"))


def test_the_agents_button_speaks_the_contracts():
    blocks = re.findall(r"```json\n(.*?)```", (GENESYS / "agent-script.md").read_text("utf-8"), re.DOTALL)
    bodies = [json.loads(block) for block in blocks]
    for name, body in zip(("Start Cobrowse", "End Cobrowse"), bodies, strict=True):
        assert set(body) == set(FILES[name]["contract"]["input"]["inputSchema"]["properties"])


def test_terraform_takes_everything_from_the_files():
    terraform = (GENESYS / "terraform" / "main.tf").read_text("utf-8")
    names = re.search(r"for name in \[(.*?)\]", terraform)[1]
    assert [GENESYS / f"{name}.custom.json" for name in re.findall(r'"([\w-]+)"', names)] == PATHS
    for path in re.findall(r"each\.value\.([\w.]+)", terraform):
        for file in FILES.values():
            part = file
            for name in path.split("."):
                part = part[name]
    for resource in ("integration", "integration_credential", "integration_action", "flow"):
        assert f'resource "genesyscloud_{resource}"' in terraform
    assert "config_timeout_seconds" in terraform
    # The event's fields become the workflow's inputs.
    assert 'data_format = "TopLevelPrimitives"' in terraform
    for field in re.findall(r"\$\{credentials\.(\w+)\}", json.dumps(FILES["Start Cobrowse"]["config"]["request"])):
        assert re.search(rf"^\s+{field}\s+= var\.", terraform, re.MULTILINE)
