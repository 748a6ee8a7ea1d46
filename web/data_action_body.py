"""Reads a data action's body by its schema: JSON, no field twice, every wrong one named at once."""

from typing import Any

from flask import Request

from cobrowse.errors import InvalidRequest
from schemas.duplicates import check_duplicate_names
from schemas.input_schema import InputSchema
from schemas.json_text import charset_of, parse_body
from schemas.validation_errors import load
from web import request_parsing
from web.responses import ResponseMode

# Bytes: the contract's longest body, its settings escaped to six bytes a character, is under half of it.
BODY_BYTES = 65_536


def parse(request: Request, schema: InputSchema) -> dict[str, Any]:
    """The fields of the body. Raises InvalidRequest with every wrong one, or why there is no body to read."""
    request_parsing.require_json(request)
    charset = charset_of(request.content_type or "")
    raw = request_parsing.read_body(request, BODY_BYTES)
    payload = load(schema, parse_body(raw, charset))
    check_duplicate_names(raw, schema.names)
    return payload


def parse_key(request: Request, payload: dict[str, Any]) -> str:
    """The caller's key, from its header or the body's field, which is taken out.

    Raises MalformedKey; InvalidRequest if the two differ.
    """
    in_header = request_parsing.idempotency_key(request.headers.get("Idempotency-Key", ""))
    in_body = request_parsing.idempotency_key(payload.pop("idempotency_key"), "idempotencyKey")
    if in_header and in_body and in_header != in_body:
        raise InvalidRequest("idempotencyKey: differs from the header Idempotency-Key; send one, or the same in both")
    return in_header or in_body


def response_mode(request: Request) -> ResponseMode:
    """How failures reach this caller: in the body only, unless it prefers the real status."""
    return ResponseMode(always_200=not request_parsing.prefers_real_status(request.headers))
