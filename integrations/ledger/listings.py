"""Lists of initiations for people: the newest that fit, an hour's samples."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from cobrowse.ledger import InitiationRecord, State
from cobrowse.lookup import InitiationQuery
from integrations.ledger import queries, record_columns
from integrations.ledger.database import Database, Params
from integrations.ledger.encryption import SecretBox
from integrations.ledger.record_columns import InitiationSample

# An hour of four tokens at Genesys's limit of 300 calls a minute, four calls an initiation; some 30 megabytes.
MAX_SAMPLES = 20_000


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
        seconds: float | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[InitiationRecord, ...]:
        """The newest first; with `seconds`, those of the last `seconds`; received at `since` or later, before `until`.

        `search` is the start of an id, a conversation's, a key, a correlation id or who asked for it, or an error code.
        """
        wanted = {
            "before_seq": before_seq,
            "seconds": seconds,
            "since": since and since.timestamp(),
            "until": until and until.timestamp(),
            **_filters(search, state, sender),
        }
        return self._newest(wanted, {**search_params(search), "limit": limit})

    def find_own(self, wanted: InitiationQuery, limit: int) -> tuple[InitiationRecord, ...]:
        """A credential's own, the newest first, at most `limit`."""
        given = wanted._replace(credential=record_columns.plain(wanted.credential))._asdict()
        return self._newest({**given, "since": wanted.since and wanted.since.timestamp()}, {"limit": limit})

    def recent_samples(
        self, seconds: float, *, search: str | None = None, state: State | None = None, sender: str | None = None
    ) -> tuple[InitiationSample, ...]:
        """Samples of those of the last `seconds` that match, the newest first; at most MAX_SAMPLES."""
        given = {name: value for name, value in _filters(search, state, sender).items() if value is not None}
        sql = queries.SAMPLES.replace("{conditions}", conditions({"seconds": seconds, **given}))
        params = {"seconds": seconds, **given, **search_params(search), "limit": MAX_SAMPLES}
        return tuple(self._database.scan(sql, params, record_columns.sample))

    def _newest(self, wanted: Params, more: Params) -> tuple[InitiationRecord, ...]:
        given = {name: value for name, value in wanted.items() if value is not None}
        sql = queries.RECENT.replace("{conditions}", conditions(given))
        rows = self._database.scan(
            sql, {**given, **more}, lambda values: record_columns.record(values, self._box, leniently=True)
        )
        return tuple(rows)


def _filters(search: str | None, state: State | None, sender: str | None) -> dict[str, str | None]:
    return {
        "search": record_columns.plain(search or "") or None,
        "state": state and state.value,
        "sender": record_columns.plain(sender or "") or None,
    }


def search_params(search: str | None) -> Params:
    """The search condition's further parameter: the end of its prefix range."""
    return {"beyond": f"{record_columns.plain(search)}{queries.BEYOND}"} if search else {}


def conditions(given: Iterable[str], known: Mapping[str, str] = queries.CONDITIONS) -> str:
    """The WHERE conditions for the parameters of these names."""
    return " AND ".join(known[name] for name in given) or "1 = 1"
