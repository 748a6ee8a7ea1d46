"""The doctor's input, the state its checks share, and their results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cobrowse.clock import Clock
from cobrowse.errors import CobrowseError
from diagnostics.connectivity import ConnectivityProbe
from integrations import ledger as ledgers
from integrations.genesys.transport import CurlTransport
from integrations.ledger import LedgerStore
from settings import Settings
from web.error_responses import hint_of


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `ok` is None if it was skipped, and `found` has the reason."""

    name: str
    ok: bool | None
    found: str
    hint: str = ""


@dataclass(slots=True)
class DiagnosticContext:
    """One examination. `environ` is where the senders' secrets are, `transport` the service's own way to Genesys.

    `ledger` is the service's, opened at its first use; None, and why in `ledger_error`, if its URL or a key is invalid.
    The last two fields are filled in by the checks.
    """

    settings: Settings
    environ: Mapping[str, str]
    clock: Clock
    new_id: Callable[[], str]
    probe: ConnectivityProbe
    transport: CurlTransport
    conversation_id: str = ""
    ledger: LedgerStore | None = None
    ledger_error: str = ""
    genesys_time: datetime | None = None
    failed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        settings = self.settings
        try:
            self.ledger = ledgers.connect(
                settings.ledger_url.reveal(),
                keys=[key.reveal() for key in settings.ledger_keys],
                retention_seconds=settings.ledger_retention_seconds,
            )
        except ValueError as error:
            self.ledger_error = str(error)

    def close(self) -> None:
        """Close the ledger."""
        if self.ledger is not None:
            self.ledger.close()


def failing(name: str, error: CobrowseError, hint: str = "") -> Check:
    """A check that failed with this error, with its hint unless a better one is given."""
    wait = f" Genesys asks to wait {error.retry_after:.0f} s." if error.retry_after else ""
    return Check(name, False, error.message, (hint or hint_of(error)) + wait)
