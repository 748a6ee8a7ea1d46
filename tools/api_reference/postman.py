"""The Postman collection (v2.1) and its environments: a folder for each audience, tests for every request."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cobrowse.model import Secret
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.registry import Sender
from integrations.senders.requests import UnverifiedRequest
from integrations.senders.sample_deliveries import Replacements, sample_delivery
from schemas.answers import AnswerSchema
from tools.api_reference import samples

Json = dict[str, Any]

NAME = "cobrowse-bridge"
# Public, since it opens nothing but a sandbox on the machine that runs it: `cobrowse-bridge demo` has the same.
SANDBOX_KEY = "demo-key-0123456789abcdef"
# The PUBLIC_BASE_URL of the sandbox's service: HubSpot signs it.
PUBLIC_URL = "https://cobrowse.example.com"
ABSENT = "99999999-9999-4999-8999-999999999999"
# The environment's variables that are no secrets, on the sandbox and in an environment to fill in.
_VARIABLES = {
    "baseUrl": ("http://127.0.0.1:8000", PUBLIC_URL),
    "publicBaseUrl": (PUBLIC_URL, PUBLIC_URL),
    "conversationId": (samples.CONVERSATION, ""),
    "voiceConversationId": ("22222222-2222-4222-8222-222222222222", ""),
    "messageConversationId": ("33333333-3333-4333-8333-333333333333", ""),
    "absentConversationId": (ABSENT, ABSENT),
}
_TESTS, _SIGN = (
    Path(__file__).with_name(name).read_text("utf-8").splitlines() for name in ("postman_test.js", "postman_sign.js")
)
_NEW_KEY = ['pm.collectionVariables.set("key", pm.variables.replaceIn("{{$guid}}"));']
_NEW_DELIVERY = [
    'pm.collectionVariables.set("deliveryId", pm.variables.replaceIn("{{$guid}}"));',
    'pm.collectionVariables.set("deliveryTime", new Date().toISOString());',
    'pm.collectionVariables.set("deliveryNumber", String(Date.now()));',
    'pm.collectionVariables.set("deliverySeconds", String(Math.floor(Date.now() / 1000)));',
]
_SET_BY_SCRIPTS = ("key", "initiationId", "deliveryId", "deliveryTime", "deliveryNumber", "deliverySeconds")
_NO_AUTH = {"type": "noauth"}


def collection(document: Json, senders: Iterable[Sender]) -> Json:
    """The collection: the data action, a delivery of each of these senders, and every other operation there is."""
    delivered = (one for sender in senders for one in _deliveries(sender))
    folders = (
        ("Architect engineers", "What a flow's data action sends, and the responses.", _starts()),
        ("Sessions", "What the same caller asks of sessions that were started.", _operations(document, "Architect")),
        ("Webhook senders", "A delivery of each sender of senders.example.toml, authenticated.", delivered),
        ("Operators", "For operators of the service.", _operations(document, "Operations")),
    )
    variables = {"answerKeys": json.dumps(list(AnswerSchema().fields))} | dict.fromkeys(_SET_BY_SCRIPTS, "")
    return {
        "info": {
            "name": NAME,
            "_postman_id": str(uuid5(NAMESPACE_URL, f"{NAME}/postman")),
            "description": document["info"]["description"],
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": _auth("apikey", key="X-Api-Key", value="{{apiKey}}", **{"in": "header"}),
        "item": [{"name": name, "description": text, "item": list(items)} for name, text, items in folders],
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": _TESTS}}],
        "variable": [{"key": key, "value": value} for key, value in variables.items()],
    }


def environment(senders: Iterable[Sender], *, sandbox: bool) -> Json:
    """An environment: the sandbox's, with these senders' secrets, or one to fill in, whose secrets stay secret."""
    plain = {key: values[0 if sandbox else 1] for key, values in _VARIABLES.items()}
    configs = (sender.auth_config for sender in senders if sender.secrets)
    secrets = {"apiKey": SANDBOX_KEY} | {config.names[0]: config.secrets[0].reveal() for config in configs}
    hidden, kind = (secrets, "default") if sandbox else (dict.fromkeys(secrets, ""), "secret")
    return {
        "id": str(uuid5(NAMESPACE_URL, f"{NAME}/postman/{kind}")),
        "name": f"{NAME} (sandbox)" if sandbox else NAME,
        "values": [
            {"key": key, "value": value, "type": "default" if key in plain else kind, "enabled": True}
            for key, value in {**plain, **hidden}.items()
        ],
        "_postman_variable_scope": "environment",
    }


def _starts() -> Iterator[Json]:
    """The data action's endpoint: it starts, it replays, it fails in the body and by status, it refuses."""
    key, basic = {"Idempotency-Key": "{{key}}"}, _auth("basic", username="architect", password="{{apiKey}}")  # noqa: S106 - a variable
    absent, unset = ({"conversationId": name} for name in ("{{absentConversationId}}", "${input.conversationId}"))
    # What differs in the body, the status and errorCode of the response, what else differs in the request.
    rows: tuple[tuple[str, Json, int, str, Json], ...] = (
        ("Start a session", {}, 200, "", {"headers": key, "before": _NEW_KEY}),
        ("The same request again", {}, 200, "", {"headers": key}),
        ("With HTTP Basic", {}, 200, "", {"headers": key, "before": _NEW_KEY, "auth": basic}),
        ("No such conversation, failure in the body", absent, 200, "conversation_not_found", {}),
        ("No such conversation, by status", absent, 404, "conversation_not_found", {"headers": {"Prefer": "status"}}),
        ("An invalid field", {"channel": "fax"}, 422, "invalid_request", {}),
        ("An input that was not set", unset, 422, "invalid_request", {}),
        ("Without a key", {}, 401, "not_authenticated", {"auth": _NO_AUTH}),
    )
    body = {"conversationId": "{{conversationId}}", "channel": "webchat", "requestedBy": "Support flow"}
    for name, change, status, code, more in rows:
        expected = {"replayed": name == "The same request again", "answer": {"success": not code, "errorCode": code}}
        yield _item(name, "POST /data-actions/cobrowse", status, expected, {"body": body | change, **more})


