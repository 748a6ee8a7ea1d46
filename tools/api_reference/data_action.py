"""The files that an admin imports in Genesys Cloud as Web Services Data Actions: to start, ask for and end cobrowse.

One follows from each operation of the OpenAPI document that has `x-data-action`: its name, its description, and the
inputs that are always known in a flow. Their form is that of files which Genesys itself exports
(GenesysCloudBlueprints). Two things can't be changed later: a published action's contracts are fixed, and an input that
goes into the body unescaped lets a name with a quotation mark write the rest of it.
"""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

# Goes into its header, where the operation has one; Genesys's own default template, which sends every input, works too.
KEY_INPUT = "idempotencyKey"
_KEY_HEADER = {"$ref": "#/components/parameters/IdempotencyKey"}


def actions(document: Json) -> dict[str, Json]:
    """Each action's path from the root, with its file."""
    made = [
        _action(path, operation, document["components"]["schemas"])
        for path, item in document["paths"].items()
        for operation in item.values()
        if "x-data-action" in operation
    ]
    return {f"deploy/genesys/{action['name'].replace(' ', '-')}.custom.json": action for action in made}


def _action(path: str, operation: Json, schemas: Json) -> Json:
    """The whole file. The integration's User Defined credential has the fields baseUrl and apiKey."""
    row = operation["x-data-action"]
    name, required = row["name"], row.get("required", [])
    inputs, outputs = (
        schemas[place["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]["properties"]
        for place in (operation["requestBody"], operation["responses"]["200"])
    )
    headers, in_body = {"Content-Type": "application/json", "X-Api-Key": "${credentials.apiKey}"}, list(inputs)
    if _KEY_HEADER in operation["parameters"]:
        headers["Idempotency-Key"] = f"$!{{input.{KEY_INPUT}}}"
        in_body.remove(KEY_INPUT)
    asked = _contract(name, row["description"], inputs)
    answered = _contract(f"{name}: the answer", "Branch on success, retryable and errorCode.", outputs)
    return {
        "name": name,
        "integrationType": "custom-rest-actions",  # Genesys's word for a Web Services Data Action
        "actionType": "custom",
        "config": {
            "request": {
                "requestUrlTemplate": "${credentials.baseUrl}" + path,
                "requestType": "POST",
                "headers": headers,
                "requestTemplate": _body_template(in_body, required),
            },
            # The answer has every key, flat and of the contract's types: nothing is left to translate.
            "response": {"translationMap": {}, "translationMapDefaults": {}, "successTemplate": "${rawResult}"},
        },
        "contract": {
            # draft-04 has no empty list of required properties.
            "input": {"inputSchema": asked | ({"required": required} if required else {})},
            "output": {"successSchema": answered},
        },
        "secure": False,
    }


def _contract(title: str, description: str, properties: Json) -> Json:
    """A contract: draft-04, one level, scalars.

    No enum: it would refuse the empty string that stands for "not set". New keys pass: it can't be changed later.
    """
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": title,
        "description": description,
        "type": "object",
        "properties": {
            name: {"type": kind, "description": shape["description"]}
            for name, shape in properties.items()
            for kind in ([shape["type"]] if isinstance(shape["type"], str) else shape["type"][:1])
        },
        "additionalProperties": True,
    }


def _body_template(names: Iterable[str], required: Iterable[str]) -> str:
    """The body: every input as a quoted text, whatever its type, since the service reads "true" too.

    An input that isn't set becomes nothing where `$!` says so. A required one arrives as its own placeholder, which the
    service refuses by the input's name.
    """
    marks = {name: "" if name in required else "!" for name in names}
    lines = [f'  "{name}": "$esc.jsonEncode("${mark}{{input.{name}}}")"' for name, mark in marks.items()]
    return "{\n" + ",\n".join(lines) + "\n}"
