"""The ledger in PostgreSQL: for several machines."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple, Self, TypeVar

import psycopg
from psycopg import conninfo, errors
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from cobrowse.errors import LedgerUnavailable
from integrations.ledger import schema
from integrations.ledger.engine import Dialect, Params, Rows, Run

T = TypeVar("T")

DIALECT = Dialect(
    "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
    "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    'TEXT COLLATE "C"',  # bytes in their order, as SQLite compares; a prefix is a range of an index then
    # OFFSET keeps the planner from merging it with the select that it is for: first the lock, then the row's number.
    "FROM (SELECT pg_advisory_xact_lock(hashtextextended(:turn, 0)) OFFSET 0) AS in_turn",
    r"%(\1)s",
)

# Seconds until a server that does not answer counts as away; and that a statement may take.
CONNECT_PATIENCE = 2
STATEMENT_PATIENCE = 3
# Any number, the same in every service: who upgrades holds this lock.
UPGRADE_LOCK = 0x636F_6272
# Connections of a process: works take a millisecond, so few serve many threads; a server has 100 for all by default.
POOL_SIZE = 8


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that leaves word of why it failed: the pool keeps trying, and only says that it took too long."""

    @classmethod
    def connect(cls, conninfo: str = "", *, reasons: list[str], **kwargs: Any) -> Self:  # type: ignore[override]  # noqa: ANN401 - the driver's options
        try:
            connected = super().connect(conninfo, **kwargs)
        except psycopg.Error as fault:
            reasons[:] = [_first_line(fault)]
            raise
        reasons.clear()
        return connected


class _Mine(NamedTuple):
    """What belongs to one process. Commits on `durable` wait for the server's disk, those on `quick` do not."""

    pid: int
    durable: ConnectionPool[_Connection]
    quick: ConnectionPool[_Connection]


class PostgreSQL:
    """The engine on a server. `url` is libpq's; each statement is a transaction of its own."""

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE) -> None:
        given = conninfo.conninfo_to_dict(url)
        where = given.get("host") or given.get("hostaddr") or "localhost"
        self.place = f"the PostgreSQL database {given.get('dbname') or given.get('user')} at {where}"
        if given.get("port"):
            self.place += f":{given['port']}"
        self._url = url
        self._size = pool_size
        self._options = f"{given.get('options') or ''} -c statement_timeout={STATEMENT_PATIENCE}s"
        self._reasons: list[str] = []
        self._said: dict[str, bytes] = {}
        self._lock = Lock()
        self._mine: _Mine | None = None
        self._of_parents: list[object] = []
        self._fits = False

    def write(self, work: Callable[[Run], T], *, durable: bool = True) -> T:
        """Do the work; once more on a fresh connection if this one broke, for a server that was started anew."""
        if not self._fits:
            schema.check(self._on_connection(self._version), self.place)
            self._fits = True
        return self._on_connection(lambda connection: work(self._runner(connection)), durable=durable)

    def execute(self, sql: str, params: Params, *, durable: bool = True) -> Rows:
        """Run it as it is."""
        return self.write(lambda run: run(sql, params), durable=durable)

    def read(self, sql: str, params: Params | None = None) -> Rows:
        """Read what is committed."""
        return self.execute(sql, params or {}, durable=False)

    def upgrade(self) -> tuple[int, int]:
        """Take the missing steps, once however many ask at the same time."""

        def take(connection: _Connection) -> tuple[int, int]:
            with connection.transaction():
                # Another machine's upgrade may take longer than any statement of ours.
                connection.execute("SET LOCAL statement_timeout = '10min'")
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [UPGRADE_LOCK])
                return schema.upgrade(self._runner(connection))

        return self._on_connection(take)

    def close(self) -> None:
        """Close this process's connections."""
        with self._lock:
            mine, self._mine = self._mine, None
        if mine is not None and mine.pid == os.getpid():
            mine.durable.close()
            mine.quick.close()

    def _version(self, connection: _Connection) -> tuple[int, int] | None:
        try:
            return schema.version(self._runner(connection))
        except errors.UndefinedTable:
            return None

    def _on_connection(self, work: Callable[[_Connection], T], *, durable: bool = True) -> T:
        with self._told():
            mine = self._here()
            pool = mine.durable if durable else mine.quick
            connection = pool.getconn()
            try:
                return work(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if not connection.closed:
                    raise
            finally:
                pool.putconn(connection)
            pool.check()  # a server that went has cut the others too
            with pool.connection() as fresh:
                return work(fresh)

    def _here(self) -> "_Mine":
        mine = self._mine
        if mine is not None and mine.pid == os.getpid():
            return mine
        with self._lock:
            mine = self._mine
            if mine is not None and mine.pid != os.getpid():
                self._of_parents.append(mine)  # closing it here would end the parent's sessions
                mine = None
            if mine is None:
                mine = self._mine = _Mine(os.getpid(), self._opened(), self._opened(" -c synchronous_commit=off"))
            return mine

    def _opened(self, option: str = "") -> ConnectionPool[_Connection]:
        """Half of the connections. To set it for each commit would be a round trip, for a session it is nothing."""
        return ConnectionPool(
            self._url,
            connection_class=_Connection,
            kwargs={
                "autocommit": True,
                "reasons": self._reasons,
                "options": self._options + option,
                "connect_timeout": CONNECT_PATIENCE,
                # For a machine that is gone without a word: milliseconds that sent bytes may stay unacknowledged.
                "tcp_user_timeout": 1000 * STATEMENT_PATIENCE,
                "application_name": "cobrowse-bridge",
            },
            min_size=0,
            max_size=max(1, self._size // 2),
            timeout=CONNECT_PATIENCE,
            reconnect_timeout=CONNECT_PATIENCE,
            open=True,
        )

    def _runner(self, connection: _Connection) -> Run:
        def run(sql: str, params: Params | None = None, /) -> Rows:
            cursor = connection.execute(self._say(sql), params)
            return cursor.fetchall() if cursor.description else [()] * cursor.rowcount

        return run

    def _say(self, sql: str) -> bytes:
        said = self._said.get(sql)
        if said is None:
            said = self._said[sql] = DIALECT.say(sql).encode()
        return said

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what keeps the database from being used; a fault that is our own bug stays what it is."""
        try:
            yield
        except (PoolTimeout, PoolClosed) as fault:
            why = self._reasons[0] if self._reasons else f"no connection was free within {CONNECT_PATIENCE} s"
            raise LedgerUnavailable(f"{self.place} can't be reached: {why}") from fault
        except (errors.UndefinedTable, errors.UndefinedColumn) as fault:
            self._fits = False
            hint = f"Run {schema.UPGRADE} once, with the service's own LEDGER_URL."
            raise LedgerUnavailable(f"{self.place} lacks tables: {_first_line(fault)}", hint=hint) from fault
        except errors.InsufficientPrivilege as fault:
            hint = "Let LEDGER_URL's user select, insert, update and delete in the ledger's tables."
            raise LedgerUnavailable(f"{self.place}: {_first_line(fault)}", hint=hint) from fault
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as fault:
            raise LedgerUnavailable(f"{self.place} failed: {_first_line(fault)}") from fault


def _first_line(fault: psycopg.Error) -> str:
    return next(iter(str(fault).splitlines()), type(fault).__name__)
