"""The headers that requests and answers carry, in the OpenAPI document."""

from typing import Any

from apispec import APISpec

from tools.api_reference import samples
from tools.api_reference.fields import IDEMPOTENCY_KEY

Json = dict[str, Any]

KEY_PATTERN = r"^[\x20-\x7e]*$"
_TEXT: Json = {"type": "string"}
_PARAMETERS: tuple[tuple[str, str, str, Json, str], ...] = (
    (
        "IdempotencyKey",
        "Idempotency-Key",
        IDEMPOTENCY_KEY,
        {"type": "string", "maxLength": 255, "pattern": KEY_PATTERN},
        samples.KEY,
    ),
    (
        "CorrelationId",
        "ININ-Correlation-Id",
        "Put on every log line, sent on to Genesys, and echoed. `X-Correlation-Id` is read where this is absent.",
        _TEXT,
        samples.CORRELATION,
    ),
    ("Prefer", "Prefer", "`status`: a failure has its own HTTP status instead of 200.", _TEXT, "status"),
    (
        "DryRun",
        "X-Dry-Run",
        (
            "`true`: say what would happen and do nothing. Refused for a sender that signs its deliveries, since no "
            "signature covers it; its row can say `dry_run = true`."
        ),
        {"type": "string", "enum": ["", "true", "false"]},
        "",
    ),
    (
        "GenesysAccessToken",
        "Genesys-Access-Token",
        "A user's own access token, used for this request alone. Read only with `ALLOW_USER_TOKENS=true`.",
        _TEXT,
        "",
    ),
)
_HEADERS: tuple[tuple[str, str, Json, str | int], ...] = (
    ("CorrelationId", "Finds this request in the logs here and at Genesys.", _TEXT, samples.CORRELATION),
    ("Replayed", "`true` where this is an earlier answer again.", {"type": "string", "enum": ["true"]}, "true"),
    ("RetryAfter", "Seconds after which a repeat makes sense.", {"type": "integer", "minimum": 0}, 2),
    ("Challenge", "How to authenticate.", _TEXT, 'Basic realm="cobrowse-bridge", charset="UTF-8"'),
)


def add_to(spec: APISpec) -> None:
    """Make each a component, so that an operation only names it."""
    for name, header, description, schema, example in _PARAMETERS:
        parameter: Json = {"name": header, "required": False, "description": description, "schema": schema}
        spec.components.parameter(name, "header", parameter | ({"example": example} if example else {}))
    for name, description, schema, shown in _HEADERS:
        spec.components.header(name, {"description": description, "schema": schema, "example": shown})
