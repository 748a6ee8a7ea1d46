"""The endpoints in the OpenAPI document, a row each."""

from collections.abc import Mapping
from functools import partial

from cobrowse.errors import CobrowseNotSupported, ConversationNotActive, NotAuthenticated, error_types_by_code
from integrations.senders.payloads import crm_events
from integrations.senders.payloads.content import media_type_of
from integrations.senders.payloads.envelopes import ENVELOPES
from schemas import crm
from schemas.session_actions import InitiationsQuerySchema
from tools.api_reference import components, json_schemas, samples
from tools.api_reference.components import ref
from tools.api_reference.endpoint import Endpoint, Kind, answers, json_content, path_parameter
from tools.api_reference.json_schemas import Json

_KINDS = error_types_by_code()
# The kinds that only a sender's delivery can meet, those that only a data action can, and those no operation does.
_OF_SENDERS = {
    *("signature_missing", "signature_invalid", "timestamp_out_of_tolerance"),
    *("rate_limited", "rate_limit_storage_unavailable"),
}
_OF_DATA_ACTIONS = {"latest_not_allowed", "no_active_conversation"}
_OF_NONE = {"method_not_allowed", "initiation_not_found"}


def _met(*, never: set[str]) -> list[Kind]:
    return [kind for code, kind in _KINDS.items() if code not in never | _OF_NONE]


def _kinds(*codes: str) -> list[Kind]:
    return [kind for code, kind in _KINDS.items() if code in codes]


def _deliveries() -> Json:
    """The bodies of deliveries by media type, with the envelopes that have each shape."""
    shapes: dict[str, Json] = {}
    for envelope in (one for one in ENVELOPES.values() if media_type_of(one.content) == "application/json"):
        name = json_schemas.name_of(envelope.schema)
        shape = ref("schemas", name)
        if envelope.split is crm_events.batch_events:
            shape = {"type": "array", "items": shape, "minItems": 1, "maxItems": crm.BATCH}
        said = shapes.get(name, {}).get("description", "Envelope: ")
        shapes[name] = shape | {"description": f"{said.replace('.', ', ')}{envelope.name}."}
    in_xml = ", ".join(
        envelope.name for envelope in ENVELOPES.values() if media_type_of(envelope.content) == "text/xml"
    )
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


def _request(schema: str, bodies: Mapping[str, Json]) -> Json:
    return json_content(schema, examples={name: {"value": body} for name, body in bodies.items()})


def _readiness(**checks: str) -> Json:
    status = "ok" if set(checks.values()) == {"ok"} else "failing"
    return json_content("Readiness", example={"status": status, "checks": checks})


_get = partial(Endpoint, "get", "Operations")
_ask = partial(Endpoint, "get", "Architect", security=components.API_KEYS)
_act = partial(Endpoint, "post", "Architect", security=components.API_KEYS)
_TEXT: Json = {"schema": {"type": "string"}}
_OBJECT: Json = {"application/json": {"schema": {"type": "object"}}}
_STARTS, _DELIVERS = _met(never=_OF_SENDERS | {"not_found"}), _met(never=_OF_DATA_ACTIONS)
_SENDER = path_parameter(
    "sender", "The name of the sender's row.", "zendesk", type="string", pattern="^[a-z0-9-]{1,40}$"
)
_INITIATION = path_parameter(
    "initiationId", "The initiationId of an answer.", samples.INITIATION, type="string", format="uuid"
)
_ACK: Json = {"type": "string", "description": "The Ack that a Salesforce outbound message is answered with."}

_PAGE: Json = {"items": [samples.initiation(links=False)], "nextCursor": ""}
_JOINED: Json = {"joined": {"value": samples.status()}}
# What the operations on sessions can meet: with the caller, the body, a check of the conversation, an end.
_CALLER = ("not_authenticated", "ledger_unavailable", "internal_error")
_BODY = (
    *("malformed_request", "idempotency_key_malformed", "request_timeout", "body_too_large"),
    *("unsupported_media_type", "invalid_request", "overloaded"),
)
_LOOK = (
    *("genesys_unauthorized", "genesys_forbidden", "user_token_required", "genesys_rate_limited"),
    *("service_user_login_required", "genesys_unavailable", "genesys_timeout", "genesys_bad_response"),
)
_END = ("idempotency_key_reused", "cobrowse_not_supported", "in_progress")

