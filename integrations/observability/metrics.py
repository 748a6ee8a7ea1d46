"""Counts and durations for Prometheus: of one process, or of all workers together. Every label has few values."""

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

import structlog
from gevent.monkey import get_original
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import values as kinds_of_value
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from cobrowse.errors import error_types_by_code
from cobrowse.flow import Attempt
from cobrowse.model import Command, Outcome, Span, Status
from integrations.event_loop import run_off_loop
from integrations.observability import counter_files
from integrations.observability.observers import OnResponse, RequestInfo

log = structlog.stdlib.get_logger()
M = TypeVar("M", Counter, Gauge, Histogram)

# Seconds. Genesys answers in tens of milliseconds, an initiation is four of its calls, no deadline is beyond 55.
_CALL = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
_INITIATION = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True, eq=False)
class MetricSpec:
    """A metric, equal to no other. With `buckets` (seconds) a histogram; a `gauge` goes down too; else it counts."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    gauge: bool = False


INITIATIONS = MetricSpec(
    "cobrowse_initiations_total",
    "Requests that came to an end. outcome is the status (initiated, unverified, joined, already_active, ignored), "
    "replayed for the kept answer of a repeated key, or the error's code.",
    ("sender", "flow", "outcome"),
)
INITIATION_SECONDS = MetricSpec(
    "cobrowse_initiation_duration_seconds",
    "How long an initiation took. Replays and ignored deliveries, which start nothing, are left out.",
    ("flow", "success"),
    _INITIATION,
)
CALL_SECONDS = MetricSpec(
    "cobrowse_upstream_call_duration_seconds",
    "How long each call to Genesys took; its _count counts them. status is 2xx, 3xx, 4xx, 5xx, 429 for itself, or why "
    "there was no answer.",
    ("operation", "status"),
    _CALL,
)
RETRIES = MetricSpec(
    "cobrowse_retries_total", "Calls to Genesys made again after one that failed in the same attempt.", ("operation",)
)
WAIT_SECONDS = MetricSpec(
    "cobrowse_wait_duration_seconds",
    "Waits before a retry (a Retry-After or a backoff), and before another poll for what is not visible yet.",
    ("reason",),
    _CALL,
)
IN_FLIGHT = MetricSpec("cobrowse_in_flight", "Requests that are being worked on right now.", gauge=True)
CIRCUIT = MetricSpec(
    "cobrowse_circuit_open",
    "1 once many calls in a row of this operation of Genesys's have failed, until one succeeds: most are refused.",
    ("operation",),
    gauge=True,
)
BUDGET = MetricSpec(
    "cobrowse_genesys_budget_used_ratio",
    "Calls of the present minute over those Genesys allows the token, by its last answer; at 1 no call is made.",
    ("token",),
    gauge=True,
)
RELOAD = MetricSpec(
    "cobrowse_reload_refused",
    "1 while the senders file or .env on the disk is invalid and the previous configuration stays active.",
    gauge=True,
)
IGNORED = MetricSpec(
    "cobrowse_ignored_events_total",
    "Events of deliveries that started nothing. reason is empty_batch, event (the envelope says so), filter (the row's "
    "`when`), channel or no_conversation.",
    ("sender", "reason"),
)
REQUESTS = MetricSpec("cobrowse_http_requests_total", "Answers by their route and HTTP status.", ("route", "status"))

ROWS = (
    *(INITIATIONS, INITIATION_SECONDS, CALL_SECONDS, RETRIES, WAIT_SECONDS),
    *(IN_FLIGHT, CIRCUIT, BUDGET, RELOAD, IGNORED, REQUESTS),
)

OTHER = "other"
_ANSWERED = {str(status): f"{status // 100}xx" for status in range(100, 600)} | {"429": "429"}
_UNANSWERED = {code: code for code in error_types_by_code() if code.startswith("genesys_")} | {
    "not sendable": "not_sendable"
}
STATUSES = _ANSWERED | _UNANSWERED
_OUTCOMES = frozenset({*error_types_by_code(), *Status})


class Metrics:
    """Counts initiations as an Observer, and requests as a RequestObserver.

    `senders` are all there are; any other counts as "other". `directory` is where the workers of one server keep their
    counts (PROMETHEUS_MULTIPROC_DIR, which must be set before prometheus_client is imported); "" for one process. Where
    the directory can't be used, this process counts for itself: that costs numbers, not a session.
    """

    def __init__(self, senders: Iterable[str], directory: str = "", write: counter_files.Write = os.write) -> None:
        self._senders = frozenset(senders)
        self.registry = CollectorRegistry()
        self._directory = _prepare_directory(directory, write)
        self._counters = {
            row: _LabelCache(Counter(row.name, row.help, row.labels, registry=self.registry))
            for row in ROWS
            if not row.buckets and not row.gauge
        }
        self._histograms = {
            row: _LabelCache(Histogram(row.name, row.help, row.labels, registry=self.registry, buckets=row.buckets))
            for row in ROWS
            if row.buckets
        }
        self._reload = self._gauge(RELOAD, "livemax")
        self._in_flight = self._gauge(IN_FLIGHT, "livesum")
        # A worker may know before the others do: the highest says that something is wrong.
        self._circuit = self._gauge(CIRCUIT, "livemax")
        self._budget = _LabelCache(self._gauge(BUDGET, "mostrecent"))
        # A child opens its kind's file, and that must not be left to a moment when the directory may be gone.
        self._histograms[CALL_SECONDS]["token", "2xx"]
        self._counters[RETRIES]["token",]
        self._calls = self._histograms[CALL_SECONDS]  # bound once: it is on the way of every call

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """All counts in the text form that fits this Accept header, and its Content-Type."""
        encode, content_type = choose_encoder(accept)
        return run_off_loop(lambda: self._encode(encode)), content_type

    def _encode(self, encode: Callable[[CollectorRegistry], bytes]) -> bytes:
        """The counts of this process, or those that all workers have in their files, which takes a while to read."""
        if self._directory:
            registry = CollectorRegistry()
            # The directory or a file of it was removed: only this process's own counts remain.
            with contextlib.suppress(OSError, ValueError):
                MultiProcessCollector(registry, path=self._directory)  # type: ignore[no-untyped-call]
                return encode(registry)
        return encode(self.registry)

    def reload_refused(self, refused: bool) -> None:
        """Record whether the last reload was refused."""
        with contextlib.suppress(OSError):
            self._reload.set(int(refused))

    def circuit(self, operation: str, is_open: bool) -> None:
        """Record that an operation's circuit has opened or closed."""
        with contextlib.suppress(OSError):  # the first time for an operation it may open a file
            self._circuit.labels(operation).set(int(is_open))

    def budget(self, token: str, count: float, allowed: float, _reset: float) -> None:
        """Record a token's budget of calls, from a response's headers."""
        with contextlib.suppress(OSError):
            self._budget[token,].set(count / allowed if allowed else 0.0)

    def ignored(self, sender: str, reason: str) -> None:
        """Count an event that started nothing."""
        self._counters[IGNORED][sender if sender in self._senders else OTHER, reason].inc()

    def on_request(self, request: RequestInfo) -> OnResponse:
        """Count a request as running until the returned function is called."""
        self._in_flight.inc()

        def on_response(status: int) -> None:
            self._in_flight.dec()
            self._counters[REQUESTS][request.route or OTHER, str(status)].inc()

        return on_response

    def on_span_end(self, attempt: Attempt, span: Span) -> None:
        """Count a call or a wait. A step is little but its call."""
        if span.kind == "call":
            self._record_call(attempt, span)
        elif span.kind == "wait":
            self._histograms[WAIT_SECONDS]["retry" if "another try" in span.name else "poll",].observe(span.seconds)

    def on_outcome(self, command: Command, outcome: Outcome) -> None:
        """Count an initiation."""
        sender = command.sender if command.sender in self._senders else OTHER
        flow = outcome.flow or "none"
        self._counters[INITIATIONS][sender, flow, _outcome_label(outcome)].inc()
        if not outcome.replayed and outcome.status is not Status.IGNORED:
            success = "true" if outcome.success else "false"
            self._histograms[INITIATION_SECONDS][flow, success].observe(outcome.seconds)

    def _record_call(self, attempt: Attempt, span: Span) -> None:
        operation, status = span.name, STATUSES.get(span.result, OTHER)
        self._calls[operation, status].observe(span.seconds)
        others = [one for one in attempt.spans if one.kind == "call" and one.name == operation and one is not span]
        if [one for one in others if not one.result.startswith("2")]:
            self._counters[RETRIES][operation,].inc()

    def _gauge(self, row: MetricSpec, mode: Literal["livemax", "livesum", "mostrecent"]) -> Gauge:
        return Gauge(row.name, row.help, row.labels, registry=self.registry, multiprocess_mode=mode)


