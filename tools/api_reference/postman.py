"""The Postman collection (v2.1) and its environments: a folder for each audience, tests for every request."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from integrations.senders.registry import Sender
from schemas.data_action import AnswerSchema
from tools.api_reference import deliveries, samples
from tools.api_reference.openapi import document
from tools.api_reference.postman_items import Json, credential, folder, from_operation, item, request

NAME = "cobrowse-bridge"
# Public, since it opens nothing but a sandbox on the machine that runs it: `cobrowse-bridge demo` has the same.
SANDBOX_KEY = "demo-key-0123456789abcdef"
SANDBOX_URL = "http://127.0.0.1:8000"
# The PUBLIC_BASE_URL of the sandbox's service: HubSpot signs it.
PUBLIC_URL = "https://cobrowse.example.com"
# The sandbox's other conversations.
VOICE, MESSAGE = "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"
ABSENT = "99999999-9999-4999-8999-999999999999"

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_TESTS = Path(__file__).with_name("postman_test.js").read_text("utf-8").splitlines()
_START = "/data-actions/cobrowse"
_NEW_KEY = ['pm.collectionVariables.set("key", pm.variables.replaceIn("{{$guid}}"));']


def collection(senders: Iterable[Sender]) -> Json:
    """The collection: the data action, a delivery of each of these senders, and every other operation there is."""
    whole = document()
    others: dict[str, list[Json]] = {"Architect": [], "Senders": [], "Operations": []}
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] not in ("startCobrowse", "receiveDelivery"):
                others[operation["tags"][0]].append(from_operation(path, method, operation, whole))
    delivered = [one for sender in senders for one in deliveries.items(sender)]
    variables = {"answerKeys": json.dumps(list(AnswerSchema().fields))} | dict.fromkeys(
        ("key", "initiationId", "deliveryId", "deliveryTime", "deliveryNumber", "deliverySeconds"), ""
    )
    return {
        "info": {
            "name": NAME,
            "_postman_id": str(uuid5(NAMESPACE_URL, f"{NAME}/postman")),
            "description": whole["info"]["description"],
            "schema": _SCHEMA,
        },
        "item": [
            folder("Architect engineers", "What a flow's data action sends, and the responses.", _architect(whole)),
            folder("Sessions", "What the same caller asks of sessions that were started.", others["Architect"]),
            folder("Webhook senders", "A delivery of each sender of senders.example.toml, authenticated.", delivered),
            folder("Operators", "For operators of the service.", others["Operations"]),
        ],
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": _TESTS}}],
        "variable": [{"key": key, "value": value} for key, value in variables.items()],
    }


def environment(senders: Iterable[Sender], secrets: Mapping[str, str] | None = None) -> Json:
    """An environment: for the sandbox if its `secrets` are given, else one to fill in, whose secrets stay secret."""
    on_sandbox = secrets is not None
    plain = {
        "baseUrl": SANDBOX_URL if on_sandbox else PUBLIC_URL,
        "publicBaseUrl": PUBLIC_URL,
        "conversationId": samples.CONVERSATION if on_sandbox else "",
        "voiceConversationId": VOICE if on_sandbox else "",
        "messageConversationId": MESSAGE if on_sandbox else "",
        "absentConversationId": ABSENT,
    }
    named = {"apiKey": SANDBOX_KEY, **(secrets or {})}
    hidden = ["apiKey", *sorted({sender.auth_config.names[0] for sender in senders if sender.secrets})]
    kind = "default" if on_sandbox else "secret"
    return {
        "id": str(uuid5(NAMESPACE_URL, f"{NAME}/postman/{kind}")),
        "name": f"{NAME} (sandbox)" if on_sandbox else NAME,
        "values": [
            *({"key": key, "value": value, "type": "default", "enabled": True} for key, value in plain.items()),
            *({"key": key, "value": named[key] if on_sandbox else "", "type": kind, "enabled": True} for key in hidden),
        ],
        "_postman_variable_scope": "environment",
    }


def _architect(whole: Json) -> list[Json]:
    """The data action's endpoint: it starts, it replays, it fails in the body and by status, it refuses."""
    body = samples.REQUESTS["conversation"] | {"conversationId": "{{conversationId}}"}
    absent = body | {"conversationId": "{{absentConversationId}}"}
    unset = body | {"conversationId": "${input.conversationId}"}
    key, by_status = {"Idempotency-Key": "{{key}}"}, {"Prefer": "status"}
    api_key, basic = (credential(whole["components"]["securitySchemes"][name]) for name in ("ApiKey", "BasicKey"))
    # (name, body, headers, authentication, status, errorCode, what runs before)
    table: list[tuple[str, Json, dict[str, str], Json | None, int, str, list[str]]] = [
        ("Start a session", body, key, api_key, 200, "", _NEW_KEY),
        ("The same request again", body, key, api_key, 200, "", []),
        ("With HTTP Basic", body, key, basic, 200, "", _NEW_KEY),
        ("No such conversation, failure in the body", absent, {}, api_key, 200, "conversation_not_found", []),
        ("No such conversation, failure by status", absent, by_status, api_key, 404, "conversation_not_found", []),
        ("An invalid field", body | {"channel": "fax"}, {}, api_key, 422, "invalid_request", []),
        ("An input that was not set", unset, {}, api_key, 422, "invalid_request", []),
        ("Without a key", body, {}, None, 401, "not_authenticated", []),
    ]
    return [
        item(
            name,
            request("POST", _START, {"Content-Type": "application/json", **headers}, content, auth=auth),
            {
                "status": status,
                "type": "application/json",
                "replayed": bool(headers) and headers is key and not before,
                "answer": {"success": not code, "errorCode": code},
            },
            before,
        )
        for name, content, headers, auth, status, code, before in table
    ]
