"""How callers prove themselves, in the OpenAPI document: the service's own keys, and each scheme of senders."""

from collections.abc import Mapping

from apispec import APISpec

from integrations.senders.auth.scheme import Json, Scheme
from integrations.senders.auth.schemes import SCHEMES

_OF_DATA_ACTIONS: dict[str, Json] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "One of `API_KEYS`."},
    "BasicKey": {"type": "http", "scheme": "basic", "description": "One of `API_KEYS` as the password."},
}


def add_to(spec: APISpec, senders: Mapping[str, str] | None, schemes: Mapping[str, Scheme] = SCHEMES) -> None:
    """Make each a component."""
    for name, scheme in _OF_DATA_ACTIONS.items():
        spec.components.security_scheme(name, scheme)
    for sender_scheme in _schemes(senders, schemes):
        spec.components.security_scheme(_name(sender_scheme), _component(sender_scheme))


def of_data_actions() -> list[Json]:
    """What the data action's endpoint takes: any one of these."""
    return [{name: []} for name in _OF_DATA_ACTIONS]


def of_senders(senders: Mapping[str, str] | None) -> list[Json]:
    """What the webhooks' endpoint takes: the one that the sender's row says."""
    return [{_name(scheme): []} for scheme in _schemes(senders, SCHEMES)]


def _schemes(senders: Mapping[str, str] | None, schemes: Mapping[str, Scheme]) -> list[Scheme]:
    used = set(senders.values()) if senders else set(schemes)
    return [scheme for scheme in schemes.values() if scheme.name in used]


def _name(scheme: Scheme) -> str:
    return "".join(word.capitalize() for word in scheme.name.split("-")) + "Sender"


def _component(scheme: Scheme) -> Json:
    return scheme.security | {
        "description": f"Senders whose row says `{scheme.name}`. {scheme.security['description']}"
    }
