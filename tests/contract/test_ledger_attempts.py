"""The attempts of an initiation that the ledger keeps, on each engine: a retry hides none before it."""

from dataclasses import replace

from cobrowse.ledger import Acquired, Lease
from cobrowse.model import Secret
from integrations.ledger import record_columns
from tests.contract.ledgers import CREATED, FINAL, RETRYABLE, SPANS, failed, keyed, outcome, won


def failed_again(ledger, claim, number, failure):
    """One more attempt of a failed one, which fails too."""
    held = ledger.reclaim(Lease(claim.id, f"owner-{number}"), 30.0)
    assert isinstance(held, Acquired)
    ended = replace(outcome(claim.id, failure=failure), attempts=held.entry.attempts, correlation_id=f"corr-{number}")
    ledger.complete(Lease(claim.id, f"owner-{number}"), CREATED, ended)


def test_a_retry_hides_no_attempt_before_it(ledger):
    claim = keyed()
    won(ledger, claim)
    failed(ledger, claim)
    assert ledger.read(claim.id).earlier == ()
    failed_again(ledger, claim, 2, FINAL)
    failed_again(ledger, claim, 3, RETRYABLE)
    entry = ledger.read(claim.id)
    assert [(each.failure.code, each.correlation_id) for each in (*entry.earlier, entry.outcome)] == [
        ("genesys_unavailable", "correlation"),
        ("conversation_not_active", "corr-2"),
        ("genesys_unavailable", "corr-3"),
    ]
    assert entry.earlier[0].spans == SPANS
    assert not any((each.session.join_url, each.session.join_code) != (Secret(), Secret()) for each in entry.earlier)


def test_of_very_many_attempts_the_first_ones_and_the_last_are_kept(ledger):
    claim = keyed()
    won(ledger, claim)
    failed(ledger, claim)
    for number in range(2, record_columns.MAX_KEPT_ATTEMPTS + 6):
        failed_again(ledger, claim, number, RETRYABLE)
    entry = ledger.read(claim.id)
    assert len(entry.earlier) == record_columns.MAX_KEPT_ATTEMPTS - 1
    assert entry.earlier[0].correlation_id == "correlation"
    assert entry.outcome.correlation_id == f"corr-{record_columns.MAX_KEPT_ATTEMPTS + 5}"
