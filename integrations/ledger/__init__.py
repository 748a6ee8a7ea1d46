"""The ledger in a database, chosen by its URL: SQLite for one machine, PostgreSQL for several."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from cobrowse.clock import Clock
from integrations.ledger.database import POOL_SIZE, Database
from integrations.ledger.encryption import MAKE_A_KEY, SecretBox
from integrations.ledger.purge import INVITED_SECONDS
from integrations.ledger.sqlite import SQLite
from integrations.ledger.store import LedgerStore

FORMS = "sqlite:///relative/file, sqlite:////absolute/file or postgresql+psycopg://user:password@host/database"


def connect(
    url: str,
    *,
    keys: Sequence[str],
    retention_seconds: float,
    invited_seconds: float = INVITED_SECONDS,
    clock: Clock | None = None,
    pool_size: int = POOL_SIZE,
    adds_callbacks: bool = False,
) -> LedgerStore:
    """The ledger at that URL. ValueError, without the password, if the URL or a key is invalid.

    Nothing is opened before the first use; an unreachable ledger is LedgerUnavailable then, and each use retries.
    What has ended is kept for `retention_seconds`, what may have invited a customer for `invited_seconds` at least.
    `keys`: the first encrypts, all decrypt. `pool_size` is PostgreSQL's connections a process.
    `adds_callbacks`: outcomes are to be sent to somebody.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        file = Path(_file(rest))
        database: Database = SQLite(file, clock=clock)
        box = SecretBox(keys, file.with_name(f"{file.name}.key"))
    elif scheme in ("postgresql+psycopg", "postgresql", "postgres"):
        if not keys:
            raise ValueError(f"LEDGER_KEYS is needed for a ledger in PostgreSQL; make one: {MAKE_A_KEY}")
        database = _postgresql(f"postgresql://{rest}", pool_size, clock)
        box = SecretBox(keys)
    else:
        raise ValueError(f"LEDGER_URL must be {FORMS}")
    return LedgerStore(
        database,
        box,
        retention_seconds=retention_seconds,
        invited_seconds=invited_seconds,
        clock=clock,
        adds_callbacks=adds_callbacks,
    )


def _file(rest: str) -> str:
    file = unquote(rest.removeprefix("/"))
    if not rest.startswith("/") or not file or file == ":memory:" or "?" in file:
        raise ValueError(f"LEDGER_URL must name a file, for workers share it: {FORMS}")
    return file


def _postgresql(url: str, pool_size: int, clock: Clock | None) -> Database:
    # Only where it is used: the driver takes 7 MB of each worker.
    import psycopg  # noqa: PLC0415

    from integrations.ledger.postgresql import PostgreSQL  # noqa: PLC0415

    try:
        return PostgreSQL(url, pool_size=pool_size, clock=clock)
    except psycopg.Error:
        # The driver's text may hold a part of the URL, and that may be the password.
        message = f"LEDGER_URL can't be read: {FORMS}; write %40 for an @ in a password, %2F for a /"
        raise ValueError(message) from None


__all__ = ["LedgerStore", "connect"]
