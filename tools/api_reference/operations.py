"""The endpoints in the OpenAPI document, a row each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from cobrowse.errors import CobrowseError, ConversationNotActive, NotAuthenticated, error_types_by_code
from integrations.senders.payloads import crm_events
from integrations.senders.payloads.content import TYPES
from integrations.senders.payloads.envelopes import ENVELOPES
from schemas import crm
from tools.api_reference import components, json_schemas, samples
from tools.api_reference.components import ref
from web.error_responses import status_of
from web.responses import to_answer

Json = dict[str, Any]
Kind = type[CobrowseError]

_KINDS = error_types_by_code()
# The kinds that only a sender's delivery can meet, those that only a data action can, and those no operation does.
_OF_SENDERS = {
    *("signature_missing", "signature_invalid", "timestamp_out_of_tolerance"),
    *("rate_limited", "rate_limit_storage_unavailable"),
}
_OF_DATA_ACTIONS = {"latest_not_allowed", "no_active_conversation"}
_OF_NONE = {"method_not_allowed"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation.

    `responses` has the content of each status by media type; the first one is that of success. `errors` are the kinds
    that are answered with a status of their own, in the shape `answer`.
    """

    method: str
    tag: str
    path: str
    operation_id: str
    summary: str
    responses: Mapping[str, tuple[str, Json]]
    description: str = ""
    security: list[Json] = field(default_factory=list)
    parameters: tuple[str | Json, ...] = ()
    body: Json | None = None
    errors: Iterable[Kind] = ()
    answer: str = "Answer"

    def operation(self) -> Json:
        """Its Operation Object."""
        made = {
            "operationId": self.operation_id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "security": self.security,
            "parameters": list(self.parameters),
            "responses": {
                **{status: _response(text, content) for status, (text, content) in self.responses.items()},
                **_failures(self.errors, self.answer),
            },
        }
        return made if self.body is None else made | {"requestBody": {"required": True, "content": self.body}}


def _json(schema: str, **more: Any) -> Json:  # noqa: ANN401 - a Media Type Object's own keys
    return {"application/json": {"schema": ref("schemas", schema), **more}}


def _answers(schema: str, names: Iterable[str], failed: Kind) -> Json:
    """Answers: the outcomes of these names, and one that failed."""
    failure = {failed.code: {"summary": failed.__doc__, "value": to_answer(samples.failure(failed))}}
    return _json(schema, examples={name: ref("examples", name) for name in names} | failure)


def _response(description: str, content: Json) -> Json:
    """A response. Those with an answer of ours may be a replay, or name a wait."""
    headers = {"ININ-Correlation-Id": ref("headers", "CorrelationId")}
    if "examples" in content.get("application/json", {}):
        headers |= {"Idempotent-Replayed": ref("headers", "Replayed"), "Retry-After": ref("headers", "RetryAfter")}
    return {"description": description, "headers": headers, "content": content}


def _failures(kinds: Iterable[Kind], schema: str) -> Json:
    """A response for each status of these kinds, with an example of the first."""
    found: Json = {}
    for status in sorted({status_of(kind) for kind in kinds}):
        here = [kind for kind in kinds if status_of(kind) == status]
        description = f"{HTTPStatus(status).phrase}: {', '.join(f'`{kind.code}`' for kind in here)}."
        found[str(status)] = _response(description, _answers(schema, (), here[0]))
        if status == 401:
            found[str(status)]["headers"]["WWW-Authenticate"] = ref("headers", "Challenge")
    return found


def _met(*, never: set[str]) -> list[Kind]:
    return [kind for code, kind in _KINDS.items() if code not in never | _OF_NONE]


def _deliveries() -> Json:
    """The bodies of deliveries by media type, with the envelopes that have each shape."""
    shapes: dict[str, Json] = {}
    for envelope in (one for one in ENVELOPES.values() if TYPES[one.content] == "application/json"):
        name = json_schemas.name_of(envelope.schema)
        shape = ref("schemas", name)
        if envelope.split is crm_events.batch_events:
            shape = {"type": "array", "items": shape, "minItems": 1, "maxItems": crm.BATCH}
        said = shapes.get(name, {}).get("description", "Envelope: ")
        shapes[name] = shape | {"description": f"{said.replace('.', ', ')}{envelope.name}."}
    in_xml = ", ".join(envelope.name for envelope in ENVELOPES.values() if TYPES[envelope.content] == "text/xml")
    as_form = ", ".join(envelope.name for envelope in ENVELOPES.values() if not envelope.content)
    form = f"Envelopes: {as_form}. A form's fields, or the JSON in one of them."
    example = {"conversationId": samples.CONVERSATION, "channel": "webchat"}
    return {
        "application/json": {
            "schema": {"anyOf": list(shapes.values())},
            "examples": {"custom": {"value": example}},
        },
        "application/x-www-form-urlencoded": {"schema": {"type": "object", "description": form}},
        "text/xml": {"schema": {"type": "string", "description": f"Envelope: {in_xml}."}},
    }


