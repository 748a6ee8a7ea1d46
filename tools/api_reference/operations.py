"""The operators' GET endpoints in the OpenAPI document, one row each."""

from typing import Any

from apispec import APISpec

from cobrowse.errors import NotAuthenticated
from tools.api_reference import responses

Json = dict[str, Any]

_TEXT: Json = {"schema": {"type": "string"}}
_PAGE: Json = {"text/html": _TEXT}
_DOCUMENT: Json = {"application/json": {"schema": {"type": "object"}}}
_METRICS: Json = {"text/plain": _TEXT, "application/openmetrics-text": _TEXT}


def _readiness(**checks: str) -> Json:
    status = "ok" if set(checks.values()) == {"ok"} else "failing"
    example = {"status": status, "checks": checks}
    return {"application/json": {"schema": responses.ref("schemas", "Readiness"), "example": example}}


# (path, operation id, summary, description, {status: (what it says, content)}, whether METRICS_TOKEN opens more)
_ROWS: tuple[tuple[str, str, str, str, dict[str, tuple[str, Json]], bool], ...] = (
    (
        "/healthz",
        "getHealth",
        "Liveness",
        "For a process supervisor. Checks the process only.",
        {
            "200": (
                "The process is alive.",
                {"application/json": {"schema": responses.ref("schemas", "Health"), "example": {"status": "ok"}}},
            )
        },
        False,
    ),
    (
        "/readyz",
        "getReadiness",
        "Readiness",
        "For a load balancer. Callers that may read the metrics see the full error, others its code.",
        {
            "200": ("Ready.", _readiness(ledger="ok", genesys="ok")),
            "503": ("Not ready; see `checks`.", _readiness(ledger="ledger_unavailable", genesys="ok")),
        },
        True,
    ),
    (
        "/metrics",
        "getMetrics",
        "Counts and durations, for Prometheus",
        "Send `METRICS_TOKEN` as a bearer token; with `SANDBOX` this machine itself needs none.",
        {"200": ("The metrics.", _METRICS)},
        True,
    ),
    ("/openapi.json", "getOpenapi", "API reference", "", {"200": ("The OpenAPI document.", _DOCUMENT)}, False),
    ("/docs", "getDocs", "API reference as a page", "", {"200": ("The page.", _PAGE)}, False),
)


def add_to(spec: APISpec) -> None:
    """Put them, and what they answer with, into the document."""
    status: Json = {"type": "string", "enum": ["ok", "failing"]}
    checks: Json = {"type": "object", "additionalProperties": {"type": "string"}}
    spec.components.schema(
        "Health", {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    )
    spec.components.schema(
        "Readiness",
        {"type": "object", "required": ["status", "checks"], "properties": {"status": status, "checks": checks}},
    )
    spec.components.security_scheme(
        "MetricsToken", {"type": "http", "scheme": "bearer", "description": "The service's own `METRICS_TOKEN`."}
    )
    for path, operation_id, summary, description, answers, guarded in _ROWS:
        told = {
            code: {
                "description": said,
                "headers": {"ININ-Correlation-Id": responses.ref("headers", "CorrelationId")},
                "content": content,
            }
            for code, (said, content) in answers.items()
        }
        if path == "/metrics":
            told |= responses.failures([NotAuthenticated])
        operation = {
            "operationId": operation_id,
            "tags": ["Operations"],
            "summary": summary,
            "description": description,
            "security": [{}, {"MetricsToken": []}] if guarded else [],
            "responses": told,
        }
        spec.path(path, operations={"get": operation})
