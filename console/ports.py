"""What the console is handed of the domain and the ledger."""

from collections.abc import Sequence
from typing import Protocol

from cobrowse.ledger import InitiationRecord, State
from cobrowse.model import Command, Outcome


class Recent(Protocol):
    """Lists the newest initiations."""

    def __call__(
        self,
        limit: int,
        *,
        before_seq: int | None = None,
        search: str | None = None,
        state: State | None = None,
        sender: str | None = None,
    ) -> Sequence[InitiationRecord]:
        """The newest first, each with its place in the ledger as `seq`."""


class End(Protocol):
    """The domain's interface used here."""

    def __call__(self, command: Command) -> Outcome:
        """End the session that the command names."""


class Retry(Protocol):
    """The domain's interface used here."""

    def __call__(self, entry: InitiationRecord, deadline_seconds: float, correlation_id: str) -> Outcome:
        """A new attempt on a failed initiation's own row."""