ENDPOINTS = (
    _act(
        "/data-actions/cobrowse",
        "startCobrowse",
        "Start a cobrowse session",
        {"200": ("The outcome; check `success`.", answers("Answer", samples.STARTS, ConversationNotActive))},
        "Starts a session for a conversation and waits for it. A flow sees no body of a response that isn't 2xx, so "
        "every outcome of a well-formed request is a 200 with `success` true or false; branch on `success`, "
        "`retryable` and `errorCode`. With `Prefer: status` a failure has its own status instead. The body may be "
        'chunked. An empty string, null or an unfilled placeholder counts as not given, and "true" as true.',
        parameters=("IdempotencyKey", "CorrelationId", "Prefer", "GenesysAccessToken"),
        body=_request("StartRequest", samples.REQUESTS),
        errors=_STARTS,
    ),
    _act(
        "/data-actions/cobrowse/status",
        "askStatus",
        "Ask what became of a start",
        {"200": ("The answer; check `success`.", json_content("StatusAnswer", examples=_JOINED))},
        "Finds an initiation of this credential by its id, its key or its conversation, and gives its answer with "
        "`sessionState`. Without `live` Genesys is not called; with it, once. `status` is `running` while the start is "
        "at work. Another credential's initiation is `initiation_not_found`.",
        parameters=("CorrelationId", "Prefer"),
        body=_request("StatusRequest", samples.STATUS_REQUESTS),
        errors=_kinds("initiation_not_found", *_CALLER, *_BODY, *_LOOK),
    ),
    _act(
        "/data-actions/cobrowse/end",
        "endCobrowse",
        "End a session",
        {"200": ("The outcome; check `success`.", answers("Answer", samples.ENDS, CobrowseNotSupported))},
        "Ends an initiation's session, or every live cobrowse session of a conversation. `already_ended` is a success "
        "too. One check, and a call for each session that is live. A start that is at work on the conversation is "
        "waited for; one that comes later waits for this.",
        parameters=("IdempotencyKey", "CorrelationId", "Prefer"),
        body=_request("EndRequest", samples.END_REQUESTS),
        errors=_kinds("initiation_not_found", *_CALLER, *_BODY, *_LOOK, *_END),
    ),
    _ask(
        "/initiations",
        "listInitiations",
        "List initiations",
        {"200": ("A page of them.", json_content("Initiations", example=_PAGE))},
        "This credential's own, the newest first. Links and codes are left out: request the one that has them.",
        parameters=(*json_schemas.query(InitiationsQuerySchema, conversationId=samples.CONVERSATION), "CorrelationId"),
        errors=_kinds("invalid_request", *_CALLER),
    ),
    _ask(
        "/initiations/{initiationId}",
        "getInitiation",
        "Get an initiation",
        {"200": ("The initiation.", json_content("Initiation", example=samples.initiation(links=True)))},
        "One of this credential's own; another's is 404.",
        parameters=(_INITIATION, "CorrelationId"),
        errors=_kinds("initiation_not_found", *_CALLER),
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
                answers("DeliveryAnswer", [*samples.DELIVERIES, "batch"], ConversationNotActive)
                | {"text/xml": {"schema": _ACK}},
            )
        },
        "Receives what a chat event, a CRM or another sender delivers. The sender's row in the senders file says how "
        "it authenticates, what its body looks like and where in it the conversation's id is. A failure's status is "
        "the one that makes this sender do the right thing: redeliver what a retry can fix, and nothing else; some "
        "senders therefore get failures with 200.",
        security=components.SENDERS,
        parameters=(_SENDER, "DeliveryKey", "CorrelationId", "DryRun"),
        body=_deliveries(),
        errors=_DELIVERS,
        answer="DeliveryAnswer",
    ),
    _get(
        "/healthz",
        "getHealth",
        "Liveness",
        {"200": ("The process is alive.", json_content("Health", example={"status": "ok"}))},
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
