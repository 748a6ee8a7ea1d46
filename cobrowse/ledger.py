"""The ledger's protocol: the record of each initiation, its lease owner and its checkpoint."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from cobrowse.model import Command, Outcome, Session


class State(StrEnum):
    """State of an initiation.

    running ──▶ succeeded · failed_final                    the answer is kept and replayed to retries
       ▲  └───▶ failed_retryable ──▶ running                a retry continues after the last completed step
       └─ the lease expired: the next retry takes it over
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED_FINAL = "failed_final"
    FAILED_RETRYABLE = "failed_retryable"


class Invitation(StrEnum):
    """Whether the customer has been invited; `unknown` while the call is out and after its answer was lost."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class LeaseLost(Exception):
    """Another lease owner has taken the initiation over; the caller must make no further calls."""


class Checkpoint(NamedTuple):
    """Progress of an initiation: `completed_steps`, and the `pending_step` whose call may have gone out.

    `may_have_notified`: from before the call that invites the customer, so a crash can't hide that it may have
    happened; taken back when the call was refused for certain.
    """

    flow: str = ""
    completed_steps: tuple[str, ...] = ()
    pending_step: str = ""
    may_have_notified: bool = False
    session: Session = Session()

    @property
    def invitation(self) -> Invitation:
        """Whether the customer has been invited, as far as is known."""
        if not self.may_have_notified:
            return Invitation.NO
        return Invitation.UNKNOWN if self.pending_step else Invitation.YES


@dataclass(frozen=True, slots=True)
class InitiationRecord:
    """One initiation as the ledger holds it. `lease_left` is seconds by the ledger's own clock, 0 when it ran out.

    `seq` grows from each initiation to the next. `ended` is when this service ended its session, or saw it to be over.
    `earlier` are the outcomes of the attempts before the one of `outcome`, without their secrets; not all if there were
    many.
    """

    id: str
    command: Command
    state: State
    attempts: int
    checkpoint: Checkpoint
    lease_owner: str = ""
    lease_left: float = 0.0
    upstream_calls: int = 0
    outcome: Outcome | None = None
    created: datetime | None = None
    updated: datetime | None = None
    ended: datetime | None = None
    seq: int = 0
    earlier: tuple[Outcome, ...] = ()

    @property
    def has_live_lease(self) -> bool:
        """Whether an attempt is running, with a lease that has not expired."""
        return self.state is State.RUNNING and self.lease_left > 0

    @property
    def ended_outcome(self) -> Outcome | None:
        """The last attempt's outcome; None while one is running."""
        return self.outcome if self.state is not State.RUNNING else None

    @property
    def conversation_id(self) -> str:
        """The conversation it has found, else the one that was requested; "" while neither is known."""
        return self.checkpoint.session.conversation_id or self.command.conversation_id


@dataclass(frozen=True, slots=True)
class Claim:
    """A request to run `command` as initiation `id`. `checkpoint` is what a crash right after the claim leaves behind.

    `lock_key` can be held once only.
    """

    id: str
    lock_key: str
    lease_owner: str
    command: Command
    lease_seconds: float
    checkpoint: Checkpoint = Checkpoint()


def lock_key_for(command: Command, initiation_id: str) -> str:
    """The lock of this command: its key, else its caller's conversation while it runs.

    A caller's own key belongs to its credential. A delivery's id is its sender's, whichever of its secrets signed it.
    """
    credential = command.credential if command.fingerprint or not command.key else ""
    caller = f"{_part(command.sender)}:{_part(credential)}"
    if command.key:
        return f"key:{caller}:{command.key}"
    if command.conversation_id:
        what = f":{command.action}:{_part(command.ends)}" if command.action != "start" else ""
        return f"conversation:{caller}:{command.conversation_id}{what}"
    return released_lock_key(initiation_id)


def _part(name: str) -> str:
    """The name with its separators escaped, so that no two pairs of names give the same lock key."""
    return name.replace("%", "%25").replace(":", "%3A")


