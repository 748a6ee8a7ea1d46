"""The soak's audit: each way in which the callers, the ledger and the customers can disagree is found."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cobrowse.ledger import State
from cobrowse.model import Failure, Outcome, Status
from integrations.senders.response_policies import teams
from tests.robustness.callers import Reply, Request
from tests.robustness.reconciliation import PAGE, History, audit, rows_of
from tests.scripted import command, ended, entry
from web.responses import chat_message

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
ROW = replace(ended("i-1", of=command(sender="crm", conversation_id="c-1", key="k")), created=NOW, updated=NOW)
RUNNING = entry("i-1", of=command(sender="crm", conversation_id="c-1", key="k"), lease_left=0.0)


def reply(status=200, *, replayed=False, at=NOW, **fields):
    body = {"success": True, "initiationId": "i-1", "cobrowseSessionId": "s-1", "retryable": False} | fields
    return Reply(status, json.dumps(body).encode(), replayed, at)


def chat(outcome):
    return Reply(200, json.dumps(teams(chat_message(outcome))).encode(), at=NOW)


def failed(message):
    failure = Failure("any", message, "", retryable=True, is_terminal=False)
    return chat(Outcome(Status.FAILED, "i-1", "c", failure=failure))


ACK = Reply(200, b"<Ack>true</Ack>", at=NOW)
CUT = replace(RUNNING, updated=NOW - timedelta(seconds=1))
NOTHING = Reply(0)
FAILED = reply(503, success=False, retryable=True, errorCode="genesys_unavailable")


def found(*replies, rows=(ROW,), invited=1, key="k", away=()):
    history = History(Request("crm", key, "c-1", b"{}", {}), list(replies))
    return list(audit([history], rows, {"c-1": invited} if invited else {}, away))


@pytest.mark.parametrize(
    ("replies", "more"),
    [
        ([reply()], {}),
        ([NOTHING, reply(), reply(replayed=True)], {}),
        ([FAILED, reply()], {}),
        ([reply()], {"key": "", "rows": (replace(ROW, command=command(sender="crm", conversation_id="c-1")),)}),
        # The ledger was away when it ended.
        ([reply()], {"rows": (CUT,), "away": (NOW, NOW)}),
        ([ACK], {"rows": (CUT,), "away": (NOW, NOW)}),
        ([chat(Outcome(Status.INITIATED, "i-1", "c"))], {"rows": (CUT,), "away": (NOW, NOW)}),
        ([chat(Outcome(Status.INITIATED, "i-1", "c"))], {}),
        # A chat got the message that the ledger was away, or that there was nothing to start.
        ([failed('the PostgreSQL database "l" can\'t be reached')], {"rows": (), "invited": 0}),
        ([chat(Outcome(Status.IGNORED, "i-1", "c", reason="not wanted"))], {"rows": (), "invited": 0}),
        # Its worker died after another delivery of the same request had brought the answer.
        ([NOTHING, reply()], {"rows": (replace(RUNNING, command=replace(RUNNING.command, key="")),), "key": ""}),
    ],
)
def test_books_that_add_up_have_no_fault(replies, more):
    assert found(*replies, **more) == []


WRONG = {
    "a customer who was invited twice": (([reply()], {"invited": 2}), "2 invitations"),
    "a session that nobody was invited to": (([reply()], {"invited": 0}), "and it was not"),
    "a request that never got its answer": (([FAILED], {"invited": 0}), "never settled"),
    "a request that nobody ever answered": (([NOTHING], {"rows": (), "invited": 0}), "never settled"),
    "an answer without a row": (([reply()], {"rows": ()}), "of which the ledger knows nothing"),
    "two rows for one key": (([reply()], {"rows": (ROW, replace(ROW, id="i-2"))}), "2 rows for its key"),
    "a success whose row failed": (([reply()], {"rows": (replace(ROW, state=State.FAILED_RETRYABLE),)}), "its row is"),
    "two sessions for one key": (([reply(), reply(cobrowseSessionId="s-2")], {}), "different answers"),
    "two replays that differ": (
        ([reply(), reply(replayed=True), reply(replayed=True, durationMs=9)], {}),
        "different answers",
    ),
    "a row that is left running though all were answered": (([reply()], {"rows": (RUNNING,)}), "still running"),
    "a row whose owner still lives": (
        ([NOTHING, reply()], {"rows": (replace(RUNNING, lease_left=3.0),)}),
        "still running",
    ),
    **{
        f"a success whose row is running, and {what}": (([answer], {"rows": (row,), "away": away}), "its row is")
        for what, answer, row, away in (
            ("the ledger was away later", reply(), CUT, (NOW + timedelta(seconds=1),) * 2),
            ("the ledger was away before", reply(), CUT, (NOW - timedelta(seconds=1),) * 2),
            (
                "the ledger was there after its end",
                reply(),
                replace(CUT, updated=NOW + timedelta(seconds=1)),
                (NOW, NOW),
            ),
            ("another's answer came while the ledger was away", reply(initiationId="i-2"), CUT, (NOW, NOW)),
            ("it is a chat's", chat(Outcome(Status.INITIATED, "i-1", "c")), CUT, ()),
        )
    },
    "a chat's success without a row": (([chat(Outcome(Status.INITIATED, "i-1", "c"))], {"rows": ()}), "0 rows"),
    "a chat's success without an invitation": (
        ([chat(Outcome(Status.INITIATED, "i-1", "c"))], {"invited": 0}),
        "and it was not",
    ),
    "a chat's failure without a row": (([failed("Genesys is away")], {"rows": (), "invited": 0}), "0 rows"),
    "a success whose row is running, its worker dead": (([NOTHING, reply()], {"rows": (RUNNING,)}), "its row is"),
}


@pytest.mark.parametrize(("books", "fault"), WRONG.values(), ids=WRONG)
def test_books_that_do_not_add_up_are_found(books, fault):
    replies, more = books
    assert any(fault in line for line in found(*replies, **more))


def test_a_customer_whom_nobody_asked_for_is_found():
    assert list(audit([], [], {"c-9": 1})) == ["conversation c-9 was invited and nobody asked"]


class Kept:
    """A ledger of so many rows, each with its number."""

    def __init__(self, count):
        self.rows = [replace(ROW, seq=count - number) for number in range(count)]

    def recent(self, limit, *, before_seq=None):
        older = [row for row in self.rows if before_seq is None or row.seq < before_seq]
        return older[:limit]


@pytest.mark.parametrize("count", [0, 1, PAGE, 2 * PAGE + 1])
def test_all_rows_of_the_ledger_are_gone_through(count):
    assert [row.seq for row in rows_of(Kept(count))] == list(range(count, 0, -1))
