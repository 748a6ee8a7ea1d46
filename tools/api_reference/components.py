"""The parts that operations of the OpenAPI document refer to: parameters, headers, examples, authentication."""

from collections.abc import Mapping

from apispec import APISpec

from integrations.senders.auth.scheme import Scheme
from integrations.senders.auth.schemes import SCHEMES
from schemas.data_action import IDEMPOTENCY_KEY
from tools.api_reference import samples
from tools.api_reference.json_schemas import KEY_PATTERN, Json
from web.responses import to_answer

_TEXT: Json = {"type": "string"}
_CORRELATED = "Put on every log line, sent on to Genesys, and echoed. `X-Correlation-Id` is read where this is absent."
_USERS_OWN = "A user's own access token, used for this request alone. Read only with `ALLOW_USER_TOKENS=true`."
_DRY_RUN = (
    "`true`: say what would happen and do nothing. Refused from a sender that signs its deliveries, since no signature "
    "covers it; its row can have `dry_run = true`."
)
_DELIVERED = "Read only where the sender's signature covers no delivery id."
_KEY_SCHEMA: Json = {"type": "string", "maxLength": 255, "pattern": KEY_PATTERN}
# Of each: its component, its header, description, schema and an example.
_PARAMETERS: tuple[tuple[str, str, str, Json, str], ...] = (
    ("IdempotencyKey", "Idempotency-Key", IDEMPOTENCY_KEY, _KEY_SCHEMA, samples.KEY),
    ("DeliveryKey", "Idempotency-Key", f"{_DELIVERED} {IDEMPOTENCY_KEY}", _KEY_SCHEMA, samples.KEY),
    ("CorrelationId", "ININ-Correlation-Id", _CORRELATED, _TEXT, samples.CORRELATION),
    ("Prefer", "Prefer", "`status`: a failure has its own HTTP status instead of 200.", _TEXT, "status"),
    ("DryRun", "X-Dry-Run", _DRY_RUN, {"type": "string", "enum": ["", "true", "false"]}, ""),
    ("GenesysAccessToken", "Genesys-Access-Token", _USERS_OWN, _TEXT, ""),
)
_HEADERS: tuple[tuple[str, str, Json, str | int], ...] = (
    ("CorrelationId", "Finds this request in the logs here and at Genesys.", _TEXT, samples.CORRELATION),
    ("Replayed", "`true` if this is an earlier answer again.", {"type": "string", "enum": ["true"]}, "true"),
    ("RetryAfter", "Seconds after which a retry makes sense.", {"type": "integer", "minimum": 0}, 2),
    ("Challenge", "How to authenticate.", _TEXT, 'Basic realm="cobrowse-bridge", charset="UTF-8"'),
)
# The service's own credentials.
_SECURITY: dict[str, Json] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "One of `API_KEYS`."},
    "BasicKey": {"type": "http", "scheme": "basic", "description": "One of `API_KEYS` as the password."},
    "MetricsToken": {"type": "http", "scheme": "bearer", "description": "The service's own `METRICS_TOKEN`."},
}
API_KEYS: list[Json] = [{"ApiKey": []}, {"BasicKey": []}]
METRICS_TOKEN: list[Json] = [{}, {"MetricsToken": []}]
SENDERS: list[Json] = [{name: []} for name in SCHEMES]


def ref(kind: str, name: str) -> Json:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def add_to(spec: APISpec, schemes: Mapping[str, Scheme] = SCHEMES) -> None:
    """Add them all."""
    for name, header, description, schema, example in _PARAMETERS:
        parameter: Json = {"name": header, "required": False, "description": description, "schema": schema}
        spec.components.parameter(name, "header", parameter | ({"example": example} if example else {}))
    for name, description, schema, shown in _HEADERS:
        spec.components.header(name, {"description": description, "schema": schema, "example": shown})
    for name, outcome in samples.OUTCOMES.items():
        spec.components.example(name, {"value": to_answer(outcome)})
    spec.components.example("batch", {"summary": "HubSpot: several events at once.", "value": samples.batch()})
    for name, component in _SECURITY.items():
        spec.components.security_scheme(name, component)
    for name, scheme in schemes.items():
        spec.components.security_scheme(name, _security_scheme(scheme))


def _security_scheme(scheme: Scheme) -> Json:
    """The scheme's own object. OpenAPI has no signatures: the nearest is a key."""
    told = scheme.openapi["description"]
    return scheme.openapi | {"description": f'Senders whose row has `signature = "{scheme.name}"`. {told}'}
