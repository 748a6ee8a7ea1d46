"""The files that an admin imports in Genesys Cloud as Web Services Data Actions: to start, ask for and end cobrowse.

Their form is that of files which Genesys itself exports (GenesysCloudBlueprints). Two things can't be mended later, so
they are right from the start: a published action's contracts are fixed, and an input that goes into the body unescaped
lets a name with a quotation mark write the rest of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields

from schemas.data_action import (
    AnswerSchema,
    EndRequestSchema,
    StartRequestSchema,
    StatusAnswerSchema,
    StatusRequestSchema,
)
from tools.api_reference import fields as words

Json = dict[str, Any]

# Genesys's word for a Web Services Data Action.
INTEGRATION = "custom-rest-actions"
# The integration's User Defined credential has these two fields.
BASE_URL, API_KEY = "${credentials.baseUrl}", "${credentials.apiKey}"
KEY_INPUT = "idempotencyKey"
_DRAFT = "http://json-schema.org/draft-04/schema#"


@dataclass(frozen=True, slots=True)
class ActionRow:
    """A data action. `required` inputs are always known in a flow; `key_in_header`: its key goes into its header."""

    name: str
    path: str
    purpose: str
    request: type[Schema]
    words: Mapping[str, str]
    answer: type[Schema]
    required: tuple[str, ...] = ()
    key_in_header: bool = True


ACTIONS = (
    ActionRow(
        "Start Cobrowse",
        "/data-actions/cobrowse",
        "Starts a cobrowse session for a conversation.",
        StartRequestSchema,
        words.START,
        AnswerSchema,
        # With `latest` it is set to an empty string.
        required=("conversationId",),
    ),
    ActionRow(
        "Cobrowse Status",
        "/data-actions/cobrowse/status",
        "Asks what became of a start, and how far its session has come.",
        StatusRequestSchema,
        words.STATUS,
        StatusAnswerSchema,
        # Here the key says what is asked for.
        key_in_header=False,
    ),
    ActionRow(
        "End Cobrowse",
        "/data-actions/cobrowse/end",
        "Ends the cobrowse session of an initiation or a conversation.",
        EndRequestSchema,
        words.END,
        AnswerSchema,
    ),
)


def file_of(row: ActionRow) -> str:
    """The file's path from the root."""
    return f"deploy/genesys/{row.name.replace(' ', '-')}.custom.json"


def action(row: ActionRow) -> Json:
    """The whole file."""
    headers = {"Content-Type": "application/json", "X-Api-Key": API_KEY}
    if row.key_in_header:
        headers["Idempotency-Key"] = f"$!{{input.{KEY_INPUT}}}"
    return {
        "name": row.name,
        "integrationType": INTEGRATION,
        "actionType": "custom",
        "config": {
            "request": {
                "requestUrlTemplate": BASE_URL + row.path,
                "requestType": "POST",
                "headers": headers,
                "requestTemplate": body_template(row),
            },
            # The answer has every key, flat and of the contract's types: nothing is left to translate.
            "response": {"translationMap": {}, "translationMapDefaults": {}, "successTemplate": "${rawResult}"},
        },
        "contract": {
            "input": {"inputSchema": input_schema(row)},
            "output": {"successSchema": output_schema(row)},
        },
        "secure": False,
    }


def inputs(row: ActionRow) -> dict[str, Json]:
    """Each input by its name. No enum: it would refuse the empty string that stands for "not set"."""
    named = {str(field.data_key or name): field for name, field in row.request().fields.items()}
    return {name: {"type": _kind(field), "description": row.words[name]} for name, field in named.items()}


def input_schema(row: ActionRow) -> Json:
    """The input contract: draft-04, one level, scalars."""
    return {
        "$schema": _DRAFT,
        "title": row.name,
        "description": row.purpose,
        "type": "object",
        # draft-04 has no empty list of required properties.
        **({"required": list(row.required)} if row.required else {}),
        "properties": inputs(row),
        "additionalProperties": True,
    }


def output_schema(row: ActionRow) -> Json:
    """The output contract: the answer's keys. A later release's new keys pass, since a contract can't be changed."""
    return {
        "$schema": _DRAFT,
        "title": f"{row.name}: the answer",
        "description": "Branch on success, retryable and errorCode.",
        "type": "object",
        "properties": {
            name: {"type": _kind(field), "description": field.metadata["description"]}
            for name, field in row.answer().fields.items()
        },
        "additionalProperties": True,
    }


def body_template(row: ActionRow) -> str:
    """The body: every input as a string, since that is what an unset one becomes, and the service reads "true" too.

    An input goes in as a quoted text, which makes one of whatever type it has, and nothing of one that is not set
    where `$!` says so. A required one that isn't set arrives as its own name, which the service refuses by that name.
    The key goes into its header; Genesys's own default template, which sends every input, works as well.
    """
    left_out = {KEY_INPUT} if row.key_in_header else set()
    lines = [f'  "{name}": "{_encoded(name, row)}"' for name in inputs(row) if name not in left_out]
    return "{\n" + ",\n".join(lines) + "\n}"


def _encoded(name: str, row: ActionRow) -> str:
    quiet = "" if name in row.required else "!"
    return f'$esc.jsonEncode("${quiet}{{input.{name}}}")'


def _kind(field: fields.Field[Any]) -> str:
    """The contract's word for a field; a contract knows scalars only."""
    if isinstance(field, fields.Boolean):
        return "boolean"
    return "integer" if isinstance(field, fields.Integer) else "string"
