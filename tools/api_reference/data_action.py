"""The files that an admin imports in Genesys Cloud as Web Services Data Actions: to start, ask for and end cobrowse.

Their form is that of files which Genesys itself exports (GenesysCloudBlueprints). Two things can't be changed later: a
published action's contracts are fixed, and an input that goes into the body unescaped lets a name with a quotation mark
write the rest of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields

from schemas.data_action import AnswerSchema, StartRequestSchema
from schemas.session_actions import EndRequestSchema, StatusAnswerSchema, StatusRequestSchema

Json = dict[str, Any]

# Goes into its header, not into the body; Genesys's own default template, which sends every input, works as well.
KEY_INPUT = "idempotencyKey"


@dataclass(frozen=True, slots=True)
class ActionRow:
    """A data action. `required` inputs are always known in a flow; `key_in_header`: its key goes into the header."""

    name: str
    path: str
    purpose: str
    request: type[Schema]
    answer: type[Schema]
    required: tuple[str, ...] = ()
    key_in_header: bool = True

    @property
    def file(self) -> str:
        """The file's path from the root."""
        return f"deploy/genesys/{self.name.replace(' ', '-')}.custom.json"


ACTIONS = (
    ActionRow(
        "Start Cobrowse",
        "/data-actions/cobrowse",
        "Starts a cobrowse session for a conversation.",
        StartRequestSchema,
        AnswerSchema,
        # With `latest` it is set to an empty string.
        required=("conversationId",),
    ),
    # Here the key says what is asked for.
    ActionRow(
        "Cobrowse Status",
        "/data-actions/cobrowse/status",
        "Asks what became of a start, and how far its session has come.",
        StatusRequestSchema,
        StatusAnswerSchema,
        key_in_header=False,
    ),
    ActionRow(
        "End Cobrowse",
        "/data-actions/cobrowse/end",
        "Ends the cobrowse session of an initiation or a conversation.",
        EndRequestSchema,
        AnswerSchema,
    ),
)


def action(row: ActionRow) -> Json:
    """The whole file. The integration's User Defined credential has the fields baseUrl and apiKey."""
    inputs = {str(field.data_key or name): field for name, field in row.request().fields.items()}
    asked = _contract(row.name, row.purpose, inputs)
    answered = _contract(f"{row.name}: the answer", "Branch on success, retryable and errorCode.", row.answer().fields)
    key = {"Idempotency-Key": f"$!{{input.{KEY_INPUT}}}"} if row.key_in_header else {}
    in_body = [name for name in inputs if name != KEY_INPUT or not row.key_in_header]
    return {
        "name": row.name,
        "integrationType": "custom-rest-actions",  # Genesys's word for a Web Services Data Action
        "actionType": "custom",
        "config": {
            "request": {
                "requestUrlTemplate": "${credentials.baseUrl}" + row.path,
                "requestType": "POST",
                "headers": {"Content-Type": "application/json", "X-Api-Key": "${credentials.apiKey}", **key},
                "requestTemplate": _body_template(in_body, row.required),
            },
            # The answer has every key, flat and of the contract's types: nothing is left to translate.
            "response": {"translationMap": {}, "translationMapDefaults": {}, "successTemplate": "${rawResult}"},
        },
        "contract": {
            # draft-04 has no empty list of required properties.
            "input": {"inputSchema": asked | ({"required": list(row.required)} if row.required else {})},
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


def _body_template(names: list[str], required: tuple[str, ...]) -> str:
    """The body: every input as a quoted text, whatever its type, since the service reads "true" too.

    An input that isn't set becomes nothing where `$!` says so. A required one arrives as its own placeholder, which the
    service refuses by the input's name.
    """
    marks = {name: "" if name in required else "!" for name in names}
    lines = [f'  "{name}": "$esc.jsonEncode("${mark}{{input.{name}}}")"' for name, mark in marks.items()]
    return "{\n" + ",\n".join(lines) + "\n}"
