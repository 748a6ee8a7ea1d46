"""One window of load on one contender, and what is read from it: wrk's latencies, the upstream's counts, the CPU."""

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.performance import wrk
from tests.performance.contenders import KEY, ROOT, environment
from tests.performance.figures import CALLS, calls_are_exact, held_ms
from tests.performance.processes import Group, ask, machine_busy_seconds
from tests.ports import free_port

# wrk's latencies begin with its first request; rates and CPU are read after so long.
WARM_UP_SECONDS = 1.0
QUIET_SECONDS = 5.0


@dataclass
class Service:
    """A contender that is up."""

    contender: object
    port: int
    folder: Path
    group: Group
    start_seconds: float

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{self.contender.path}"


@dataclass
class Bench:
    """The upstream and a folder for files. `seconds`: how long a window is, without its warm-up."""

    folder: Path
    upstream: Group
    upstream_port: int
    seconds: float
    rounds: int
    started: int = 0
    left_over: int = 0
    noise: list = field(default_factory=list)

    @property
    def genesys_url(self):
        return f"http://127.0.0.1:{self.upstream_port}"

    @contextlib.contextmanager
    def running(self, contender):
        """The contender in a folder of its own, ended and cleaned up after the block. Errors: FailedToRun."""
        self.started += 1
        folder = self.folder / f"{self.started:03}-{contender.name}"
        folder.mkdir()
        port = free_port()
        env = environment(contender, port, self.genesys_url, folder)
        began = time.monotonic()
        words = contender.command(port)
        with Group(contender.name, words, env=env, folder=contender.folder, log=folder / "log") as group:
            group.wait_until_ready(port, contender.ready)
            # What the last contender had begun when it was stopped.
            self.left_over = unfinished(self.calls())
            yield Service(contender, port, folder, group, time.monotonic() - began)
        shutil.rmtree(folder, ignore_errors=True)

    def set_delay(self, milliseconds):
        ask(self.upstream_port, f"/delay?ms={milliseconds}", "POST")

    def counts(self):
        return json.loads(ask(self.upstream_port, "/counts")[1])

    def calls(self):
        counted = self.counts()["calls"]
        return {name: counted.get(name, 0) for name in (*CALLS, "token", "refused")}

    def settled_calls(self):
        """The counts once all that was begun is ended: wrk leaves requests in flight behind when it stops."""
        ends = time.monotonic() + QUIET_SECONDS
        seen = self.calls()
        while time.monotonic() < ends:
            time.sleep(0.3)
            seen, before = self.calls(), seen
            if seen == before and unfinished(seen) == self.left_over:
                break
        return seen


def unfinished(calls):
    """How many sessions were created that nobody has looked at yet."""
    return calls["create"] - calls["conversation"]


def measure(bench, service, connections, delay_ms, *, seconds=0.0, mode="fresh", path="", seed=None):
    """One window of wrk's. Times in milliseconds; `rate`, `cpu_ms` and `held_ms` are of initiations.

    The rate is the upstream's count of last calls in the window, so it owes nothing to the load; for requests that make
    no call it is wrk's. `exact`: each session was attached and looked at once, and no more were created than were
    answered or in flight at the end. `others`: the share of the machine that nobody of ours used.
    """
    bench.set_delay(delay_ms)
    seconds = seconds or bench.seconds
    # Connections that begin within three calls' time, else a window would show the echo of its own first moment.
    words = wrk.command(
        f"http://127.0.0.1:{service.port}{path}" if path else service.url,
        connections,
        math.ceil(seconds + WARM_UP_SECONDS + 0.5),
        mode=mode,
        seed=seed,
        ramp_ms=3 * delay_ms,
    )
    start = bench.settled_calls()
    with Group("wrk", words, env=os.environ, folder=ROOT, log=bench.folder / "wrk.log", piped=True) as load:
        time.sleep(WARM_UP_SECONDS)
        first = _read(bench, service, load)
        time.sleep(seconds)
        last = _read(bench, service, load)
        memory = service.group.memory_mb()
        answered = wrk.parse(load.process.stdout.read())
    end = bench.settled_calls()
    ended = last["counts"]["calls"].get("conversation", 0) - first["counts"]["calls"].get("conversation", 0)
    span = last["at"] - first["at"]
    by_wrk = answered["good"] / answered["seconds"]
    done = ended or max(1, round(by_wrk * span))
    used = last["ours"] - first["ours"]
    others = max(0.0, last["busy"] - first["busy"] - used) / span / os.cpu_count()
    bench.noise.append(others)
    made = {name: end[name] - start[name] for name in end}
    return answered | {
        "connections": connections,
        "delay_ms": delay_ms,
        "rate": ended / span if ended else by_wrk,
        "rate_by_wrk": by_wrk,
        "cpu_ms": (last["service"] - first["service"]) * 1000 / done,
        "load_cpu_ms": (last["wrk"] - first["wrk"]) * 1000 / done,
        "held_ms": held_ms(first["counts"], last["counts"]) if ended else 0.0,
        "memory_mb": sum(memory),
        "worker_mb": max(memory),
        "made": made,
        "exact": calls_are_exact(made, answered["good"], connections),
        "others": others,
    }


def _read(bench, service, load):
    groups = {"service": service.group, "wrk": load, "upstream": bench.upstream}
    cpu = {name: group.cpu_seconds() for name, group in groups.items()}
    return {
        "at": time.perf_counter(),
        "counts": bench.counts(),
        "service": cpu["service"],
        "wrk": cpu["wrk"],
        "ours": sum(cpu.values()),
        "busy": machine_busy_seconds(),
    }


def measure_by_client(bench, service, connections, delay_ms, *, seconds=0.0, rate=0.0):
    """The same window by the second load: for each status its count, p50 and p99, and `load_cpu_ms`."""
    bench.set_delay(delay_ms)
    with start_client(service, connections, seconds or bench.seconds, rate) as client:
        return json.loads(client.communicate(timeout=60)[0])


def start_client(service, connections, seconds, rate):
    words = [sys.executable, "-m", "tests.performance.client", str(service.port), service.contender.path, KEY]
    words += ["--connections", str(connections), "--seconds", str(seconds), "--rate", str(rate)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
