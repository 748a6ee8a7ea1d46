"""Sends what became of each initiation to OUTCOME_WEBHOOK_URL, signed as Standard Webhooks has it."""

from collections.abc import Callable, Sequence

from cobrowse.callbacks import Callback
from cobrowse.clock import Clock
from cobrowse.model import Outcome, Secret
from integrations.callbacks.posting import Poster
from integrations.callbacks.sender import CallbackSender, CallbackThread, CallbackWatcher
from integrations.kept_lease import KeptLease
from integrations.ledger import LedgerStore

# The name of the lease that lets one process send.
LEASE = "callbacks"


def connect(
    url: str,
    secrets: Sequence[Secret],
    payload: Callable[[Callback, Outcome], str],
    ledger: LedgerStore,
    lease_owner: str,
    watcher: CallbackWatcher,
    clock: Clock,
    jitter: Callable[[], float],
) -> CallbackThread:
    """What sends the ledger's callbacks, once it is started. Each of `secrets` signs."""
    lease = KeptLease(ledger.leases, LEASE, lease_owner, clock)
    poster = Poster(url, secrets, payload, clock, jitter)
    return CallbackThread(CallbackSender(ledger.callbacks, lease, poster, watcher, clock), lease)
