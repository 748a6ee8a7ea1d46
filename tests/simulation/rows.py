"""What a simulated ledger holds and notes: rows, claims that were won, ends, and a power cut."""

from dataclasses import dataclass, field
from random import Random

from cobrowse.ledger import Checkpoint, State
from cobrowse.model import Command, Outcome
from tests.simulation.scheduler import Actor


@dataclass
class Row:
    """One initiation. `until` and `updated` are by the ledger's clock, `number` is the order of first claims.

    `late`: it was settled when its lease had run out, and perhaps somebody had looked.
    """

    id: str
    number: int
    lock_key: str
    command: Command
    checkpoint: Checkpoint
    lease_owner: str
    until: float
    updated: float
    attempts: int = 1
    state: State = State.RUNNING
    outcome: Outcome | None = None
    late: bool = False
    ended: float | None = None
    waiting: list[Actor] = field(default_factory=list)

    @property
    def conversation(self) -> str:
        """The conversation it is about, "" as long as it isn't known."""
        return self.checkpoint.session.conversation_id or self.command.conversation_id


@dataclass(frozen=True)
class Win:
    """A claim that was won: when, which row, by whose delivery, as which attempt of it. `order`: as in Noted."""

    at: float
    row: Row
    correlation: str
    attempt: int
    order: int


@dataclass(frozen=True)
class Settled:
    """An attempt that was settled: when, which row, by whom, as what, and which attempt of the row it was."""

    at: float
    row: Row
    lease_owner: str
    state: State
    outcome: Outcome
    attempt: int


@dataclass(frozen=True)
class Noted:
    """An end that was noted with a start: when, with which row and which attempt of it, by whose delivery.

    `order` is greater the later it was committed, also of what is committed at one time. `awaited`: the lease of who
    noted it was in force, so that whoever was claimed since was waiting for it.
    """

    at: float
    row: Row
    attempt: int
    correlation: str
    order: int
    awaited: bool


class PowerCut:
    """When the power goes, if it does: a moment after some commit. Dice of its own leave the rest of a run as it is."""

    def __init__(self, seed: int) -> None:
        random = Random(f"power {seed}")
        self.after_commits = random.randrange(1, 15) if random.random() < 0.15 else 0
        self.moment = random.choice((0.0, 0.02, 0.1, 0.5))
        # The machine that everything runs on, or the database server alone.
        self.takes_workers = random.random() < 0.5
