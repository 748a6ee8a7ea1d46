"""The file that an admin imports in Genesys Cloud as a Web Services Data Action: Start Cobrowse.

Its form is that of files which Genesys itself exports (GenesysCloudBlueprints). Two things can't be mended later, so
they are right from the start: a published action's contracts are fixed, and an input that goes into the body unescaped
lets a name with a quotation mark write the rest of it.
"""

from typing import Any

from marshmallow import fields

from schemas.data_action import AnswerSchema, StartRequestSchema
from tools.api_reference.fields import REQUEST

Json = dict[str, Any]

NAME = "Start Cobrowse"
# Genesys's word for a Web Services Data Action.
INTEGRATION = "custom-rest-actions"
PATH = "/data-actions/cobrowse"
# The integration's User Defined credential has these two fields.
BASE_URL, API_KEY = "${credentials.baseUrl}", "${credentials.apiKey}"
KEY_INPUT = "idempotencyKey"
# Always known in a flow, so Architect may insist on it. With `latest` it is set to an empty string.
REQUIRED = ("conversationId",)
_DRAFT = "http://json-schema.org/draft-04/schema#"


def action() -> Json:
    """The whole file."""
    return {
        "name": NAME,
        "integrationType": INTEGRATION,
        "actionType": "custom",
        "config": {
            "request": {
                "requestUrlTemplate": BASE_URL + PATH,
                "requestType": "POST",
                "headers": {
                    "Content-Type": "application/json",
                    "X-Api-Key": API_KEY,
                    "Idempotency-Key": f"$!{{input.{KEY_INPUT}}}",
                },
                "requestTemplate": body_template(),
            },
            # The answer has every key, flat and of the contract's types: nothing is left to translate.
            "response": {"translationMap": {}, "translationMapDefaults": {}, "successTemplate": "${rawResult}"},
        },
        "contract": {
            "input": {"inputSchema": input_schema()},
            "output": {"successSchema": output_schema()},
        },
        "secure": False,
    }


def inputs() -> dict[str, Json]:
    """Each input by its name. No enum: it would refuse the empty string that stands for "not set"."""
    named = {str(field.data_key or name): field for name, field in StartRequestSchema().fields.items()}
    return {name: {"type": _kind(field), "description": REQUEST[name]} for name, field in named.items()}


def input_schema() -> Json:
    """The input contract: draft-04, one level, scalars."""
    return {
        "$schema": _DRAFT,
        "title": NAME,
        "description": "Starts a cobrowse session for a conversation.",
        "type": "object",
        "required": list(REQUIRED),
        "properties": inputs(),
        "additionalProperties": True,
    }


def output_schema() -> Json:
    """The output contract: the answer's keys. A later release's new keys pass, since a contract can't be changed."""
    return {
        "$schema": _DRAFT,
        "title": f"{NAME}: the answer",
        "description": "Branch on success, retryable and errorCode.",
        "type": "object",
        "properties": {
            name: {"type": _kind(field), "description": field.metadata["description"]}
            for name, field in AnswerSchema().fields.items()
        },
        "additionalProperties": True,
    }


def body_template() -> str:
    """The body: every input as a string, since that is what an unset one becomes, and the service reads "true" too.

    An input goes in as a quoted text, which makes one of whatever type it has, and nothing of one that is not set
    where `$!` says so. A required one that isn't set arrives as its own name, which the service refuses by that name.
    The key goes into its header; Genesys's own default template, which sends every input, works as well.
    """
    lines = [f'  "{name}": "{_encoded(name)}"' for name in inputs() if name != KEY_INPUT]
    return "{\n" + ",\n".join(lines) + "\n}"


def _encoded(name: str) -> str:
    quiet = "" if name in REQUIRED else "!"
    return f'$esc.jsonEncode("${quiet}{{input.{name}}}")'


def _kind(field: fields.Field[Any]) -> str:
    """The contract's word for a field; a contract knows scalars only."""
    if isinstance(field, fields.Boolean):
        return "boolean"
    return "integer" if isinstance(field, fields.Integer) else "string"
