"""The columns of the initiations' table: the one place that a column stands in, besides its migration.

A column that is marked COMMAND or CHECKPOINT is written, and read back, as the field of the same name of that value.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

# Who writes a column: the claim, from its command; the claim and each checkpoint after it.
COMMAND, CHECKPOINT = "command", "checkpoint"


class Row(NamedTuple):
    """An initiation as it lies in the table. Times are epoch seconds; `lease_left` is reckoned when it is read."""

    seq: int
    id: str
    lock_key: str
    sender: Annotated[str, COMMAND]
    requested_by: Annotated[str, COMMAND]
    credential: Annotated[str, COMMAND]
    key: Annotated[str, COMMAND]
    fingerprint: Annotated[str, COMMAND]
    conversation_id: str
    channel: Annotated[str | None, COMMAND]
    latest: Annotated[bool, COMMAND]
    reuse_live_session: Annotated[bool, COMMAND]
    start_when: Annotated[str, COMMAND]
    deadline_seconds: Annotated[float, COMMAND]
    correlation_id: Annotated[str, COMMAND]
    settings: str
    action: Annotated[str, COMMAND]
    ends: Annotated[str, COMMAND]
    hand_over: Annotated[bool, COMMAND]
    state: str
    lease_owner: str
    attempts: int
    upstream_calls: int
    flow: Annotated[str, CHECKPOINT]
    completed_steps: Annotated[str, CHECKPOINT]
    pending_step: Annotated[str, CHECKPOINT]
    may_have_notified: Annotated[bool, CHECKPOINT]
    session: Annotated[str, CHECKPOINT]
    secret: Annotated[str, CHECKPOINT]
    outcome: str
    spans: str
    earlier: str
    error_code: str
    created: float
    updated: float
    ended: float
    lease_left: float


_HINTS: Mapping[str, Any] = get_type_hints(Row, include_extras=True)
_SWITCHES = frozenset(name for name, hint in get_type_hints(Row).items() if hint is bool)


def _written_by(writer: str) -> tuple[str, ...]:
    """The columns that are marked so, in their order."""
    return tuple(name for name, hint in _HINTS.items() if get_origin(hint) is Annotated and writer in get_args(hint))


BY_COMMAND, BY_CHECKPOINT = _written_by(COMMAND), _written_by(CHECKPOINT)


def values_of(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    """A row's values by name; SQLite has numbers where PostgreSQL has booleans."""
    return {name: bool(getattr(row, name)) if name in _SWITCHES else getattr(row, name) for name in names}
