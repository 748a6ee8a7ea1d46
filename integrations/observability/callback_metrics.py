"""What is counted of callbacks."""

import contextlib

from prometheus_client import CollectorRegistry, Counter, Gauge

from integrations.observability.metrics import Row

TRIES = Row(
    "cobrowse_callback_tries_total",
    "Outcomes that were sent to OUTCOME_WEBHOOK_URL. result is delivered, failed (it is tried again) or given_up.",
    ("result",),
)
PENDING = Row(
    "cobrowse_callbacks_pending",
    "Callbacks that wait to be delivered, as the process that sends has counted them; 0 in the others.",
    gauge=True,
)
OLDEST = Row("cobrowse_callbacks_oldest_seconds", "The age of the oldest of them.", gauge=True)
ROWS = (TRIES, PENDING, OLDEST)


class CallbackMetrics:
    """Counts in this registry, as the callback sender's watcher."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tries = Counter(TRIES.name, TRIES.help, TRIES.labels, registry=registry)
        # The worker of a machine that sends now has counted last.
        self._pending, self._oldest = (
            Gauge(row.name, row.help, registry=registry, multiprocess_mode="mostrecent") for row in (PENDING, OLDEST)
        )

    def on_try(self, result: str) -> None:
        """A callback was sent once."""
        with contextlib.suppress(OSError):  # the first of a result may open a file
            self._tries.labels(result).inc()

    def on_backlog(self, pending: int, oldest_seconds: float) -> None:
        """So many are pending."""
        with contextlib.suppress(OSError):
            self._pending.set(pending)
            self._oldest.set(oldest_seconds)
