"""The file that an admin imports in Genesys Cloud as a Web Services Data Action: Start Cobrowse.

Its form is that of files which Genesys itself exports (GenesysCloudBlueprints). Two things can't be changed later: a
published action's contracts are fixed, and an input that goes into the body unescaped lets a name with a quotation mark
write the rest of it.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from schemas.data_action import AnswerSchema, StartRequestSchema

Json = dict[str, Any]

NAME = "Start Cobrowse"
# Goes into its header, not into the body; Genesys's own default template, which sends every input, works as well.
KEY_INPUT = "idempotencyKey"
# Always known in a flow, so Architect may insist on it. With `latest` it is set to an empty string.
REQUIRED = ["conversationId"]


def action() -> Json:
    """The whole file. The integration's User Defined credential has the fields baseUrl and apiKey."""
    inputs = {str(field.data_key or name): field for name, field in StartRequestSchema().fields.items()}
    asked = _contract(NAME, "Starts a cobrowse session for a conversation.", inputs)
    answered = _contract(f"{NAME}: the answer", "Branch on success, retryable and errorCode.", AnswerSchema().fields)
    return {
        "name": NAME,
        "integrationType": "custom-rest-actions",  # Genesys's word for a Web Services Data Action
        "actionType": "custom",
        "config": {
            "request": {
                "requestUrlTemplate": "${credentials.baseUrl}/data-actions/cobrowse",
                "requestType": "POST",
                "headers": {
                    "Content-Type": "application/json",
                    "X-Api-Key": "${credentials.apiKey}",
                    "Idempotency-Key": f"$!{{input.{KEY_INPUT}}}",
                },
                "requestTemplate": _body_template([name for name in inputs if name != KEY_INPUT]),
            },
            # The answer has every key, flat and of the contract's types: nothing is left to translate.
            "response": {"translationMap": {}, "translationMapDefaults": {}, "successTemplate": "${rawResult}"},
        },
        "contract": {
            "input": {"inputSchema": asked | {"required": REQUIRED}},
            "output": {"successSchema": answered},
        },
        "secure": False,
    }


def _contract(title: str, description: str, named: Mapping[str, fields.Field[Any]]) -> Json:
    """A contract: draft-04, one level, scalars.

    No enum: it would refuse the empty string that stands for "not set". New keys pass: it can't be changed later.
    """
    kinds = {fields.Boolean: "boolean", fields.Integer: "integer"}
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": title,
        "description": description,
        "type": "object",
        "properties": {
            name: {"type": kinds.get(type(field), "string"), "description": field.metadata["description"]}
            for name, field in named.items()
        },
        "additionalProperties": True,
    }


def _body_template(names: list[str]) -> str:
    """The body: every input as a quoted text, whatever its type, since the service reads "true" too.

    An input that isn't set becomes nothing where `$!` says so. A required one arrives as its own placeholder, which the
    service refuses by the input's name.
    """
    marks = {name: "" if name in REQUIRED else "!" for name in names}
    lines = [f'  "{name}": "$esc.jsonEncode("${mark}{{input.{name}}}")"' for name, mark in marks.items()]
    return "{\n" + ",\n".join(lines) + "\n}"