def _operations(document: Json, tag: str) -> Iterator[Json]:
    """A request for each other operation of this tag: its first example; its first response is expected."""
    operations = [(path, *one) for path, methods in document["paths"].items() for one in methods.items()]
    for path, method, operation in operations:
        if tag not in operation["tags"] or operation["operationId"] == "startCobrowse":
            continue
        status, response = next(iter(operation["responses"].items()))
        media, content = next(iter(response["content"].items()))
        is_answer = content["schema"].get("$ref", "").endswith("Answer")
        url = path.replace("{", "{{").replace("}", "}}")
        if any(one.get("name") == "conversationId" for one in operation.get("parameters", ())):
            url += "?conversationId={{conversationId}}"
        more: Json = {} if {"ApiKey": []} in operation["security"] else {"auth": _NO_AUTH}
        if "requestBody" in operation:
            example = next(iter(operation["requestBody"]["content"]["application/json"]["examples"].values()))
            more["body"] = example["value"] | {"conversationId": "{{conversationId}}"}
        expected = {"type": media, **({"answer": {"success": True}} if is_answer else {})}
        yield _item(operation["summary"], f"{method.upper()} {url}", int(status), expected, more)


def _deliveries(sender: Sender) -> Iterator[Json]:
    """A sender's recorded delivery, the same again if it is known by an id, and one without its signature.

    Variables stand for its ids and times. None for a sender whose proof Postman can't make.
    """
    sample, proof = sample_delivery(sender.name), prove(sender)
    if sample is None or proof is None:
        return
    conversation = "{{conversationId}}" if sample.channel == "webchat" else f"{{{{{sample.channel}ConversationId}}}}"
    times = ("{{deliveryNumber}}", "{{deliverySeconds}}", "{{deliveryTime}}")
    headers, body = sample.render(Replacements(conversation, "{{deliveryId}}", *times))
    headers = {name: text for name, text in headers.items() if name.lower().startswith(("content-type", "x-"))}
    more = {**proof, "headers": headers | proof["headers"], "body": body}
    target = f"POST /webhooks/{sender.name}{proof['query']}"
    [event] = sample.expect
    wanted = "wanted" in event
    expected: Json = {"answer": {"success": True} if wanted else {"status": "ignored"}}
    if sender.response_policy.expects_soap_ack:
        expected = {"type": "text/xml", "text": "<Ack>true</Ack>"}
    if sender.response_policy.format_message is not None:
        expected = {"text": "Cobrowse is"}
    first = {**more, "before": [*_NEW_DELIVERY, *proof["before"]]}
    yield _item(f"{sender.name}: {sample.what}", target, 200, expected | {"replayed": False}, first)
    if wanted and (sample.delivery_id or sender.scheme.covers_delivery_id):
        yield _item(f"{sender.name}: the same again", target, 200, expected | {"replayed": True}, more)
    if sender.scheme.covers_body:
        expected = {"replayed": False, "answer": {"success": False, "errorCode": "signature_missing"}}
        yield _item(f"{sender.name}: not signed", target, 401, expected, {**more, "before": []})


