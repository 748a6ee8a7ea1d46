"""What the console is handed of the domain and the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from cobrowse.callbacks import Callback
from cobrowse.ledger import InitiationRecord, State
from cobrowse.model import Command, Outcome
from console.figures import Sample
from integrations.refusals import Refusal


class Refusals(Protocol):
    """The refused requests on record."""

    def newest(self, limit: int, *, sender: str | None = None, search: str | None = None) -> Sequence[Refusal]:
        """The newest first."""

    def last_of_senders(self) -> Mapping[str, tuple[int, Refusal]]:
        """By sender, how many there are and the last."""


class Callbacks(Protocol):
    """The callbacks on record."""

    def of(self, initiation_id: str) -> Sequence[Callback]:
        """An initiation's, in their order."""

    def undelivered(self, limit: int) -> Sequence[Callback]:
        """Those that are pending or were given up, the latest first."""

    def resend(self, callback: Callback) -> None:
        """Make it due now."""


class Records(Protocol):
    """The ledger, as the console reads it."""

    @property
    def refusals(self) -> Refusals:
        """The refused requests."""

    @property
    def callbacks(self) -> Callbacks:
        """The callbacks."""

    def recent(
        self,
        limit: int,
        *,
        before_seq: int | None = None,
        search: str | None = None,
        state: State | None = None,
        sender: str | None = None,
        seconds: float | None = None,
    ) -> Sequence[InitiationRecord]:
        """The newest first, each with its place in the ledger as `seq`; `seconds`: of the time until now."""

    def recent_samples(
        self,
        seconds: float,
        *,
        search: str | None = None,
        state: State | None = None,
        sender: str | None = None,
    ) -> Iterable[Sample]:
        """Those of the last so many seconds that fit."""

    def read(self, initiation_id: str) -> InitiationRecord | None:
        """An initiation as it stands now."""


class End(Protocol):
    """The domain's interface used here."""

    def __call__(self, command: Command) -> Outcome:
        """End the session that the command names."""


class Retry(Protocol):
    """The domain's interface used here."""

    def __call__(self, entry: InitiationRecord, deadline_seconds: float, correlation_id: str) -> Outcome:
        """A new attempt on a failed initiation's own row."""
