"""Telemetry by observers of the work: log lines, metrics, traces.

Each is an Observer of initiations; metrics and traces watch the requests around them too.
"""

from typing import TYPE_CHECKING

from cobrowse.clock import Clock
from integrations.observability.logging import LogObserver, configure_logging
from integrations.observability.requests import OnResponse, RequestInfo, RequestObserver
from integrations.observability.safe_observers import SafeObservers

if TYPE_CHECKING:
    from integrations.observability.tracing import Traces

__all__ = [
    "LogObserver",
    "OnResponse",
    "RequestInfo",
    "RequestObserver",
    "SafeObservers",
    "build_tracing",
    "configure_logging",
]


def build_tracing(endpoint: str, clock: Clock) -> "Traces | None":
    """What sends traces to this OTLP endpoint; None without one, and OpenTelemetry is not even imported then."""
    if not endpoint:
        return None
    from integrations.observability.tracing import Traces  # noqa: PLC0415 - see above

    return Traces(endpoint, clock)
