"""Commands, progress and outcomes as rows, and back; secrets leave the clear columns here."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import orjson

from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Checkpoint, Claim, InitiationRecord, Lease, State
from cobrowse.model import Command, Failure, Outcome, Secret, Session, Span, Status
from cobrowse.outcomes import state_of
from integrations.ledger.columns import BY_CHECKPOINT, BY_COMMAND, Row, values_of
from integrations.ledger.encryption import SecretBox, UnknownKey

T = TypeVar("T")

_SECRETS = tuple(name for name, kind in Session.__annotations__.items() if kind is Secret)
_PLAIN = tuple(name for name in Session._fields if name not in _SECRETS)
# What an outcome's JSON holds; its spans have a column of their own.
_OUTCOME_FIELDS = tuple(field.name for field in fields(Outcome) if field.name not in ("session", "spans", "replayed"))
# Attempts of an initiation that are kept: the first ones, and the last.
MAX_KEPT_ATTEMPTS = 20
# Between the outcomes of earlier attempts, and between an outcome and its spans: JSON has neither unescaped.
_SEPARATOR, _TAB = "\n", "\t"
# What reading raises if another program has written, or the disk has damaged, a row's content.
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OSError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class InitiationSample:
    """What an initiation adds to the figures of its minute. `seconds` is its last attempt's, None until that ends."""

    created: datetime
    state: State
    seconds: float | None
    upstream_calls: int
    rate_limited: int


def claim_params(claim: Claim, box: SecretBox) -> dict[str, object]:
    """The row of a new initiation. A user's own token is not part of it."""
    command = claim.command
    return {
        "id": claim.id,
        "lock_key": plain(claim.lock_key),
        "lease_owner": claim.lease_owner,
        "lease_seconds": claim.lease_seconds,
        "keyless": not claim.lock_key.startswith("key:"),
        "turn": plain(command.conversation_id or claim.id),
        **{name: _to_stored(getattr(command, name)) for name in BY_COMMAND},
        "settings": box.encrypt(command.session_settings),
        **checkpoint_params(claim.checkpoint, box),
    }


def checkpoint_params(checkpoint: Checkpoint, box: SecretBox, outcome: Outcome | None = None) -> dict[str, object]:
    """The columns of its progress and result; the result's secrets are in its own."""
    return {
        **{name: getattr(checkpoint, name) for name in BY_CHECKPOINT},
        "completed_steps": _json(checkpoint.completed_steps),
        "session": _json(_clear(checkpoint.session)),
        "secret": box.encrypt(_secrets(checkpoint.session, outcome)),
    }


def end_params(lease: Lease, checkpoint: Checkpoint, outcome: Outcome, box: SecretBox) -> dict[str, object]:
    """The columns that an attempt's end sets."""
    return checkpoint_params(checkpoint, box, outcome) | {
        **lease._asdict(),
        "state": state_of(outcome).value,
        "outcome": outcome_text(outcome),
        "spans": _json([(span.kind, span.name, span.start, span.seconds, span.result) for span in outcome.spans]),
        "error_code": outcome.failure.code if outcome.failure else "",
        "separator": _SEPARATOR,
        "tab": _TAB,
        "kept_attempts": MAX_KEPT_ATTEMPTS,
        "upstream_calls": outcome.upstream_calls,
    }


def record(values: tuple[Any, ...], box: SecretBox, *, leniently: bool = False) -> InitiationRecord:
    """The record that a row is. LedgerUnavailable if it can't be read.

    So it is if its secrets can't be opened, unless it is read `leniently`: they stay empty then.
    """
    try:
        return _record(Row._make(values), box, leniently=leniently)
    except _UNREADABLE as error:
        raise _unreadable(f"initiation {str(next(iter(values[1:]), ''))[:80]}", error) from None


def _unreadable(what: str, error: Exception) -> LedgerUnavailable:
    hint = "Delete its row, or put back what was altered in it; once deleted, its request counts as a new one."
    return LedgerUnavailable(f"{what} can't be read as this service wrote it ({type(error).__name__})", hint=hint)


def _record(row: Row, box: SecretBox, *, leniently: bool) -> InitiationRecord:
    try:
        settings, secret = box.decrypt(row.settings), box.decrypt(row.secret)
    except UnknownKey as error:
        if not leniently:
            message = f"initiation {row.id} was kept under a key that LEDGER_KEYS no longer has"
            hint = "Put the former key back into LEDGER_KEYS, after the new one, until the retention time has passed."
            raise LedgerUnavailable(message, hint=hint) from error
        settings, secret = {}, {}
    state = State(row.state)
    known = secret.get("progress", {})
    return InitiationRecord(
        id=row.id,
        command=_command(row, settings),
        state=state,
        attempts=row.attempts,
        checkpoint=_checkpoint(row, known),
        lease_owner=row.lease_owner,
        lease_left=max(0.0, row.lease_left) if state is State.RUNNING else 0.0,
        upstream_calls=row.upstream_calls,
        outcome=_outcome(row.outcome, row.spans, secret.get("outcome", known)) if row.outcome else None,
        earlier=_earlier(row.earlier),
        created=datetime.fromtimestamp(row.created, UTC),
        updated=datetime.fromtimestamp(row.updated, UTC),
        ended=datetime.fromtimestamp(row.ended, UTC) if row.ended else None,
        seq=row.seq,
    )


