"""What was asked, what was answered, what the ledger says and what the customers saw: row by row."""

from collections import defaultdict
from dataclasses import dataclass, field

from cobrowse.ledger import State
from tests.robustness.callers import Reply, Request
from web.responses import is_success_message

PAGE = 1_000
FINAL = (State.SUCCEEDED, State.FAILED_FINAL)
# How a chat is answered where the ledger is away.
WITHOUT_LEDGER = ("Cobrowse was not started: the PostgreSQL database ", "Cobrowse was not started: the SQLite file ")


@dataclass
class History:
    """One request with every reply to it."""

    request: Request
    replies: list[Reply] = field(default_factory=list)

    @property
    def settled(self):
        """Whether its sender would not send it again."""
        return any(reply.final for reply in self.replies)


def audit(histories, rows, invitations, away=()):
    """What does not add up between the callers, the ledger's rows and the customers; nothing if all does.

    `away`: from when and to when an attempt that ended found no ledger. Its row is left running then, for the caller is
    answered all the same.
    """
    cut = {row.id for row in rows if away and row.state is State.RUNNING and _ended_within(away, row, histories)}
    by_key = defaultdict(list)
    ids = {row.id for row in rows}
    for row in rows:
        if row.command.key:
            by_key[row.command.sender, row.command.key].append(row)
    # A sender that has its answer does not come again: what a worker died of after that stays as it was.
    abandoned = {
        one.request.conversation for one in histories if one.settled and any(not each.status for each in one.replies)
    }
    for row in rows:
        if (
            row.state is State.RUNNING
            and row.id not in cut
            and (row.has_live_lease or row.command.conversation_id not in abandoned)
        ):
            yield f"row {row.id} is still running"
    for one in histories:
        kept = by_key.get((one.request.name, one.request.key), [])
        for fault in (*_of_request(one, rows, ids, invitations), *(_of_key(one, kept, cut) if one.request.key else ())):
            yield f"{one.request.name} {one.request.key or one.request.conversation}: {fault}"
    known = {one.request.conversation for one in histories}
    yield from (f"conversation {one} was invited and nobody asked" for one in invitations if one not in known)


def _ended_within(away, row, histories):
    """Whether the row's last attempt was answered in that time."""
    of = row.command
    return any(
        reply.at is not None
        and max(away[0], row.updated) <= reply.at <= away[1]
        and reply.fields.get("initiationId", row.id) == row.id
        for one in histories
        if one.request.conversation == of.conversation_id and one.request.key == of.key
        for reply in one.replies
    )


def _of_request(one, rows, ids, invitations):
    conversation = one.request.conversation
    seen = invitations.get(conversation, 0)
    if seen > 1:
        did = (_attempts(row) for row in rows if row.command.conversation_id == conversation)
        yield f"{seen} invitations; {' | '.join(did)}"
    if not seen and any(reply.success for reply in one.replies):
        yield "answered that it was started, and it was not"
    if not one.settled:
        yield f"never settled; the last answer was {one.replies[-1].status if one.replies else 'none'}"
    for reply in one.replies:
        number = str(reply.fields.get("initiationId") or "")
        if number and number not in ids and not _needs_no_row(reply):
            yield f"answered {reply.status} as {number}, of which the ledger knows nothing"


def _of_key(one, kept, cut):
    succeeded = [reply for reply in one.replies if reply.success]
    if one.settled and len(kept) != 1 and not (not kept and all(map(_needs_no_row, one.replies))):
        yield f"{len(kept)} rows for its key"
    known = kept[0] if kept and kept[0].id not in cut else None
    if known and succeeded and known.state is not State.SUCCEEDED:
        yield f"answered that it was started, and its row is {known.state}"
    if known and known.state not in FINAL and any(reply.acknowledged for reply in one.replies):
        yield f"answered that it need not come again, and its row is {known.state}"
    # Of one session all; a take-over that finds it done counts its own calls and time, a replay repeats it.
    sessions = {reply.fields.get("cobrowseSessionId") for reply in succeeded}
    replays = {reply.body for reply in succeeded if reply.replayed}
    if len({reply.body for reply in succeeded}) > 1 and not (len(sessions) == 1 and len(replays) <= 1):
        yield "different answers"


def _attempts(row):
    """What a row's last attempt did, call by call."""
    spans = row.outcome.spans if row.outcome else ()
    did = ", ".join(f"{span.start:.2f} {span.name} {span.result} {span.seconds:.2f} s" for span in spans)
    return f"{row.id} {row.state}, attempt {row.attempts}, {row.created:%H:%M:%S} to {row.updated:%H:%M:%S}: {did}"


def _needs_no_row(reply):
    """Whether nothing was started, so that it may be answered without the ledger; or nothing was answered."""
    code, status = reply.fields.get("errorCode"), reply.fields.get("status")
    if reply.words:
        return is_success_message(reply.words, ignored=True) or reply.words.startswith(WITHOUT_LEDGER)
    return not reply.status or code == "ledger_unavailable" or status == "ignored"


def rows_of(ledger):
    """All rows, the newest first."""
    rows = page = ledger.recent(PAGE)
    while page:
        page = ledger.recent(PAGE, before_seq=page[-1].seq)
        rows = [*rows, *page]
    return rows
