"""How callers prove themselves, in the OpenAPI document: the service's own keys, and each scheme of senders."""

from collections.abc import Mapping
from typing import Any

from apispec import APISpec

from integrations.senders.auth.schemes import SCHEMES, Scheme

Json = dict[str, Any]

_OF_DATA_ACTIONS: dict[str, Json] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "One of `API_KEYS`."},
    "BasicKey": {"type": "http", "scheme": "basic", "description": "One of `API_KEYS` as the password."},
}
# OpenAPI has no word for a signature; what comes nearest is a key in the header that holds it.
_OF_SENDERS: dict[str, Json] = {
    "basic": {"type": "http", "scheme": "basic", "description": "The secret is the password."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The secret is the token."},
    "mtls": {"type": "mutualTLS", "description": "A trusted proxy passes the certificate's subject."},
    "api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "The secret, in the header or the query parameter that the row names.",
    },
    "standard-webhooks": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Signed over `webhook-id`, `webhook-timestamp` and the body.",
    },
    "hmac": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Signature",
        "description": "An HMAC in the header and over the parts that the row names.",
    },
}


def add_to(spec: APISpec, senders: Mapping[str, str] | None) -> None:
    """Make each a component."""
    for name, scheme in _OF_DATA_ACTIONS.items():
        spec.components.security_scheme(name, scheme)
    for sender_scheme in _schemes(senders):
        spec.components.security_scheme(_name(sender_scheme), _component(sender_scheme))


def of_data_actions() -> list[Json]:
    """What the data action's endpoint takes: any one of these."""
    return [{name: []} for name in _OF_DATA_ACTIONS]


def of_senders(senders: Mapping[str, str] | None) -> list[Json]:
    """What the webhooks' endpoint takes: the one that the sender's row says."""
    return [{_name(scheme): []} for scheme in _schemes(senders)]


def _schemes(senders: Mapping[str, str] | None) -> list[Scheme]:
    used = set(senders.values()) if senders else set(SCHEMES)
    return [scheme for scheme in SCHEMES.values() if scheme.name in used]


def _name(scheme: Scheme) -> str:
    return "".join(word.capitalize() for word in scheme.name.split("-")) + "Sender"


def _component(scheme: Scheme) -> Json:
    made = dict(_OF_SENDERS.get(scheme.name) or _signature(scheme))
    return made | {"description": f"Senders whose row says `{scheme.name}`. {made['description']}"}


def _signature(scheme: Scheme) -> Json:
    """A vendor's HMAC, out of its row in the table of schemes."""
    fixed = scheme.preset
    timed = f", the timestamp in `{fixed['timestamp_header']}`" if "timestamp_header" in fixed else ""
    told = f"HMAC-SHA256 in {fixed['encoding']} over `{fixed['template']}`{timed}."
    return {"type": "apiKey", "in": "header", "name": fixed["header"], "description": told}
