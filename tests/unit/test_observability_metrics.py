"""The counts: what each event adds to, that no label grows without bound, and that workers' counts are one."""

import io
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cobrowse.flow import Attempt
from cobrowse.ledger import Checkpoint
from cobrowse.model import Command, Failure, Outcome, Session, Span, Status
from integrations.observability import counter_files
from integrations.observability.logging import configure_logging
from integrations.observability.metrics import ROWS, Metrics
from integrations.observability.observers import RequestInfo, SafeObservers
from tests.clocks import ManualClock

COMMAND = Command("crm", "corr-1", 10.0, "conversation-1")
OUTCOME = Outcome(Status.INITIATED, "initiation-1", "corr-1", Session("conversation-1"), "media", 0.3, 3)
FAILURE = Failure("genesys_timeout", "attach: no answer", "ask again", retryable=True, is_terminal=False)


def samples(metrics):
    """Every sample by its name and its labels' values, in the rows' order."""
    order = ["sender", "flow", "outcome", "success", "step", "operation", "reason", "route", "status", "token", "le"]
    body, content_type = metrics.exposition()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, *(sample.labels[label] for label in order if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


@pytest.fixture
def metrics():
    return Metrics(["architect", "crm"])


@pytest.fixture
def attempt():
    made = Attempt(COMMAND, "initiation-1", "lease_owner", ManualClock())
    made.checkpoint = Checkpoint("media")
    return made


@pytest.fixture
def told(metrics, attempt):
    """Tells the metrics of these spans in turn, as an attempt does."""

    def tell(*spans):
        for span in spans:
            attempt.spans.append(span)
            metrics.on_span_end(attempt, span)
        return samples(metrics)

    return tell


def call(name, result="200", seconds=0.03):
    return Span("call", name, 0.0, seconds, result)


@pytest.mark.parametrize(
    ("outcome", "labels"),
    [
        (OUTCOME, ("crm", "media", "initiated")),
        (replace(OUTCOME, status=Status.JOINED), ("crm", "media", "joined")),
        (replace(OUTCOME, replayed=True), ("crm", "media", "replayed")),
        (replace(OUTCOME, replayed=True, status=Status.FAILED, failure=FAILURE), ("crm", "media", "replayed")),
        (replace(OUTCOME, status=Status.FAILED, failure=FAILURE), ("crm", "media", "genesys_timeout")),
        (replace(OUTCOME, status=Status.IGNORED, flow=""), ("crm", "none", "ignored")),
    ],
)
def test_an_initiation_counts_once_by_sender_flow_and_outcome(metrics, outcome, labels):
    metrics.on_outcome(COMMAND, outcome)
    found = {name[1:] for name in samples(metrics) if name[0] == "cobrowse_initiations_total"}
    assert found == {labels}
    assert samples(metrics)["cobrowse_initiations_total", *labels] == 1


@pytest.mark.parametrize(
    ("outcome", "labels"),
    [
        (OUTCOME, ("media", "true")),
        (replace(OUTCOME, status=Status.FAILED, failure=FAILURE), ("media", "false")),
        (replace(OUTCOME, replayed=True), None),
        (replace(OUTCOME, status=Status.IGNORED), None),
    ],
)
def test_how_long_it_took_is_counted_where_something_was_started(metrics, outcome, labels):
    metrics.on_outcome(COMMAND, outcome)
    found = {
        name[1:]: value
        for name, value in samples(metrics).items()
        if name[0] == "cobrowse_initiation_duration_seconds_sum"
    }
    assert found == ({labels: 0.3} if labels else {})


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("200", "2xx"),
        ("201", "2xx"),
        ("302", "3xx"),
        ("404", "4xx"),
        ("429", "429"),
        ("503", "5xx"),
        ("genesys_timeout", "genesys_timeout"),
        ("not sendable", "not_sendable"),
        ("broken", "other"),
        ("anything else", "other"),
    ],
)
def test_a_call_counts_by_operation_and_class_of_status(told, result, status):
    found = told(call("attach", result))
    assert found["cobrowse_upstream_call_duration_seconds_count", "attach", status] == 1


