"""What was asked, what was answered, what the ledger says and what the customers saw: row by row."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cobrowse.ledger import InitiationRecord, State
from cobrowse.model import Status
from integrations.ledger import LedgerStore
from tests.robustness.callers import Reply, Request

PAGE = 1_000
_FINAL = (State.SUCCEEDED, State.FAILED_FINAL)


@dataclass
class RequestHistory:
    """One request with everything that was ever said to it."""

    request: Request
    replies: list[Reply] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether its sender would leave it at that."""
        return any(reply.final for reply in self.replies)


class Reconciliation:
    """Every request and its replies, from all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: list[RequestHistory] = []
        self.statuses: Counter[int] = Counter()

    def open(self, request: Request) -> RequestHistory:
        """A new request's account."""
        account = RequestHistory(request)
        with self._lock:
            self._accounts.append(account)
        return account

    def note(self, account: RequestHistory, reply: Reply) -> None:
        """What was answered."""
        with self._lock:
            account.replies.append(reply)
            self.statuses[reply.status] += 1

    def accounts(self) -> list[RequestHistory]:
        """All of them so far."""
        with self._lock:
            return list(self._accounts)

    def unsettled(self) -> list[RequestHistory]:
        """Those that must be sent again."""
        return [account for account in self.accounts() if not account.settled]


def audit(books: Reconciliation, ledger: LedgerStore, invitations: Mapping[str, int]) -> list[str]:
    """What does not add up between the callers, the ledger and the customers; nothing if all does."""
    rows = list(_rows(ledger))
    by_key: dict[tuple[str, str], list[InitiationRecord]] = defaultdict(list)
    by_id = {row.id: row for row in rows}
    for row in rows:
        if row.command.key:
            by_key[row.command.sender, row.command.key].append(row)
    # Who has its answer does not come again: what a worker died of after that stays as it was.
    abandoned = {
        one.request.conversation
        for one in books.accounts()
        if one.settled and any(not each.status for each in one.replies)
    }
    wrong = [
        f"row {row.id} is still running"
        for row in rows
        if row.state is State.RUNNING and (row.has_live_lease or row.command.conversation_id not in abandoned)
    ]
    for account in books.accounts():
        wrong += [
            f"{account.request.name} {account.request.key or account.request.conversation}: {fault}"
            for fault in _of(account, by_key, by_id, invitations)
        ]
    known = {account.request.conversation for account in books.accounts()}
    wrong += [f"conversation {one} was invited and nobody asked" for one in invitations if one not in known]
    return wrong


def _of(
    account: RequestHistory,
    by_key: Mapping[tuple[str, str], list[InitiationRecord]],
    by_id: Mapping[str, InitiationRecord],
    invitations: Mapping[str, int],
) -> Iterator[str]:
    request, replies = account.request, account.replies
    seen = invitations.get(request.conversation, 0)
    succeeded = [reply for reply in replies if reply.success]
    if seen > 1:
        rows = [row for row in by_id.values() if row.command.conversation_id == request.conversation]
        yield f"{seen} invitations; {' | '.join(map(_history, rows))}"
    if succeeded and not seen:
        yield "told that it was started, and it was not"
    if not account.settled:
        yield f"never settled; the last answer was {replies[-1].status if replies else 'none'}"
    told = [(reply, str(reply.told.get("initiationId") or "")) for reply in replies]
    for reply, number in told:
        if number and number not in by_id and not _needs_no_row(reply):
            yield f"answered {reply.status} as {number}, of which the ledger knows nothing"
    if request.key:
        yield from _of_its_key(account, by_key.get((request.name, request.key), []), succeeded)


def _of_its_key(account: RequestHistory, kept: list[InitiationRecord], succeeded: list[Reply]) -> Iterator[str]:
    if account.settled and len(kept) != 1 and not (not kept and all(map(_needs_no_row, account.replies))):
        yield f"{len(kept)} rows for its key"
    if kept and succeeded and kept[0].state is not State.SUCCEEDED:
        yield f"told that it was started, and its row is {kept[0].state}"
    if kept and kept[0].state not in _FINAL and any(reply.acknowledged for reply in account.replies):
        yield f"told that it need not come again, and its row is {kept[0].state}"
    if len({reply.body for reply in succeeded}) > 1 and not _same_success(succeeded):
        yield "different answers"


def _history(row: InitiationRecord) -> str:
    """What a row's last attempt did, call by call."""
    spans = row.outcome.spans if row.outcome else ()
    did = ", ".join(f"{span.start:.2f} {span.name} {span.result} {span.seconds:.2f} s" for span in spans)
    return f"{row.id} {row.state}, attempt {row.attempts}, {row.created:%H:%M:%S} to {row.updated:%H:%M:%S}: {did}"


def _needs_no_row(reply: Reply) -> bool:
    """Whether nothing was started, so that it may be said without the ledger; or nothing was said."""
    return (
        not reply.status or reply.told.get("errorCode") == "ledger_unavailable" or reply.told.get("status") == "ignored"
    )


def _same_success(succeeded: list[Reply]) -> bool:
    """Whether the answers tell of one session; a take-over that finds it done counts its own calls and time."""
    sessions = {reply.told.get("cobrowseSessionId") for reply in succeeded}
    return len(sessions) == 1 and len({reply.body for reply in succeeded if reply.replayed}) <= 1


def tally(ledger: LedgerStore) -> Mapping[str, int]:
    """The ledger's rows by what came of them."""
    return Counter(
        str(row.outcome.status if row.outcome and row.outcome.status is not Status.FAILED else row.state)
        for row in _rows(ledger)
    )


def _rows(ledger: LedgerStore) -> Iterator[InitiationRecord]:
    before: int | None = None
    while page := ledger.recent(PAGE, before_seq=before):
        yield from page
        before = page[-1].seq
