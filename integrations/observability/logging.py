"""The log: one line an initiation, and one for each upstream call that failed. Nothing secret, and never in the way."""

import io
import json
import logging
import sys
from typing import Any, TextIO

import orjson
import structlog

from cobrowse.flow import Attempt
from cobrowse.model import Command, Outcome, Span
from integrations.observability.printable import printable_json, printable_lines

log = structlog.stdlib.get_logger()


def configure_logging(level: str, style: str, stream: TextIO | None = None) -> None:
    """Set up structlog for this process: JSON lines, or readable ones. `style`: json, console, or auto, by the tty."""
    out = stream or sys.stderr
    readable = style == "console" or (style == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor
    if readable:
        shared.append(_plain)
        last = structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=_plain_traceback)
    else:
        # Tracebacks without the frames' locals: those hold tokens and bodies.
        shared.append(structlog.processors.format_exc_info)
        last = _json
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=_SafeStream(out)),  # type: ignore[arg-type]  # it has what is used
        cache_logger_on_first_use=False,
    )


class LogObserver:
    """Writes the log's lines, as the log is configured when this is made: structlog would make a logger a line."""

    def __init__(self) -> None:
        self._log = log.bind()

    def on_span_end(self, attempt: Attempt, span: Span) -> None:
        """A line for an upstream call that did not go well."""
        if span.kind == "call" and not span.result.startswith("2"):
            self._log.warning(
                "upstream call failed",
                correlation_id=attempt.command.correlation_id,
                initiation_id=attempt.initiation_id,
                sender=attempt.command.sender,
                conversation_id=attempt.command.conversation_id,
                call=span.name,
                result=span.result,
                duration_ms=round(span.seconds * 1000, 1),
            )

    def on_outcome(self, command: Command, outcome: Outcome) -> None:
        """A line for an initiation."""
        level = self._log.info if outcome.failure is None else self._log.warning
        level(
            "initiation",
            correlation_id=command.correlation_id,
            initiation_id=outcome.initiation_id,
            sender=command.sender,
            credential=command.credential,
            requested_by=command.requested_by,
            conversation_id=outcome.session.conversation_id or command.conversation_id,
            flow=outcome.flow,
            status=outcome.status.value,
            error=outcome.failure.code if outcome.failure else "",
            message=outcome.failure.message if outcome.failure else outcome.reason,
            replayed=outcome.replayed,
            attempts=outcome.attempts,
            upstream_calls=outcome.upstream_calls,
            duration_ms=round(outcome.seconds * 1000, 1),
            waited_ms=round(sum([span.seconds for span in outcome.spans if span.kind == "wait"]) * 1000, 1),
            steps={span.name: round(span.seconds * 1000, 1) for span in outcome.spans if span.kind == "step"},
        )


class _SafeStream:
    """A stream whose errors don't reach its writers: a full disk or a closed pipe loses lines only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        try:
            self._stream.write(line)
        except (OSError, ValueError):  # ValueError: the stream is closed, or can't encode the line
            return

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


def _json(_logger: object, _method: str, event: Any) -> str:  # noqa: ANN401 - structlog's own signature
    try:
        return printable_json(orjson.dumps(event, default=str).decode())
    except TypeError:
        # Half a surrogate pair, or a number of more than 64 bits: a repr holds everything.
        return json.dumps({"event": str(event.get("event")), "unwritable": repr(event)})


def _plain_traceback(out: TextIO, failure: Any) -> None:  # noqa: ANN401 - structlog's own signature
    """A traceback whose exceptions' messages may quote anything."""
    written = io.StringIO()
    structlog.dev.plain_traceback(written, failure)
    out.write(printable_lines(written.getvalue()))


def _plain(_logger: object, _method: str, event: Any) -> Any:  # noqa: ANN401 - structlog's own signature
    """For a terminal: no control character that would move its cursor or forge a line."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = repr(value)
    return event
