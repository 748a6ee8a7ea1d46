"""What marshmallow found wrong, as one line that names each field; never a value."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import ValidationError

from cobrowse.errors import InvalidRequest
from schemas.input_schema import InputSchema


def load(schema: InputSchema, body: object) -> dict[str, Any]:
    """Load a parsed body. InvalidRequest names each wrong field, and for an unknown one all that there are."""
    try:
        return schema.load(body)
    except ValidationError as error:
        raise InvalidRequest(describe_errors(error.messages, schema.names)) from None


def describe_errors(messages: Mapping[object, object] | Sequence[object], known: Sequence[str] = ()) -> str:
    """Each wrong field with what is wrong about it. `known`: the fields there are, listed where one is unknown."""
    lines = []
    for name, text in _flatten(messages):
        if text == "Unknown field.":
            choices = f"; the fields are {', '.join(known)}" if known else ""
            lines.append(f"{name[:60]!r} is not a field here{choices}")
        else:
            lines.append(f"{name}: {text}" if name else text)
    return " · ".join(lines)


def _flatten(messages: object, path: str = "") -> list[tuple[str, str]]:
    if isinstance(messages, Mapping):
        found = []
        for key, inner in messages.items():
            name = "" if key == "_schema" else str(key)
            found.extend(_flatten(inner, ".".join(part for part in (path, name) if part)))
        return found
    if isinstance(messages, str):
        return [(path, messages)]
    return [(path, str(message)) for message in messages] if isinstance(messages, Sequence) else [(path, str(messages))]
