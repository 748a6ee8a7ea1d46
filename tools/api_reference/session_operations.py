"""The endpoints for sessions that were started, in the OpenAPI document: status, end, and the initiations."""

from collections.abc import Mapping
from typing import Any

from cobrowse.errors import CobrowseError, error_types_by_code
from tools.api_reference import fields, responses, samples, security

Json = dict[str, Any]
Kind = type[CobrowseError]

# What each operation can meet: the credential, the body, and what it does.
_CALLER = ("not_authenticated", "ledger_unavailable", "internal_error")
_BODY = (
    *("malformed_request", "idempotency_key_malformed", "request_timeout", "body_too_large"),
    *("unsupported_media_type", "invalid_request", "overloaded"),
)
_LOOK = (
    *("genesys_unauthorized", "genesys_forbidden", "user_token_required", "genesys_rate_limited"),
    *("genesys_unavailable", "genesys_timeout", "genesys_bad_response"),
)
_END = ("idempotency_key_reused", "cobrowse_not_supported", "in_progress")


def paths() -> Mapping[str, Mapping[str, Json]]:
    """Each path with its operations."""
    return {
        "/data-actions/cobrowse/status": {"post": _status()},
        "/data-actions/cobrowse/end": {"post": _end()},
        "/initiations": {"get": _many()},
        "/initiations/{initiationId}": {"get": _one()},
    }


def _status() -> Json:
    met = _kinds("initiation_not_found", *_CALLER, *_BODY, *_LOOK)
    return {
        "operationId": "askStatus",
        "tags": ["Architect"],
        "summary": "Ask what became of a start",
        "description": (
            "Finds an initiation of this credential by its id, its key or its conversation, and gives its answer with "
            "`sessionState`: `offered`, `joined`, `ended`, `expired` or `unknown`. Without `live` no call is made to "
            "Genesys; with it, one. `status` is `running` while the start is still at work. Another credential's "
            "initiation is `initiation_not_found`."
        ),
        **_action("StatusRequest", samples.STATUS_REQUESTS),
        "responses": _answers(
            "StatusAnswer", {name: {"value": samples.status(name)} for name in samples.STATUSES}, met
        ),
    }


def _end() -> Json:
    met = _kinds("initiation_not_found", *_CALLER, *_BODY, *_LOOK, *_END)
    return {
        "operationId": "endCobrowse",
        "tags": ["Architect"],
        "summary": "End a session",
        "description": (
            "Ends an initiation's session, or every live cobrowse of a conversation. `status` is `ended`, or "
            "`already_ended`, which is a success too. One look, and a call for each session that is live. A start that "
            "is at work on the conversation is waited for; a start that comes later waits for this."
        ),
        **_action("EndRequest", samples.END_REQUESTS, keyed=True),
        "responses": _answers("Answer", {name: {"value": samples.success(name)} for name in samples.ENDINGS}, met),
    }


def _many() -> Json:
    query = [
        {"name": name, "in": "query", "required": False, "description": told, "schema": _QUERY_TYPES.get(name, _TEXT)}
        for name, told in fields.QUERY.items()
    ]
    met = _kinds("invalid_request", *_CALLER)
    shown = {"one": {"value": {"items": [samples.initiation(links=False)], "nextCursor": ""}}}
    return {
        "operationId": "listInitiations",
        "tags": ["Architect"],
        "summary": "List initiations",
        "description": (
            "This credential's own, the newest first, a page at a time. Links and codes are left out: ask for the one."
        ),
        "security": security.of_data_actions(),
        "parameters": [*query, "CorrelationId"],
        "responses": _answers("Initiations", shown, met),
    }


def _one() -> Json:
    met = _kinds("initiation_not_found", *_CALLER)
    parameter = {
        "name": "initiationId",
        "in": "path",
        "required": True,
        "description": "The initiationId of an answer.",
        "schema": {"type": "string", "format": "uuid"},
        "example": samples.INITIATION,
    }
    return {
        "operationId": "getInitiation",
        "tags": ["Architect"],
        "summary": "Read an initiation",
        "description": "One of this credential's own; another's is 404.",
        "security": security.of_data_actions(),
        "parameters": [parameter, "CorrelationId"],
        "responses": _answers("Initiation", {"one": {"value": samples.initiation(links=True)}}, met),
    }


_TEXT: Json = {"type": "string"}
_QUERY_TYPES: Mapping[str, Json] = {
    "conversationId": {"type": "string", "format": "uuid"},
    "idempotencyKey": {"type": "string", "minLength": 1, "maxLength": 255},
    "correlationId": {"type": "string", "minLength": 1, "maxLength": 128},
    "since": {"type": "string", "format": "date-time"},
    "cursor": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 25},
}


def _action(schema: str, bodies: Mapping[str, object], *, keyed: bool = False) -> Json:
    """What the two data actions have in common. `keyed`: it takes an idempotency key of its own."""
    return {
        "security": security.of_data_actions(),
        "parameters": [*(["IdempotencyKey"] if keyed else []), "CorrelationId", "Prefer"],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": responses.ref("schemas", schema),
                    "examples": {name: {"value": body} for name, body in bodies.items()},
                }
            },
        },
    }


def _answers(schema: str, shown: Json, met: list[Kind]) -> Json:
    """A 200 of this shape, and each failure with its own status."""
    good = responses.response("The answer; a data action's holds failures too: check `success`.", shown)
    good["content"]["application/json"]["schema"] = responses.ref("schemas", schema)
    told = {"200": good, **responses.failures(met)}
    if schema == "StatusAnswer":
        # A question that was well-formed is answered in this shape whatever its status.
        for status, response in told.items():
            if status != "200":
                response["content"]["application/json"]["schema"] = {
                    "anyOf": [responses.ref("schemas", "StatusAnswer"), responses.ref("schemas", "Answer")]
                }
    return told


def _kinds(*codes: str) -> list[Kind]:
    return [kind for code, kind in error_types_by_code().items() if code in codes]
