"""The observers of requests and of initiations, and several as one whose errors are contained."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog

from cobrowse.flow import Attempt, Observer
from cobrowse.model import Command, Outcome, Span

log = structlog.stdlib.get_logger()

OnResponse = Callable[[int], None]
"""To be called once with the answer's HTTP status."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request. `route` is the pattern it matches, which keeps the label's values few; "" if it matches none.

    `headers` are pairs, read on demand: a copy would cost every request.
    """

    method: str
    route: str
    headers: Iterable[tuple[str, str]]
    correlation_id: str


class RequestObserver(Protocol):
    """Notified of each request, in the greenlet or thread that handles it."""

    def on_request(self, request: RequestInfo) -> OnResponse:
        """A request has come."""


class SafeObservers:
    """Notifies every observer, also when others raise: a full disk under the metrics costs a number, no session."""

    def __init__(self, observers: Iterable[Observer] = (), request_observers: Iterable[RequestObserver] = ()) -> None:
        self._observers = tuple(observers)
        self._request_observers = tuple(request_observers)

    def on_span_end(self, attempt: Attempt, span: Span) -> None:
        """A step, a call or a wait has ended."""
        for observer in self._observers:
            try:
                observer.on_span_end(attempt, span)
            except Exception as error:  # noqa: BLE001 - see the class
                _log_failure(observer, error)

    def on_outcome(self, command: Command, outcome: Outcome) -> None:
        """An initiation has its outcome."""
        for observer in self._observers:
            try:
                observer.on_outcome(command, outcome)
            except Exception as error:  # noqa: BLE001 - see the class
                _log_failure(observer, error)

    def on_request(self, request: RequestInfo) -> OnResponse:
        """A request has come."""
        ends = [end for observer in self._request_observers if (end := _call_on_request(observer, request)) is not None]

        def on_response(status: int) -> None:
            for end in reversed(ends):
                try:
                    end(status)
                except Exception as error:  # noqa: BLE001 - see the class
                    _log_failure(end, error)

        return on_response


def _call_on_request(observer: RequestObserver, request: RequestInfo) -> OnResponse | None:
    try:
        return observer.on_request(request)
    except Exception as error:  # noqa: BLE001 - see the class
        _log_failure(observer, error)
        return None


def _log_failure(source: Observer | RequestObserver | Callable[[int], None], error: Exception) -> None:
    name = getattr(source, "__qualname__", type(source).__name__)
    log.error("telemetry failed", who=name, exc_info=error)
