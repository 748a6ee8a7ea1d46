"""What the listener counts, beside the initiations that it starts."""

from prometheus_client import CollectorRegistry, Counter, Gauge


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
        """It began or ceased to listen."""
        self._listening.set(int(listening))

    def on_event(self, result: str) -> None:
        """A change of a conversation came."""
        self._events.labels(result).inc()

    def on_reconnect(self, reason: str) -> None:
        """A channel ended."""
        self._channels.labels(reason).inc()

    def on_gap(self, result: str) -> None:
        """Changes may have been missed."""
        self._gaps.labels(result).inc()
