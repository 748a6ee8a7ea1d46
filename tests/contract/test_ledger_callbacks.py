"""The outbox on both engines: an event comes with its outcome or not at all, once, and is due in its order."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from cobrowse.callbacks import Delivery, EventType
from cobrowse.ledger import Acquired, Checkpoint, Lease
from integrations.ledger import queries
from integrations.ledger.callbacks import BATCH, CallbackTable
from integrations.ledger.database import SequentialRun
from integrations.ledger.purge import UNSENT_SECONDS
from tests.contract.ledgers import FINAL, INVITING, again, claim_of, execute, failed, keyed, outcome, settle, won

SECRETS = ("very-secret-join", "very-secret-view", "very-secret-code")


@pytest.fixture
def telling(url, opened):
    return opened(url, adds_callbacks=True)


def events(ledger, initiation_id):
    return [(each.type, each.attempt) for each in ledger.callbacks.for_initiation(initiation_id)]


def test_nothing_is_added_where_nobody_is_told(ledger):
    claim = keyed()
    won(ledger, claim)
    settle(ledger, claim)
    ledger.mark_ended(ledger.read(claim.id))
    assert ledger.callbacks.for_initiation(claim.id) == []
    assert ledger.callbacks.backlog() == (0, 0.0)


def test_each_attempts_outcome_is_one_event_and_the_sessions_end_another(telling):
    claim = keyed()
    won(telling, claim)
    failed(telling, claim)
    later = again(claim)
    won(telling, later)
    settle(telling, later, entry_id=claim.id)
    telling.mark_ended(telling.read(claim.id))
    telling.mark_ended(telling.read(claim.id))
    assert events(telling, claim.id) == [
        (EventType.FAILED, 1),
        (EventType.SUCCEEDED, 2),
        (EventType.ENDED, 2),
    ]
    first, second, third = telling.callbacks.for_initiation(claim.id)
    assert first.outcome.failure.code == "genesys_unavailable"
    assert second.outcome.failure is None
    assert [each.id for each in (first, third)] == [f"{claim.id}:failed:1", f"{claim.id}:ended:2"]
    assert (second.sender, second.action, second.key) == ("data-action", "start", "k-1")
    assert first.created <= second.created <= third.created


def test_an_end_is_told_of_the_attempt_whose_session_it_ended_though_the_next_one_runs_already(telling):
    """An end that waited for the first attempt marks it while a redelivery waits for that end."""
    claim = keyed()
    won(telling, claim)
    failed(telling, claim, checkpoint=INVITING)
    found = telling.read(claim.id)
    later = again(claim)
    won(telling, later)
    telling.mark_ended(found)
    telling.save_checkpoint(Lease(claim.id, later.lease_owner), INVITING)
    settle(telling, later, entry_id=claim.id)
    telling.mark_ended(telling.read(claim.id))
    assert events(telling, claim.id) == [
        (EventType.FAILED, 1),
        (EventType.ENDED, 1),
        (EventType.SUCCEEDED, 2),
        (EventType.ENDED, 2),
    ]
    assert telling.callbacks.for_initiation(claim.id)[1].outcome.failure.code == "genesys_unavailable"


def test_an_end_that_is_noted_already_is_not_told_again_by_a_later_attempt_that_called_nothing(telling):
    claim = keyed()
    won(telling, claim)
    failed(telling, claim, checkpoint=INVITING)
    telling.mark_ended(telling.read(claim.id))
    later = again(claim)
    won(telling, later)
    settle(telling, later, entry_id=claim.id)
    telling.mark_ended(telling.read(claim.id))
    assert [each for each in events(telling, claim.id) if each[0] is EventType.ENDED] == [(EventType.ENDED, 1)]


def test_an_outcome_that_is_not_on_record_tells_nobody(telling):
    claim = claim_of(lease=0.0)
    won(telling, claim)
    taken = again(claim)
    won(telling, taken)
    with pytest.raises(Exception, match=claim.id):
        settle(telling, claim)
    assert telling.callbacks.for_initiation(claim.id) == []


def test_a_commit_that_is_done_again_adds_nothing(telling):
    claim = keyed()
    won(telling, claim)
    settle(telling, claim)
    settle(telling, claim)
    assert events(telling, claim.id) == [(EventType.SUCCEEDED, 1)]


def test_an_outcome_whose_event_fails_is_not_on_record_either(telling):
    claim = keyed()
    won(telling, claim)
    params = {"id": claim.id, "lease_owner": claim.lease_owner}
    ended, broken = (queries.MARK_ENDED, params), ("INSERT INTO callbacks (seq) VALUES (NULL)", {})
    with pytest.raises((sqlite3.Error, psycopg.Error)):
        telling._database.write(lambda run: run.atomic([ended, broken]))
    assert telling.read(claim.id).ended is None
    telling.mark_ended(telling.read(claim.id))
    assert telling.read(claim.id).ended is not None


def test_a_later_event_of_an_initiation_waits_for_the_earlier_one(telling):
    claim, other = keyed(), keyed("k-2", conversation_id="c-2")
    won(telling, claim)
    failed(telling, claim, failure=FINAL)
    telling.mark_ended(telling.read(claim.id))
    won(telling, other)
    settle(telling, other)
    due = telling.callbacks.due(10)
    assert [each.id for each in due] == [f"{claim.id}:failed:1", f"{other.id}:succeeded:1"]
    telling.callbacks.mark(due[0], Delivery.PENDING, 60.0, "HTTP 503")
    assert [each.initiation_id for each in telling.callbacks.due(10)] == [other.id]
    telling.callbacks.resend(due[0])
    telling.callbacks.mark(due[0], Delivery.DELIVERED, 0.0, "HTTP 204")
    assert [each.id for each in telling.callbacks.due(10)] == [f"{claim.id}:ended:1", f"{other.id}:succeeded:1"]
    assert len(telling.callbacks.due(1)) == 1


class Watched:
    """A database that notes which writes wait for the disk. `before` is done before each."""

    def __init__(self, database, before=lambda: None):
        self.scan = database.scan
        self.writes = []
        self._database = database
        self._before = before

    def write(self, work, *, durable):
        self._before()
        self.writes.append(durable)
        return self._database.write(work, durable=durable)


def test_what_is_due_is_on_disk_and_nothing_is_written_where_nothing_is_due(telling):
    database = Watched(telling._database)
    assert CallbackTable(database).due(10) == []
    assert database.writes == []
    claim = keyed()
    won(telling, claim)
    settle(telling, claim)
    assert [each.id for each in CallbackTable(database).due(10)] == [f"{claim.id}:succeeded:1"]
    assert database.writes == [True]


def test_an_event_that_a_crash_of_the_database_undoes_meanwhile_is_not_due(telling, url):
    kept, undone = keyed(), keyed("k-2", conversation_id="c-2")
    for claim in (undone, kept):
        won(telling, claim)
        settle(telling, claim)
    database = Watched(
        telling._database, lambda: execute(url, f"DELETE FROM callbacks WHERE initiation_id = '{undone.id}'")
    )
    assert [each.initiation_id for each in CallbackTable(database).due(10)] == [kept.id]


def test_what_is_delivered_stays_so_until_it_is_to_be_sent_again(telling):
    claim = keyed()
    won(telling, claim)
    settle(telling, claim)
    [due] = telling.callbacks.due(10)
    telling.callbacks.mark(due, Delivery.PENDING, 0.0, "HTTP 500")
    telling.callbacks.mark(due, Delivery.DELIVERED, 0.0, "HTTP 200")
    telling.callbacks.mark(due, Delivery.GIVEN_UP, 0.0, "another process was late")
    [kept] = telling.callbacks.for_initiation(claim.id)
    assert (kept.state, kept.tries, kept.answer) == (Delivery.DELIVERED, 2, "HTTP 200")
    assert telling.callbacks.backlog() == (0, 0.0)
    assert telling.callbacks.resend_all() == 0
    telling.callbacks.resend(kept)
    [again] = telling.callbacks.due(10)
    assert (again.id, again.tries, again.answer) == (due.id, 0, "HTTP 200")
    assert telling.callbacks.backlog()[0] == 1
    telling.callbacks.mark(again, Delivery.GIVEN_UP, 0.0, "HTTP 410")
    assert telling.callbacks.due(10) == []
    assert telling.callbacks.resend_all() == 1
    assert telling.callbacks.resend_all() == 0  # it is due already
    assert len(telling.callbacks.due(10)) == 1


def test_any_number_is_made_due_in_small_transactions(telling, url):
    claim = keyed()
    won(telling, claim)
    settle(telling, claim)
    execute(url, "UPDATE callbacks SET state = 'given_up'")
    columns = "type, sender, action, key, outcome, created, state, at"
    copy = f"INSERT INTO callbacks (initiation_id, attempt, {columns}) SELECT initiation_id, attempt + :n, {columns} "
    for power in range(11):
        execute(url, copy.replace(":n", str(2**power)) + "FROM callbacks")
    assert telling.callbacks.resend_all() == 2**11 > 2 * BATCH
    assert telling.callbacks.backlog()[0] == 2**11


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_an_event_takes_no_commit_of_its_own(url, opened):
    def commits(ledger, key):
        claim = keyed(key)
        won(ledger, claim)
        before = ledger._database._state.batches.commits
        settle(ledger, claim)
        return ledger._database._state.batches.commits - before

    assert commits(opened(url), "k-1") == commits(opened(url, adds_callbacks=True), "k-2") == 1


def test_no_secret_is_in_an_event(telling, url):
    claim = keyed()
    won(telling, claim)
    settle(telling, claim)
    [rows] = execute(url, "SELECT * FROM callbacks")
    assert len(rows) == 1
    assert not [secret for secret in SECRETS if secret in str(rows)]


def test_an_event_that_was_damaged_holds_up_no_other(telling, url):
    for claim in (keyed(), keyed("k-2")):
        won(telling, claim)
        settle(telling, claim)
    execute(url, "UPDATE callbacks SET outcome = '{' WHERE key = 'k-1'")
    damaged, sound = telling.callbacks.due(10)
    assert damaged.outcome is None
    assert sound.outcome.status == "initiated"


def test_events_are_purged_with_the_initiations_of_their_time(telling, url):
    delivered, pending, untried = keyed("k-1"), keyed("k-2"), keyed("k-3")
    for claim in (delivered, pending, untried):
        won(telling, claim)
        settle(telling, claim)
    telling.callbacks.mark(telling.callbacks.for_initiation(delivered.id)[0], Delivery.DELIVERED, 0.0, "HTTP 200")
    assert telling.purge() == 0
    age = "UPDATE callbacks SET at = at - {} WHERE key = '{}'"
    execute(url, age.format(86_401, "k-1"), age.format(86_401, "k-2"), age.format(UNSENT_SECONDS + 1, "k-3"))
    telling.purge()
    left = [claim.key for claim in (delivered.command, pending.command, untried.command)]
    assert left == ["k-1", "k-2", "k-3"]
    assert [len(telling.callbacks.for_initiation(claim.id)) for claim in (delivered, pending, untried)] == [0, 1, 0]


def test_an_end_is_told_once_even_when_its_event_has_been_purged(telling, url):
    claim = keyed()
    won(telling, claim)
    settle(telling, claim, checkpoint=Checkpoint())
    telling.mark_ended(telling.read(claim.id))
    execute(url, "DELETE FROM callbacks", "UPDATE initiations SET ended = ended - 86400")
    telling.mark_ended(telling.read(claim.id))
    assert telling.callbacks.for_initiation(claim.id) == []


def test_what_a_work_undoes_is_its_own_where_works_share_a_transaction():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        run = SequentialRun(lambda sql, params: connection.execute(sql, params).fetchall())
        connection.execute("CREATE TABLE rows (number INTEGER UNIQUE)")
        add = "INSERT INTO rows VALUES (:number)"
        connection.execute("BEGIN")
        run(add, {"number": 1})
        with pytest.raises(sqlite3.IntegrityError):
            run.atomic([(add, {"number": 2}), (add, {"number": 1})])
        run.atomic([(add, {"number": 3}), (add, {"number": 4})])
        connection.execute("COMMIT")
        assert run("SELECT number FROM rows ORDER BY number") == [(1,), (3,), (4,)]


def test_a_whole_retry_by_a_person_is_an_event_of_its_own(telling):
    claim = keyed()
    won(telling, claim)
    failed(telling, claim, failure=FINAL)
    claimed = telling.reclaim(Lease(claim.id, "person"), 30.0)
    assert isinstance(claimed, Acquired)
    telling.complete(Lease(claim.id, "person"), Checkpoint(), replace(outcome(claim.id), attempts=2))
    assert events(telling, claim.id) == [(EventType.FAILED, 1), (EventType.SUCCEEDED, 2)]