def test_a_call_made_again_after_one_that_failed_is_a_retry(told):
    found = told(call("create", "503"), call("create", "201"), call("attach", "genesys_timeout"))
    assert found["cobrowse_retries_total", "create"] == 1
    found = told(call("conversation"), call("attach", "201"), call("conversation"))
    assert found["cobrowse_retries_total", "attach"] == 1
    assert ("cobrowse_retries_total", "conversation") not in found


def test_waits_count_by_what_they_come_before(told):
    found = told(
        Span("wait", "as Genesys asks, before another try of create", 0.0, 2.0),
        Span("wait", "before another try of attach", 0.0, 0.5),
        Span("wait", "before another check for it", 0.0, 0.2),
    )
    assert found["cobrowse_wait_duration_seconds_sum", "retry"] == 2.5
    assert found["cobrowse_wait_duration_seconds_sum", "poll"] == 0.2


def test_a_request_is_in_flight_until_it_is_answered(metrics):
    ended = metrics.on_request(RequestInfo("POST", "/webhooks/<name>", {}, "corr-1"))
    assert samples(metrics)["cobrowse_in_flight",] == 1
    ended(401)
    found = samples(metrics)
    assert found["cobrowse_in_flight",] == 0
    assert found["cobrowse_http_requests_total", "/webhooks/<name>", "401"] == 1


def test_a_tokens_budget_is_the_part_of_its_calls_that_is_used(metrics):
    metrics.budget("api", 75.0, 300.0, 30.0)
    metrics.budget("token", 1.0, 0.0, 30.0)
    found = samples(metrics)
    assert found["cobrowse_genesys_budget_used_ratio", "api"] == 0.25
    assert found["cobrowse_genesys_budget_used_ratio", "token"] == 0.0
    metrics.budget("api", 300.0, 300.0, 20.0)
    assert samples(metrics)["cobrowse_genesys_budget_used_ratio", "api"] == 1.0


def test_no_label_holds_what_an_outsider_chose(metrics):
    for number in range(50):
        metrics.on_outcome(replace(COMMAND, sender=f"sender-{number}", conversation_id=f"id-{number}"), OUTCOME)
        metrics.on_request(RequestInfo("GET", "", {"X": str(number)}, f"corr-{number}"))(404)
    found = samples(metrics)
    assert [name[1:] for name in found if name[0] == "cobrowse_initiations_total"] == [("other", "media", "initiated")]
    assert [name[1:] for name in found if name[0] == "cobrowse_http_requests_total"] == [("other", "404")]


def test_each_metric_follows_the_naming_rules():
    for row in ROWS:
        assert row.name.startswith("cobrowse_")
        assert row.name.endswith("_total") == (not row.buckets and not row.gauge)
        assert row.name.endswith("_seconds") == bool(row.buckets)
        assert row.help.endswith(".")


def test_openmetrics_is_served_to_who_asks_for_it(metrics):
    metrics.on_outcome(COMMAND, OUTCOME)
    body, content_type = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_two_services_in_one_process_count_each_for_itself():
    first, second = Metrics(["crm"]), Metrics(["crm"])
    first.on_outcome(COMMAND, OUTCOME)
    assert ("cobrowse_initiations_total", "crm", "media", "initiated") not in samples(second)


def test_an_observer_that_fails_stops_neither_the_work_nor_the_others(metrics, attempt):
    out = io.StringIO()
    configure_logging("INFO", "json", out)

    class Full:
        def on_span_end(self, *_):
            raise OSError(28, "No space left on device")

        on_outcome = on_request = on_span_end

    both = SafeObservers([Full(), metrics], [Full(), metrics])
    ended = both.on_request(RequestInfo("POST", "/x", {}, "corr-1"))
    attempt.spans.append(call("create"))
    both.on_span_end(attempt, attempt.spans[-1])
    both.on_outcome(COMMAND, OUTCOME)
    ended(200)
    found = samples(metrics)
    assert found["cobrowse_upstream_call_duration_seconds_count", "create", "2xx"] == 1
    assert found["cobrowse_initiations_total", "crm", "media", "initiated"] == 1
    assert found["cobrowse_http_requests_total", "/x", "200"] == 1
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in told] == ["telemetry failed"] * 3
    assert all("No space left on device" in line["exception"] for line in told)


