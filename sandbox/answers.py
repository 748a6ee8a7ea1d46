"""Answers as JSON, and the head of one as it is on the wire."""

from collections.abc import Iterable, Mapping

import orjson
from flask import Response


def json_answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that carries a document as JSON."""
    return Response(orjson.dumps(document), status, headers, content_type="application/json; charset=utf-8")


def head(status: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of an HTTP/1.1 answer up to and with the empty line."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")
