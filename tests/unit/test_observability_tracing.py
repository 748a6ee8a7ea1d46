"""Traces, as a collector on loopback gets them over OTLP; and nothing of OpenTelemetry where none is wanted."""

import http.server
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cobrowse.flow import Attempt
from cobrowse.model import Command, Failure, Outcome, Secret, Session, Span, Status
from integrations.observability.observers import RequestInfo
from integrations.observability.tracing import Traces
from tests.clocks import ManualClock
from tests.watch import WATCH

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
COMMAND = Command("crm", "corr-1", 10.0, "conversation-1", user_token=Secret("user-token"))
SESSION = Session("conversation-1", "session-1", join_url=Secret("https://join/1"))
# As an attempt notes them: each when it has ended, a call before the step that it is part of.
SPANS = (
    Span("call", "token", 0.0, 0.05, "200"),
    Span("step", "token", 0.0, 0.05, "done"),
    Span("call", "create", 0.05, 0.1, "503"),
    Span("wait", "before another try of create", 0.15, 0.2),
    Span("call", "create", 0.35, 0.1, "201"),
    Span("step", "create", 0.05, 0.4, "done"),
    Span("call", "attach", 0.45, 0.3, "genesys_timeout"),
    Span("step", "attach", 0.45, 0.3, "genesys_timeout"),
)
FAILURE = Failure("genesys_timeout", "attach: no answer", "ask again", retryable=True, is_terminal=False)
OUTCOME = Outcome(Status.FAILED, "initiation-1", "corr-1", SESSION, "media", 0.75, 4, 1, FAILURE, SPANS)


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self):
        self.requests = []
        self.raw = b""
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.raw += body
                collector.requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        WATCH.saw("what a collector was sent", self.raw)

    @property
    def resources(self):
        return [resource for _, request in self.requests for resource in request.resource_spans]

    @property
    def spans(self):
        """The spans by name, in the order of their start."""
        found = [span for one in self.resources for scope in one.scope_spans for span in scope.spans]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.stop()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def traces(collector, clock):
    made = Traces(collector.url, clock)
    yield made
    made.close()
    structlog.contextvars.clear_contextvars()


def initiated(traces, clock, command=COMMAND, outcome=OUTCOME):
    """What an attempt tells its observers as the time passes."""
    attempt = Attempt(command, "initiation-1", "lease_owner", clock)
    began = clock.monotonic()
    for span in outcome.spans if not outcome.replayed else ():
        clock.time = began + span.start + span.seconds
        traces.on_span_end(attempt, span)
    clock.time = began + outcome.seconds
    traces.on_outcome(command, outcome)


def asked(**headers):
    return RequestInfo("POST", "/webhooks/<name>", headers.items(), "corr-1")


def attributes(span):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_request_continues_its_callers_trace(collector, traces, clock):
    ended = traces.on_request(asked(Traceparent=f"00-{TRACE}-{PARENT}-01"))
    assert structlog.contextvars.get_contextvars()["trace_id"] == TRACE
    clock.sleep(0.5)
    ended(200)
    traces.close()
    [(path, _)] = collector.requests
    [span] = collector.spans
    assert path == "/v1/traces"
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("POST /webhooks/<name>", TRACE, PARENT)
    assert span.kind == span.SPAN_KIND_SERVER
    assert span.end_time_unix_nano - span.start_time_unix_nano == 500_000_000
    assert attributes(span)["http.response.status_code"] == 200


