"""Parses a request: its body within limits, its JSON, whom it comes from, its correlation id and idempotency key."""

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from flask import Request, g, request
from flask.ctx import _AppCtxGlobals
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import Headers

from cobrowse.errors import BodyTooLarge, MalformedKey, MalformedRequest, Overloaded, RequestTimeout, UnsupportedType
from integrations.event_loop import new_native_lock
from schemas.addresses import is_loopback
from schemas.texts import SHOWN_LENGTH, input_name, placeholder_in

KEY_LENGTH = 255
# Bytes of bodies that a process holds at once while they arrive: half-sent ones must not fill its memory. A connection
# holds CHUNK_BYTES at max_bytes beyond what its client has sent, so opening many reserves little.
MAX_ARRIVING_BYTES, CHUNK_BYTES = 67_108_864, 8_192
# Headers by which a proxy says for whom it asks.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})
_VISIBLE = re.compile(r"[\x21-\x7e]{1,128}")
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class BodyBudget:
    """A limit on the bytes held by all requests of a process together."""

    def __init__(self, max_bytes: int = MAX_ARRIVING_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = new_native_lock()
        self.bytes_held = 0

    def reserve(self, size: int) -> None:
        """Reserve this many more bytes. Overloaded if that exceeds the budget."""
        with self._lock:
            if self.bytes_held + size > self._max_bytes:
                raise Overloaded("too many bodies are arriving at once", retry_after=1.0)
            self.bytes_held += size

    def release(self, size: int) -> None:
        """Release this many bytes."""
        with self._lock:
            self.bytes_held -= size


SHARED = BodyBudget()


def current_request() -> Request:
    """Flask's request object: its proxy would look it up at each access."""
    return request._get_current_object()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001 - werkzeug's documented way


def current_globals() -> _AppCtxGlobals:
    """Flask's `g` object: the correlation id, and what one hook passes to another."""
    return g._get_current_object()  # type: ignore[no-any-return]  # noqa: SLF001 - as above


def read_body(request: Request, limit: int | None = None, budget: BodyBudget = SHARED) -> bytes:
    """The body as it came, at max_bytes `limit` bytes of it, within MAX_BODY_BYTES.

    Chunked ones, which have no length, are counted while they are read.
    Werkzeug's own limit cuts a chunked body at the limit without a word, so this one reads past it by a byte.

    Raises:
        BodyTooLarge, RequestTimeout, MalformedRequest: It is not to be had.
        Overloaded: Other bodies that are arriving fill the budget.
    """
    largest = request.max_content_length or 0
    limit = largest if limit is None else min(limit, largest)
    declared = request.content_length
    if declared is None and not request.environ.get("wsgi.input_terminated"):
        declared = 0  # neither a length nor a server that knows the end: reading could wait for ever
    _check_size(declared or 0, limit)  # unread: the server closes its connection then
    body = _read_body(request, limit + 1 if declared is None else declared, budget)
    _check_size(len(body), limit)
    if declared is not None and len(body) < declared:
        raise RequestTimeout("the body ended before it was complete")
    return body


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes")


def _read_body(request: Request, size: int, budget: BodyBudget) -> bytes:
    stream, body, taken = request.environ["wsgi.input"], bytearray(), 0
    try:
        while len(body) < size:
            piece = min(CHUNK_BYTES, size - len(body))
            budget.reserve(piece)
            taken += piece
            chunk = stream.read(piece)
            if not chunk:
                break
            body += chunk
    except OSError:
        # gunicorn's own error for a cut body is an OSError.
        raise RequestTimeout("the body ended before it was complete") from None
    except ParseException:
        raise MalformedRequest("the body's chunks or trailers are not as HTTP has them") from None
    finally:
        budget.release(taken)
    return bytes(body)


def require_json(request: Request) -> None:
    """Raise UnsupportedType unless the Content-Type is JSON and the body is not compressed."""
    kind = request.mimetype
    if kind != "application/json":
        raise UnsupportedType(f"the Content-Type is {kind[:80]!r}" if kind else "there is no Content-Type")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedType(
            f"the body is compressed as {encoding[:40]!r}, which is not read here",
            hint="Send the body as it is, without the header Content-Encoding.",
        )


def is_this_machine(remote_addr: str, host: str, header_names: Iterable[str]) -> bool:
    """Whether a request comes directly from this machine, for this machine. `remote_addr`: the connection's address.

    A page of anybody's can have its own name point to this machine, so that a browser here sends the request (DNS
    rebinding). The Host header, `host`, still has that name.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    is_direct = _FORWARDED.isdisjoint(name.lower() for name in header_names)
    return is_loopback(name) and is_loopback(remote_addr) and is_direct


def correlation_id(headers: Headers, new_id: Callable[[], str]) -> str:
    """The caller's correlation id if it is a plain one, else a new one: it goes into logs and on to Genesys."""
    for name in ("ININ-Correlation-Id", "X-Correlation-Id"):
        value = headers.get(name, "").strip()
        if _VISIBLE.fullmatch(value) and not placeholder_in(value):
            return value
    return new_id()


def idempotency_key(value: str, where: str = "Idempotency-Key") -> str:
    """The caller's own key; "" if there is none, as an empty one counts.

    A placeholder that was not filled in is rejected: its caller expects idempotency and would not have it.
    """
    value = value.strip()
    if not value:
        return ""
    if placeholder := placeholder_in(value):
        name = input_name(placeholder, where)
        raise MalformedKey(f"{where}: the data action's input {name} was not set; {value[:SHOWN_LENGTH]!r} came")
    if len(value) > KEY_LENGTH or not _KEY.fullmatch(value):
        raise MalformedKey(f"{where}: longer than 255 characters, or not visible ASCII")
    return value


def prefers_real_status(headers: Headers) -> bool:
    """Whether the caller asks, with `Prefer: status`, for the real HTTP status (RFC 7240's way to ask)."""
    preferences = headers.get("Prefer", "").lower().replace(";", ",").split(",")
    return "status" in (payload.strip() for payload in preferences)
