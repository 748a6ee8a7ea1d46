"""The deliveries of the Postman collection: recorded payloads, with the collection's variables in place of their ids.

A sample of integrations/senders/deliveries is its sender's delivery; "example" is its title.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from cobrowse.model import Secret
from integrations.senders.auth.scheme import CanNotSignError
from integrations.senders.registry import Sender
from integrations.senders.requests import UnverifiedRequest
from integrations.senders.sample_deliveries import Replacements, sample_delivery
from tools.api_reference.postman_items import Json, basic, item, request

_SIGN = Path(__file__).with_name("postman_sign.js").read_text("utf-8").splitlines()
# The variables with a conversation of each channel.
CONVERSATIONS = {"webchat": "conversationId", "voice": "voiceConversationId", "message": "messageConversationId"}
_NEW = [
    'pm.collectionVariables.set("deliveryId", pm.variables.replaceIn("{{$guid}}"));',
    'pm.collectionVariables.set("deliveryTime", new Date().toISOString());',
    'pm.collectionVariables.set("deliveryNumber", String(Date.now()));',
    'pm.collectionVariables.set("deliverySeconds", String(Math.floor(Date.now() / 1000)));',
]


def items(sender: Sender) -> list[Json]:
    """A sender's delivery, the same again if it is known by an id, and one without its signature.

    None for a sender whose proof Postman can't make.
    """
    sample = sample_delivery(sender.name)
    if sample is None or not can_be_sent(sender):
        return []
    conversation = "{{" + CONVERSATIONS[sample.channel] + "}}"
    variables = ("{{deliveryId}}", "{{deliveryNumber}}", "{{deliverySeconds}}", "{{deliveryTime}}")
    headers, body = sample.make_another(Replacements(conversation, *variables))
    headers = {name: text for name, text in headers.items() if name.lower().startswith(("content-type", "x-"))}
    [event] = sample.expect
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
    made = [item(f"{sender.name}: {sample.what}", send, expected | {"replayed": False}, [*_NEW, *script])]
    if wanted and (sample.delivery_id or sender.scheme.covers_delivery_id):
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
    prefix = sender.scheme.secret_form({}).prefix
    row = {name: getattr(config, name) for name in (*names, "signature_format", "template")} | {
        "secret_encoding": "base64" if prefix else config.secret_encoding,
        "secret": sender.auth_config.names[0],
        "secret_prefix": prefix,
        "id_header": sender.scheme.delivery_ids[0] if "{id}" in config.template else "",
        "path": f"/webhooks/{sender.name}",
    }
    return [f"const row = {json.dumps(row)};", *_SIGN]
