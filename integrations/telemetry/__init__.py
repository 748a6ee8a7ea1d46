"""What is told about the work, by hooks beside it: log lines, metrics, traces.

Each is an Observer of initiations; metrics and traces watch the requests around them too.
"""

from typing import TYPE_CHECKING

from cobrowse.clock import Clock
from integrations.telemetry.aside import Aside
from integrations.telemetry.asked import Asked, Ended, Watcher
from integrations.telemetry.logs import LogObserver, configure_logging

if TYPE_CHECKING:
    from integrations.telemetry.traces import Traces

__all__ = ["Aside", "Asked", "Ended", "LogObserver", "Watcher", "configure_logging", "traces_to"]


def traces_to(endpoint: str, clock: Clock) -> "Traces | None":
    """What sends traces to this OTLP endpoint; None without one, and OpenTelemetry is not even imported then."""
    if not endpoint:
        return None
    from integrations.telemetry.traces import Traces  # noqa: PLC0415 - see above

    return Traces(endpoint, clock)
