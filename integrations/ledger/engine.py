"""What the ledger asks of a database: do this work in one committed transaction, read these rows."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from integrations.ledger.statements import COLUMNS

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Params = Mapping[str, object]

_NO_PARAMS: Params = {}


class Run(Protocol):
    """Runs one statement inside a work's transaction."""

    def __call__(self, sql: str, params: Params = _NO_PARAMS, /) -> Rows:
        """The rows it gives; from a statement that gives none, an empty one for each row it has changed."""


class Engine(Protocol):
    """A database that moves rows. Safe for threads and after a fork; LedgerUnavailable when it can't be reached."""

    place: str

    def write(self, work: Callable[[Run], T], *, durable: bool = True) -> T:
        """Do the work; what it wrote is committed when this returns.

        What is `durable` has reached the disk by then, and so has all that was committed before it. The rest survives
        the end of this process, and of the machine or the database server only if that comes a moment later.
        A work may be done a second time when its commit's answer was lost, and it writes by one statement at most.
        """

    def execute(self, sql: str, params: Params, *, durable: bool = True) -> Rows:
        """What `write` does for a work of a single statement, for less."""

    def read(self, sql: str, params: Params = _NO_PARAMS) -> Rows:
        """The rows of one select."""

    def upgrade(self) -> tuple[int, int]:
        """Bring the tables to this service's schema: the versions before and after."""

    def close(self) -> None:
        """Let go of every connection of this process; it opens them again when it must."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is said differently. `now`: seconds since 1970 by the database's clock; `name` rewrites `:name`.

    `in_turn` ends a select whose row must not be made before others of the same :turn are committed.
    """

    now: str
    row_number: str
    text: str
    in_turn: str
    named: str = r":\1"

    def say(self, sql: str) -> str:
        """The statement in this database's words."""
        sql = sql.replace("{columns}", COLUMNS)
        for word in ("now", "row_number", "text", "in_turn"):
            sql = sql.replace(f"{{{word}}}", getattr(self, word))
        return re.sub(r"(?<!\w):([a-z_]+)", self.named, sql)
