"""A transaction that can be neither committed nor undone says why it could not be committed."""

import sqlite3

import pytest

from cobrowse.clock import Deadline, SystemClock
from integrations.ledger.batches import Batches
from integrations.ledger.group_sync import GroupSync


class Broken:
    """A connection that begins a transaction and then can do nothing more."""

    in_transaction = False

    def execute(self, sql):
        if sql == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error at commit")
        self.in_transaction = True

    def rollback(self):
        raise sqlite3.OperationalError("disk I/O error at rollback")


def test_what_can_not_be_undone_either_is_the_commits_fault():
    clock, syncs = SystemClock(), []
    batches = Batches(Broken(), None, GroupSync(lambda: syncs.append("sync")), clock)
    with pytest.raises(sqlite3.OperationalError, match="at commit"):
        batches.write(lambda run: "done", Deadline.after(5.0, clock), durable=True)
    assert (batches.commits, syncs) == (0, [])
