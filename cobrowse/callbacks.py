"""A callback: one outcome, and how far its delivery has come."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cobrowse.ledger import State
from cobrowse.model import Outcome


class EventType(StrEnum):
    """What happened to an initiation."""

    SUCCEEDED = "initiation.succeeded"
    FAILED = "initiation.failed"
    ENDED = "initiation.ended"

    @classmethod
    def of(cls, state: State) -> "EventType":
        """The type that an attempt's end in this state is."""
        return cls.SUCCEEDED if state is State.SUCCEEDED else cls.FAILED


class Delivery(StrEnum):
    """How far a callback's delivery has come."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Callback:
    """An event of an initiation. `outcome` is without secrets, and None where it can't be read.

    `at` is when it is due, or when its delivery ended. `answer` is the result of the last try, in words.
    """

    initiation_id: str
    attempt: int
    type: EventType
    sender: str
    action: str
    key: str
    outcome: Outcome | None
    created: datetime
    state: Delivery
    at: datetime
    tries: int
    answer: str

    @property
    def id(self) -> str:
        """The webhook-id: the same at each try."""
        return f"{self.initiation_id}:{self.type.rpartition('.')[2]}:{self.attempt}"
