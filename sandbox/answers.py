"""An HTTP answer as a value, before anything is done to it on its way out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """What an endpoint says: faults make a new one of it, and the server sends it."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer that carries a document as JSON."""
    return Answer(status, orjson.dumps(document), headers=headers or {})


def status_line(status: int) -> str:
    """The status with its reason phrase, as WSGI and the wire want it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def head(status: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of an HTTP/1.1 answer up to and with the empty line."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")
