"""What is counted of callbacks."""

import contextlib

from prometheus_client import CollectorRegistry, Counter, Gauge


class CallbackMetrics:
    """Counts in this registry, as the callback sender's watcher."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tries = Counter(
            "cobrowse_callback_tries_total",
            "Outcomes that were sent to OUTCOME_WEBHOOK_URL. result is delivered, failed (it is tried again) or "
            "given_up.",
            ("result",),
            registry=registry,
        )
        self._pending = Gauge(
            "cobrowse_callbacks_pending",
            "Callbacks that wait to be delivered, as the process that sends has counted them; 0 in the others.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._oldest = Gauge(
            "cobrowse_callbacks_oldest_seconds",
            "The age of the oldest of them.",
            registry=registry,
            multiprocess_mode="mostrecent",
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