def released_lock_key(initiation_id: str) -> str:
    """The lock key of a completed initiation without a key: unique, so that the next request is a new one."""
    return f"id:{initiation_id}"


class Lease(NamedTuple):
    """An initiation that is running, and who runs it."""

    id: str
    lease_owner: str


@dataclass(frozen=True, slots=True)
class Acquired:
    """The lease is ours: a new initiation (`entry.attempts` is 1), one continued, or one taken over after a crash.

    `ahead` are the other initiations of the conversation that were running at the moment of this claim, the ends before
    the starts, of each the newest first: all of them were claimed before this one, and this one waits for them.
    `history` are those that were not running and may have invited the customer, the newest first, as far back as the
    ledger's retention.

    Claims of a conversation are in one order, so no two wait for each other. Only where a store can't see that order (a
    take-over claimed while the other's `ahead` is being read) both may be ahead of each other; a deadline ends that.
    """

    entry: InitiationRecord
    ahead: tuple[Lease, ...] = ()
    history: tuple[InitiationRecord, ...] = ()


ClaimResult = Acquired | InitiationRecord
"""What was acquired, or the record that can't be: it is running, has ended, or is another request's."""


class Ledger(Protocol):
    """The store behind it. Every method raises LedgerUnavailable when the store can't be reached.

    `seconds` is the longest that a method may wait for it (None: a bound of the store's own); then it is unavailable.

    Whatever is committed survives the end of a process. A power cut may take back the last commits, but none that a
    call which invites the customer waits for: what has `checkpoint.may_have_notified`, a claim's or a begin's, is on
    the disk when the method returns, and so is everything that was committed before it.
    """

    def claim(self, claim: Claim, *, seconds: float | None = None) -> ClaimResult:
        """Acquire the claim's lock if it is free, retryable or its lease expired, in one atomic, committed step.

        A new entry gets the claim's `checkpoint`; one that is continued or taken over keeps its own. One that is
        running or has a permanent outcome is not acquired, nor one of a key that has another fingerprint.
        """

    def find(self, lock_key: str, *, seconds: float | None = None) -> InitiationRecord | None:
        """The record that has this lock key, by one read."""

    def reclaim(self, lease: Lease, lease_seconds: float, *, seconds: float | None = None) -> ClaimResult | None:
        """Acquire a failed initiation's row again, unless it is running or succeeded. None if absent."""

    def save_checkpoint(self, lease: Lease, checkpoint: Checkpoint, *, seconds: float | None = None) -> None:
        """Commit the checkpoint before the next call. Raises LeaseLost if its owner does not have the lease."""

    def complete(self, lease: Lease, checkpoint: Checkpoint, outcome: Outcome, *, seconds: float | None = None) -> None:
        """Commit the end of an attempt, release its lease and a keyless lock. LeaseLost as in `save_checkpoint`."""

    def mark_ended(self, entry: InitiationRecord, *, seconds: float | None = None) -> None:
        """Commit that the session of `entry`, as it was read, is over: no later claim has it in its `history`."""

    def read(self, initiation_id: str, *, seconds: float | None = None) -> InitiationRecord | None:
        """The entry as it stands now."""

    def wait(self, initiation_id: str, seconds: float) -> None:
        """Return once the entry may have changed, at the latest after this many seconds."""


class NullLedger:
    """Start sessions while the ledger is unreachable (LEDGER_REQUIRED=false), at the risk of duplicates."""

    def claim(self, claim: Claim, **_: float | None) -> Acquired:
        """Always acquired."""
        return Acquired(
            InitiationRecord(
                claim.id, claim.command, State.RUNNING, 1, claim.checkpoint, claim.lease_owner, claim.lease_seconds
            )
        )

    def find(self, *_: object, **__: object) -> None:
        """Nothing is kept, so nothing is found."""

    reclaim = read = save_checkpoint = complete = mark_ended = wait = find
