"""How Postman proves what a sender does: scripts made from the row itself, so that they sign what is verified here."""

import json

from integrations.senders.auth.config import AuthConfig
from integrations.senders.auth.scheme import PostmanAuth
from integrations.senders.auth.signature_format import SignatureFormat
from integrations.senders.auth.signed_parts import split_at_names
from integrations.senders.requests import HEADER

_NOW = {
    "s": "String(Math.floor(Date.now() / 1000))",
    "ms": "String(Date.now())",
    "iso": 'new Date().toISOString().slice(0, 19) + "Z"',
}
_KEYS = {"text": "secret", "hex": "hashes.enc.Hex.parse(secret)", "base64": "hashes.enc.Base64.parse(secret)"}
_ENCODED = {"hex": "hashes.enc.Hex", "base64": "hashes.enc.Base64"}
_PATH = '"/" + pm.request.url.path.join("/")'
_ADDRESS = f'pm.variables.get("publicBaseUrl") + {_PATH}'
_TERMS = {
    "body": "body",
    "timestamp": "timestamp",
    "method": "pm.request.method",
    "path": _PATH,
    "uri": _ADDRESS,
    "decoded_uri": _ADDRESS,
}


def key_auth(auth_config: AuthConfig, secret: str) -> PostmanAuth:
    """The key, where the row wants it."""
    value = "{{" + secret + "}}"
    return (
        PostmanAuth(query={auth_config.query: value}) if auth_config.query else PostmanAuth({auth_config.header: value})
    )


def bearer_auth(_auth_config: AuthConfig, secret: str) -> PostmanAuth:
    """The token."""
    return PostmanAuth({"Authorization": "Bearer {{" + secret + "}}"})


def basic_auth(auth_config: AuthConfig, secret: str) -> PostmanAuth:
    """HTTP Basic with the secret as the password."""
    pair = {"username": auth_config.username or "cobrowse", "password": "{{" + secret + "}}"}
    return PostmanAuth(auth={"type": "basic", "basic": [{"key": key, "value": value} for key, value in pair.items()]})


def subject_auth(auth_config: AuthConfig, _secret: str) -> PostmanAuth:
    """The certificate's subject, as the proxy would pass it."""
    return PostmanAuth({auth_config.subject_header: auth_config.subjects[0]})


def standard_auth(_auth_config: AuthConfig, secret: str) -> PostmanAuth:
    """Standard Webhooks: id, time and body; the key is what follows whsec_."""
    return PostmanAuth(
        script=[
            *_opened(secret),
            'const id = "msg_" + pm.collectionVariables.get("deliveryId");',
            f"const timestamp = {_NOW['s']};",
            'const key = hashes.enc.Base64.parse(secret.replace(/^whsec_/, ""));',
            'const mac = hashes.HmacSHA256([id, timestamp, body].join("."), key);',
            'pm.request.headers.upsert({key: "webhook-id", value: id});',
            'pm.request.headers.upsert({key: "webhook-timestamp", value: timestamp});',
            'const signature = "v1," + hashes.enc.Base64.stringify(mac);',
            'pm.request.headers.upsert({key: "webhook-signature", value: signature});',
        ]
    )


def hmac_auth(auth_config: AuthConfig, secret: str) -> PostmanAuth:
    """An HMAC by the row's own template, or the hash over secret and message of a sender that has no HMAC."""
    lines = _opened(secret)
    formatted = SignatureFormat.of(auth_config.signature_format) if auth_config.signature_format else None
    if auth_config.timestamp_header or formatted:
        lines.append(f"const timestamp = {_NOW[auth_config.timestamp_unit]};")
    if auth_config.timestamp_header:
        lines.append(_header(auth_config.timestamp_header, "timestamp"))
    function, message = auth_config.algorithm.upper(), _message(auth_config.template)
    if auth_config.construction == "hash":
        lines.append(f"const mac = hashes.{function}(secret + {message});")
    else:
        lines.append(f"const mac = hashes.Hmac{function}({message}, {_KEYS[auth_config.secret_encoding]});")
    made = f"{_ENCODED[auth_config.encoding]}.stringify(mac)"
    before = json.dumps(auth_config.prefix)
    if formatted is not None:
        timed = f"{json.dumps(formatted.timestamp)} + timestamp + {json.dumps(formatted.separator)} + "
        before = f"{timed if formatted.timestamp is not None else ''}{json.dumps(formatted.signature)}"
    return PostmanAuth(
        script=[*lines, f"const signature = {before} + {made};", _header(auth_config.header, "signature")]
    )


def _opened(secret: str) -> list[str]:
    name = json.dumps(secret)
    return [
        'const hashes = require("crypto-js");',
        "const body = pm.variables.replaceIn(pm.request.body.raw);",
        f"const secret = pm.variables.get({name});",
        f'if (!secret) throw new Error("Set " + {name} + " in the environment.");',
    ]


def _header(name: str, value: str) -> str:
    return f"pm.request.headers.upsert({{key: {json.dumps(name)}, value: {value}}});"


def _message(template: str) -> str:
    """The signed text as an expression, out of the scheme's template."""
    return " + ".join(
        _term(piece) if number % 2 else json.dumps(piece)
        for number, piece in enumerate(split_at_names(template))
        if piece
    )


def _term(name: str) -> str:
    if name.startswith(HEADER):
        return f"pm.variables.replaceIn(pm.request.headers.get({json.dumps(name.removeprefix(HEADER))}))"
    return _TERMS[name]
