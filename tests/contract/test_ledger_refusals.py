"""The refused requests that the ledger keeps, on each engine: added up by minute, bounded, and lost without harm."""

from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.errors import LedgerUnavailable
from integrations.ledger import refusals
from integrations.refusals import Refusal

NOON = datetime.now(UTC).replace(second=10, microsecond=0)


def refusal(seconds=0.0, *, sender="crm", code="signature_invalid", address="203.0.113.9", count=1, said="no match"):
    at = NOON + timedelta(seconds=seconds)
    return Refusal(at, at, sender, code, 401, address, said, "compare the secrets", f"corr-{seconds:g}", count)


def test_workers_add_to_one_row_a_minute_which_has_the_last_words(url, opened, ledger):
    ledger.refusals.add([refusal(0, count=3)])
    opened(url).refusals.add([refusal(5, count=2, said="no match at all")])
    [kept] = ledger.refusals.newest(10)
    assert (kept.count, kept.first, kept.last) == (5, NOON, NOON + timedelta(seconds=5))
    assert (kept.message, kept.correlation_id, kept.status, kept.hint) == (
        "no match at all",
        "corr-5",
        401,
        "compare the secrets",
    )


@pytest.mark.parametrize(
    "other", [{"seconds": 60.0}, {"sender": "erp"}, {"code": "body_too_large"}, {"address": "203.0.113.10"}]
)
def test_what_differs_has_a_row_of_its_own(ledger, other):
    ledger.refusals.add([refusal(), refusal(**other)])
    assert [each.count for each in ledger.refusals.newest(10)] == [1, 1]


def test_they_are_found_by_sender_and_by_the_start_of_what_is_pasted(ledger):
    ledger.refusals.add([refusal(1), refusal(2, sender="erp", code="body_too_large", address="198.51.100.7")])
    newest = ledger.refusals.newest

    def senders(**query):
        return [each.sender for each in newest(10, **query)]

    assert senders() == ["erp", "crm"]
    assert [each.sender for each in newest(1)] == ["erp"]
    assert senders(sender="crm") == ["crm"]
    for search in ("er", "body_too", "198.51", "corr-2"):
        assert senders(search=search) == ["erp"]
    assert senders(search="nothing") == []


def test_each_sender_has_its_last_one_and_a_total(ledger):
    ledger.refusals.add([refusal(1, count=2), refusal(70, code="invalid_request"), refusal(3, sender="erp")])
    found = ledger.refusals.last_of_senders()
    assert {sender: (total, last.code) for sender, (total, last) in found.items()} == {
        "crm": (3, "invalid_request"),
        "erp": (1, "signature_invalid"),
    }


def test_a_flood_of_one_kind_leaves_the_others_and_old_ones_go(url, opened):
    store = opened(url, retention_seconds=3600.0)
    most = refusals.MAX_ROWS_PER_CODE
    flood = [
        refusal(number / 100, code="not_found", address=f"10.0.{number // 250}.{number % 250}")
        for number in range(most + 20)
    ]
    store.refusals.add([refusal(-7200, sender="old"), refusal(), *flood])
    assert sorted({each.code for each in store.refusals.newest(2000)}) == ["not_found", "signature_invalid"]
    assert "old" not in store.refusals.last_of_senders()
    kept = [each for each in store.refusals.newest(2000) if each.code == "not_found"]
    assert len(kept) == most
    assert kept[0].address == flood[-1].address


def test_a_ledger_that_is_away_says_so(opened):
    with pytest.raises(LedgerUnavailable):
        opened("postgresql://nobody:x@127.0.0.1:1/none").refusals.add([refusal()])
