"""Lists of initiations for people: the newest that fit, an hour's samples, counts by state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cobrowse.ledger import InitiationRecord, State
from integrations.ledger import queries, record_columns
from integrations.ledger.database import Database, Params
from integrations.ledger.encryption import SecretBox
from integrations.ledger.record_columns import InitiationSample

# An hour of four tokens at Genesys's limit of 300 calls a minute, four calls an initiation; some 30 megabytes.
MAX_SAMPLES = 20_000
# What follows every text that begins with a prefix.
_BEYOND = "\U0010ffff"

_Values = tuple[Any, ...]


class Listings:
    """Reads many rows of a ledger's database, off the loop."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    def recent(
        self,
        limit: int,
        *,
        before_seq: int | None = None,
        search: str | None = None,
        state: State | None = None,
        sender: str | None = None,
    ) -> tuple[InitiationRecord, ...]:
        """The newest first. `search` is the start of an id, a conversation's, a key or a correlation id."""
        wanted = {
            "before_seq": before_seq,
            "search": record_columns.plain(search or "") or None,
            "state": state and state.value,
            "sender": sender,
        }
        return self._newest(wanted, {"beyond": f"{wanted['search']}{_BEYOND}", "limit": limit})

    def own(
        self,
        sender: str,
        credential: str,
        *,
        conversation_id: str | None = None,
        key: str | None = None,
        correlation_id: str | None = None,
        since: datetime | None = None,
        before_seq: int | None = None,
        action: str | None = None,
        limit: int = 1,
    ) -> tuple[InitiationRecord, ...]:
        """A credential's own, the newest first; of those that are given each must fit. `since` is when it came."""
        wanted = {
            "sender": sender,
            "credential": record_columns.plain(credential),
            "conversation_id": conversation_id,
            "key": key,
            "correlation_id": correlation_id,
            "since": since and since.timestamp(),
            "before_seq": before_seq,
            "action": action,
        }
        return self._newest(wanted, {"limit": limit})

    def recent_samples(self, seconds: float) -> tuple[InitiationSample, ...]:
        """Samples of the initiations of the last so many seconds, the newest first; at most MAX_SAMPLES."""
        params = {"seconds": seconds, "limit": MAX_SAMPLES}
        return tuple(self._database.scan(queries.SAMPLES, params, record_columns.sample))

    def counts(self, seconds: float) -> Mapping[State, int]:
        """How many of the initiations of the last so many seconds stand where."""
        found: dict[str, int] = dict(self._database.scan(queries.COUNTS, {"seconds": seconds}, _pair))
        return {state: found.get(state.value, 0) for state in State}

    def _newest(self, wanted: Params, more: Params) -> tuple[InitiationRecord, ...]:
        given = {name: value for name, value in wanted.items() if value is not None}
        conditions = " AND ".join(queries.CONDITIONS[name] for name in given) or "1 = 1"
        sql = queries.RECENT.replace("{conditions}", conditions)
        rows = self._database.scan(
            sql, {**given, **more}, lambda values: record_columns.record(values, self._box, leniently=True)
        )
        return tuple(rows)


def _pair(values: _Values) -> tuple[str, int]:
    return values[0], values[1]
