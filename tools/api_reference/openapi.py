"""The OpenAPI 3.1 document: apispec makes it from the marshmallow schemas, and every error from its class."""

from collections.abc import Iterable, Mapping
from typing import Any

from apispec import APISpec

from cobrowse import __version__
from cobrowse.errors import CobrowseError, error_types_by_code
from integrations.senders.payloads import crm_events
from integrations.senders.payloads.envelopes import ENVELOPES, Envelope
from schemas import crm
from tools.api_reference import headers, json_schemas, operations, responses, samples, security
from web.error_responses import ERROR_RESPONSES
from web.responses import to_answer

Json = dict[str, Any]
Kind = type[CobrowseError]

_INTRODUCTION = (
    "Starts cobrowse sessions in Genesys Cloud for Architect flows, chat events, CRMs and anything else that can send "
    "an HTTP request. Each request starts one session however often it is delivered, and is answered with one flat "
    "JSON object that says what happened and what to do."
)
_TAGS = {
    "Architect": "The data action of a flow, or a person with an API key.",
    "Senders": "Chat events, CRMs and other webhooks: each has its row in the senders file.",
    "Operations": "For operators of the service. No credential is needed.",
}
# Kinds that only a sender's delivery can meet, and those only a data action can.
_OF_SENDERS = frozenset({"signature_missing", "signature_invalid", "timestamp_out_of_tolerance", "rate_limited"}) | {
    "rate_limit_storage_unavailable"
}
_OF_DATA_ACTIONS = frozenset({"latest_not_allowed", "no_active_conversation"})
# A path or method that is not there is met outside of any operation.
_OF_NO_OPERATION = frozenset({"method_not_allowed"})


def document(senders: Mapping[str, str] | None = None, server: str = "/") -> Json:
    """The whole document. `senders`: the names of the configured ones with their schemes, to tell of those alone."""
    plugin = json_schemas.plugin()
    spec = APISpec(
        "cobrowse-bridge",
        __version__,
        "3.1.0",
        plugins=[plugin],
        info={"description": _INTRODUCTION, "summary": "One cobrowse session for each request."},
        servers=[{"url": server}],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    json_schemas.extend(plugin)
    json_schemas.add_schemas(spec)
    spec.components.schema("DeliveryAnswer", _delivery_answer())
    operations.add_to(spec)
    headers.add_to(spec)
    security.add_to(spec, senders)
    spec.path("/data-actions/cobrowse", operations={"post": _start()})
    spec.path("/webhooks/{sender}", operations={"post": _receive(senders)})
    made: Json = spec.to_dict()
    made["x-error-kinds"] = [_told(kind) for kind in error_types_by_code().values()]
    return made


def _told(kind: Kind) -> Json:
    return {
        "code": kind.code,
        "status": ERROR_RESPONSES[kind.code].status,
        "retryable": kind.retryable,
        "meaning": kind.__doc__,
        "hint": ERROR_RESPONSES[kind.code].hint,
    }


def _start() -> Json:
    """POST /data-actions/cobrowse."""
    met = [
        kind
        for code, kind in error_types_by_code().items()
        if code not in _OF_SENDERS | _OF_NO_OPERATION | {"not_found"}
    ]
    always_200 = [kind for kind in met if not samples.is_refused(kind)]
    return {
        "operationId": "startCobrowse",
        "tags": ["Architect"],
        "summary": "Start a cobrowse session",
        "description": (
            "Starts a session for a conversation and waits for it. A flow sees no body of an answer that isn't 2xx, so "
            "every outcome of a well-formed request is a 200 with `success` true or false; branch on `success`, "
            "`retryable` and `errorCode`. With `Prefer: status` a failure has its own status instead. The body may be "
            "chunked, and an empty string counts as not given."
        ),
        "security": security.of_data_actions(),
        "parameters": ["IdempotencyKey", "CorrelationId", "Prefer", "GenesysAccessToken"],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": responses.ref("schemas", "StartRequest"),
                    "examples": {name: {"value": body} for name, body in samples.REQUESTS.items()},
                }
            },
        },
        "responses": {
            "200": responses.response(
                "The outcome; check `success`.", responses.examples(always_200, samples.OUTCOMES)
            ),
            **responses.failures(met),
        },
    }


