"""What waits for the disk: exactly what an invitation must not go out without."""

import threading
from dataclasses import replace

import pytest

from cobrowse.clock import SystemClock
from cobrowse.ledger import Progress, State
from integrations.ledger.sqlite import SQLite
from integrations.ledger.writer import Writer
from tests.contract.ledgers import CREATED, INVITING, keyed, outcome, settle, won

QUICK = Progress("media", begun="create")


@pytest.fixture
def waited(ledger, monkeypatch):
    """Whether each commit from now on waits for the disk, asked of the database in the middle of it."""
    engine, seen = ledger._database, []
    sqlite = isinstance(engine, SQLite)
    ask = "PRAGMA synchronous" if sqlite else "SHOW synchronous_commit"
    write, execute = engine.write, engine.execute

    def asking(work):
        def asked(run):
            seen.append(run(ask)[0][0] in (2, "on"))
            return work(run)

        return asked

    def written(work, **how):
        return write(asking(work), **how)

    def executed(sql, params, **how):
        write(asking(lambda _run: None), **how)
        return execute(sql, params, **how)

    monkeypatch.setattr(engine, "write", written)
    if sqlite:  # PostgreSQL's own goes through `write`
        monkeypatch.setattr(engine, "execute", executed)
    return seen


@pytest.mark.parametrize(("progress", "waits"), [(QUICK, False), (INVITING, True)])
def test_a_claim_waits_for_the_disk_if_the_first_call_invites(ledger, waited, progress, waits):
    won(ledger, replace(keyed(), progress=progress))
    assert waited == [waits]


@pytest.mark.parametrize("invited", [False, True])
def test_a_begin_waits_for_the_disk_if_its_call_invites(ledger, waited, invited):
    claim = keyed()
    won(ledger, claim)
    waited.clear()
    ledger.begin(claim.id, claim.holder, replace(CREATED, invited=invited))
    assert waited == [invited]


def test_an_end_waits_for_nothing_since_a_repeat_would_look(ledger, waited):
    claim = keyed()
    won(ledger, claim)
    waited.clear()
    settle(ledger, claim, State.SUCCEEDED, CREATED)
    assert waited == [False]
    assert ledger.read(claim.id).outcome == outcome(claim.id)


class Opened:
    """A connection to nothing, which remembers what it was opened for and told."""

    in_transaction = False

    def __init__(self, durable):
        self.durable = durable
        self.said = []

    def execute(self, sql):
        self.said.append(sql)

    def close(self):
        pass


@pytest.mark.parametrize("lasts", [False, True])
def test_what_is_committed_together_waits_if_one_of_them_must(lasts):
    opened, begun, go_on = [], threading.Event(), threading.Event()

    def connect(durable):
        connection = Opened(durable)
        opened.append(connection)
        return connection, connection.execute

    writer = Writer(connect, 5.0, SystemClock())

    def hold(_run):
        begun.set()
        assert go_on.wait(5)

    threads = [threading.Thread(target=writer.write, args=(hold, False), kwargs={"single": True})]
    threads[0].start()
    assert begun.wait(5)
    for durable in (False, lasts):
        threads.append(threading.Thread(target=writer.write, args=(lambda run: run("work"), durable)))
        threads[-1].start()
    while len(writer._waiting) < 2:
        threading.Event().wait(0.001)
    go_on.set()
    for thread in threads:
        thread.join(5)

    told = {connection.durable: connection.said for connection in opened}
    assert told[lasts] == ["BEGIN IMMEDIATE", "work", "work", "COMMIT"]
    assert len(told) == 1 + lasts
