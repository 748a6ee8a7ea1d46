"""Statements on a connection to PostgreSQL: values, one transaction for all, and what is left after a failure."""

import psycopg
import pytest

from integrations.ledger.database import Statement
from integrations.ledger.postgresql_statements import MAX_PREPARED, Statements
from tests.contract.ledgers import url

__all__ = ["url"]

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


def statement(sql):
    return Statement.of(sql, "$")


INSERT = statement("INSERT INTO kept (number) VALUES (:number)")
COUNT = statement("SELECT count(*) FROM kept")


@pytest.fixture
def connection(url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE kept (number INTEGER)")
        yield connection


@pytest.fixture
def statements(connection):
    return Statements(connection)


def test_values_come_back_as_they_went(statements):
    values = {
        "text": "Zoë's 50 % \\ : :other 🎈",
        "yes": True,
        "no": False,
        "whole": -(2**40),
        "real": 1764252123.456789,
        "none": None,
    }
    sql = "SELECT CAST(:text AS text), :yes, :no, :whole, :real, CAST(:none AS text), CAST(:text AS text)"
    for _ in range(2):
        assert statements.run([(statement(sql), values)]) == [[(*values.values(), values["text"])]]


def test_a_changed_row_is_an_empty_one(statements):
    changed, counted, none = statements.run(
        [(INSERT, {"number": 1}), (COUNT, {}), (statement("DELETE FROM kept WHERE number = 2"), {})]
    )
    assert (changed, counted, none) == ([()], [(1,)], [])


def test_one_that_fails_undoes_all_and_the_connection_serves_on(statements):
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        statements.run([(INSERT, {"number": 1}), (INSERT, {"number": 2**40}), (COUNT, {})])
    assert statements.run([(COUNT, {})]) == [[(0,)]]
    assert statements.run([(INSERT, {"number": 1}), (COUNT, {})]) == [[()], [(1,)]]


def test_a_text_with_a_nul_is_refused_and_not_cut(statements):
    with pytest.raises(psycopg.DataError, match="text: PostgreSQL has no NUL"):
        statements.run([(statement("SELECT CAST(:text AS text)"), {"text": "cut\0here"})])
    with pytest.raises(psycopg.DataError, match="text: PostgreSQL has no NUL"):
        statements.run([(INSERT, {"number": 1}), (statement("SELECT CAST(:text AS text)"), {"text": "\0"})])
    assert statements.run([(COUNT, {})]) == [[(0,)]]


def test_no_more_than_so_many_stay_prepared(connection, statements):
    for number in range(MAX_PREPARED + 5):
        assert statements.run([(statement(f"SELECT {number} + :one"), {"one": 1})]) == [[(number + 1,)]]
    prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'cobrowse-%'")
    assert prepared.fetchall() == [(MAX_PREPARED,)]


def test_one_that_fails_each_time_is_prepared_once(connection, statements):
    """A session keeps what is prepared: a list that takes too long each time would fill the server's memory."""
    division = statement("SELECT 1 / CAST(:number AS integer)")
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            statements.run([(division, {"number": 1}), (division, {"number": 0})])
    prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'cobrowse-%'")
    assert prepared.fetchall() == [(1,)]


def test_an_answer_of_megabytes_is_taken_beside_a_statement_of_megabytes(statements):
    text = "x" * 5_000_000
    same = statement("SELECT CAST(:text AS text)")
    assert statements.run([(same, {"text": text}), (same, {"text": text})]) == [[(text,)], [(text,)]]
