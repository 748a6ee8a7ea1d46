"""How a sender proves itself, as a Postman request has it: headers, auth, and the script that signs before it is sent.

The scripts are made from the scheme's own row, so that Postman signs what the service verifies.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from integrations.senders.registry import Sender

Json = dict[str, Any]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_NOW = {
    "s": "String(Math.floor(Date.now() / 1000))",
    "ms": "String(Date.now())",
    "iso": 'new Date().toISOString().slice(0, 19) + "Z"',
}


@dataclass(frozen=True, slots=True)
class PostmanAuth:
    """What is added to a request: `script` is JavaScript, a line each, run before it is sent."""

    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    auth: Json | None = None
    script: list[str] = field(default_factory=list)


def proving(sender: Sender) -> PostmanAuth:
    """What this sender's scheme adds, with its secret by the name of the variable that holds it."""
    made = _by_something_held(sender)
    return made if made is not None else PostmanAuth(script=_signed(sender))


def secret_of(sender: Sender) -> str:
    """The variable that holds the sender's newest secret; "" if it needs none."""
    return sender.auth_config.names[0] if sender.auth_config.names else ""


def _by_something_held(sender: Sender) -> PostmanAuth | None:
    auth_config, secret = sender.auth_config, "{{" + secret_of(sender) + "}}"
    match sender.signature:
        case "api-key":
            return (
                PostmanAuth(query={auth_config.query: secret})
                if auth_config.query
                else PostmanAuth({auth_config.header: secret})
            )
        case "bearer":
            return PostmanAuth({"Authorization": f"Bearer {secret}"})
        case "basic":
            pair = {"username": auth_config.username or "cobrowse", "password": secret}
            return PostmanAuth(auth={"type": "basic", "basic": [{"key": k, "value": v} for k, v in pair.items()]})
        case "mtls":
            return PostmanAuth({auth_config.subject_header: auth_config.subjects[0]})
    return None


def _signed(sender: Sender) -> list[str]:
    name = json.dumps(secret_of(sender))
    opened = [
        'const hashes = require("crypto-js");',
        "const body = pm.variables.replaceIn(pm.request.body.raw);",
        f"const secret = pm.variables.get({name});",
        f'if (!secret) throw new Error("Set " + {name} + " in the environment.");',
    ]
    return opened + (_standard() if sender.signature == "standard-webhooks" else _hmac(sender))


def _standard() -> list[str]:
    """Standard Webhooks: id, time and body; the key is what follows whsec_."""
    return [
        'const id = "msg_" + pm.collectionVariables.get("deliveryId");',
        f"const timestamp = {_NOW['s']};",
        'const key = hashes.enc.Base64.parse(secret.replace(/^whsec_/, ""));',
        'const mac = hashes.HmacSHA256([id, timestamp, body].join("."), key);',
        'pm.request.headers.upsert({key: "webhook-id", value: id});',
        'pm.request.headers.upsert({key: "webhook-timestamp", value: timestamp});',
        'const signature = "v1," + hashes.enc.Base64.stringify(mac);',
        'pm.request.headers.upsert({key: "webhook-signature", value: signature});',
    ]


def _hmac(sender: Sender) -> list[str]:
    auth_config = sender.auth_config
    lines = []
    if auth_config.timestamp_header:
        header = json.dumps(auth_config.timestamp_header)
        lines = [
            f"const timestamp = {_NOW[auth_config.timestamp_unit]};",
            f"pm.request.headers.upsert({{key: {header}, value: timestamp}});",
        ]
    function = "HmacSHA512" if auth_config.algorithm == "sha512" else "HmacSHA256"
    written = "hashes.enc.Hex" if auth_config.encoding == "hex" else "hashes.enc.Base64"
    header, prefix = json.dumps(auth_config.header), json.dumps(auth_config.prefix)
    return [
        *lines,
        f"const mac = hashes.{function}({_message(auth_config.template, sender.name)}, secret);",
        f"const signature = {prefix} + {written}.stringify(mac);",
        f"pm.request.headers.upsert({{key: {header}, value: signature}});",
    ]


def _message(template: str, name: str) -> str:
    """The signed text as an expression, out of the scheme's template."""
    path = json.dumps(f"/webhooks/{name}")
    address = f'pm.variables.get("publicBaseUrl") + {path}'
    parts = {
        "body": "body",
        "timestamp": "timestamp",
        "method": "pm.request.method",
        "path": path,
        "uri": address,
        "decoded_uri": address,
    }
    pieces = _PLACEHOLDER.split(template)
    # A split by a pattern with one group gives text and name in turn.
    terms = [parts[piece] if number % 2 else json.dumps(piece) for number, piece in enumerate(pieces) if piece]
    return " + ".join(terms)
