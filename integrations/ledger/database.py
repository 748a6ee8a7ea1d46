"""The ledger's port to a database: run work in one committed transaction, read rows."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from integrations.ledger.queries import COLUMNS

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Params = Mapping[str, object]

NO_PARAMS: Params = {}

_NAMED = re.compile(r"(?<![\w:]):([a-z_]+)")

# Seconds that a caller waits for the ledger in all, unless it says how long.
DEFAULT_TIMEOUT = 3.0
# Seconds that a health check may take.
PING_TIMEOUT = 1.5
# Seconds between checks of the schema: another release may upgrade it while this process runs.
CHECK_INTERVAL = 2.0
# Connections of a process, where they go to a server: works take a millisecond, so few serve many requests, and a
# server has 100 for all by default.
POOL_SIZE = 8


class Run(Protocol):
    """Runs one statement inside a work's transaction."""

    def __call__(self, sql: str, params: Params = NO_PARAMS, /) -> Rows:
        """The rows it gives; from a statement that gives none, an empty one for each row it has changed."""

    def pipeline(self, statements: Sequence[tuple[str, Params]], /) -> list[Rows]:
        """The rows of each statement, in order; the statements are pipelined."""

    def atomic(self, statements: Sequence[tuple[str, Params]], /) -> list[Rows]:
        """The rows of each statement, in order; all of them take effect or none does."""


class SequentialRun:
    """A Run for a database in this process: there is nothing to save by sending statements together."""

    def __init__(self, execute: Callable[[str, Params], Rows]) -> None:
        self._execute = execute

    def __call__(self, sql: str, params: Params = NO_PARAMS, /) -> Rows:
        """The rows of one statement."""
        return self._execute(sql, params)

    def pipeline(self, statements: Sequence[tuple[str, Params]], /) -> list[Rows]:
        """The rows of each, one after the other."""
        return [self._execute(sql, params) for sql, params in statements]

    def atomic(self, statements: Sequence[tuple[str, Params]], /) -> list[Rows]:
        """The rows of each, one after the other; what a failing one leaves behind is undone, and nothing else."""
        if len(statements) == 1:
            return self.pipeline(statements)
        self("SAVEPOINT atomic")
        try:
            rows = self.pipeline(statements)
        except BaseException:
            with suppress(Exception):  # the database may have rolled the whole transaction back by itself
                self.pipeline([("ROLLBACK TO atomic", {}), ("RELEASE atomic", {})])
            raise
        self("RELEASE atomic")
        return rows


class Database(Protocol):
    """A database that moves rows. Safe for threads and after a fork.

    Every method raises LedgerUnavailable when the database can't be used, and where it takes `seconds`, once it has
    waited so long (None: DEFAULT_TIMEOUT). What was written in a call that ran out of time may be committed or not.
    """

    location: str

    def write(self, work: Callable[[Run], T], *, durable: bool = True, seconds: float | None = None) -> T:
        """Run the work in a transaction that is committed when this returns.

        What is `durable` has reached the disk by then, and so has all that was committed before it. The rest survives
        the end of this process, and of the machine or the database server only if that comes a moment later.
        A work may be done a second time when its commit's answer was lost. It writes by one statement at most, or by
        one `run.atomic`; what it writes before that is right whatever becomes of the rest.
        """

    def execute(self, sql: str, params: Params, *, durable: bool = True, seconds: float | None = None) -> Rows:
        """As `write`, for a single statement."""

    def read(self, sql: str, params: Params = NO_PARAMS, *, seconds: float | None = None) -> Rows:
        """The rows of one select that finds a few of them."""

    def scan(self, sql: str, params: Params, make: Callable[[tuple[Any, ...]], T]) -> list[T]:
        """What `make` makes of each row of a select that finds many; it doesn't hold up other requests."""

    def ping(self) -> None:
        """Write what a claim would, in a row of its own, and check all that `write` checks from time to time."""

    def upgrade(self) -> tuple[int, int]:
        """Bring the tables to this service's schema: the versions before and after."""

    def close(self) -> None:
        """Close every connection of this process; it opens them again when it must."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A database's SQL dialect. `now`: seconds since 1970 by the database's clock.

    `serialise_clause` ends a select whose row must not be made before others of the same :turn are committed.
    """

    now: str
    row_number: str
    text: str
    storage: str
    serialise_clause: str

    def render(self, sql: str) -> str:
        """The statement in this database's dialect."""
        sql = sql.replace("{columns}", COLUMNS)
        for word in ("now", "row_number", "text", "storage", "serialise_clause"):
            sql = sql.replace(f"{{{word}}}", getattr(self, word))
        return sql


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A statement whose parameters are numbered and have these names in that order; drivers are slow with names."""

    sql: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, sql: str, mark: str) -> "Statement":
        """The statement of a text with `:name` for each parameter. `mark` is what stands before a number."""
        names = tuple(dict.fromkeys(_NAMED.findall(sql)))
        places = {name: f"{mark}{place}" for place, name in enumerate(names, 1)}
        return cls(_NAMED.sub(lambda found: places[found[1]], sql), names)
