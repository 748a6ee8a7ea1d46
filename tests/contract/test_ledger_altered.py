"""Rows that somebody altered by hand, or that are damaged: ledger_unavailable by name, on either database."""

import json

import pytest

from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Lease
from cobrowse.model import Failure, Outcome, Status
from tests.contract.ledgers import (
    ATTACHED,
    RETENTION,
    again,
    execute,
    keyed,
    ledger,
    opened,
    pass_time,
    settle,
    url,
    won,
)
from web.error_responses import hint_of
from web.responses import ResponseMode, respond

__all__ = ["ledger", "opened", "url"]

DEEP = "[" * 5_000 + "]" * 5_000
OUTCOME = {"status": "initiated", "initiation_id": "i", "correlation_id": "c", "session": {}, "seconds": 1.0}
ALTERED = {
    "state": ["", "of another kind", "RUNNING", "x" * 1_000_000],
    "completed_steps": ["", "{", "7", "null", '{"a": 1}', "[1, 2]", DEEP],
    "session": ["", "[", "[]", "7", "null", '{"verified": "yes"}', '{"conversation_id": 7}', '{"media_id": []}', DEEP],
    "secret": ["x", "gAAAAA", "é" * 100, "gAAAAABm" + "A" * 200],
    "settings": ["x", "\U0001f600"],
    "outcome": [
        "{",
        "[]",
        "7",
        "{}",
        json.dumps(OUTCOME | {"status": "of another kind"}),
        json.dumps(OUTCOME | {"session": 7}),
        json.dumps(OUTCOME | {"session": {"state": 7}}),
        json.dumps(OUTCOME | {"seconds": "long"}),
        json.dumps(OUTCOME | {"upstream_calls": None}),
        json.dumps(OUTCOME | {"failure": 7}),
        json.dumps(OUTCOME | {"failure": {"code": "x"}}),
        json.dumps({**OUTCOME, "failure": {"code": 7, "message": "", "hint": "", "retryable": 1, "is_terminal": 1}}),
        DEEP,
    ],
    "spans": ["{", "7", "[7]", '[["call"]]', "null", DEEP],
    "created": ["Infinity", 1e18],
    "updated": ["NaN", 1e300],
}
CASES = [(column, value) for column, values in ALTERED.items() for value in values]


def altered(url, column, value):
    literal = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
    execute(url, f"UPDATE initiations SET {column} = {literal}")


def refusal(use):
    try:
        use()
    except LedgerUnavailable as error:
        return error
    return None


@pytest.mark.parametrize(("column", "value"), CASES, ids=lambda given: str(given)[:40])
def test_an_altered_row_is_refused_by_its_id_or_read_as_it_is(ledger, url, column, value):
    claim = keyed(session_settings={"mask": "it"})
    won(ledger, claim)
    settle(ledger, claim, checkpoint=ATTACHED)
    altered(url, column, value)
    uses = {
        "find": lambda: ledger.find(claim.lock_key),
        "read": lambda: ledger.read(claim.id),
        "claim": lambda: ledger.claim(again(claim)),
        "recent": lambda: ledger.recent(10),
        "samples": lambda: ledger.recent_samples(3_600.0),
        "reclaim": lambda: ledger.reclaim(Lease(claim.id, "another"), 5.0),
        "claim of the conversation": lambda: ledger.claim(keyed(key="another")),
    }
    refused = [error for error in map(refusal, uses.values()) if error is not None]
    assert refused or column == "updated"
    for error in refused:
        assert claim.id in error.message or "can't be read" in error.message
        assert hint_of(error)
        assert len(error.message) < 400


def test_the_purge_goes_on_beside_an_altered_row(ledger, url):
    claim = keyed()
    won(ledger, claim)
    settle(ledger, claim)
    altered(url, "state", "of another kind")
    pass_time(url, RETENTION + 1.0)
    assert ledger.purge() == 1
    assert ledger.read(claim.id) is None


@pytest.mark.parametrize(("retryable", "status"), [(True, 503), (False, 422)])
def test_a_kind_of_error_that_a_newer_release_has_recorded_is_answered(retryable, status):
    failure = Failure("of_a_newer_release", "new", "deploy it here too", retryable, is_terminal=not retryable)
    answer = respond([Outcome(Status.FAILED, "i", "c", failure=failure)], ResponseMode())
    assert (answer.status_code, answer.get_json()["errorCode"]) == (status, "of_a_newer_release")
