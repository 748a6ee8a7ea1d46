"""A request as telemetry sees it, and whoever watches requests come and go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

Ended = Callable[[int], None]
"""To be called once with the answer's HTTP status."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `route` is the pattern it fits, so that there are only so many; "" where it fits none."""

    method: str
    route: str
    headers: Mapping[str, str]
    correlation_id: str


class Watcher(Protocol):
    """Whoever wants to know of each request, in the thread that works on it."""

    def began(self, asked: Asked) -> Ended:
        """A request has come."""
