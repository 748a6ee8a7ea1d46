"""Traces by OpenTelemetry: a span a request, below it each initiation with its steps, calls and waits.

Importing this module imports OpenTelemetry, so it happens only where an endpoint is configured. Besides it, the SDK
reads its own OTEL_… variables: headers, certificates, the sampler, the service's name.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import local
from urllib.parse import urlsplit

import structlog
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cobrowse.clock import Clock
from cobrowse.flow import Attempt
from cobrowse.model import Command, Outcome, Span
from integrations.observability.observers import OnResponse, RequestInfo

NAME = "cobrowse-bridge"
_PATH = "/v1/traces"
_INCOMING = TraceContextTextMapPropagator()
log = structlog.stdlib.get_logger()


class Traces:
    """Sends spans to an OTLP collector, from a thread of its own: make it after the fork.

    Nothing goes on to Genesys but the correlation id: it takes no part in our traces, and a `traceparent` would tell it
    of our other systems. `processor` takes the spans instead, wherever they are to go.
    """

    def __init__(self, endpoint: str, clock: Clock, processor: SpanProcessor | None = None) -> None:
        _forward_logs()
        url = endpoint if urlsplit(endpoint).path.endswith(_PATH) else endpoint.rstrip("/") + _PATH
        resource = Resource.create({"service.name": NAME}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=True)
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
        self._tracer = self._provider.get_tracer(NAME)
        self._clock = clock
        # The events of a batch are worked on in threads that no context reaches; they find their request by this.
        self._requests: dict[str, Context] = {}
        self._of_thread = local()

    def on_request(self, request: RequestInfo) -> OnResponse:
        """A request: its span continues the trace of an incoming `traceparent`."""
        carrier = {name.lower(): value for name, value in request.headers}
        span = self._tracer.start_span(
            f"{request.method} {request.route}".strip(),
            context=_INCOMING.extract(carrier, context=Context()),
            kind=SpanKind.SERVER,
            start_time=_nanoseconds(self._clock.now()),
            attributes={
                "http.request.method": request.method,
                "http.route": request.route,
                "cobrowse.correlation_id": request.correlation_id,
            },
        )
        span_context = trace.set_span_in_context(span, Context())
        token = context.attach(span_context)
        self._requests[request.correlation_id] = span_context
        structlog.contextvars.bind_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}")

        def on_response(status: int) -> None:
            span.set_attribute("http.response.status_code", status)
            if status >= 500:
                span.set_status(StatusCode.ERROR)
            if self._requests.get(request.correlation_id) is span_context:
                del self._requests[request.correlation_id]
            context.detach(token)
            span.end(_nanoseconds(self._clock.now()))

        return on_response

    def on_span_end(self, _attempt: Attempt, span: Span) -> None:
        """Note when this thread's attempt began, by the clock that traces go by: spans know seconds since then."""
        self._of_thread.began = self._clock.now() - timedelta(seconds=span.start + span.seconds)

    def on_outcome(self, command: Command, outcome: Outcome) -> None:
        """An initiation has ended: now its spans can be made, each inside the one it was part of."""
        now = self._clock.now()
        # A replay has the spans of the run that it repeats, which has exported them.
        own = () if outcome.replayed else outcome.spans
        start = getattr(self._of_thread, "began", now) if own else now
        current = context.get_current()
        if not trace.get_current_span(current).get_span_context().is_valid:
            current = self._requests.get(command.correlation_id, current)
        initiation = self._tracer.start_span(
            "initiation", context=current, start_time=_nanoseconds(start), attributes=_attributes(command, outcome)
        )
        if outcome.failure is not None:
            initiation.set_status(StatusCode.ERROR, outcome.failure.code)
        self._children(trace.set_span_in_context(initiation), start, own)
        initiation.end(_nanoseconds(now))

    def close(self) -> None:
        """Send what is left and stop."""
        self._provider.shutdown()

    def _children(self, initiation: Context, attempt_start: datetime, spans: Sequence[Span]) -> None:
        steps: list[tuple[Span, Context]] = []
        for span in sorted(spans, key=lambda one: one.kind != "step"):
            parents = (span_context for step, span_context in reversed(steps) if _holds(step, span))
            start = attempt_start + timedelta(seconds=span.start)
            child = self._tracer.start_span(
                f"{span.kind} {span.name}" if span.kind != "wait" else "wait",
                context=next(parents, initiation),
                kind=SpanKind.CLIENT if span.kind == "call" else SpanKind.INTERNAL,
                start_time=_nanoseconds(start),
                attributes=_result(span),
            )
            if span.result and span.result != "done" and not span.result.startswith("2"):
                child.set_status(StatusCode.ERROR, span.result)
            if span.kind == "step":
                steps.append((span, trace.set_span_in_context(child)))
            child.end(_nanoseconds(start + timedelta(seconds=span.seconds)))


class _ForwardingHandler(logging.Handler):
    """Puts what OpenTelemetry has to say, a collector that can't be reached for one, into the log's own form."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("tracing", message=record.getMessage()[:500])


def _forward_logs() -> None:
    logger = logging.getLogger("opentelemetry")
    if not any(isinstance(handler, _ForwardingHandler) for handler in logger.handlers):
        logger.addHandler(_ForwardingHandler(logging.WARNING))
        logger.propagate = False


def _attributes(command: Command, outcome: Outcome) -> Mapping[str, str | bool | int]:
    return {
        "cobrowse.sender": command.sender,
        "cobrowse.flow": outcome.flow,
        "cobrowse.status": outcome.status.value,
        "cobrowse.error": outcome.failure.code if outcome.failure else "",
        "cobrowse.replayed": outcome.replayed,
        "cobrowse.attempts": outcome.attempts,
        "cobrowse.conversation_id": outcome.session.conversation_id or command.conversation_id,
        "cobrowse.initiation_id": outcome.initiation_id,
        "cobrowse.correlation_id": command.correlation_id,
    }


def _result(span: Span) -> Mapping[str, str | int]:
    if span.kind == "wait":
        return {"cobrowse.wait": span.name}
    if span.kind == "call" and span.result.isdigit():
        return {"cobrowse.operation": span.name, "http.response.status_code": int(span.result)}
    return {"cobrowse.result": span.result}


def _holds(step: Span, part: Span) -> bool:
    """Whether it was a part of this step. Steps come one after another, and none is a part of another."""
    return part.kind != "step" and step.start <= part.start <= step.start + step.seconds


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
