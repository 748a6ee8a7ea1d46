"""The ledger in PostgreSQL: for several machines."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import conninfo, errors
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from cobrowse.clock import Clock, Deadline, SystemClock
from cobrowse.errors import LedgerUnavailable
from integrations.event_loop import run_off_loop
from integrations.ledger import migrations, queries
from integrations.ledger.database import (
    CHECK_INTERVAL,
    DEFAULT_TIMEOUT,
    NO_PARAMS,
    PING_TIMEOUT,
    POOL_SIZE,
    Dialect,
    Params,
    Rows,
    Run,
    Statement,
)
from integrations.ledger.postgresql_connection import (
    Connection,
    PipelinedRun,
    breaks_connection,
    first_line,
    is_servers,
)

T = TypeVar("T")

DIALECT = Dialect(
    "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
    "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    'TEXT COLLATE "C"',  # bytes in their order, as SQLite compares; a prefix is a range of an index then
    " WITH (fillfactor = 70)",  # room for a row's next version beside it: its steps touch no index then
    # OFFSET 0 is an optimisation fence: take the advisory lock before the identity value is assigned.
    "FROM (SELECT pg_advisory_xact_lock(hashtextextended(:turn, 0)) OFFSET 0) AS in_turn",
)

# Seconds until a silent server counts as unreachable; and that a statement may take on the server's side.
CONNECT_TIMEOUT = 2
STATEMENT_TIMEOUT = 3
# An upgrade of another machine's may take longer than any statement of ours.
UPGRADE_TIMEOUT = 600
# Any number, the same in every service: the process that upgrades holds this lock.
UPGRADE_LOCK = 0x636F_6272


class _ProcessState(NamedTuple):
    """What belongs to one process. Commits on `durable` wait for the server's disk, those on `quick` do not."""

    pid: int
    durable: ConnectionPool[Connection]
    quick: ConnectionPool[Connection]


