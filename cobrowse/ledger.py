"""What makes it once: the record of every initiation, who holds it, and how far it came. The protocol and its words."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cobrowse.model import Command, Outcome, Session


class State(StrEnum):
    """Where an initiation stands.

    running ──▶ succeeded · failed_final · ignored          the answer is kept, repeats get it again
       ▲  └───▶ failed_retryable ──▶ running                a repeat goes on from the last finished step
       └─ the lease ran out: the next repeat takes it over
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED_FINAL = "failed_final"
    FAILED_RETRYABLE = "failed_retryable"
    IGNORED = "ignored"


class LeaseLost(Exception):
    """Another holder has taken the initiation over; whoever gets this must start nothing more."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an initiation came: `done` are the finished effects, `begun` the one whose call may have gone out.

    `invited`: from before the call that invites the customer, so a crash can't hide that it may have happened.
    """

    flow: str = ""
    done: tuple[str, ...] = ()
    begun: str = ""
    invited: bool = False
    session: Session = Session()


@dataclass(frozen=True, slots=True)
class Entry:
    """One initiation as the ledger holds it. `lease_left` is seconds by the ledger's own clock, 0 when it ran out."""

    id: str
    command: Command
    state: State
    attempts: int
    progress: Progress
    holder: str = ""
    lease_left: float = 0.0
    upstream_calls: int = 0
    outcome: Outcome | None = None
    created: datetime | None = None
    updated: datetime | None = None

    @property
    def held(self) -> bool:
        """Whether somebody is at work on it."""
        return self.state is State.RUNNING and self.lease_left > 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish to run `command` as initiation `id`. `progress` is what a crash right after the claim must leave behind.

    `slot` can be held once only. `window_seconds` > 0 also asks for the newest other initiation of the same
    conversation in that time.
    """

    id: str
    slot: str
    holder: str
    command: Command
    lease_seconds: float
    progress: Progress = Progress()
    window_seconds: float = 0.0


def slot_of(command: Command, initiation_id: str) -> str:
    """What this command must hold alone: its sender's key, else its conversation while somebody is at work on it."""
    if command.key:
        return f"key:{command.sender}:{command.key}"
    if command.conversation_id:
        return f"conversation:{command.conversation_id}"
    return released_slot(initiation_id)


def released_slot(initiation_id: str) -> str:
    """The slot of a keyless initiation that has ended: its own, so that the next request stands for itself."""
    return f"id:{initiation_id}"


@dataclass(frozen=True, slots=True)
class Won:
    """It is ours to do: new (`entry.attempts` is 1), continued, or taken over from a dead holder.

    `previous` is another initiation of the conversation inside the window that may have invited the customer, or that
    is at work right now and was claimed before this one: one at work first, else the newest. Two wait for each other
    only if a take-over meets a younger one that may have invited; then a deadline ends it, not a second invitation.
    """

    entry: Entry
    previous: Entry | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody is at work on it, or it has ended: `entry.state` tells."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Differs:
    """The key came before with another request."""

    entry: Entry


Claimed = Won | Taken | Differs


class Ledger(Protocol):
    """The store behind it. Every method raises LedgerUnavailable when the store can't be reached.

    `seconds` is the longest that a method may wait for it (None: a bound of the store's own); then it is unavailable.

    Whatever is committed survives the end of a process. A power cut may take back the last commits, but none that a
    call which invites the customer waits for: what has `progress.invited`, a claim's or a begin's, is on the disk when
    the method returns, and so is everything that was committed before it.
    """

    def claim(self, claim: Claim, *, seconds: float | None = None) -> Claimed:
        """Hold the claim's slot if it is free, retryable or its lease ran out: one atomic, committed decision.

        A new entry gets the claim's `progress`; one that is continued or taken over keeps its own. An entry that has
        ended for good is Taken; one whose command has another fingerprint Differs (keyed slots only).
        """

    def reclaim(
        self, initiation_id: str, holder: str, lease_seconds: float, *, seconds: float | None = None
    ) -> Claimed | None:
        """Hold a failed initiation's own row again, final or not; Taken if running or succeeded, None if absent."""

    def begin(self, initiation_id: str, holder: str, progress: Progress, *, seconds: float | None = None) -> None:
        """Commit how far it came before the next call goes out. LeaseLost if `holder` no longer holds it."""

    def settle(
        self,
        initiation_id: str,
        holder: str,
        state: State,
        progress: Progress,
        outcome: Outcome,
        *,
        seconds: float | None = None,
    ) -> None:
        """Commit the end of an attempt and release its lease (and a keyless slot). LeaseLost as in `begin`."""

    def read(self, initiation_id: str, *, seconds: float | None = None) -> Entry | None:
        """The entry as it stands now."""

    def find(self, slot: str, *, seconds: float | None = None) -> Entry | None:
        """The entry that holds this slot, by one read."""

    def wait(self, initiation_id: str, seconds: float) -> None:
        """Return when the entry may have changed, or after a moment, or after so many seconds at the latest."""


class NoLedger:
    """For LEDGER_REQUIRED=false while the ledger is away: everything is won, nothing is remembered."""

    def claim(self, claim: Claim, *, seconds: float | None = None) -> Won:  # noqa: ARG002 - the protocol's parameter
        """Always won."""
        return Won(Entry(claim.id, claim.command, State.RUNNING, 1, claim.progress, claim.holder, claim.lease_seconds))

    def reclaim(
        self,
        initiation_id: str,  # noqa: ARG002
        holder: str,  # noqa: ARG002
        lease_seconds: float,  # noqa: ARG002
        *,
        seconds: float | None = None,  # noqa: ARG002
    ) -> Claimed | None:
        """Nothing was kept."""
        return None

    def begin(self, initiation_id: str, holder: str, progress: Progress, *, seconds: float | None = None) -> None:
        """Nothing is kept."""

    def settle(
        self,
        initiation_id: str,
        holder: str,
        state: State,
        progress: Progress,
        outcome: Outcome,
        *,
        seconds: float | None = None,
    ) -> None:
        """Nothing is kept."""

    def read(self, initiation_id: str, *, seconds: float | None = None) -> Entry | None:  # noqa: ARG002
        """Nothing was kept."""
        return None

    def find(self, slot: str, *, seconds: float | None = None) -> Entry | None:  # noqa: ARG002
        """Nothing was kept."""
        return None

    def wait(self, initiation_id: str, seconds: float) -> None:
        """Nothing will change."""
