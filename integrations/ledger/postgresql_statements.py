"""Statements on a connection to PostgreSQL, all that are given at once in one round trip.

The driver's cursors would cost the service more CPU time than the server takes for a claim. So the statements go to
libpq as they are, by the driver's own binding of it, and each is prepared when it is first run.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from itertools import count
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.generators import fetch_many, send
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from integrations.ledger.database import Params, Rows, Statement

# Statements that stay prepared in a session. Lists with yet another choice of filters are parsed each time beyond that.
MAX_PREPARED = 100


_Key = tuple[Statement, tuple[int, ...]]


class Statements:
    """Runs statements on one connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._loads = Transformer(connection)
        self._prepared: dict[_Key, bytes] = {}
        self._numbers = count()

    def run(self, statements: Sequence[tuple[Statement, Params]]) -> list[Rows]:
        """The rows of each, all in one transaction. psycopg.Error if one of them, and with it all, has failed.

        From a statement that gives no rows, an empty one for each row that it has changed.
        """
        written = [(statement, *_written(statement, params)) for statement, params in statements]
        pgconn = self._connection.pgconn
        pgconn.enter_pipeline_mode()
        new: dict[_Key, bytes] = {}
        prepares: list[_Key | None] = []  # for each result what it has prepared; None: it is of a statement itself
        for statement, types, values in written:
            key = statement, types
            name = self._prepared.get(key) or new.get(key)
            if name is None and len(self._prepared) + len(new) < MAX_PREPARED:
                name = new[key] = b"cobrowse-%d" % next(self._numbers)
                pgconn.send_prepare(name, statement.sql.encode(), types)
                prepares.append(key)
            if name is None:
                pgconn.send_query_params(statement.sql.encode(), values, types)
            else:
                pgconn.send_query_prepared(name, values)
            prepares.append(None)
        pgconn.pipeline_sync()
        results = self._connection.wait(_exchange(pgconn, len(prepares)))
        for made, result in zip(prepares, results, strict=False) if new else ():
            if made is not None and result.status == ExecStatus.COMMAND_OK:  # it stays, whatever failed behind it
                self._prepared[made] = new[made]
        failed = next((result for result in results if result.status == ExecStatus.FATAL_ERROR), None)
        if pgconn.status == ConnStatus.OK:
            pgconn.exit_pipeline_mode()
        if failed is not None:
            raise errors.error_from_result(failed)
        return [self._rows(result) for result, made in zip(results, prepares, strict=True) if made is None]

    def _rows(self, result: PGresult) -> Rows:
        if result.status != ExecStatus.TUPLES_OK:
            return [()] * (result.command_tuples or 0)
        if not result.ntuples:
            return []
        self._loads.set_pgresult(result)
        return self._loads.load_rows(0, result.ntuples, tuple)


def _exchange(pgconn: PGconn, number: int) -> Generator[Any, Any, list[PGresult]]:
    """For the driver's wait: send what is pending, and take so many results and the one that ends them."""
    yield from send(pgconn)
    results: list[PGresult] = []
    for _ in range(number + 1):
        results += yield from fetch_many(pgconn)
    return results[:number]


# How a value is written, and the server's number for its type; with 0 it has the type of its place in the statement.
_OTHERS: Mapping[type, tuple[int, Callable[[Any], bytes | None]]] = {
    bool: (16, lambda yes: b"t" if yes else b"f"),
    int: (20, lambda number: b"%d" % number),
    float: (701, lambda number: repr(number).encode()),
    type(None): (0, lambda _: None),
}


def _written(statement: Statement, params: Params) -> tuple[tuple[int, ...], list[bytes | None]]:
    """The parameters' types and texts, in the statement's order."""
    types: list[int] = []
    values: list[bytes | None] = []
    for name in statement.names:
        value = params[name]
        if isinstance(value, str):
            if "\0" in value:
                raise psycopg.DataError(f"{name}: PostgreSQL has no NUL in a text")  # libpq would cut it off there
            types.append(0)
            values.append(str.encode(value))
        else:
            number, write = _OTHERS[type(value)]
            types.append(number)
            values.append(write(value))
    return tuple(types), values