class PostgreSQL:
    """The database on a server. `url` is libpq's; each statement is a transaction of its own."""

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, clock: Clock | None = None) -> None:
        given = conninfo.conninfo_to_dict(url)
        where = given.get("host") or given.get("hostaddr") or "localhost"
        self.location = f"the PostgreSQL database {given.get('dbname') or given.get('user')} at {where}"
        if given.get("port"):
            self.location += f":{given['port']}"
        self._url = url
        self._size = max(1, pool_size // 2)
        self._clock = clock or SystemClock()
        self._options = f"{given.get('options') or ''} -c statement_timeout={STATEMENT_TIMEOUT}s"
        self._reasons: list[str] = []
        self._rendered: dict[str, Statement] = {}
        self._lock = Lock()
        self._state: _ProcessState | None = None
        self._inherited: list[object] = []
        self._next_check = 0.0
        self._ledger_id = ""
        self._last_checked = 0.0

    def write(self, work: Callable[[Run], T], *, durable: bool = True, seconds: float | None = None) -> T:
        """Run the work; retry on another connection if this one broke, since the server may have restarted."""
        deadline = Deadline.after(DEFAULT_TIMEOUT if seconds is None else seconds, self._clock)
        if self._clock.monotonic() >= self._next_check:
            self._check_schema(deadline)
        return self._on_connection(lambda connection: work(self._run(connection)), deadline, durable=durable)

    def execute(self, sql: str, params: Params, *, durable: bool = True, seconds: float | None = None) -> Rows:
        """Run it as it is."""
        return self.write(lambda run: run(sql, params), durable=durable, seconds=seconds)

    def read(self, sql: str, params: Params = NO_PARAMS, *, seconds: float | None = None) -> Rows:
        """Read what is committed."""
        return self.execute(sql, params, durable=False, seconds=seconds)

    def scan(self, sql: str, params: Params, make: Callable[[tuple[Any, ...]], T]) -> list[T]:
        """Read, then make it off the loop."""
        rows = self.read(sql, params)
        return run_off_loop(lambda: list(map(make, rows)))

    def ping(self) -> None:
        """Write a row of its own, through to the server's disk."""
        filler = token_hex(1000)
        look = {"filler": filler}
        self._next_check = 0.0
        self.write(lambda run: run.pipeline([(queries.PING, look), (queries.PING_READ, look)]), seconds=PING_TIMEOUT)

    def upgrade(self) -> tuple[int, int]:
        """Take the missing steps, once however many ask at the same time."""

        def take(connection: Connection) -> tuple[int, int]:
            with connection.transaction():
                connection.execute(f"SET LOCAL statement_timeout = '{UPGRADE_TIMEOUT}s'".encode())
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [UPGRADE_LOCK])
                run = self._run(connection)
                versions = migrations.upgrade(run)
                migrations.check_schema(migrations.read_schema(run), self.location)
                return versions

        return self._on_connection(take, Deadline.after(UPGRADE_TIMEOUT, self._clock))

    def close(self) -> None:
        """Close this process's connections."""
        with self._lock:
            state, self._state = self._state, None
        if state is not None and state.pid == os.getpid():
            state.durable.close()
            state.quick.close()

    def _check_schema(self, deadline: Deadline) -> None:
        def read(connection: Connection) -> tuple[migrations.Schema | None, float]:
            run, schema = self._run(connection), None
            try:
                schema = migrations.read_schema(run)
                return schema, next((row[0] for row in run(queries.LAST_CHECKED)), 0.0)
            except errors.UndefinedTable:
                return schema, self._last_checked

        schema, last_checked = self._on_connection(read, deadline)
        found = migrations.check_schema(schema, self.location, self._ledger_id)
        # Each was on the server's disk when this process saw it: a crash takes none back, an older copy does.
        if last_checked < self._last_checked:
            what = "holds an older copy of the ledger than this process has seen"
            raise LedgerUnavailable(f"{self.location} {what}", hint=migrations.REPLACED_HINT)
        self._ledger_id, self._last_checked = found.ledger_id, last_checked
        self._next_check = self._clock.monotonic() + CHECK_INTERVAL

    def _on_connection(self, work: Callable[[Connection], T], deadline: Deadline, *, durable: bool = True) -> T:
        with self._translate_errors():
            state = self._for_this_process()
            pool = state.durable if durable else state.quick
            # One that broke, or that a failover left read-only, is not alone: the others are tried, then a new one.
            for tries_left in reversed(range(self._size + 1)):
                if deadline.remaining() <= 0:
                    raise PoolTimeout("no time is left")  # a statement cut short would cost its connection
                connection = pool.getconn(min(deadline.remaining(), CONNECT_TIMEOUT))
                connection.deadline = deadline
                try:
                    return work(connection)
                except psycopg.Error as error:
                    if not connection.closed and not breaks_connection(error):
                        raise
                    connection.close()
                    if not tries_left or deadline.remaining() <= 0:
                        raise
                finally:
                    connection.deadline = None
                    pool.putconn(connection)
            raise AssertionError("the last try returns or raises")

    def _for_this_process(self) -> _ProcessState:
        state = self._state
        if state is not None and state.pid == os.getpid():
            return state
        with self._lock:
            state = self._state
            if state is not None and state.pid != os.getpid():
                self._inherited.append(state)  # closing it here would end the parent's sessions
                state = None
            if state is None:
                state = _ProcessState(os.getpid(), self._open_pool(), self._open_pool(" -c synchronous_commit=off"))
                self._state = state
            return state

    def _open_pool(self, option: str = "") -> ConnectionPool[Connection]:
        """Half of the connections. To set it for each commit would be a round trip, for a session it is nothing."""
        return ConnectionPool(
            self._url,
            connection_class=Connection,
            kwargs={
                "autocommit": True,
                "reasons": self._reasons,
                "options": self._options + option,
                "connect_timeout": CONNECT_TIMEOUT,
                # For a machine that is gone without a word: milliseconds that sent bytes may stay unacknowledged.
                "tcp_user_timeout": 1000 * STATEMENT_TIMEOUT,
                "application_name": "cobrowse-bridge",
            },
            min_size=0,
            max_size=self._size,
            timeout=CONNECT_TIMEOUT,
            reconnect_timeout=CONNECT_TIMEOUT,
            open=True,
        )

    def _run(self, connection: Connection) -> Run:
        return PipelinedRun(connection, self._render)

    def _render(self, sql: str) -> Statement:
        rendered = self._rendered.get(sql)
        if rendered is None:
            rendered = self._rendered[sql] = Statement.of(DIALECT.render(sql), "$")
        return rendered

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate the driver's errors to LedgerUnavailable; errors that are our own bugs pass unchanged."""
        try:
            yield
        except (PoolTimeout, PoolClosed) as error:
            why = self._reasons[0] if self._reasons else "no connection was free in time"
            raise LedgerUnavailable(f"{self.location} can't be reached: {why}") from error
        except (errors.UndefinedTable, errors.UndefinedColumn) as error:
            self._next_check = 0.0
            hint = f"Run {migrations.UPGRADE} once, with the service's own LEDGER_URL."
            raise LedgerUnavailable(f"{self.location} lacks tables: {first_line(error)}", hint=hint) from error
        except errors.InsufficientPrivilege as error:
            hint = "Let LEDGER_URL's user select, insert, update and delete in the ledger's tables."
            raise LedgerUnavailable(f"{self.location}: {first_line(error)}", hint=hint) from error
        except errors.ReadOnlySqlTransaction as error:
            hint = "Point LEDGER_URL at the primary server, and see that its database is not set read-only."
            raise LedgerUnavailable(f"{self.location} is read-only: {first_line(error)}", hint=hint) from error
        except psycopg.Error as error:
            if not is_servers(error):
                raise
            raise LedgerUnavailable(f"{self.location} failed: {first_line(error)}") from error
