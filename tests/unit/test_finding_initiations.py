"""The one initiation that a command is about: which an id finds, and what finds none."""

import pytest

from commands.group import Failure
from commands.initiations import find_newest
from integrations.ledger.record_columns import new_record
from tests.contract.ledgers import keyed


class Store:
    """Finds what begins with a text, the newest first, as the ledger does: people's names, too."""

    def __init__(self, *records):
        self.records = records

    def recent(self, _limit, *, search):
        return [each for each in self.records if search in ("", "ann") or each.command.key.startswith(search)]


def record(key, conversation_id="c-1"):
    return new_record(keyed(key, conversation_id=conversation_id), 1, 1_795_684_223.0)


TENTH, FIRST = record("case-10", "c-10"), record("case-1")


def test_a_whole_key_is_not_taken_for_the_beginning_of_another():
    assert find_newest(Store(TENTH, FIRST), "case-1") is FIRST
    assert find_newest(Store(TENTH, FIRST), "case-10") is TENTH


def test_a_beginning_is_enough_where_it_is_of_one_conversation():
    later = record("case-12")
    assert find_newest(Store(later, FIRST), "case") is later


@pytest.mark.parametrize(
    ("search", "message"), [("case", "several conversations"), ("", "No initiation"), ("ann", "No initiation")]
)
def test_what_does_not_say_which_finds_none(search, message):
    """A script whose variable is empty, or a name, is answered with no other initiation's success."""
    with pytest.raises(Failure, match=message):
        find_newest(Store(TENTH, FIRST), search)
