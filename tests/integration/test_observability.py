"""Metrics, readiness, traces and the doctor's command in the service as it is put together and started."""

import json
import os
import re
import signal
import threading

import httpx
import pytest

from cobrowse.model import Secret
from sandbox.state import ABSENT, VOICE, WEBCHAT
from tests.clocks import wait_until
from tests.http_client import HTTP
from tests.integration.conftest import KEY, ROOT
from tests.unit.test_observability_tracing import PARENT, TRACE, Collector

TOKEN = "metrics-0123456789abcdef"


def test_what_an_initiation_meets_is_counted(service, box):
    bridge = service()
    box.faults.add(operation="create", kind="status", status=503, retry_after=0, times=1)
    assert bridge.start(WEBCHAT, headers={"Idempotency-Key": "k"})["success"]
    assert bridge.start(WEBCHAT, headers={"Idempotency-Key": "k"})["success"]
    assert bridge.start(WEBCHAT)["status"] == "already_active"
    assert bridge.start(ABSENT)["errorCode"] == "conversation_not_found"
    assert bridge.post(conversationId=VOICE, key="").status_code == 401
    told = bridge.client.get("/metrics").text.splitlines()
    for line in (
        'cobrowse_initiations_total{flow="media",outcome="initiated",sender="architect"} 1.0',
        'cobrowse_initiations_total{flow="media",outcome="replayed",sender="architect"} 1.0',
        'cobrowse_initiations_total{flow="none",outcome="already_active",sender="architect"} 1.0',
        'cobrowse_initiations_total{flow="media",outcome="conversation_not_found",sender="architect"} 1.0',
        'cobrowse_upstream_call_duration_seconds_count{operation="create",status="5xx"} 1.0',
        'cobrowse_retries_total{operation="create"} 1.0',
        'cobrowse_wait_duration_seconds_count{reason="retry"} 1.0',
        'cobrowse_upstream_call_duration_seconds_count{operation="token",status="2xx"} 1.0',
        'cobrowse_upstream_call_duration_seconds_count{operation="create",status="2xx"} 1.0',
        'cobrowse_http_requests_total{route="/data-actions/cobrowse",status="401"} 1.0',
        "cobrowse_in_flight 0.0",
    ):
        assert line in told, "\n".join(line for line in told if "_bucket" not in line)


def test_readyz_fetches_a_token_once_and_the_next_initiation_uses_it(service, box):
    bridge = service()
    for _ in range(20):
        answer = bridge.client.get("/readyz")
        assert (answer.status_code, answer.json["checks"]) == (200, {"genesys": "ok", "circuit": "ok", "ledger": "ok"})
    assert len(box.calls("token")) == 1
    assert bridge.start(WEBCHAT)["status"] == "initiated"
    assert len(box.calls("token")) == 1


def test_readyz_with_a_wrong_secret_says_so_and_leaves_genesys_alone(service, box):
    bridge = service(genesys_client_id="sandbox", genesys_client_secret=Secret("guessed-secret"))
    for _ in range(20):
        answer = bridge.client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json["checks"]["genesys"].startswith("genesys_unauthorized: token: Genesys answered 401")
        assert answer.json["checks"]["ledger"] == "ok"
        assert "guessed-secret" not in answer.text
    assert len(box.calls("token")) == 1


@pytest.mark.parametrize(("required", "status"), [(True, 503), (False, 200)])
def test_readyz_without_its_ledger(service, box, tmp_path, required, status):
    bridge = service(ledger_url=Secret(f"sqlite:///{tmp_path}/absent/ledger.sqlite3"), ledger_required=required)
    answer = bridge.client.get("/readyz")
    assert answer.status_code == status
    assert "LEDGER_URL's directory exists" in answer.json["checks"]["ledger"]


def get(server, path, **headers):
    return HTTP.get(f"{server.url}{path}", headers=headers)


def ask(server, conversation, **headers):
    return HTTP.post(
        f"{server.url}/data-actions/cobrowse",
        json={"conversationId": conversation},
        headers={"X-Api-Key": KEY, **headers},
    ).json()


def cut_off(server, conversation):
    with pytest.raises(httpx.TransportError):
        ask(server, conversation)


