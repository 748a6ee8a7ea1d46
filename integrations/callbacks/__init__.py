"""Sends each initiation's outcome to OUTCOME_WEBHOOK_URL, signed as Standard Webhooks defines."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from cobrowse.callbacks import Callback
from cobrowse.clock import Clock
from cobrowse.model import Outcome
from integrations.callbacks.posting import Poster, Receiver
from integrations.callbacks.sender import CallbackSender, CallbackThread
from integrations.lease_keeper import LeaseKeeper
from integrations.ledger import LedgerStore
from integrations.observability.background_metrics import CallbackMetrics

__all__ = ["LEASE", "Receiver", "connect"]

# The name of the lease that lets one process send.
LEASE = "callbacks"


def connect(
    receiver: Receiver,
    payload: Callable[[Callback, Outcome], str],
    ledger: LedgerStore,
    lease_owner: str,
    registry: CollectorRegistry,
    clock: Clock,
    jitter: Callable[[], float],
) -> CallbackThread:
    """What sends the ledger's callbacks, once it is started. `registry` counts them."""
    lease = LeaseKeeper(ledger.leases, LEASE, lease_owner, clock)
    poster = Poster(receiver, payload, clock, jitter)
    return CallbackThread(CallbackSender(ledger.callbacks, lease, poster, CallbackMetrics(registry), clock), lease)
