"""A connection to PostgreSQL that waits no longer than its work may, and runs several statements in one round trip."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self

import psycopg
from psycopg import errors
from psycopg.waiting import Ready, Wait

from cobrowse.clock import Deadline
from integrations.event_loop import is_patched, wait_for_socket
from integrations.ledger.database import NO_PARAMS, Params, Rows, Statement
from integrations.ledger.postgresql_statements import Statements

# Seconds between the driver's checks for signals: its own default.
WAIT_INTERVAL = 0.1


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that reports why it failed, as the pool does not, and that waits no longer than its work may."""

    deadline: Deadline | None = None

    @cached_property
    def statements(self) -> Statements:
        """What has been prepared in this session."""
        return Statements(self)

    @classmethod
    def connect(cls, conninfo: str = "", *, reasons: list[str], **kwargs: Any) -> Self:  # type: ignore[override]  # noqa: ANN401 - the driver's options
        """A new session. The first of `reasons` is why the last try failed; it is empty after one that succeeded."""
        try:
            connected = super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            reasons[:] = [first_line(error)]
            raise
        reasons.clear()
        return connected

    def wait(self, gen: Any, interval: float = WAIT_INTERVAL, timeout: float | None = None) -> Any:  # noqa: ANN401 - the driver's types
        """Wait for the server, until the deadline at most: one that hangs sends nothing, not even an error."""
        if self.deadline is not None:
            left = self.deadline.remaining()
            timeout = left if timeout is None else min(left, timeout)
        if is_patched():
            return self._wait_on_loop(gen, timeout)
        return super().wait(gen, interval, timeout)

    def _wait_on_loop(self, gen: Any, seconds: float | None) -> Any:  # noqa: ANN401 - the driver's types
        """As `wait`, on the hub's own watchers: the driver would call gevent's poll(), which costs much more."""
        try:
            wanted = next(gen)
            while True:
                is_unsent = bool(wanted & Wait.W) and self.pgconn.flush() != 0
                if is_unsent or not wanted & Wait.W:
                    wait_for_socket(self.pgconn.socket, seconds, writable=is_unsent)
                    wanted = gen.send(Ready.R)
                else:
                    wanted = gen.send(Ready.W)
        except StopIteration as ended:
            return ended.value
        except TimeoutError:
            raise psycopg.OperationalError("the server did not answer in time") from None


class PipelinedRun:
    """Runs statements on a connection; several in one round trip."""

    def __init__(self, connection: Connection, render: Callable[[str], Statement]) -> None:
        self._statements = connection.statements
        self._render = render

    def __call__(self, sql: str, params: Params = NO_PARAMS, /) -> Rows:
        """The rows of one statement."""
        return self._statements.run(((self._render(sql), params),))[0]

    def pipeline(self, statements: Sequence[tuple[str, Params]], /) -> list[Rows]:
        """One transaction: what the first one locks, it holds until the last has run. Each sees what is committed."""
        return self._statements.run([(self._render(sql), params) for sql, params in statements])

    atomic = pipeline


def breaks_connection(error: psycopg.Error) -> bool:
    """Whether its session must not be used again: another one may do what this one can't."""
    if isinstance(error, errors.QueryCanceled | errors.LockNotAvailable):
        return False
    return is_servers(error)


def is_servers(error: psycopg.Error) -> bool:
    """Whether it is the server's or the connection's, and not a statement of ours that no server would take.

    What breaks the protocol comes as the plain DatabaseError.
    """
    servers = psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError
    return isinstance(error, servers) or type(error) is psycopg.DatabaseError


def first_line(error: psycopg.Error) -> str:
    """The first line of what the server said."""
    return next(iter(str(error).splitlines()), type(error).__name__)
