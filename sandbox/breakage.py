"""What a fault does to an answer: another answer, or another way of sending it."""

import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

import orjson
from flask import request

from sandbox.answers import JSON, Answer, head, json_answer, status_line
from sandbox.errors import CODES, USUAL_CODE, OAuthError, error_body
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


def _status(fault: Fault, answer: Answer, context_id: str, operation: str) -> Answer:
    parameters = fault.parameters
    status = parameters["status"]
    retry = parameters.get("retry_after")
    headers = {} if retry is None else {"Retry-After": str(retry)}
    headers |= {name: str(value) for name, value in parameters.get("headers", {}).items()}
    if status < 400:
        return replace(answer, status=status, headers={**answer.headers, **headers})
    if operation == "token" and status in {400, 401}:
        refused = OAuthError(
            status, parameters.get("code", "invalid_client"), parameters.get("message", "authentication failed")
        )
        return replace(refused.answer(context_id), headers=headers)
    default_code = (
        "too.many.requests" if status == 429 and retry is None else USUAL_CODE.get(status, "internal.server.error")
    )
    code = parameters.get("code", default_code)
    row = CODES.get(code)
    placeholders = {"seconds": str(retry), "permissions": "conversation:cobrowse:add", "maximumBytes": "512000"}
    placeholders |= {"limit": "300", "window": "60", "value": "", "type": "", "allowableValues": ""}
    message = parameters.get("message", row.message.format(**placeholders) if row else code)
    return json_answer(error_body(status, code, message, context_id), status, headers)


def _echo(fault: Fault, *_: object) -> Answer:
    """A gateway that quotes the request in its error, in all the places that a message is read from."""
    status = fault.parameters["status"]
    presented = request.headers.get("Authorization", "")
    url = f"{request.url}?token={presented.partition(' ')[2]}"
    quoted = f"{presented} was refused for {url} {request.get_data(as_text=True)}"
    return json_answer({"code": "echo", "message": quoted, "error_description": quoted, "contextId": presented}, status)


def _redirect(fault: Fault, answer: Answer, *_: str) -> Answer:
    location = quote(fault.parameters["location"], safe="/:?#[]@!$&'()*+,;=%")
    return replace(answer, status=fault.parameters["status"], body=b"", headers={"Location": location})


# Kinds that say something else; a kind not here leaves the answer as it is.
_REPLACEMENTS: Mapping[str, Callable[[Fault, Answer, str, str], Answer]] = {
    "status": _status,
    "wrong_json": lambda fault, answer, *_: replace(answer, body=orjson.dumps(fault.parameters["body"])),
    "not_json": lambda fault, answer, *_: replace(
        answer, status=fault.parameters["status"], body=_PAGE, content_type="text/html"
    ),
    "empty": lambda _fault, answer, *_: replace(answer, body=b""),
    "wrong_type": lambda fault, answer, *_: replace(answer, content_type=fault.parameters["content_type"]),
    "echo": _echo,
    "redirect": _redirect,
}


def apply_response_fault(fault: Fault, answer: Answer, context_id: str, operation: str) -> Answer:
    """The answer that is given in place of this one."""
    replacement = _REPLACEMENTS.get(fault.kind)
    return answer if replacement is None else replacement(fault, answer, context_id, operation)


def _drop(fault: Fault, _answer: Answer, _headers: object, wire: Wire) -> Iterator[bytes]:
    yield from ()  # what makes this a generator: it fails when it is sent, not when it is made
    if fault.parameters["how"] == "rst" and wire.connection is not None:
        wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    raise ConnectionAbortedError("a fault: no answer")


def _truncate(_fault: Fault, answer: Answer, *_: object) -> Iterator[bytes]:
    yield answer.body[: len(answer.body) // 2]
    raise ConnectionAbortedError("a fault: half an answer")


def _drip(fault: Fault, answer: Answer, headers: list[tuple[str, str]], wire: Wire) -> Iterator[bytes]:
    seconds = fault.parameters["seconds"]
    sends_head = fault.parameters["part"] == "all" and wire.connection is not None
    opening = head(status_line(answer.status), [*headers, ("Connection", "close")]) if sends_head else b""
    data = opening + answer.body
    for place in range(len(data)):
        byte = data[place : place + 1]
        if sends_head and wire.connection is not None:
            wire.connection.sendall(byte)
        else:
            yield byte
        if wire.pause(seconds):
            raise ConnectionAbortedError("the sandbox stops")
    if sends_head:
        raise ConnectionAbortedError("all of it is sent already")


def _huge(fault: Fault, answer: Answer, *_: object) -> Iterator[bytes]:
    opening = _pad(answer.body)
    yield opening
    remaining = _padding(fault)
    while remaining > 0:
        yield b"x" * min(remaining, _CHUNK)
        remaining -= _CHUNK
    yield b'"}'


# Kinds that send the answer in another way.
_SENDINGS: Mapping[str, Callable[[Fault, Answer, list[tuple[str, str]], Wire], Iterator[bytes]]] = {
    "drop": _drop,
    "truncate": _truncate,
    "drip": _drip,
    "huge": _huge,
}


def render(
    fault: Fault | None, answer: Answer, context_id: str, wire: Wire
) -> tuple[list[tuple[str, str]], Iterable[bytes]]:
    """The headers and the pieces of the body, as the fault has them sent.

    Raises:
        ConnectionAbortedError: from the pieces, where the connection is to be cut.
    """
    length = len(answer.body)
    if fault is not None and fault.kind == "huge":
        length = len(_pad(answer.body)) + _padding(fault) + len(b'"}')
    kind = answer.content_type if answer.content_type != JSON else f"{JSON}; charset=utf-8"
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(length)),
        ("ININ-Correlation-Id", context_id),
        # So that a service with SANDBOX=true can verify that this is one.
        ("X-Genesys-Sandbox", "1"),
        *answer.headers.items(),
    ]
    send = None if fault is None else _SENDINGS.get(fault.kind)
    if fault is None or send is None:
        return headers, (answer.body,)
    return headers, send(fault, answer, headers, wire)


def _pad(body: bytes) -> bytes:
    """The good response up to the field that makes it huge; read whole it is still valid."""
    start = body.rstrip()[:-1] if body.startswith(b"{") else b"{"
    return start + (b"" if start == b"{" else b",") + b'"padding":"'


def _padding(fault: Fault) -> int:
    megabytes: int = fault.parameters["megabytes"]
    return megabytes * MEGABYTE
