"""The Postman collection (v2.1) and its environments: a folder for each audience, a test in each request."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from integrations.senders.registry import Sender
from schemas.data_action import AnswerSchema
from tools.api_reference import postman_items, samples
from tools.api_reference.deliveries import DELIVERIES, Delivery
from tools.api_reference.openapi import document
from tools.api_reference.signing import PostmanAuth, proving, secret_of

Json = dict[str, Any]

NAME = "cobrowse-bridge"
# Public, since it opens nothing but a sandbox on the machine that runs it: `cobrowse-bridge demo` has the same.
SANDBOX_KEY = "demo-key-0123456789abcdef"
SANDBOX_URL = "http://127.0.0.1:8000"
# The PUBLIC_BASE_URL of the sandbox's service: HubSpot signs it.
PUBLIC_URL = "https://cobrowse.example.com"
ABSENT = "99999999-9999-4999-8999-999999999999"

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_KEYS = json.dumps(list(AnswerSchema().fields))
_NEW_KEY = ['pm.collectionVariables.set("key", pm.variables.replaceIn("{{$guid}}"));']
_NEW_DELIVERY = [
    'pm.collectionVariables.set("deliveryId", pm.variables.replaceIn("{{$guid}}"));',
    'pm.collectionVariables.set("deliveryNumber", String(Date.now()));',
]


def collection(senders: Iterable[Sender]) -> Json:
    """The collection for these senders; those that have no sample delivery are left out."""
    return {
        "info": {
            "name": NAME,
            "_postman_id": str(uuid5(NAMESPACE_URL, f"{NAME}/postman")),
            "description": document()["info"]["description"],
            "schema": _SCHEMA,
        },
        "item": [
            postman_items.folder(
                "Architect engineers", "What a flow's data action sends, and the responses.", _architect()
            ),
            postman_items.folder(
                "Webhook senders",
                "A delivery of each sender of senders.example.toml, signed as that sender signs.",
                [item for sender in senders if sender.name in DELIVERIES for item in _deliveries(sender)],
            ),
            postman_items.folder("Operators", "For operators of the service.", _operators()),
        ],
        "variable": [
            {"key": "answerKeys", "value": _KEYS},
            {"key": "key", "value": ""},
            {"key": "deliveryId", "value": ""},
            {"key": "deliveryNumber", "value": ""},
        ],
    }


def environment(senders: Iterable[Sender], secrets: Mapping[str, str] | None = None) -> Json:
    """An environment: for the sandbox if its `secrets` are given, else one to fill in, whose secrets stay secret."""
    on_sandbox = secrets is not None
    plain = {
        "baseUrl": SANDBOX_URL if on_sandbox else PUBLIC_URL,
        "publicBaseUrl": PUBLIC_URL,
        "conversationId": samples.CONVERSATION if on_sandbox else "",
        "absentConversationId": ABSENT,
    }
    named = {"apiKey": SANDBOX_KEY, **(secrets or {})}
    hidden = ["apiKey", *sorted({secret_of(sender) for sender in senders if secret_of(sender)})]
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


def _architect() -> list[Json]:
    """The data action's endpoint: it works, it repeats, it fails by body and by status, it refuses."""
    body = samples.REQUESTS["conversation"] | {"conversationId": "{{conversationId}}"}
    absent = body | {"conversationId": "{{absentConversationId}}"}
    keyed = {"Idempotency-Key": "{{key}}"}
    started = postman_items.expecting("success", True)
    basic = {
        "type": "basic",
        "basic": [{"key": "username", "value": "architect"}, {"key": "password", "value": "{{apiKey}}"}],
    }
    table: list[tuple[str, Json, dict[str, str], Json, list[str], list[str]]] = [
        ("Start a session", body, keyed, _API_KEY, _NEW_KEY, [*postman_items.tests(200, replayed=False), *started]),
        ("The same request again", body, keyed, _API_KEY, [], [*postman_items.tests(200, replayed=True), *started]),
        ("With HTTP Basic", body, keyed, basic, _NEW_KEY, [*postman_items.tests(200, replayed=False), *started]),
        (
            "No such conversation, told in the body",
            absent,
            {},
            _API_KEY,
            [],
            postman_items.failing(200, "conversation_not_found"),
        ),
        (
            "No such conversation, told by the status",
            absent,
            {"Prefer": "status"},
            _API_KEY,
            [],
            postman_items.failing(404, "conversation_not_found"),
        ),
        (
            "A field that is wrong",
            body | {"channel": "fax"},
            {},
            _API_KEY,
            [],
            postman_items.failing(422, "invalid_request"),
        ),
        (
            "An input that was not set",
            body | {"conversationId": "${input.conversationId}"},
            {},
            _API_KEY,
            [],
            postman_items.failing(422, "invalid_request"),
        ),
        ("Without a key", body, {}, {"type": "noauth"}, [], postman_items.failing(401, "not_authenticated")),
    ]
    return [
        postman_items.item(
            name,
            postman_items.request(
                "POST", "/data-actions/cobrowse", {"Content-Type": "application/json", **headers}, content, auth
            ),
            before,
            tests,
        )
        for name, content, headers, auth, before, tests in table
    ]


