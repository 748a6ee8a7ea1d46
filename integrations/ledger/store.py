"""The Ledger protocol above an engine: what a claim, a step's begin and an attempt's end do to a row."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any

from cobrowse.clock import Clock, Deadline, SystemClock
from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import Claim, Claimed, Differs, Hold, LeaseLost, Progress, State, Taken, Won
from cobrowse.model import Outcome
from integrations.ledger import rows, statements
from integrations.ledger.engine import Engine, Rows, Run
from integrations.ledger.purge import Purge
from integrations.ledger.rows import Glance, Recorded
from integrations.ledger.statements import Row
from integrations.ledger.tokens import TokenTable
from integrations.ledger.vault import Vault

# How often a claim is tried whose slot another one took and let go again in the same moment.
TRIES = 20
# Seconds between looks at a row that another process works on: soon at first, for most take a moment only.
FIRST_LOOK, LAST_LOOK, SLOWER = 0.01, 0.1, 1.5
# An hour of four tokens at Genesys's limit of 300 calls a minute, four calls an initiation; some 30 megabytes.
MOST_GLANCES = 20_000
# What follows every text that begins with a prefix.
_BEYOND = "\U0010ffff"

_Values = tuple[Any, ...]


class LedgerStore:
    """The ledger, kept in a database: `tokens` lie there too. `retention_seconds`: how long what has ended is kept."""

    def __init__(self, engine: Engine, vault: Vault, *, retention_seconds: float, clock: Clock | None = None) -> None:
        self._engine = engine
        self._vault = vault
        self._clock = clock or SystemClock()
        self._bells = _Bells()
        self._purge = Purge(engine, retention_seconds, self._clock)
        self.tokens = TokenTable(engine, vault)

    @property
    def place(self) -> str:
        """Where it is kept, in words that hold no password."""
        return self._engine.place

    def find(self, slot: str, *, seconds: float | None = None) -> Recorded | None:  # noqa: ARG002
        """The entry that holds this slot, by one read."""
        found = self._engine.read(statements.BY_SLOT, {"slot": rows.plain(slot)})
        return self._entry(found[0]) if found else None

    def claim(self, claim: Claim, *, seconds: float | None = None) -> Claimed:  # noqa: ARG002
        """Hold the claim's slot if it is free, retryable or its lease ran out: one atomic, committed decision."""
        params = rows.of_claim(claim, self._vault)

        def work(run: Run) -> tuple[type[Won | Taken | Differs], _Values, Rows]:
            for _ in range(TRIES):
                kind, found = _claimed(run, params)
                if kind is not None:
                    return kind, found, _others(run, found, claim.window_seconds) if kind is Won else []
            raise LedgerUnavailable(f"the slot of initiation {claim.id} changed hands {TRIES} times meanwhile")

        kind, found, others = self._engine.write(work, durable=claim.progress.invited)
        self._purge.claimed()
        return self._won(found, others) if kind is Won else kind(self._entry(found))

    def reclaim(
        self,
        initiation_id: str,
        holder: str,
        lease_seconds: float,
        window_seconds: float = 0.0,
        *,
        seconds: float | None = None,  # noqa: ARG002
    ) -> Claimed | None:
        """Hold a failed initiation's own row again, final or not, or one whose holder died."""
        params = {"id": initiation_id, "holder": holder, "lease_seconds": lease_seconds}

        def work(run: Run) -> tuple[bool, _Values | None, Rows]:
            won = run(statements.RECLAIM, params)
            found = won or run(statements.BY_ID, {"id": initiation_id})
            if not found:
                return False, None, []
            row = Row._make(found[0])
            held = bool(won) or (row.state == State.RUNNING and row.holder == holder and row.lease_left > 0)
            return held, found[0], _others(run, found[0], window_seconds) if held else []

        held, found, others = self._engine.write(work)
        if found is None:
            return None
        return self._won(found, others) if held else Taken(self._entry(found))

    def begin(
        self,
        initiation_id: str,
        holder: str,
        progress: Progress,
        *,
        seconds: float | None = None,  # noqa: ARG002
    ) -> None:
        """Commit how far it came before the next call goes out. LeaseLost also when the lease has just run out."""
        params = rows.of_progress(progress, self._vault) | {"id": initiation_id, "holder": holder}
        if not self._engine.execute(statements.BEGIN, params, durable=progress.invited):
            raise LeaseLost(initiation_id)

    def settle(
        self,
        initiation_id: str,
        holder: str,
        state: State,
        progress: Progress,
        outcome: Outcome,
        *,
        seconds: float | None = None,  # noqa: ARG002
    ) -> None:
        """Commit the end of an attempt, release its lease, and wake those who wait for it here."""
        params = rows.of_end(state, initiation_id, progress, outcome, self._vault) | {"holder": holder}
        # The second look is for a commit whose answer was lost: what it wanted to write is there then.
        settled = self._engine.execute(statements.SETTLE, params, durable=False)
        if not settled and not self._engine.read(statements.SETTLED, params):
            raise LeaseLost(initiation_id)
        self._bells.ring(initiation_id)

    def read(self, initiation_id: str, *, seconds: float | None = None) -> Recorded | None:  # noqa: ARG002
        """The entry as it stands now."""
        found = self._engine.read(statements.BY_ID, {"id": initiation_id})
        return self._entry(found[0]) if found else None

    def wait(self, initiation_id: str, seconds: float) -> None:
        """Return once nobody, or somebody else, holds the entry, or after so many seconds."""
        deadline = Deadline.after(seconds, self._clock)
        pause = FIRST_LOOK
        with self._bells.hung(initiation_id) as bell:
            holder = self._holder(initiation_id)
            while holder and not bell.wait(min(pause, deadline.remaining())) and deadline.remaining() > 0:
                if self._holder(initiation_id) != holder:
                    return
                pause = min(pause * SLOWER, LAST_LOOK)

    def recent(
        self,
        limit: int,
        *,
        before_seq: int | None = None,
        search: str | None = None,
        state: State | None = None,
        sender: str | None = None,
    ) -> tuple[Recorded, ...]:
        """The newest first. `search` is the start of an id, a conversation's, a key or a correlation id."""
        params: dict[str, object] = {
            "before_seq": before_seq,
            "search": rows.plain(search or "") or None,
            "state": state and state.value,
            "sender": sender,
        }
        params = {name: value for name, value in params.items() if value is not None}
        conditions = " AND ".join(statements.CONDITIONS[name] for name in params) or "1 = 1"
        sql = statements.RECENT.replace("{conditions}", conditions)
        found = self._engine.read(sql, params | {"beyond": f"{params.get('search')}{_BEYOND}", "limit": limit})
        return tuple(rows.entry(values, self._vault, leniently=True) for values in found)

    def since(self, seconds: float) -> tuple[Glance, ...]:
        """The initiations of the last so many seconds at a glance, the newest first; at most MOST_GLANCES."""
        found = self._engine.read(statements.SINCE, {"seconds": seconds, "limit": MOST_GLANCES})
        return tuple(map(rows.glance, found))

    def counts(self, seconds: float) -> Mapping[State, int]:
        """How many of the initiations of the last so many seconds stand where."""
        found: dict[str, int] = dict(self._engine.read(statements.COUNTS, {"seconds": seconds}))
        return {state: found.get(state.value, 0) for state in State}

    def ping(self) -> None:
        """Ask whether it can be written, at the price of one empty transaction. LedgerUnavailable if not."""
        self._engine.write(lambda run: run(statements.PING), durable=False)

    def purge(self) -> int:
        """Forget what has ended longer ago than the retention time: how many."""
        return self._purge()

    def upgrade(self) -> tuple[int, int]:
        """Bring the tables to this service's version: the versions before and after."""
        return self._engine.upgrade()

    def close(self) -> None:
        """Let go of threads and connections."""
        self._purge.close()
        self._engine.close()

    def _won(self, found: _Values, others: Rows) -> Won:
        at_work = [row for row in map(Row._make, others) if row.state == State.RUNNING and row.lease_left > 0]
        ahead = tuple(Hold(row.id, row.holder) for row in at_work)
        history = tuple(map(self._entry, others[len(ahead) :]))
        previous = self._entry(others[0]) if ahead else next(iter(history), None)
        return Won(self._entry(found), previous, ahead, history)

    def _entry(self, values: _Values) -> Recorded:
        return rows.entry(values, self._vault)

    def _holder(self, initiation_id: str) -> str:
        found = self._engine.read(statements.HELD, {"id": initiation_id})
        return found[0][0] if found else ""