def prove(sender: Sender) -> Json | None:
    """What proves a delivery to be this sender's: auth, headers, query, a script before it. None: Postman can't.

    An HMAC is made by the script, from the row's template; a secret or a name is sent as it is.
    """
    config, proof = sender.auth_config, {"auth": _NO_AUTH, "headers": {}, "query": "", "before": []}
    if sender.scheme.covers_body:
        return proof | {"before": [f"const row = {json.dumps(_row(sender))};", *_SIGN]} if config.template else None
    secret = Secret("{{" + config.names[0] + "}}" if sender.secrets else "")
    draft = UnverifiedRequest("POST", "/", "", {}, b"")
    try:
        parts = sender.scheme.sign(config, secret, draft, datetime.fromtimestamp(0, UTC))
    except CanNotSignError:
        return None
    if parts.headers.get("Authorization", "").startswith("Basic "):
        return proof | {"auth": _auth("basic", username=config.username or "cobrowse", password=secret.reveal())}
    return proof | {"headers": parts.headers, "query": "".join(f"?{key}={value}" for key, value in parts.query.items())}


def _row(sender: Sender) -> Json:
    """What postman_sign.js reads of a sender's row."""
    names = ("header", "algorithm", "construction", "encoding", "prefix", "timestamp_header", "timestamp_unit")
    config, prefix = sender.auth_config, sender.scheme.secret_form({}).prefix
    return {name: getattr(config, name) for name in (*names, "signature_format", "template")} | {
        "secret_encoding": "base64" if prefix else config.secret_encoding,
        "secret": config.names[0],
        "secret_prefix": prefix,
        "id_header": sender.scheme.delivery_ids[0] if "{id}" in config.template else "",
    }


def _item(name: str, target: str, status: int, expected: Json, more: Json) -> Json:
    """A request, and what its response must be: in JSON unless `expected`, which postman_test.js reads, says otherwise.

    `target` is method and path. `more` can have a `body` (a text is sent as it is), `headers`, an `auth` of its own
    where it isn't the collection's, and a script that runs `before`.
    """
    expected = {"status": status, "type": "application/json", **expected}
    lines = [f'pm.variables.set("expected", JSON.stringify({json.dumps(expected)}));', *more.get("before", [])]
    script = {"type": "text/javascript", "exec": lines}
    method, path = target.split(" ")
    headers, body = more.get("headers", {}), more.get("body", "")
    if isinstance(body, dict):
        headers, body = {"Content-Type": "application/json", **headers}, json.dumps(body, indent=2)
    listed = [{"key": key, "value": value} for key, value in headers.items()]
    request: Json = {"method": method, "header": listed, "url": "{{baseUrl}}" + path}
    if "auth" in more:
        request["auth"] = more["auth"]
    if body:
        language = {"{": "json", "[": "json", "<": "xml"}.get(body[0], "text")
        request["body"] = {"mode": "raw", "raw": body, "options": {"raw": {"language": language}}}
    return {"name": name, "event": [{"listen": "prerequest", "script": script}], "request": request}


def _auth(kind: str, **parts: str) -> Json:
    """A way to authenticate, as Postman writes it."""
    return {"type": kind, kind: [{"key": key, "value": value} for key, value in parts.items()]}