_API_KEY: Json = {
    "type": "apikey",
    "apikey": [
        {"key": "key", "value": "X-Api-Key"},
        {"key": "value", "value": "{{apiKey}}"},
        {"key": "in", "value": "header"},
    ],
}


def _deliveries(sender: Sender) -> list[Json]:
    """A sender's delivery, the same again, and one that is not its own."""
    delivery, auth_config = DELIVERIES[sender.name], proving(sender)
    made = [
        postman_items.item(
            f"{sender.name}: {delivery.what}",
            _delivery_request(sender, delivery, auth_config),
            [*_NEW_DELIVERY, *auth_config.script],
            _told(delivery, replayed=False),
        )
    ]
    if delivery.repeats:
        again = _told(delivery, replayed=True)
        made.append(
            postman_items.item(
                f"{sender.name}: the same again",
                _delivery_request(sender, delivery, auth_config),
                auth_config.script,
                again,
            )
        )
    if auth_config.script:
        unsigned = _delivery_request(sender, delivery, PostmanAuth())
        made.append(
            postman_items.item(
                f"{sender.name}: not signed", unsigned, [], postman_items.failing(401, "signature_missing")
            )
        )
    return made


def _delivery_request(sender: Sender, delivery: Delivery, auth_config: PostmanAuth) -> Json:
    path = f"/webhooks/{sender.name}"
    return postman_items.request(
        "POST", path, {**delivery.headers, **auth_config.headers}, delivery.body, auth_config.auth, auth_config.query
    )


def _told(delivery: Delivery, *, replayed: bool) -> list[str]:
    if delivery.told == "acknowledged":
        return [
            *postman_items.has_status(200),
            'pm.test("it is acknowledged", () => pm.expect(pm.response.text()).to.include("<Ack>true</Ack>"));',
            *postman_items.replay(replayed),
        ]
    if delivery.told == "ignored":
        return [*postman_items.tests(200, replayed=replayed), *postman_items.expecting("status", "ignored")]
    return [*postman_items.tests(200, replayed=replayed), *postman_items.expecting("success", True)]


def _operators() -> list[Json]:
    """Every GET of the OpenAPI document."""
    found = []
    for path, item in document()["paths"].items():
        if "get" in item:
            media = next(iter(item["get"]["responses"]["200"]["content"]))
            tests = [
                *postman_items.has_status(200),
                'const media = pm.response.headers.get("Content-Type");',
                f'pm.test("it is {media}", () => pm.expect(media).to.include("{media}"));',
            ]
            found.append(
                postman_items.item(
                    item["get"]["summary"], postman_items.request("GET", path, {}, None, {"type": "noauth"}), [], tests
                )
            )
    return found