def sample(values: tuple[Any, ...]) -> InitiationSample:
    """The sample that a row of SAMPLES is. LedgerUnavailable if it can't be read."""
    created, state, calls, outcome, spans = values
    try:
        limited = sum(span[0] == "call" and span[4] == "429" for span in orjson.loads(spans))
        seconds = float(orjson.loads(outcome)["seconds"]) if outcome and state != State.RUNNING else None
        return InitiationSample(datetime.fromtimestamp(created, UTC), State(state), seconds, calls, limited)
    except _UNREADABLE as error:
        raise _unreadable("an initiation of the last hour", error) from None


def new_record(claim: Claim, seq: int, created: float) -> InitiationRecord:
    """The record of an initiation that this claim has just made, without reading it back."""
    command = claim.command
    at = datetime.fromtimestamp(created, UTC)
    return InitiationRecord(
        id=claim.id,
        command=replace(command, user_token=Secret()) if command.user_token else command,
        state=State.RUNNING,
        attempts=1,
        checkpoint=claim.checkpoint,
        lease_owner=claim.lease_owner,
        lease_left=claim.lease_seconds,
        created=at,
        updated=at,
        seq=seq,
    )


def plain(text: str) -> str:
    """A text as every database can hold it: PostgreSQL has no NUL."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _command(row: Row, settings: Mapping[str, Any]) -> Command:
    return Command(session_settings=settings, **values_of(row, BY_COMMAND))


def _checkpoint(row: Row, secret: Mapping[str, str]) -> Checkpoint:
    values = values_of(row, BY_CHECKPOINT)
    values["completed_steps"] = _texts(row.completed_steps)
    values["session"] = _session(orjson.loads(row.session), secret)
    return Checkpoint(**values)


def _outcome(text: str, spans: str, secret: Mapping[str, str]) -> Outcome:
    answered = orjson.loads(text)
    failure = answered.get("failure")
    outcome = _construct_known(
        Outcome,
        answered
        | {
            "status": Status(answered["status"]),
            "session": _session(answered["session"], secret),
            "failure": _construct_known(Failure, failure) if failure else None,
        },
    )
    return replace(outcome, spans=tuple(Span(*span) for span in orjson.loads(spans)))


def outcome_text(outcome: Outcome) -> str:
    """An outcome's column, which has neither its spans nor its secrets."""
    answered = {name: getattr(outcome, name) for name in _OUTCOME_FIELDS}
    return _json(answered | {"session": _clear(outcome.session)})


def readable_outcome(text: str) -> Outcome | None:
    """The outcome of such a column; None if it can't be read."""
    try:
        return _outcome(text, "[]", {})
    except _UNREADABLE:
        return None


def _earlier(lines: str) -> tuple[Outcome, ...]:
    """The outcomes of the attempts before, as COMPLETE has written them."""
    parts = (line.partition(_TAB) for line in lines.split(_SEPARATOR) if line)
    return tuple(_outcome(text, spans, {}) for text, _, spans in parts)


def _session(clear: Mapping[str, Any], secret: Mapping[str, str]) -> Session:
    targets = {"targets": tuple(clear["targets"])} if "targets" in clear else {}
    return _construct_known(Session, {**clear, **targets, **{name: Secret(value) for name, value in secret.items()}})


def _texts(text: str) -> tuple[str, ...]:
    values = orjson.loads(text)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("not a list of texts")
    return tuple(values)


def _construct_known(kind: type[T], values: Mapping[str, Any]) -> T:
    """Made of what this service knows: a newer one may have written more. TypeError if one is of another type."""
    types = _TYPES[kind]
    known = {name: value for name, value in values.items() if name in types}
    for name, value in known.items():
        if not isinstance(value, types[name]):
            raise TypeError(name)
    return kind(**known)


def _types(kind: type) -> dict[str, Any]:
    """The type of each field, as isinstance takes it. A whole number is accepted as a float."""
    found: dict[str, Any] = {}
    declarations: Mapping[str, Any] = kind.__annotations__
    for name, annotation in declarations.items():
        declared: Any = get_origin(annotation) or annotation
        if declared in (UnionType, Union):
            declared = annotation
        found[name] = declared | int if float in (declared, *get_args(declared)) else declared
    return found


_TYPES: Mapping[type, Mapping[str, Any]] = {kind: _types(kind) for kind in (Session, Outcome, Failure)}


def _clear(session: Session) -> dict[str, object]:
    return {name: value for name in _PLAIN if (value := getattr(session, name))}


def _secrets(checkpoint: Session, outcome: Outcome | None) -> dict[str, dict[str, str]]:
    """The secrets of what has been yielded so far; those of what was answered only where they are others."""
    kept = _hidden(checkpoint)
    answered = _hidden(outcome.session) if outcome else kept
    if answered != kept:
        return {"progress": kept, "outcome": answered}
    return {"progress": kept} if kept else {}


def _hidden(session: Session) -> dict[str, str]:
    return {name: value.reveal() for name in _SECRETS if (value := getattr(session, name))}


def _to_stored(value: object) -> object:
    return plain(value) if isinstance(value, str) else value


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