@pytest.mark.parametrize("given", ["", "garbage", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{PARENT}", "ÿ" * 5000])
def test_a_traceparent_that_is_none_starts_a_trace_of_its_own(collector, traces, given):
    traces.on_request(asked(traceparent=given))(200)
    traces.close()
    [span] = collector.spans
    assert span.trace_id.hex() not in (TRACE, "0" * 32)
    assert span.parent_span_id == b""


def test_a_caller_that_does_not_sample_is_heeded(collector, traces, clock):
    ended = traces.on_request(asked(traceparent=f"00-{TRACE}-{PARENT}-00"))
    initiated(traces, clock)
    ended(200)
    traces.close()
    assert collector.requests == []


def test_steps_calls_and_waits_stand_where_and_when_they_were(collector, traces, clock):
    ended = traces.on_request(asked(traceparent=f"00-{TRACE}-{PARENT}-01"))
    clock.sleep(0.25)
    start = clock.now().timestamp()
    initiated(traces, clock)
    ended(504)
    traces.close()
    by_id = {span.span_id: span for span in collector.spans}
    seen = [
        (
            span.name,
            by_id[span.parent_span_id].name if span.parent_span_id in by_id else "",
            round(span.start_time_unix_nano / 1e9 - start, 3),
            round((span.end_time_unix_nano - span.start_time_unix_nano) / 1e9, 3),
        )
        for span in collector.spans
    ]
    server = "POST /webhooks/<name>"
    assert sorted(seen, key=lambda one: (one[2], -one[3], one[0] != "initiation", not one[0].startswith("step"))) == [
        (server, "", -0.25, 1.0),
        ("initiation", server, 0.0, 0.75),
        ("step token", "initiation", 0.0, 0.05),
        ("call token", "step token", 0.0, 0.05),
        ("step create", "initiation", 0.05, 0.4),
        ("call create", "step create", 0.05, 0.1),
        ("wait", "step create", 0.15, 0.2),
        ("call create", "step create", 0.35, 0.1),
        ("step attach", "initiation", 0.45, 0.3),
        ("call attach", "step attach", 0.45, 0.3),
    ]
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    failed = {(span.name, span.status.message) for span in collector.spans if span.status.code == 2}
    assert failed == {
        (server, ""),
        ("initiation", "genesys_timeout"),
        ("call create", "503"),
        ("step attach", "genesys_timeout"),
        ("call attach", "genesys_timeout"),
    }


def test_an_initiation_says_whose_it_is_and_nothing_secret(collector, traces, clock):
    initiated(traces, clock)
    traces.close()
    [initiation] = [span for span in collector.spans if span.name == "initiation"]
    told = attributes(initiation)
    assert told["cobrowse.sender"] == "crm"
    assert told["cobrowse.conversation_id"] == "conversation-1"
    assert told["cobrowse.error"] == "genesys_timeout"
    assert b"user-token" not in collector.raw
    assert b"https://join/1" not in collector.raw


def test_the_events_of_a_batch_find_their_request_from_other_threads(collector, traces, clock):
    ended = traces.on_request(asked(traceparent=f"00-{TRACE}-{PARENT}-01"))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(initiated, traces, clock).result()
    ended(200)
    traces.close()
    [server] = [span for span in collector.spans if span.name.startswith("POST")]
    [initiation] = [span for span in collector.spans if span.name == "initiation"]
    assert initiation.parent_span_id == server.span_id


def test_a_replay_does_not_tell_again_of_the_run_that_it_retries(collector, traces, clock):
    initiated(traces, clock, outcome=replace(OUTCOME, replayed=True))
    traces.close()
    assert [span.name for span in collector.spans] == ["initiation"]
    assert attributes(collector.spans[0])["cobrowse.replayed"] is True


def test_the_service_has_a_name(collector, traces):
    traces.on_request(asked())(200)
    traces.close()
    named = {one.key: one.value.string_value for one in collector.resources[0].resource.attributes}
    assert named["service.name"] == "cobrowse-bridge"


ONE_SPAN = """
    import sys
    from cobrowse.clock import SystemClock
    from integrations.observability.observers import RequestInfo
    from integrations.observability.tracing import Traces

    traces = Traces(sys.argv[1], SystemClock())
    traces.on_request(RequestInfo("GET", "/healthz", {}, "corr-1"))(200)
    traces.close()
"""


def alone(code, argument, **environment):
    """What a program says in a process of its own, which has this environment and no other."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), argument],
        cwd=Path(__file__).resolve().parents[2],
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_otel_service_name_wins(collector):
    """The SDK reads the process's own environment."""
    alone(ONE_SPAN, f"{collector.url}/v1/traces", OTEL_SERVICE_NAME="bridge-of-ours")
    named = {one.key: one.value.string_value for one in collector.resources[0].resource.attributes}
    assert named["service.name"] == "bridge-of-ours"


ABSENT = """
    import sys
    from pathlib import Path
    import integrations.observability.observers, integrations.observability.metrics, web.health, cli
    from app import create_app
    from cobrowse.model import Secret
    from settings import Settings

    create_app(Settings(genesys_api_url="http://127.0.0.1:1", genesys_login_url="http://127.0.0.1:1",
                        ledger_url=Secret(f"sqlite:///{sys.argv[1]}/ledger.sqlite3")))
    print([name for name in sys.modules if name.split(".")[0] == "opentelemetry"])
"""


def test_nothing_of_opentelemetry_is_imported_unless_it_is_wanted(tmp_path):
    assert alone(ABSENT, str(tmp_path)) == "[]"
