"""With a million rows no statement may walk through all of them: what each one uses to find its rows, in SQLite."""

import sqlite3
from contextlib import closing

import pytest

from integrations.ledger import queries
from integrations.ledger.sqlite_connection import CAP_LEASES, statement_of
from tests.contract.ledgers import keyed, opened, won

__all__ = ["opened"]

STATEMENTS = {
    name: getattr(queries, name)
    for name in ("PREVIOUS", "RECLAIM", "SAVE_CHECKPOINT", "COMPLETE", "COMPLETED", "BY_ID", "BY_LOCK_KEY")
} | {
    "LIVE_LEASE_OWNER": queries.LIVE_LEASE_OWNER,
    "SAMPLES": queries.SAMPLES.replace("{conditions}", queries.CONDITIONS["seconds"]),
    "PURGE": queries.PURGE,
    "PING_READ": queries.PING_READ,
    "the newest": queries.RECENT.replace("{conditions}", "1 = 1"),
    "a search": queries.RECENT.replace("{conditions}", queries.CONDITIONS["search"]),
    "the leases at a start": CAP_LEASES[0],
}
# In the order of its own key, and no further than LIMIT.
STEPWISE = {"the newest"}


@pytest.mark.parametrize("name", STATEMENTS)
def test_it_is_found_by_an_index(tmp_path, opened, name):
    won(opened(f"sqlite:///{tmp_path}/ledger.sqlite3"), keyed())
    statement = statement_of(STATEMENTS[name])
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        values = [""] * len(statement.names)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values)]
    walks = [step for step in plan if step.startswith("SCAN initiations") and "INDEX" not in step]
    assert len(walks) == (name in STEPWISE), plan


def test_what_a_callback_waits_for_is_found_by_its_initiation(tmp_path, opened):
    """By the index on the state each look would walk through all that are pending: 100,000 after a day's outage."""
    won(opened(f"sqlite:///{tmp_path}/ledger.sqlite3"), keyed())
    statement = statement_of(queries.DUE_CALLBACKS)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", [0] * len(statement.names))]
    assert [step for step in plan if step.startswith("SEARCH earlier") and "(initiation_id=?" in step], plan
    assert not [step for step in plan if "TEMP B-TREE" in step], plan