def _claimed(run: Run, params: Mapping[str, object]) -> tuple[type[Won | Taken | Differs] | None, _Values]:
    """What came of one try and the slot's row; None if the slot was let go in between."""
    won = run(statements.CLAIM, params)
    if won:
        return Won, won[0]
    found = run(statements.BY_SLOT, params)
    if not found:
        return None, ()
    row = Row._make(found[0])
    if not params["keyless"] and row.fingerprint != params["fingerprint"]:
        return Differs, found[0]
    if row.state == State.RUNNING and row.holder == params["holder"]:
        return Won, found[0]  # a first try was committed and its answer lost
    free = row.state == State.FAILED_RETRYABLE or (row.state == State.RUNNING and row.lease_left <= 0)
    return (None, ()) if free else (Taken, found[0])


def _others(run: Run, won: _Values, window_seconds: float) -> Rows:
    """The conversation's other initiations that this one has to know of: those at work, then those before them."""
    row = Row._make(won)
    if window_seconds <= 0 or not row.conversation_id:
        return []
    params = {"conversation_id": row.conversation_id, "seq": row.seq, "again": row.attempts > 1}
    return run(statements.PREVIOUS, params | {"window": window_seconds})


class _Bells:
    """Wakes the threads of this process that wait for an initiation which another of its threads has settled."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hung: dict[str, list[Event]] = {}

    @contextmanager
    def hung(self, initiation_id: str) -> Iterator[Event]:
        bell = Event()
        with self._lock:
            self._hung.setdefault(initiation_id, []).append(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._hung[initiation_id].remove(bell)
                if not self._hung[initiation_id]:
                    del self._hung[initiation_id]

    def ring(self, initiation_id: str) -> None:
        with self._lock:
            for bell in self._hung.get(initiation_id, ()):
                bell.set()
