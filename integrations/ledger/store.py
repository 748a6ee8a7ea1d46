"""The Ledger protocol above a database: what a claim, a step's begin and an attempt's end do to a row."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from cobrowse.callbacks import EventType
from cobrowse.clock import Clock, Deadline, SystemClock
from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import (
    Acquired,
    Checkpoint,
    Claim,
    ClaimResult,
    InitiationRecord,
    Lease,
    LeaseLost,
    State,
    released_lock_key,
)
from cobrowse.lookup import outcome_on_record
from cobrowse.model import Outcome
from cobrowse.outcomes import state_of
from cobrowse.waiting import MIN_READ_SECONDS
from integrations.ledger import queries, record_columns
from integrations.ledger.budgets import BudgetTable
from integrations.ledger.callbacks import CallbackTable
from integrations.ledger.columns import Row
from integrations.ledger.database import Database, Params, Rows, Run
from integrations.ledger.deliveries import DeliveryTable
from integrations.ledger.encryption import SecretBox
from integrations.ledger.grants import GrantTable
from integrations.ledger.leases import LeaseTable
from integrations.ledger.listings import Listings
from integrations.ledger.notifier import CompletionNotifier
from integrations.ledger.purge import INVITED_SECONDS, Purge
from integrations.ledger.refusals import RefusalTable
from integrations.ledger.tokens import NoteTable, TokenTable

# Attempts of a claim whose lock key another one acquired and released in the same moment.
MAX_CLAIM_ATTEMPTS = 20
# Seconds between reads of a row that another process works on: soon at first, for most take a moment only.
MIN_POLL_INTERVAL, MAX_POLL_INTERVAL, POLL_BACKOFF = 0.01, 0.1, 1.5

_Values = tuple[Any, ...]


class LedgerStore(Listings):
    """The ledger in a database, with its other tables: `tokens`, `notes`, `grants`, `refusals`, `callbacks` and so on.

    `retention_seconds`: how long what has ended is kept; what may have invited a customer for `invited_seconds` at
    least. With `adds_callbacks` each outcome is committed together with its callback. `seconds`: what a method may
    wait for the database, by default database.DEFAULT_TIMEOUT.
    """

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        *,
        retention_seconds: float,
        invited_seconds: float = INVITED_SECONDS,
        clock: Clock | None = None,
        adds_callbacks: bool = False,
    ) -> None:
        super().__init__(database, box)
        self._clock = clock or SystemClock()
        self._notifier = CompletionNotifier()
        self._purge = Purge(database, retention_seconds, self._clock, invited_seconds)
        self.leases = LeaseTable(database)
        self.tokens = TokenTable(database, box, self.leases)
        self.grants = GrantTable(database, box, self.leases)
        self.notes = NoteTable(self.tokens)
        self.budgets = BudgetTable(database, self._clock)
        self.refusals = RefusalTable(database, retention_seconds, self._clock)
        self.deliveries = DeliveryTable(database, retention_seconds, self._clock)
        self.callbacks = CallbackTable(database)
        self._adds_callbacks = adds_callbacks

    @property
    def location(self) -> str:
        """Where it is, without a password."""
        return self._database.location

    def claim(self, claim: Claim, *, seconds: float | None = None) -> ClaimResult:
        """Acquire the claim's lock if it is free, retryable or its lease expired, in one atomic, committed step."""
        params = record_columns.claim_params(claim, self._box)
        others = {"lock_key": params["lock_key"], "lease_owner": claim.lease_owner}
        statements: list[tuple[str, Params]] = [(queries.CLAIM, params), (queries.PREVIOUS, others)]
        decided = self._database.write(
            lambda run: _decide(run, claim, statements), durable=claim.checkpoint.may_have_notified, seconds=seconds
        )
        self._purge.record_claim()
        if not decided.acquired:
            return self._record(decided.row)
        self.budgets.update(decided.budgets)
        entry = self._record(decided.row) if decided.row else record_columns.new_record(claim, *decided.made)
        return self._acquired(entry, decided.others)

    def reclaim(self, lease: Lease, lease_seconds: float, *, seconds: float | None = None) -> ClaimResult | None:
        """Acquire a failed initiation's own row again, final or not, or one whose owner crashed."""
        params = _release_params(lease.id) | {"lease_owner": lease.lease_owner, "lease_seconds": lease_seconds}

        def work(run: Run) -> tuple[bool, _Values | None, Rows]:
            won = run(queries.RECLAIM, params)
            found = won or run(queries.BY_ID, params)
            if not found:
                return False, None, []
            row = Row._make(found[0])
            held = bool(won) or (
                row.state == State.RUNNING and row.lease_owner == lease.lease_owner and row.lease_left > 0
            )
            if not held:
                return False, found[0], []
            return True, found[0], run(queries.PREVIOUS, params | {"lock_key": row.lock_key})

        held, found, others = self._database.write(work, seconds=seconds)
        if found is None:
            return None
        entry = self._record(found)
        return self._acquired(entry, others) if held else entry

    def save_checkpoint(self, lease: Lease, checkpoint: Checkpoint, *, seconds: float | None = None) -> None:
        """Commit the checkpoint before the next call. LeaseLost also if the lease has just expired."""
        params = record_columns.checkpoint_params(checkpoint, self._box) | lease._asdict()
        if not self._database.execute(
            queries.SAVE_CHECKPOINT, params, durable=checkpoint.may_have_notified, seconds=seconds
        ):
            raise LeaseLost(lease.id)

    def complete(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome, *, seconds: float | None = None) -> None:
        """Commit the end of an attempt, release its lease, and wake those who wait for it here."""
        params = record_columns.end_params(lease, checkpoint, outcome, self._box)
        # The second read is for a commit whose answer was lost: what it wanted to write is there then.
        added = [(queries.ADD_OUTCOME_CALLBACK, params | {"type": EventType.of(state_of(outcome)).value})]
        written = [(queries.COMPLETE, params), *(added if self._adds_callbacks else ())]
        settled = self._database.write(lambda run: run.atomic(written), durable=False, seconds=seconds)[0]
        if not settled and not self._database.read(queries.COMPLETED, params, seconds=seconds):
            raise LeaseLost(lease.id)
        self._notifier.notify(lease.id)

    def mark_ended(self, entry: InitiationRecord, *, seconds: float | None = None) -> None:
        """Commit that its session is over."""
        params: Params = {"id": entry.id}
        added: list[tuple[str, Params]] = []
        if self._adds_callbacks:
            # One whose worker died has a session that can be ended, and no outcome of its own.
            outcome = record_columns.outcome_text(outcome_on_record(entry, entry.command.correlation_id))
            event = {"type": EventType.ENDED.value, "attempt": entry.attempts, "outcome": outcome}
            added = [(queries.ADD_ENDED_CALLBACK, {**params, **event})]
        marked = (queries.MARK_ENDED, params)
        self._database.write(lambda run: run.atomic([*added, marked]), durable=False, seconds=seconds)

    def read(self, initiation_id: str, *, seconds: float | None = None) -> InitiationRecord | None:
        """The entry as it stands now."""
        found = self._database.read(queries.BY_ID, {"id": initiation_id}, seconds=seconds)
        return self._record(found[0]) if found else None

    def find(self, lock_key: str, *, seconds: float | None = None) -> InitiationRecord | None:
        """The record that has this lock key, by one read."""
        found = self._database.read(queries.BY_LOCK_KEY, {"lock_key": record_columns.plain(lock_key)}, seconds=seconds)
        return self._record(found[0]) if found else None

    def wait(self, initiation_id: str, seconds: float) -> None:
        """Return once the entry is free or has another owner, at the latest after `seconds`."""
        deadline = Deadline.after(seconds, self._clock)
        pause = MIN_POLL_INTERVAL
        with self._notifier.subscribe(initiation_id) as event:
            lease_owner = self._read_owner(initiation_id, seconds)
            while lease_owner and not event.wait(min(pause, deadline.remaining())) and deadline.remaining() > 0:
                if self._read_owner(initiation_id, deadline.remaining()) != lease_owner:
                    return
                pause = min(pause * POLL_BACKOFF, MAX_POLL_INTERVAL)

    def ping(self) -> None:
        """Write what a claim would and compare the keys with their file. LedgerUnavailable within 2 s if one fails."""
        self._box.check()
        self._database.ping()

    def purge(self) -> int:
        """Delete initiations older than the retention time; return how many."""
        return self._purge()

    def upgrade(self) -> tuple[int, int]:
        """Bring the tables to this service's version: the versions before and after."""
        return self._database.upgrade()

    def close(self) -> None:
        """End the purge and close the connections."""
        self._purge.close()
        self._database.close()

    def _acquired(self, entry: InitiationRecord, others: Sequence[_Values]) -> Acquired:
        at_work = [row for row in map(Row._make, others) if row.state == State.RUNNING and row.lease_left > 0]
        ahead = tuple(Lease(row.id, row.lease_owner) for row in at_work)
        # A look needs ids and offers' ends, which are in the clear: a key that was taken away holds no conversation up.
        history = tuple(self._record(row, leniently=True) for row in others[len(ahead) :])
        return Acquired(entry, ahead, history)

    def _record(self, values: _Values, *, leniently: bool = False) -> InitiationRecord:
        return record_columns.record(values, self._box, leniently=leniently)

    def _read_owner(self, initiation_id: str, seconds: float) -> str:
        found = self._database.read(
            queries.LIVE_LEASE_OWNER, {"id": initiation_id}, seconds=max(seconds, MIN_READ_SECONDS)
        )
        return found[0][0] if found else ""


