"""The metrics of the callback sender and of the listener."""

import contextlib

from prometheus_client import CollectorRegistry, Counter, Gauge

from integrations.observability.metrics import MetricSpec

ATTEMPTS = MetricSpec(
    "cobrowse_callback_attempts_total",
    "Outcomes that were sent to OUTCOME_WEBHOOK_URL. result is delivered, failed (it is tried again) or given_up.",
    ("result",),
)
PENDING = MetricSpec(
    "cobrowse_callbacks_pending",
    "Callbacks that wait to be delivered, as the process that sends has counted them; 0 in the others.",
    gauge=True,
)
OLDEST = MetricSpec("cobrowse_callbacks_oldest_seconds", "The age of the oldest of them.", gauge=True)
CALLBACK_ROWS = (ATTEMPTS, PENDING, OLDEST)


class CallbackMetrics:
    """Counts in this registry, as the callback sender's watcher."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tries = Counter(ATTEMPTS.name, ATTEMPTS.help, ATTEMPTS.labels, registry=registry)
        # The worker of a machine that sends now has counted last.
        self._pending, self._oldest = (
            Gauge(row.name, row.help, registry=registry, multiprocess_mode="mostrecent") for row in (PENDING, OLDEST)
        )

    def on_try(self, result: str) -> None:
        """Count a delivery attempt."""
        with contextlib.suppress(OSError):  # the first of a result may open a file
            self._tries.labels(result).inc()

    def on_backlog(self, pending: int, oldest_seconds: float) -> None:
        """Record how many callbacks are pending, and the age of the oldest in seconds."""
        with contextlib.suppress(OSError):
            self._pending.set(pending)
            self._oldest.set(oldest_seconds)


class ListenerMetrics:
    """Counts in this registry, as the listener's watcher."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._listening = Gauge(
            "cobrowse_listener_listening",
            "1 in the process that listens to Genesys's notification channel, 0 in one that stands by.",
            registry=registry,
        )
        self._events = Counter(
            "cobrowse_listener_events_total",
            "Changes of conversations. result is started (an agent's answer that is new), known, "
            "ignored or unreadable.",
            ("result",),
            registry=registry,
        )
        self._channels = Counter(
            "cobrowse_listener_channels_ended_total",
            "Channels that came to an end. reason is renewed, closed, silent, or failed (a call or a connection).",
            ("reason",),
            registry=registry,
        )
        self._gaps = Counter(
            "cobrowse_listener_gaps_total",
            "Times at which changes may have been missed. result is caught_up (every live conversation was checked) "
            "or lost.",
            ("result",),
            registry=registry,
        )

    def on_listening(self, listening: bool) -> None:
        """Record whether this process listens."""
        self._listening.set(int(listening))

    def on_event(self, result: str) -> None:
        """Count a conversation's event."""
        self._events.labels(result).inc()

    def on_reconnect(self, reason: str) -> None:
        """Count a channel that ended."""
        self._channels.labels(reason).inc()

    def on_gap(self, result: str) -> None:
        """Count a gap in which changes may have been missed."""
        self._gaps.labels(result).inc()
