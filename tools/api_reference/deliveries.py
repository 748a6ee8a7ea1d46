"""The deliveries of the Postman collection: recorded payloads, with the collection's variables in place of their ids.

A sample of integrations/senders/deliveries is its sender's delivery; "example" is its title.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cobrowse.model import Secret
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.registry import Sender
from integrations.senders.requests import UnverifiedRequest
from integrations.senders.sample_deliveries import HERE
from tools.api_reference.postman_items import Json, basic, item, request

_SIGN = Path(__file__).with_name("postman_sign.js").read_text("utf-8").splitlines()
# When the recorded events happened; an old one would be ignored.
_TIMES = {
    r"2026-11-24T09:00:45(\.\d+)?Z": "{{deliveryTime}}",
    "1763974845013": "{{deliveryNumber}}",
    "1763974845": "{{deliverySeconds}}",
}
# The variables with a conversation of each channel.
CONVERSATIONS = {"webchat": "conversationId", "voice": "voiceConversationId", "message": "messageConversationId"}
_NEW = [
    'pm.collectionVariables.set("deliveryId", pm.variables.replaceIn("{{$guid}}"));',
    'pm.collectionVariables.set("deliveryTime", new Date().toISOString());',
    'pm.collectionVariables.set("deliveryNumber", String(Date.now()));',
    'pm.collectionVariables.set("deliverySeconds", String(Math.floor(Date.now() / 1000)));',
]


def recorded(sender: str) -> Mapping[str, Any] | None:
    """The file of this sender's sample; None if there is none."""
    path = HERE / f"{sender}.json"
    held: Mapping[str, Any] | None = json.loads(path.read_text("utf-8")) if path.is_file() else None
    return held


def items(sender: Sender) -> list[Json]:
    """A sender's delivery, the same again if it is known by an id, and one without its signature.

    None for a sender whose proof Postman can't make.
    """
    held = recorded(sender.name)
    if held is None or not can_be_sent(sender):
        return []
    [event] = held["expect"]
    about = event.get("wanted", event)
    headers, body = _generalised(held, about)
    wanted = "wanted" in event
    expected: Json = {"status": 200, "type": "application/json"}
    expected["answer"] = {"success": True} if wanted else {"status": "ignored"}
    if sender.response_policy.expects_soap_ack:
        expected = {"status": 200, "type": "text/xml", "text": "<Ack>true</Ack>"}
    if sender.response_policy.says is not None:
        expected = {"status": 200, "type": "application/json", "text": "Cobrowse is"}
    signed = sender.scheme.covers_body
    script = _script(sender) if signed else []
    send = request("POST", f"/webhooks/{sender.name}", headers, body, **({} if signed else _credential(sender)))
    made = [item(f"{sender.name}: {held['example']}", send, expected | {"replayed": False}, [*_NEW, *script])]
    if wanted and (about.get("delivery_id") or sender.scheme.covers_delivery_id):
        made.append(item(f"{sender.name}: the same again", send, expected | {"replayed": True}, script))
    if signed:
        answer = {"success": False, "errorCode": "signature_missing"}
        refused = {"status": 401, "type": "application/json", "replayed": False, "answer": answer}
        made.append(item(f"{sender.name}: not signed", send, refused))
    return made


def can_be_sent(sender: Sender) -> bool:
    """Whether Postman can prove what this sender proves: an HMAC by a template, or something that it holds."""
    if sender.scheme.covers_body:
        return bool(sender.auth_config.template)
    try:
        _credential(sender)
    except CanNotSignError:
        return False
    return True


def _generalised(held: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[dict[str, str], Any]:
    """Headers and body with variables for the conversation, the delivery's id and its time."""
    conversation = "{{" + CONVERSATIONS[about.get("channel") or "webchat"] + "}}"
    names = {about.get("conversation_id"): conversation, about.get("delivery_id"): "{{deliveryId}}"}
    patterns = _TIMES | {re.escape(json.dumps(text)[1:-1]): name for text, name in names.items() if text}
    headers = {name: text for name, text in held["headers"].items() if name.lower().startswith(("content-type", "x-"))}
    text = json.dumps([headers, held.get("raw", held.get("body"))])
    for pattern, name in patterns.items():
        # A number is quoted to keep it JSON here; the request has it without the quotation marks.
        text = re.sub(rf"(?<![\w\"]){pattern}(?![\w\"])", f'"{name}"', text) if pattern.isdigit() else text
        text = re.sub(pattern, name, text, flags=re.IGNORECASE)
    replaced: tuple[dict[str, str], Any] = tuple(json.loads(text))
    return replaced


def _credential(sender: Sender) -> Json:
    """Headers, query and auth of a scheme that sends its secret or name as it is."""
    config, secret = sender.auth_config, Secret("{{" + sender.auth_config.names[0] + "}}" if sender.secrets else "")
    draft = UnverifiedRequest("POST", "/", "", {}, b"")
    parts = sender.scheme.sign(config, secret, draft, datetime.fromtimestamp(0, UTC))
    if parts.headers.get("Authorization", "").startswith("Basic "):
        return {"auth": basic(config.username or "cobrowse", secret.reveal())}
    return {"more": parts.headers, "query": parts.query}


def _script(sender: Sender) -> list[str]:
    """The script that signs by an HMAC, from the row; none for a signature of another kind."""
    names = ("header", "algorithm", "construction", "encoding", "prefix", "timestamp_header", "timestamp_unit")
    config = sender.auth_config
    row = {name: getattr(config, name) for name in (*names, "signature_format", "template")} | {
        "secret_encoding": "base64" if sender.scheme.secret_prefix else config.secret_encoding,
        "secret": sender.auth_config.names[0],
        "secret_prefix": sender.scheme.secret_prefix,
        "id_header": sender.scheme.delivery_ids[0] if "{id}" in config.template else "",
        "path": f"/webhooks/{sender.name}",
    }
    return [f"const row = {json.dumps(row)};", *_SIGN]