class _Decision(NamedTuple):
    """A claim's result. `row` is empty if the claim has inserted it: `made` holds its `seq` and time then."""

    acquired: bool
    row: _Values = ()
    others: Sequence[_Values] = ()
    made: tuple[int, float] = (0, 0.0)
    budgets: Mapping[str, float | None] = MappingProxyType({})


def _decide(run: Run, claim: Claim, statements: Sequence[tuple[str, Params]]) -> _Decision:
    """Try to acquire the lock key, else read its owner, until one of them succeeds."""
    params = statements[0][1]
    for _ in range(MAX_CLAIM_ATTEMPTS):
        won, others = run.pipeline(statements)
        if won:
            initiation_id, seq, attempts, created, *left = won[0]
            budgets = dict(zip(("api", "token"), left, strict=True))
            if attempts == 1 and initiation_id == claim.id:
                return _Decision(True, (), others, (seq, created), budgets)
            return _Decision(True, run(queries.BY_LOCK_KEY, params)[0], others, budgets=budgets)
        found = run(queries.BY_LOCK_KEY, params)
        if not found:
            continue  # the lock key was released in between
        row = Row._make(found[0])
        if params["keyless"] and row.state != State.RUNNING:
            # Whatever comes of this claim: an ended row without a key holds its lock for nobody.
            run(queries.RELEASE_LOCK, _release_params(row.id))
            continue
        is_others = not params["keyless"] and row.fingerprint != params["fingerprint"]
        if row.state == State.RUNNING and row.lease_owner == claim.lease_owner and not is_others:
            return _Decision(True, found[0], others)  # a first try was committed and its answer lost
        if is_others or (row.state != State.FAILED_RETRYABLE and (row.state != State.RUNNING or row.lease_left > 0)):
            return _Decision(False, found[0])
    raise LedgerUnavailable(f"could not acquire the lock of initiation {claim.id} after {MAX_CLAIM_ATTEMPTS} attempts")


def _release_params(initiation_id: str) -> dict[str, object]:
    return {"id": initiation_id, "released_lock_key": released_lock_key(initiation_id)}
