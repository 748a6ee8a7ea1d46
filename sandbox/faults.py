"""Faults on demand: the fields of each kind, and which queued fault applies to a call."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.fields import Reader, Refused, choice, mapping, number, text, whole

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

_REQUIRED = object()


@dataclass(frozen=True)
class Lag:
    """How long a new medium stays unseen: for so many looks at its conversation, and for so many seconds."""

    looks: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Parameter:
    """A field of one kind of fault; without a default it must be given."""

    read: Reader
    default: object = _REQUIRED


@dataclass(frozen=True)
class Kind:
    """A way to fail: its fields, and when it can strike; the first of `whens` is the default."""

    parameters: Mapping[str, Parameter]
    whens: tuple[str, ...] = ("before", "after")


@dataclass(frozen=True)
class Fault:
    """One requested fault; `times` is None for one that always applies."""

    operation: str
    kind: str
    when: str
    times: int | None
    parameters: Mapping[str, Any]


def _one_of(*choices: object) -> Reader:
    return lambda value, field: choice(value, field, choices)


def _status(value: object, field: str) -> object:
    return whole(value, field, 200, 599)


def _seconds(value: object, field: str) -> object:
    return number(value, field, 0, HOUR)


def _retry_after(value: object, field: str) -> object:
    """The header's value: seconds as a number, and an HTTP date or anything else as text, passed on as it is."""
    if isinstance(value, str):
        return text(value, field)
    return f"{number(value, field, 0, 1e9):g}" if isinstance(value, float) else str(whole(value, field, 0, 10**9))


def _headers(value: object, field: str) -> object:
    """More headers, as those of a token's budget, which Genesys sends without a Retry-After now and then."""
    if not isinstance(value, dict) or not value:
        raise Refused(f"{field}: must be an object of header names and values")
    return {text(name, field): text(str(content), field) for name, content in value.items()}


def _redirect(value: object, field: str) -> object:
    return int(choice(whole(value, field, 301, 308), field, (301, 302, 303, 307, 308)))


def _as_is(value: object, _field: str) -> object:
    return value


_AFTER_ONLY = ("after",)  # kinds that spoil the real answer: by then the call has done its work
_BOTH_AFTER_FIRST = ("after", "before")

KINDS: Mapping[str, Kind] = {
    "status": Kind(
        {
            "status": Parameter(_status),
            "code": Parameter(text, None),
            "message": Parameter(text, None),
            "retry_after": Parameter(_retry_after, None),
            "headers": Parameter(_headers, None),
        }
    ),
    "delay": Kind({"seconds": Parameter(_seconds)}),
    "drop": Kind({"how": Parameter(_one_of("fin", "rst"), "fin")}),
    "truncate": Kind({}, _AFTER_ONLY),
    "drip": Kind({"seconds": Parameter(_seconds), "part": Parameter(_one_of("body", "all"), "body")}, _AFTER_ONLY),
    "wrong_json": Kind({"body": Parameter(_as_is, [])}, _BOTH_AFTER_FIRST),
    "not_json": Kind({"status": Parameter(_status, 200)}, _BOTH_AFTER_FIRST),
    "empty": Kind({}, _BOTH_AFTER_FIRST),
    "wrong_type": Kind({"content_type": Parameter(text, "text/plain")}, _AFTER_ONLY),
    "echo": Kind({"status": Parameter(lambda value, field: whole(value, field, 400, 599), 502)}),
    "redirect": Kind({"location": Parameter(text), "status": Parameter(_redirect, 302)}),
    "huge": Kind({"megabytes": Parameter(lambda value, field: whole(value, field, 1, 1024))}, _BOTH_AFTER_FIRST),
    "expire_token": Kind({}),
    "lag": Kind(
        {
            "looks": Parameter(lambda value, field: whole(value, field, 1, 1000), None),
            "seconds": Parameter(_seconds, None),
        },
        _AFTER_ONLY,
    ),
}

_COMMON = ("operation", "kind", "when", "times")


def parse(document: object) -> Fault:
    """The fault that a document asks for.

    Raises:
        Refused: a field is missing or unknown, or its value can't be used; the message names it and what it may be.
    """
    if not isinstance(document, dict):
        raise Refused(f"the document must be a JSON object with {', '.join(_COMMON)} and the kind's own fields")
    name = choice(document.get("kind"), "kind", KINDS)
    kind = KINDS[name]
    fields = mapping(document, (*_COMMON, *kind.parameters))
    operation = choice(fields.get("operation"), "operation", (*OPERATIONS, "any"))
    when = choice(fields.get("when", kind.whens[0]), f"when (of {name})", kind.whens)
    times = fields.get("times", 1)
    if times != ALWAYS and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise Refused(f'times: must be a whole number from 1, or "{ALWAYS}"')
    fault = Fault(operation, name, when, times if isinstance(times, int) else None, _parameters(name, fields))
    _check_fit(fault)
    return fault


def _parameters(name: str, fields: Mapping[str, object]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for field, parameter in KINDS[name].parameters.items():
        value = fields.get(field, parameter.default)
        if value is _REQUIRED:
            raise Refused(f"{field}: {name} needs it")
        read[field] = parameter.read(value, field) if field in fields else value
    return read


def _check_fit(fault: Fault) -> None:
    """Refuse what each field allows but the fields together don't."""
    if fault.kind == "lag":
        choice(fault.operation, "operation (of lag)", _LAGGING)
        if (fault.parameters["looks"] is None) == (fault.parameters["seconds"] is None):
            raise Refused("looks: lag needs either looks or seconds")
    if fault.kind == "expire_token" and fault.operation in _LOGINS and fault.when == "before":
        raise Refused(f"when: expire_token on {fault.operation} needs after, since no token is presented there")


@dataclass
class QueuedFault:
    """A fault in the queue; `left` is None for one that never wears out."""

    fault: Fault
    left: int | None
    fired: int = 0

    def document(self) -> dict[str, object]:
        """The fault as the control endpoint shows it."""
        parameters = {name: value for name, value in self.fault.parameters.items() if value is not None}
        return {
            "operation": self.fault.operation,
            "kind": self.fault.kind,
            "when": self.fault.when,
            "times": ALWAYS if self.fault.times is None else self.fault.times,
            **parameters,
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
            Refused: as `parse`.
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
                    fields = _fire(one).fault.parameters
                    return Lag(fields["looks"] or 0, fields["seconds"] or 0.0)
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