class _LabelCache(dict[tuple[str, ...], M]):
    """A metric's children by their labels' values: a look-up costs a fifth of `labels()`, which validates them."""

    def __init__(self, metric: M) -> None:
        super().__init__()
        self._metric: M = metric

    def __missing__(self, values: tuple[str, ...]) -> M:
        child: M = self._metric.labels(*values)
        self[values] = child
        return child


def _prepare_directory(directory: str, write: counter_files.Write) -> str:
    """The directory, ready for this process's counts; "" where there is none or it can't be used."""
    this_process = os.getpid()
    # Nothing waits while it counts: a greenlet's lock would cost more than the count itself.
    kinds_of_value.Lock = get_original("threading", "Lock")  # type: ignore[attr-defined]
    try:
        if directory:
            counter_files.allocate(directory, this_process, write)
            kinds_of_value.ValueClass = counter_files.value_class(this_process)
            return directory
    except OSError as error:
        log.warning("this worker counts for itself: PROMETHEUS_MULTIPROC_DIR can't be used", reason=error.strerror)
    kinds_of_value.ValueClass = kinds_of_value.MutexValue
    return ""


def _outcome_label(outcome: Outcome) -> str:
    if outcome.replayed:
        return "replayed"
    name = outcome.failure.code if outcome.failure else outcome.status.value
    return name if name in _OUTCOMES else OTHER
