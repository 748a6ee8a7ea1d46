"""Steps of a PostgreSQL server's clock by hours, forward and back, while a ledger is in use.

A schema in front of PostgreSQL's own has a `clock_timestamp()` that is off by what a table says.
"""

import psycopg
import pytest

from cobrowse.ledger import Acquired, InitiationRecord, LeaseLost
from tests.contract.ledgers import ATTACHED, CREATED, LEASE, again, execute, keyed, lease_of, opened, settle, won

__all__ = ["opened"]

_CLOCK = """
CREATE SCHEMA stepped;
CREATE TABLE stepped.step (seconds double precision);
INSERT INTO stepped.step VALUES (0);
CREATE FUNCTION stepped.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  'SELECT pg_catalog.clock_timestamp() + make_interval(secs => (SELECT seconds FROM stepped.step))';
"""


@pytest.fixture
def url(database, opened):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_CLOCK)
        connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET search_path = stepped, pg_catalog, public')
    opened(database).upgrade()
    return database


def step(url, seconds):
    execute(url, f"UPDATE stepped.step SET seconds = {seconds}")
    ((off,),) = execute(url, "SELECT extract(epoch FROM clock_timestamp() - pg_catalog.clock_timestamp())")[0]
    assert abs(float(off) - seconds) < 1


@pytest.mark.parametrize("hours", [2, 72])
def test_after_a_step_forward_the_owner_sends_nothing_more_and_who_takes_over_knows_of_its_call(url, opened, hours):
    ledger = opened(url)
    first = keyed()
    won(ledger, first)
    ledger.save_checkpoint(lease_of(first), ATTACHED)
    step(url, hours * 3600)
    with pytest.raises(LeaseLost):
        ledger.save_checkpoint(lease_of(first), CREATED)
    claimed = won(ledger, again(first, lease_seconds=LEASE))
    assert (claimed.entry.attempts, claimed.entry.checkpoint.may_have_notified) == (2, ATTACHED.may_have_notified)
    ledger.ping()


@pytest.mark.parametrize("hours", [2, 72])
def test_after_a_step_back_the_owner_works_on_and_what_a_dead_one_held_stays_held_until_it_is_freed(url, opened, hours):
    ledger = opened(url)
    ledger.ping()
    running, died, ended = keyed(key="running"), keyed(key="died"), keyed(key="ended")
    for claim in (running, died, ended):
        won(ledger, claim)
    settle(ledger, ended)
    step(url, -hours * 3600)
    ledger.ping()
    ledger.save_checkpoint(lease_of(running), CREATED)
    settle(ledger, running)
    assert isinstance(ledger.claim(again(ended)), InitiationRecord)
    held = ledger.claim(again(died))
    assert isinstance(held, InitiationRecord)
    assert hours * 3600 < held.lease_left <= hours * 3600 + LEASE
    # What docs/operations.md says to do.
    execute(url, "UPDATE initiations SET lease_until = 0 WHERE state = 'running'")
    assert isinstance(ledger.claim(again(died)), Acquired)
