"""The columns of the initiations' table: the only place that lists them, apart from the migrations.

A column that is called as a field of Command or Checkpoint is written from it, and read back into it.
"""

from typing import Any, NamedTuple

from cobrowse.ledger import Checkpoint
from cobrowse.model import Command


class Row(NamedTuple):
    """An initiation as it lies in the table. Times are epoch seconds; `lease_left` is reckoned when it is read."""

    seq: int
    id: str
    lock_key: str
    sender: str
    requested_by: str
    credential: str
    key: str
    fingerprint: str
    conversation_id: str
    channel: str | None
    latest: bool
    reuse_live_session: bool
    start_when: str
    deadline_seconds: float
    correlation_id: str
    settings: str
    action: str
    ends: str
    hand_over: bool
    state: str
    lease_owner: str
    attempts: int
    upstream_calls: int
    flow: str
    completed_steps: str
    pending_step: str
    may_have_notified: bool
    session: str
    secret: str
    outcome: str
    spans: str
    earlier: str
    error_code: str
    created: float
    updated: float
    ended: float
    lease_left: float


BY_COMMAND = tuple(name for name in Row._fields if name in Command.__dataclass_fields__)
BY_CHECKPOINT = Checkpoint._fields
_SWITCHES = frozenset(name for name, kind in Row.__annotations__.items() if kind is bool)


def values_of(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    """A row's values by name; SQLite has numbers where PostgreSQL has booleans."""
    return {name: bool(getattr(row, name)) if name in _SWITCHES else getattr(row, name) for name in names}
