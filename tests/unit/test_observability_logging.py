"""The log's lines: what they hold, what they never hold, and that nothing they meet stops the work."""

import io
import json
import time
from dataclasses import replace

import pytest
import structlog

from cobrowse.flow import Attempt
from cobrowse.model import Command, Failure, Outcome, Secret, Session, Span, Status
from integrations.observability.logging import LogObserver, configure_logging
from tests.clocks import ManualClock

COMMAND = Command(
    "crm", "corr-1", 10.0, "conversation-1", requested_by="Ann", credential="first", user_token=Secret("user-token")
)
SESSION = Session("conversation-1", "session-1", join_url=Secret("https://join/1"), join_code=Secret("123456"))
SPANS = (
    Span("call", "create", 0.1, 0.2, "201"),
    Span("step", "create", 0.1, 0.21, "done"),
    Span("wait", "before another try of attach", 0.31, 1.5),
    Span("step", "attach", 0.3, 1.7, "done"),
)
OUTCOME = Outcome(Status.INITIATED, "initiation-1", "corr-1", SESSION, "media", 2.0449, 5, 2, None, SPANS)


@pytest.fixture
def written():
    """A factory: what is written by this observer's lines in this style, each line apart."""

    def write(tell, style="json", level="INFO"):
        out = io.StringIO()
        configure_logging(level, style, out)
        tell(LogObserver())
        return out.getvalue().splitlines()

    return write


def test_an_initiation_is_one_line_with_all_that_is_asked_of_it(written):
    [line] = written(lambda observer: observer.on_outcome(COMMAND, OUTCOME))
    told = json.loads(line)
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "event": "initiation",
        "level": "info",
        "correlation_id": "corr-1",
        "initiation_id": "initiation-1",
        "sender": "crm",
        "credential": "first",
        "requested_by": "Ann",
        "conversation_id": "conversation-1",
        "flow": "media",
        "status": "initiated",
        "error": "",
        "message": "",
        "replayed": False,
        "attempts": 2,
        "upstream_calls": 5,
        "duration_ms": 2044.9,
        "waited_ms": 1500.0,
        "steps": {"create": 210.0, "attach": 1700.0},
    }


def test_a_failed_initiation_is_a_warning_with_the_error(written):
    failure = Failure("genesys_timeout", "attach: no answer", "ask again", retryable=True, is_terminal=False)
    outcome = Outcome(Status.FAILED, "initiation-1", "corr-1", failure=failure)
    told = json.loads(written(lambda observer: observer.on_outcome(COMMAND, outcome))[0])
    assert (told["level"], told["error"], told["message"]) == ("warning", "genesys_timeout", "attach: no answer")
    assert told["conversation_id"] == "conversation-1"


@pytest.mark.parametrize(("result", "lines"), [("200", 0), ("201", 0), ("404", 1), ("503", 1), ("genesys_timeout", 1)])
def test_only_an_upstream_call_that_failed_has_a_line(written, result, lines):
    attempt = Attempt(COMMAND, "initiation-1", "lease_owner", ManualClock())
    found = written(lambda observer: observer.on_span_end(attempt, Span("call", "create", 0.0, 0.0123, result)))
    assert len(found) == lines
    for line in found:
        told = json.loads(line)
        assert (told["event"], told["call"], told["result"]) == ("upstream call failed", "create", result)
        assert (told["correlation_id"], told["initiation_id"], told["duration_ms"]) == ("corr-1", "initiation-1", 12.3)


def test_steps_and_waits_have_no_lines_of_their_own(written):
    attempt = Attempt(COMMAND, "initiation-1", "lease_owner", ManualClock())
    steps = [Span("step", "create", 0.0, 0.1, "failed"), Span("wait", "a while", 0.0, 0.1)]
    assert written(lambda observer: [observer.on_span_end(attempt, span) for span in steps]) == []


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_secret_is_written_whichever_way_it_gets_into_a_line(written, style):
    def tell(observer):
        observer.on_outcome(COMMAND, OUTCOME)
        log = structlog.get_logger()
        log.info("odd", token=Secret("user-token"), at={"url": SESSION.join_url})
        log.info("odd", command=COMMAND, session=SESSION, half="\ud800", token=Secret("user-token"))
        try:
            raise_with(COMMAND.user_token)
        except RuntimeError:
            log.exception("odd")

    def raise_with(token):
        raise RuntimeError("a fault")

    text = "\n".join(written(tell, style))
    assert "RuntimeError: a fault" in text
    for secret in ("user-token", "https://join/1", "123456"):
        assert secret not in text


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("name", ["x\nlevel=error forged=1", "\x1b[2Jx", "\u202exe", "a\r\nb", "\x00"])
def test_a_name_can_not_forge_a_line_or_move_the_cursor(written, style, name):
    lines = written(lambda observer: observer.on_outcome(replace(COMMAND, requested_by=name), OUTCOME), style)
    assert len(lines) == 1
    assert lines[0].isprintable() or style == "json"
    assert "\x1b" not in lines[0]


@pytest.mark.parametrize("value", ["\ud800", 2**70, {1: 2}, object(), {"a", "b"}, b"\xff"])
def test_what_json_does_not_know_is_written_all_the_same(written, value):
    [line] = written(lambda _: structlog.get_logger().info("odd", value=value))
    assert json.loads(line)["event"] == "odd"


class Broken(io.StringIO):
    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.tried = ""

    def write(self, text):
        self.tried += text
        raise self.fault

    def flush(self):
        raise self.fault


@pytest.mark.parametrize("fault", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("closed")])
def test_a_log_that_can_not_be_written_stops_nothing(fault):
    broken = Broken(fault)
    configure_logging("INFO", "json", broken)
    LogObserver().on_outcome(COMMAND, OUTCOME)
    assert "initiation" in broken.tried


def test_a_terminal_gets_one_readable_line(written):
    [line] = written(lambda observer: observer.on_outcome(COMMAND, OUTCOME), "console")
    assert "initiation" in line
    assert "status=initiated" in line
    assert not line.startswith("{")


def test_the_level_is_kept(written):
    assert written(lambda observer: observer.on_outcome(COMMAND, OUTCOME), level="WARNING") == []


def test_a_line_costs_little(written):
    configure_logging("INFO", "json", io.StringIO())
    observer = LogObserver()
    best = min(_cpu(lambda: [observer.on_outcome(COMMAND, OUTCOME) for _ in range(500)]) for _ in range(20)) / 500
    # 12 µs where this was written; the bound is wide since the machine may be slow, not since the line may.
    assert best < 100e-6


def _cpu(work):
    start = time.process_time()
    work()
    return time.process_time() - start
