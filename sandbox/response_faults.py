"""The effect of each fault on an answer: its content, or how it is sent."""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import orjson
from flask import Response, request

from sandbox.answers import head, json_answer
from sandbox.calls import Call
from sandbox.errors import CODES, DEFAULT_CODES, OAuthError, error_body
from sandbox.faults import Fault

MEGABYTE = 1_000_000
_CHUNK = 65_536  # bytes of a huge body sent at a time

# SO_LINGER on with no seconds: closing sends RST at once, and what is unsent is thrown away.
RESET = struct.pack("ii", 1, 0)
# What a firewall or CDN says in the place of Genesys.
_PAGE = b"<!DOCTYPE html>\n<html><head><title>One moment</title></head><body>Please wait.</body></html>\n"


@dataclass(frozen=True)
class Wire:
    """What sending needs: the connection (None without a server) and a wait that says whether the server stops."""

    connection: socket.socket | None
    pause: Callable[[float], bool]


def _status(fault: Fault, answer: Response, call: Call, _wire: Wire) -> Response:
    parameters = fault.parameters
    status = parameters["status"]
    retry = parameters.get("retry_after")
    headers = {} if retry is None else {"Retry-After": str(retry)}
    headers |= {name: str(value) for name, value in parameters.get("headers", {}).items()}
    if status < 400:
        answer.status_code = status
    elif call.operation == "token" and status in {400, 401}:
        error = parameters.get("code", "invalid_client")
        answer = OAuthError(status, error, parameters.get("message", "authentication failed")).answer("")
    else:
        usual = DEFAULT_CODES.get(status, "internal.server.error")
        if status == 429 and retry is None:
            usual = "too.many.requests"
        code = parameters.get("code", usual)
        row = CODES.get(code)
        placeholders = {"seconds": str(retry), "permissions": "conversation:cobrowse:add", "maximumBytes": "512000"}
        placeholders |= {"limit": "300", "window": "60", "value": "", "type": "", "allowableValues": ""}
        message = parameters.get("message", row.message.format(**placeholders) if row else code)
        answer = json_answer(error_body(status, code, message, call.correlation_id), status)
    answer.headers.update(headers)
    return answer


def _echo(fault: Fault, *_: object) -> Response:
    """A gateway that quotes the request in its error, in all the places that a message is read from."""
    presented = request.headers.get("Authorization", "")
    url = f"{request.url}?token={presented.partition(' ')[2]}"
    quoted = f"{presented} was refused for {url} {request.get_data(as_text=True)}"
    document = {"code": "echo", "message": quoted, "error_description": quoted, "contextId": presented}
    return json_answer(document, fault.parameters["status"])


def _redirect(fault: Fault, *_: object) -> Response:
    location = quote(fault.parameters["location"], safe="/:?#[]@!$&'()*+,;=%")
    return Response(status=fault.parameters["status"], headers={"Location": location})


def _replace_body(
    answer: Response, body: bytes, content_type: str | None = None, status: int | None = None
) -> Response:
    """The answer with another body, and another type and status if they are given."""
    answer.set_data(body)
    answer.content_type = content_type or answer.content_type
    answer.status_code = status or answer.status_code
    return answer


def _stream_body(answer: Response, pieces: Iterator[bytes], length: int | None = None) -> Response:
    """The answer sent in these pieces; ConnectionAbortedError from them cuts the connection."""
    answer.headers["Content-Length"] = str(len(answer.get_data()) if length is None else length)
    answer.response = pieces
    return answer


def _drop(fault: Fault, wire: Wire) -> Iterator[bytes]:
    yield from ()  # what makes this a generator: it fails when it is sent, not when it is made
    if fault.parameters["how"] == "rst" and wire.connection is not None:
        wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    raise ConnectionAbortedError("a fault: no answer")


def _truncate(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionAbortedError("a fault: half an answer")


def _drip(fault: Fault, answer: Response, body: bytes, wire: Wire) -> Iterator[bytes]:
    sends_head = fault.parameters["part"] == "all" and wire.connection is not None
    opening = head(answer.status, [*answer.headers, ("Connection", "close")]) if sends_head else b""
    data = opening + body
    for place in range(len(data)):
        byte = data[place : place + 1]
        if sends_head and wire.connection is not None:
            wire.connection.sendall(byte)
        else:
            yield byte
        if wire.pause(fault.parameters["seconds"]):
            raise ConnectionAbortedError("the sandbox stops")
    if sends_head:
        raise ConnectionAbortedError("all of it is sent already")


def _huge(fault: Fault, answer: Response, *_: object) -> Response:
    """The good response with a field that makes it huge; read whole it is still valid."""
    body = answer.get_data()
    start = body.rstrip()[:-1] if body.startswith(b"{") else b"{"
    opening = start + (b"" if start == b"{" else b",") + b'"padding":"'
    padding: int = fault.parameters["megabytes"] * MEGABYTE

    def pieces() -> Iterator[bytes]:
        yield opening
        for sent in range(0, padding, _CHUNK):
            yield b"x" * min(padding - sent, _CHUNK)
        yield b'"}'

    return _stream_body(answer, pieces(), len(opening) + padding + len(b'"}'))


# What each kind does; one that is not here leaves the answer as it is.
_EFFECTS: Mapping[str, Callable[[Fault, Response, Call, Wire], Response]] = {
    "status": _status,
    "wrong_json": lambda fault, answer, *_: _replace_body(answer, orjson.dumps(fault.parameters["body"])),
    "not_json": lambda fault, answer, *_: _replace_body(answer, _PAGE, "text/html", fault.parameters["status"]),
    "empty": lambda _fault, answer, *_: _replace_body(answer, b""),
    "wrong_type": lambda fault, answer, *_: _replace_body(answer, answer.get_data(), fault.parameters["content_type"]),
    "echo": _echo,
    "redirect": _redirect,
    "drop": lambda fault, answer, _call, wire: _stream_body(answer, _drop(fault, wire)),
    "truncate": lambda _fault, answer, *_: _stream_body(answer, _truncate(answer.get_data())),
    "drip": lambda fault, answer, _call, wire: _stream_body(answer, _drip(fault, answer, answer.get_data(), wire)),
    "huge": _huge,
}


def apply_response_fault(fault: Fault, answer: Response, call: Call, wire: Wire) -> Response:
    """The answer that is given in place of this one. Its head is read when it is sent, so headers may be added."""
    effect = _EFFECTS.get(fault.kind)
    return answer if effect is None else effect(fault, answer, call, wire)