def _receive(senders: Mapping[str, str] | None) -> Json:
    """POST /webhooks/{sender}."""
    met = [kind for code, kind in error_types_by_code().items() if code not in _OF_DATA_ACTIONS | _OF_NO_OPERATION]
    always_200 = [kind for kind in met if not samples.is_refused(kind)]
    taken = responses.response(
        "Accepted: a session was started or found, or the event was ignored.",
        responses.examples(always_200, samples.OUTCOMES),
    )
    taken["content"]["application/json"]["examples"] |= {
        "ignored": {"value": to_answer(samples.IGNORED)},
        "batch": {"summary": "HubSpot: several events at once.", "value": samples.batch()},
    }
    acknowledged = "The Ack that a Salesforce outbound message is answered with."
    taken["content"]["text/xml"] = {"schema": {"type": "string", "description": acknowledged}}
    told = {"200": taken, **responses.failures(met)}
    for response in told.values():
        response["content"]["application/json"]["schema"] = responses.ref("schemas", "DeliveryAnswer")
    name: Json = {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"}
    return {
        "operationId": "receiveDelivery",
        "tags": ["Senders"],
        "summary": "Take a sender's delivery",
        "description": (
            "Takes what a chat event, a CRM or another sender delivers. The sender's row in the senders file says how "
            "it proves itself, what its body looks like and where in it the conversation's id is. A failure's status "
            "is the one that makes this sender do the right thing: what a repeat can mend invites one, what it can't "
            "doesn't; some senders are therefore told of failures with 200."
        ),
        "security": security.of_senders(senders),
        "parameters": [
            {
                "name": "sender",
                "in": "path",
                "required": True,
                "description": "The name of the sender's row.",
                "schema": {"type": "string", "enum": sorted(senders)} if senders else name,
                "example": next(iter(sorted(senders)), "") if senders else "zendesk",
            },
            "IdempotencyKey",
            "CorrelationId",
        ],
        "requestBody": {"required": True, "content": _deliveries()},
        "responses": told,
    }


def _deliveries() -> Json:
    """What each envelope holds, by its media type."""
    example = {"conversationId": samples.CONVERSATION, "channel": "webchat"}
    in_json = [envelope for envelope in ENVELOPES.values() if not envelope.xml]
    in_xml = ", ".join(envelope.name for envelope in ENVELOPES.values() if envelope.xml)
    return {
        "application/json": {"schema": _any_of(in_json), "examples": {"custom": {"value": example}}},
        "text/xml": {"schema": {"type": "string", "description": f"Envelope: {in_xml}."}},
    }


def _any_of(envelopes: Iterable[Envelope]) -> Json:
    """The shapes of these envelopes, each with the names of those that have it."""
    named: dict[str, tuple[Json, list[str]]] = {}
    for envelope in envelopes:
        name = json_schemas.name_of(envelope.schema)
        shape = responses.ref("schemas", name)
        if envelope.split is crm_events.batch_events:
            shape = {"type": "array", "items": shape, "minItems": 1, "maxItems": crm.BATCH}
        named.setdefault(name, (shape, []))[1].append(envelope.name)
    return {
        "anyOf": [shape | {"description": f"Envelope: {', '.join(names)}."} for shape, names in named.values()],
    }


def _delivery_answer() -> Json:
    results = {
        "type": "array",
        "items": responses.ref("schemas", "Answer"),
        "description": "Of a batch: each event's own answer.",
    }
    return {
        "description": "The answer; of a batch the first that failed, and all of them in `results`.",
        "allOf": [responses.ref("schemas", "Answer"), {"type": "object", "properties": {"results": results}}],
    }
