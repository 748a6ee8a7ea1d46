"""A request as telemetry sees it, and the observer protocol for requests."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

OnResponse = Callable[[int], None]
"""To be called once with the answer's HTTP status."""


class Headers(Protocol):
    """A request's headers, read on demand: a copy would cost every request."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Each name with its value."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request. `route` is the pattern it fits, so that there are only so many; "" where it fits none."""

    method: str
    route: str
    headers: Headers
    correlation_id: str


class RequestObserver(Protocol):
    """Notified of each request, in the greenlet or thread that handles it."""

    def on_request(self, request: RequestInfo) -> OnResponse:
        """A request has come."""
