"""What the ledger keeps for the rest of a session's life, on both engines: ends, and a credential's own rows."""

from datetime import UTC, datetime, timedelta
from itertools import count

from cobrowse.ledger import Acquired, Checkpoint, Lease
from cobrowse.lookup import InitiationQuery
from cobrowse.model import Outcome, Session, Status
from tests.contract.ledgers import again, keyed, lease_of

NUMBERS = count(1)
INVITED = Checkpoint("native", ("cobrowse",), may_have_notified=True, session=Session("c-1", "s-1"))


def done(ledger, **fields):
    """A start in c-1 that has invited its customer: its id."""
    claim = keyed(conversation_id="c-1", key=f"key-{next(NUMBERS)}", **fields)
    assert isinstance(ledger.claim(claim), Acquired)
    outcome = Outcome(Status.INITIATED, claim.id, "corr", INVITED.session, "native")
    ledger.complete(lease_of(claim), INVITED, outcome)
    return claim.id


def test_what_was_ended_is_no_history_of_a_later_claim(ledger):
    first, second = done(ledger), done(ledger)
    ledger.mark_ended(ledger.read(first))
    kept = ledger.read(first).ended
    assert kept is not None
    ledger.mark_ended(ledger.read(first))
    assert ledger.read(first).ended == kept
    assert ledger.read(second).ended is None
    won = ledger.claim(keyed(conversation_id="c-1", key="later"))
    assert [entry.id for entry in won.history] == [second]


def test_an_attempt_that_begins_a_new_call_is_history_again_though_an_earlier_one_was_ended(ledger):
    claim = keyed(conversation_id="c-1", key="again", lease=0.0)
    assert isinstance(ledger.claim(claim), Acquired)
    ledger.mark_ended(ledger.read(claim.id))
    second = again(claim, lease_seconds=30.0)
    assert isinstance(ledger.claim(second), Acquired)
    ledger.save_checkpoint(Lease(claim.id, second.lease_owner), INVITED)
    assert ledger.read(claim.id).ended is None
    outcome = Outcome(Status.INITIATED, claim.id, "corr", INVITED.session, "native")
    ledger.complete(Lease(claim.id, second.lease_owner), INVITED, outcome)
    assert [entry.id for entry in ledger.claim(keyed(conversation_id="c-1", key="later")).history] == [claim.id]


def test_an_end_is_kept_with_what_it_ends_and_its_own_lock(ledger):
    claim = keyed(conversation_id="c-1", action="end", ends="initiation-1", hand_over=True)
    assert isinstance(ledger.claim(claim), Acquired)
    command = ledger.read(claim.id).command
    assert (command.action, command.ends, command.hand_over) == ("end", "initiation-1", True)
    session = INVITED.session._replace(targets=("p-1/k-1", "p-2/k-2"), handed_over=True, customer_id="p-1")
    ledger.save_checkpoint(lease_of(claim), INVITED._replace(session=session))
    assert ledger.read(claim.id).checkpoint.session == session


def test_a_credentials_own_are_listed_the_newest_first(ledger):
    mine = [done(ledger, credential="ada", correlation_id=f"corr-{number}") for number in range(4)]
    done(ledger, credential="bob")
    done(ledger, credential="ada", sender="another")
    sender = ledger.read(mine[0]).command.sender
    found = ledger.find_own(InitiationQuery(sender, "ada", conversation_id="c-1"), 10)
    assert [entry.id for entry in found] == mine[::-1]
    older = ledger.find_own(InitiationQuery(sender, "ada", conversation_id="c-1", before_seq=found[1].seq), 1)
    assert [entry.id for entry in older] == [mine[1]]
    assert [entry.id for entry in ledger.find_own(InitiationQuery(sender, "ada", correlation_id="corr-2"), 10)] == [
        mine[2]
    ]
    key = ledger.read(mine[3]).command.key
    assert [entry.id for entry in ledger.find_own(InitiationQuery(sender, "ada", key=key), 10)] == [mine[3]]
    now = datetime.now(UTC)
    assert (
        len(ledger.find_own(InitiationQuery(sender, "ada", conversation_id="c-1", since=now - timedelta(hours=1)), 10))
        == 4
    )
    assert (
        ledger.find_own(InitiationQuery(sender, "ada", conversation_id="c-1", since=now + timedelta(hours=1)), 10) == ()
    )
    assert ledger.find_own(InitiationQuery(sender, "ada", conversation_id="c-1", action="end"), 10) == ()