def counted(text, metric, **labels):
    """The sum of a metric's samples that have these labels."""
    found = re.findall(rf"^{metric}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    wanted = [f'{name}="{value}"' for name, value in labels.items()]
    return sum(float(value) for had, value in found if all(one in had for one in wanted))


def in_all(server):
    """How many sessions all workers have started, and how many requests they are at."""
    text = get(server, "/metrics").text
    return counted(text, "cobrowse_initiations_total", outcome="initiated"), counted(text, "cobrowse_in_flight")


def test_the_counts_of_all_workers_are_one_and_outlive_a_worker(gunicorn, box):
    server = gunicorn(WEB_CONCURRENCY="2")
    conversations = [box.add_conversation("webchat").id for _ in range(24)]
    threads = [threading.Thread(target=ask, args=(server, one)) for one in conversations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whichever worker is asked.
    for _ in range(6):
        wait_until(lambda: in_all(server) == (24, 0))
    box.faults.add(operation="create", kind="delay", seconds=300, times=1)
    slow = threading.Thread(target=cut_off, args=(server, WEBCHAT))
    slow.start()
    wait_until(lambda: len(box.calls("create")) == 25)
    wait_until(lambda: in_all(server) == (24, 1))
    before = set(server.workers())
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    slow.join()
    wait_until(lambda: set(server.workers()) - before)
    server._wait()
    wait_until(lambda: in_all(server) == (24, 0))


def test_metrics_with_a_token_are_for_who_has_it(gunicorn):
    server = gunicorn(METRICS_TOKEN=TOKEN)
    assert get(server, "/metrics").status_code == 401
    assert get(server, "/metrics", Authorization=f"Bearer {TOKEN}").status_code == 200
    assert TOKEN not in server.log


def test_the_directory_of_the_counts_is_gone_after_a_stop(gunicorn, tmp_path):
    server = gunicorn(TMPDIR=str(tmp_path))
    assert list(tmp_path.glob("cobrowse-metrics-*/*.db"))
    server.stop()
    assert not list(tmp_path.glob("cobrowse-metrics-*"))


def test_a_trace_goes_from_the_caller_through_every_step(gunicorn, box):
    collector = Collector()
    try:
        server = gunicorn(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="100")
        assert ask(server, WEBCHAT, traceparent=f"00-{TRACE}-{PARENT}-01")["success"]
        server.stop()
        assert server.process.returncode == 0
        spans = [span for span in collector.spans if span.trace_id.hex() == TRACE]
        assert [span.name for span in spans if span.parent_span_id.hex() == PARENT] == ["POST /data-actions/cobrowse"]
        named = {span.name for span in spans}
        assert {"initiation", "step token", "step create", "step attach", "step verify", "call attach"} <= named
        ids = {span.span_id: span for span in spans}
        for span in spans:
            parent = ids.get(span.parent_span_id)
            if parent is not None:
                assert parent.start_time_unix_nano - 2_000_000 <= span.start_time_unix_nano
                assert span.end_time_unix_nano <= parent.end_time_unix_nano + 2_000_000
        for secret in (KEY, "sandbox-secret", "joinUrl", "/join/"):
            assert secret.encode() not in collector.raw
        assert f'"trace_id":"{TRACE}"' in server.log
    finally:
        collector.stop()


def test_a_collector_that_is_away_costs_a_log_line(gunicorn, box, unused_tcp_port):
    server = gunicorn(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{unused_tcp_port()}",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        OTEL_BSP_SCHEDULE_DELAY="100",
    )
    assert ask(server, WEBCHAT)["success"]
    server.stop()
    assert server.process.returncode == 0
    [line, *_] = [json.loads(line) for line in server.log.splitlines() if '"event":"tracing"' in line]
    assert line["level"] == "warning"
    assert "Traceback" not in server.log


@pytest.fixture
def doctor(box, tmp_path, cli):
    """Runs `cobrowse-bridge doctor …` on the sandbox."""

    def run(*words, **variables):
        environment = {
            "PATH": "/usr/bin:/bin",
            "SANDBOX": "true",
            "GENESYS_API_URL": box.url,
            "GENESYS_LOGIN_URL": box.url,
            "LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite3",
            **variables,
        }
        return cli("doctor", *words, cwd=ROOT, env=environment)

    return run


def test_the_doctor_exits_0_when_all_is_well(doctor):
    done = doctor("--conversation", WEBCHAT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^All \d+ checks passed\.$", done.stdout, re.MULTILINE)
    assert "✗" not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_the_doctor_exits_1_and_names_the_remedy(doctor, box):
    box.options.grants = ("conversation:read",)
    done = doctor()
    assert done.returncode == 1
    assert "✗ cobrowse:initiate" in done.stdout
    assert "→ Add the scope cobrowse:initiate" in done.stdout


def test_the_doctor_speaks_json(doctor):
    done = doctor("--json", "--conversation", ABSENT)
    assert done.returncode == 1
    [wrong] = [check for check in json.loads(done.stdout) if check["ok"] is False]
    assert wrong["name"] == "conversation"


def test_the_doctor_reads_settings_that_the_service_would_not_start_with(doctor):
    done = doctor(COBROWSE_FLOW="both")
    assert done.returncode == 1
    assert "COBROWSE_FLOW: Must be one of" in done.stdout
