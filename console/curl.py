"""An initiation as a command line, to ask for the same once more."""

import shlex
from collections.abc import Mapping

import orjson

from cobrowse.ledger import InitiationRecord


def curl_command(entry: InitiationRecord, service_url: str) -> str:
    """The call that asks for the same once more, its key left to the environment and no secret in it."""
    command = entry.command
    fields: dict[str, object] = {
        "conversationId": "" if command.latest else command.conversation_id,
        "latest": command.latest or "",
        "channel": command.channel or "",
        "requestedBy": command.requested_by,
    }
    path = "data-actions/cobrowse/end" if command.action == "end" else "data-actions/cobrowse"
    return _curl(service_url + path, {name: value for name, value in fields.items() if value})


def first_request(service_url: str) -> str:
    """A request to begin with."""
    return _curl(f"{service_url}data-actions/cobrowse", {"conversationId": "YOUR-CONVERSATION-ID"})


def _curl(url: str, body: Mapping[str, object]) -> str:
    content = shlex.quote(orjson.dumps(body).decode())
    return f"curl -sS {shlex.quote(url)} -H \"X-Api-Key: $API_KEY\" -H 'Content-Type: application/json' -d {content}"
