"""A column of the ledger stands in one table, from which the statements are made: nothing of a command is lost."""

import sqlite3
from contextlib import closing
from dataclasses import fields

import pytest

from cobrowse.ledger import Checkpoint
from cobrowse.model import Command, Session
from integrations.ledger.columns import BY_CHECKPOINT, BY_COMMAND, Row
from tests.contract.ledgers import claim_of, command, lease_of

# A command none of whose stored fields is at its default.
WHOLE = command(
    start_when="agent_connected",
    latest=True,
    key="k-9",
    fingerprint="f-9",
    reuse_live_session=True,
    session_settings={"a": 1},
    channel="voice",
    action="end",
    ends="initiation-1",
    hand_over=True,
)
PROGRESS = Checkpoint("media", ("create",), "attach", may_have_notified=True, session=Session("c-1", "s-1"))


def test_the_example_has_a_value_in_every_column():
    plain = {field.name: field.default for field in fields(Command)}
    assert [name for name in BY_COMMAND if getattr(WHOLE, name) == plain[name]] == []
    empty = Checkpoint()
    assert [name for name in BY_CHECKPOINT if getattr(PROGRESS, name) == getattr(empty, name)] == []


def test_what_is_claimed_is_read_back(ledger):
    claim = claim_of(WHOLE, checkpoint=PROGRESS)
    ledger.claim(claim)
    entry = ledger.read(claim.id)
    assert (entry.command, entry.checkpoint) == (WHOLE, PROGRESS)
    assert all(type(getattr(entry.command, name)) is type(getattr(WHOLE, name)) for name in BY_COMMAND)


@pytest.mark.parametrize("name", BY_CHECKPOINT)
def test_each_column_of_a_checkpoint_is_saved(ledger, name):
    claim = claim_of(checkpoint=Checkpoint())
    ledger.claim(claim)
    later = Checkpoint(session=Session("c-1"))._replace(**{name: getattr(PROGRESS, name)})
    ledger.save_checkpoint(lease_of(claim), later)
    assert ledger.read(claim.id).checkpoint == later


def test_the_table_has_the_columns_of_the_row_and_no_other(tmp_path, opened):
    store = opened(f"sqlite:///{tmp_path}/ledger.sqlite3")
    store.ping()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        there = {name for _, name, *_ in connection.execute("PRAGMA table_info(initiations)")}
    assert there == {*Row._fields} - {"lease_left"} | {"lease_until"}