def _readiness(**checks: str) -> Json:
    status = "ok" if set(checks.values()) == {"ok"} else "failing"
    return _json("Readiness", example={"status": status, "checks": checks})


_get = partial(Endpoint, "get", "Operations")
_STARTED = [name for name in samples.OUTCOMES if name != "ignored"]
_TEXT: Json = {"schema": {"type": "string"}}
_OBJECT: Json = {"application/json": {"schema": {"type": "object"}}}
_STARTS, _DELIVERS = _met(never=_OF_SENDERS | {"not_found"}), _met(never=_OF_DATA_ACTIONS)
_SENDER: Json = {
    "name": "sender",
    "in": "path",
    "required": True,
    "description": "The name of the sender's row.",
    "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"},
    "example": "zendesk",
}
_ACK: Json = {"type": "string", "description": "The Ack that a Salesforce outbound message is answered with."}

ENDPOINTS = (
    Endpoint(
        "post",
        "Architect",
        "/data-actions/cobrowse",
        "startCobrowse",
        "Start a cobrowse session",
        {"200": ("The outcome; check `success`.", _answers("Answer", _STARTED, ConversationNotActive))},
        "Starts a session for a conversation and waits for it. A flow sees no body of a response that isn't 2xx, so "
        "every outcome of a well-formed request is a 200 with `success` true or false; branch on `success`, "
        "`retryable` and `errorCode`. With `Prefer: status` a failure has its own status instead. The body may be "
        'chunked. An empty string, null or an unfilled placeholder counts as not given, and "true" as true.',
        security=components.API_KEYS,
        parameters=("IdempotencyKey", "CorrelationId", "Prefer", "GenesysAccessToken"),
        body=_json("StartRequest", examples={name: {"value": body} for name, body in samples.REQUESTS.items()}),
        errors=_STARTS,
    ),
    Endpoint(
        "post",
        "Senders",
        "/webhooks/{sender}",
        "receiveDelivery",
        "Receive a sender's delivery",
        {
            "200": (
                "Accepted: a session was started or found, or the event was ignored.",
                _answers("DeliveryAnswer", [*samples.OUTCOMES, "batch"], ConversationNotActive)
                | {"text/xml": {"schema": _ACK}},
            )
        },
        "Receives what a chat event, a CRM or another sender delivers. The sender's row in the senders file says how "
        "it authenticates, what its body looks like and where in it the conversation's id is. A failure's status is "
        "the one that makes this sender do the right thing: redeliver what a retry can fix, and nothing else; some "
        "senders therefore get failures with 200.",
        security=components.SENDERS,
        parameters=(_SENDER, "DeliveryKey", "CorrelationId"),
        body=_deliveries(),
        errors=_DELIVERS,
        answer="DeliveryAnswer",
    ),
    _get(
        "/healthz",
        "getHealth",
        "Liveness",
        {"200": ("The process is alive.", _json("Health", example={"status": "ok"}))},
        "For a process supervisor. Checks the process only.",
    ),
    _get(
        "/readyz",
        "getReadiness",
        "Readiness",
        {
            "200": ("Ready.", _readiness(ledger="ok", genesys="ok")),
            "503": ("Not ready; see `checks`.", _readiness(ledger="ledger_unavailable", genesys="ok")),
        },
        "For a load balancer. Callers that may read the metrics see the full error, others its code.",
        security=components.METRICS_TOKEN,
    ),
    _get(
        "/metrics",
        "getMetrics",
        "Counts and durations, for Prometheus",
        {"200": ("The metrics.", {"text/plain": _TEXT, "application/openmetrics-text": _TEXT})},
        "Send `METRICS_TOKEN` as a bearer token; with `SANDBOX` this machine itself needs none.",
        security=components.METRICS_TOKEN,
        errors=(NotAuthenticated,),
    ),
    _get("/openapi.json", "getOpenapi", "API reference", {"200": ("The OpenAPI document.", _OBJECT)}),
    _get("/docs", "getDocs", "API reference as a page", {"200": ("The page.", {"text/html": _TEXT})}),
)
