"""Faults on demand: the fields of each kind, and which queued fault applies to a call."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from sandbox.documents import Document, InvalidDocument, check_text, integer, number, one_of, read, text

OPERATIONS = (
    *("token", "list", "conversation", "create", "attach", "cobrowse", "disconnect", "cobrowsesessions"),
    *("attributes", "channel", "subscribe", "queues", "users", "details"),
    *("authorize", "user_token", "me"),
)
ALWAYS = "always"
HOUR = 3600.0

# Those to which no token is shown.
_LOGINS = ("token", "user_token", "authorize")
# The operations that put a medium into a conversation, and the one that shows it: where a lag can be set.
_LAGGING = ("conversation", "attach", "cobrowse", "any")


@dataclass(frozen=True)
class Lag:
    """How long a new medium stays unseen: for `reads` GETs of its conversation, and for `seconds`."""

    reads: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Fault:
    """One requested fault; `times` is None for one that always applies, `parameters` are its kind's own."""

    operation: str
    kind: str
    when: str
    times: int | None
    parameters: Mapping[str, Any]


def _check_times(value: object) -> None:
    if value != ALWAYS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValidationError(f'must be a whole number from 1, or "{ALWAYS}"')


def _check_retry_after(value: object) -> None:
    """Seconds, or an HTTP date or any other text, which is passed on as it is."""
    if isinstance(value, int | float) and (isinstance(value, bool) or not 0 <= value <= 1e9):
        raise ValidationError("must be a number from 0 to 1e9, or text")
    check_text(str(value))


def _kind(*whens: str, **own: fields.Field[Any]) -> Schema:
    """A way to fail: when it can strike, the first by default, and its own fields."""
    common: dict[str, fields.Field[Any]] = {
        "operation": one_of((*OPERATIONS, "any"), required=True),
        "kind": fields.Raw(),
        "when": one_of(whens, load_default=whens[0]),
        "times": fields.Raw(load_default=1, validate=_check_times),
    }
    return Document.from_dict(common | own)()


_BEFORE_OR_AFTER = ("before", "after")
_AFTER_OR_BEFORE = ("after", "before")
_AFTER = ("after",)  # kinds that spoil the real answer: by then the call has done its work

KINDS: Mapping[str, Schema] = {
    "status": _kind(
        *_BEFORE_OR_AFTER,
        status=integer(200, 599, required=True),
        code=text(),
        message=text(),
        retry_after=fields.Raw(validate=_check_retry_after),
        # As those of a token's budget, which Genesys sends without a Retry-After now and then.
        headers=fields.Dict(keys=text(), values=fields.Raw(validate=lambda value: check_text(str(value)))),
    ),
    "delay": _kind(*_BEFORE_OR_AFTER, seconds=number(HOUR, required=True)),
    "drop": _kind(*_BEFORE_OR_AFTER, how=one_of(("fin", "rst"), load_default="fin")),
    "truncate": _kind(*_AFTER),
    "drip": _kind(*_AFTER, seconds=number(HOUR, required=True), part=one_of(("body", "all"), load_default="body")),
    "wrong_json": _kind(*_AFTER_OR_BEFORE, body=fields.Raw(load_default=list, allow_none=True)),
    "not_json": _kind(*_AFTER_OR_BEFORE, status=integer(200, 599, load_default=200)),
    "empty": _kind(*_AFTER_OR_BEFORE),
    "wrong_type": _kind(*_AFTER, content_type=text(load_default="text/plain")),
    "echo": _kind(*_BEFORE_OR_AFTER, status=integer(400, 599, load_default=502)),
    "redirect": _kind(
        *_BEFORE_OR_AFTER, location=text(required=True), status=one_of((301, 302, 303, 307, 308), load_default=302)
    ),
    "huge": _kind(*_AFTER_OR_BEFORE, megabytes=integer(1, 1024, required=True)),
    "expire_token": _kind(*_BEFORE_OR_AFTER),
    "lag": _kind(*_AFTER, operation=one_of(_LAGGING, required=True), reads=integer(1, 1000), seconds=number(HOUR)),
}
_KIND = Document.from_dict({"kind": one_of(KINDS, required=True)})(unknown=EXCLUDE)


def parse(document: object) -> Fault:
    """The fault that a document asks for.

    Raises:
        InvalidDocument: a field is missing, unknown or of a wrong value; the message names it and what it may be.
    """
    kind = read(_KIND, document)["kind"]
    given = read(KINDS[kind], document)
    operation, when, times = given.pop("operation"), given.pop("when"), given.pop("times")
    del given["kind"]
    if kind == "lag" and len(given) != 1:
        raise InvalidDocument("reads: lag needs either reads or seconds")
    if kind == "expire_token" and operation in _LOGINS and when == "before":
        raise InvalidDocument(f"when: expire_token on {operation} needs after, since no token is presented there")
    return Fault(operation, kind, when, None if times == ALWAYS else times, given)


@dataclass
class QueuedFault:
    """A fault in the queue; `left` is None for one that never wears out."""

    fault: Fault
    left: int | None
    fired: int = 0

    def document(self) -> dict[str, object]:
        """The fault as the control endpoint shows it."""
        return {
            "operation": self.fault.operation,
            "kind": self.fault.kind,
            "when": self.fault.when,
            "times": ALWAYS if self.fault.times is None else self.fault.times,
            **self.fault.parameters,
            "fired": self.fired,
            "left": ALWAYS if self.left is None else self.left,
        }


class Faults:
    """The requested faults, in their order: the oldest that fits a call and isn't used up applies to it.

    A lag is the exception: it waits beside the queue, so that it can go with another fault on the same call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[QueuedFault] = []

    def add(self, operation: str, kind: str, **fields: object) -> QueuedFault:
        """Ask for a fault in Python, with the fields of the control endpoint.

        Raises:
            InvalidDocument: as `parse`.
        """
        return self.enqueue(parse({"operation": operation, "kind": kind, **fields}))

    def enqueue(self, fault: Fault) -> QueuedFault:
        """Put a fault at the end of the queue."""
        queued = QueuedFault(fault, fault.times)
        with self._lock:
            self._queue.append(queued)
        return queued

    def clear(self) -> None:
        """Ask for no faults any more."""
        with self._lock:
            self._queue.clear()

    def all(self) -> list[QueuedFault]:
        """Every requested fault, those used up too, each with how often it fired."""
        with self._lock:
            return list(self._queue)

    def take(self, operation: str) -> QueuedFault | None:
        """The fault that strikes a call of this operation; it counts as fired unless it is given back."""
        with self._lock:
            for one in self._queue:
                fault = one.fault
                if fault.kind == "lag" or (
                    fault.kind == "expire_token" and operation in _LOGINS and fault.when == "before"
                ):
                    continue
                if fault.operation in {operation, "any"} and one.left != 0:
                    return _fire(one)
        return None

    def next_visibility_delay(self, operation: str) -> Lag:
        """How long the medium that this operation makes stays unseen."""
        with self._lock:
            for one in self._queue:
                if (
                    one.fault.kind == "lag"
                    and one.left != 0
                    and one.fault.operation in {operation, "conversation", "any"}
                ):
                    return Lag(**_fire(one).fault.parameters)
        return Lag()

    def give_back(self, queued: QueuedFault) -> None:
        """The call failed by itself: a fault for calls that worked waits for the next."""
        with self._lock:
            queued.fired -= 1
            if queued.left is not None:
                queued.left += 1


def _fire(queued: QueuedFault) -> QueuedFault:
    queued.fired += 1
    if queued.left is not None:
        queued.left -= 1
    return queued