WORKERS = """
    import os, sys
    from prometheus_client.multiprocess import mark_process_dead
    from cobrowse.model import *
    from integrations.observability.observers import RequestInfo
    from integrations.observability.metrics import Metrics

    directory = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    outcome = Outcome(Status.INITIATED, "i", "c", Session("x"), "media", 0.3, 3)
    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            metrics = Metrics(["crm"], directory)
            metrics.on_outcome(Command("crm", "c", 10.0), outcome)
            metrics.on_request(RequestInfo("POST", "/x", {}, "c"))
            os._exit(0)
        os.waitpid(child, 0)
        children.append(child)
    print(Metrics(["crm"], directory).exposition()[0].decode())
    for child in children[:2]:
        mark_process_dead(child)
    print(Metrics(["crm"], directory).exposition()[0].decode())
"""


def test_workers_counts_are_one_and_the_dead_have_nothing_in_flight(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", textwrap.dedent(WORKERS)],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    counted = 'cobrowse_initiations_total{flow="media",outcome="initiated",sender="crm"} 3.0'
    assert done.stdout.count(counted) == 2
    assert [line for line in done.stdout.splitlines() if line.startswith("cobrowse_in_flight ")] == [
        "cobrowse_in_flight 3.0",
        "cobrowse_in_flight 1.0",
    ]


FULL = """
    import os, sys
    from cobrowse.model import *
    from integrations.observability.metrics import Metrics

    def write(handle, data):
        raise OSError(28, "No space left on device")

    directory = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    metrics = Metrics(["crm"], directory, write)
    metrics.on_outcome(Command("crm", "c", 10.0), Outcome(Status.INITIATED, "i", "c", Session("x"), "media", 0.3, 3))
    print(metrics.exposition()[0].decode(), os.listdir(directory))
"""
GONE = """
    import os, shutil
    from cobrowse.model import *
    from integrations.observability.metrics import Metrics

    directory = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    shutil.rmtree(directory)
    metrics = Metrics(["crm"], directory)
    shutil.rmtree(directory)
    metrics.on_outcome(Command("crm", "c", 10.0), Outcome(Status.INITIATED, "i", "c", Session("x"), "media", 0.3, 3))
    print(metrics.exposition()[0].decode())
"""
# A file that is there when they are listed and not when it is read.
VANISHING = """
    import os
    from cobrowse.model import *
    from integrations.observability.metrics import Metrics

    directory = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    metrics = Metrics(["crm"], directory)
    os.symlink("nowhere", os.path.join(directory, "counter_0.db"))
    metrics.on_outcome(Command("crm", "c", 10.0), Outcome(Status.INITIATED, "i", "c", Session("x"), "media", 0.3, 3))
    print(metrics.exposition()[0].decode())
"""


@pytest.mark.parametrize("program", [FULL, GONE, VANISHING], ids=["full", "gone", "vanishing"])
def test_a_directory_that_cannot_be_used_costs_the_other_workers_numbers_only(tmp_path, program):
    (tmp_path / "counts").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", textwrap.dedent(program)],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert 'cobrowse_initiations_total{flow="media",outcome="initiated",sender="crm"} 1.0' in done.stdout


def test_a_workers_files_are_on_the_disk_whole_before_they_are_mapped(tmp_path):
    counter_files.allocate(str(tmp_path / "new"), 7)
    for kind in counter_files.KINDS:
        stat = (tmp_path / "new" / f"{kind}_7.db").stat()
        assert stat.st_size == counter_files.SIZE
        assert stat.st_blocks * 512 >= counter_files.SIZE


def test_another_worker_that_reads_all_files_meanwhile_finds_none_that_is_not_whole(tmp_path):
    sizes = []

    def write(handle, data):
        sizes.append([file.stat().st_size for file in tmp_path.glob("*.db")])
        return os.write(handle, data)

    counter_files.allocate(str(tmp_path), 7, write)
    assert sizes == [[counter_files.SIZE] * done for done in range(len(counter_files.KINDS))]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(f"{kind}_7.db" for kind in counter_files.KINDS)


def test_a_disk_that_takes_a_part_only_leaves_no_file(tmp_path):
    with pytest.raises(OSError, match="No space"):
        counter_files.allocate(str(tmp_path), 7, lambda _handle, data: len(data) // 2)
    assert list(tmp_path.iterdir()) == []
