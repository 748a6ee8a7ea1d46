"""One window of load on a running contender: what the load saw, and what it cost by the kernel's books."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contenders import KEY, PEERS, Contender, Service, environment, running
from measure import Group, Reading, get, windowed

from scenarios.loads import Load

HERE = PEERS.parent
# How many times longer a slow contender's window is, and the seconds more that it takes to get going.
SLOW_WINDOW = 1.5
SLOW_WARM_UP = 2.5
Window = dict[str, Any]


@dataclass
class Bench:
    """What every measurement needs: the upstream, a place for files, and how long a window is (seconds)."""

    folder: Path
    seconds: float
    rounds: int
    initiations: int
    upstream: Group
    upstream_port: int
    genesys_url: str
    ca_file: str = ""
    started: int = 0
    starts: dict[str, list[float]] = field(default_factory=dict)

    @contextlib.contextmanager
    def running(self, contender: Contender, label: str = "") -> Iterator[Service]:
        """The contender in a new folder of its own. How long it took to answer is kept."""
        self.started += 1
        folder = self.folder / f"{self.started:03}-{contender.name}"
        with running(contender, self.genesys_url, folder, self.ca_file) as service:
            if service.group:
                self.starts.setdefault(label or contender.name, []).append(service.start_seconds * 1000)
            yield service
        shutil.rmtree(folder, ignore_errors=True)

    def delay(self, milliseconds: float) -> None:
        self.control("POST", f"/delay?ms={milliseconds}")

    def counts(self) -> dict[str, Any]:
        counted: dict[str, Any] = json.loads(self.control("GET", "/counts"))
        return counted

    def control(self, method: str, path: str) -> bytes:
        """Ask the upstream itself something; over https where it speaks that."""
        if not self.ca_file:
            return get(self.upstream_port, path, method)[1]
        words = ["curl", "-sSf", "-m", "5", "--cacert", self.ca_file, "-X", method, f"{self.genesys_url}{path}"]
        return subprocess.run(words, capture_output=True, timeout=10, check=True).stdout


def window(
    bench: Bench, service: Service, load: Load, *more: str, seconds: float = 0.0, warm_up: float = 0.0
) -> Window:
    """One window.

    `cpu_ms` is the service's CPU for each request that ended in the window. `others` is the share of the machine's CPU
    that went to nobody of ours in it, `stolen` what its host took: both should be next to nothing.
    """
    bench.delay(load.delay_ms)
    slow = service.contender.slow
    seconds = seconds or bench.seconds * load.share * (SLOW_WINDOW if slow else 1)
    ramp = max(0.05, load.calls_ms / 1000)
    getting_going = 0.3 + 2 * ramp + (SLOW_WARM_UP if slow and load.connections > 1 else 0.0)
    words = [*asking_words(service), "--connections", str(load.connections), "--seconds", str(seconds)]
    words += ["--ramp", str(ramp), "--warm-up", str(warm_up or getting_going), *more]
    env = environment(service.contender, service.place)
    if service.group:
        service.group.forget_peak()
    before = bench.counts()
    log = bench.folder / "load.log"
    with Group("load", words, env=env, folder=HERE, log=log, piped=True) as asking:
        groups = [asking, bench.upstream, *([service.group] if service.group else [])]
        first, last, printed = windowed(asking, groups, limit=seconds + 60)
    after = bench.counts()
    found: Window = json.loads(printed)
    found["connections"] = load.connections
    found |= spent(first, last, service, found["ended_in_window"])
    found |= asked_upstream(before, after, found["good"])
    if service.group:
        found |= {
            "peak_mb": sum(service.group.memory("VmHWM")),
            "rss_mb": sum(service.group.memory("VmRSS")),
            "worker_mb": max(service.group.memory("VmRSS"), default=0.0),
        }
    return found


def asking_words(service: Service) -> list[str]:
    """The load's command, but for the window's own options. The floor is a load itself."""
    if service.contender.is_load:
        return [sys.executable, str(PEERS / "floor.py")]
    words = [sys.executable, str(HERE / "load.py"), "--port", str(service.place.port)]
    return [*words, "--path", service.contender.path, "--header", f"X-Api-Key: {KEY}"]


def spent(first: Reading, last: Reading, service: Service, ended: int) -> Window:
    """The CPU between two readings: the service's for each request, and who else had which share of the machine's."""
    span, cores = last.at - first.at, os.cpu_count() or 1
    cpu = {name: last.cpu[name] - first.cpu[name] for name in last.cpu}
    own = cpu[service.group.name if service.group else "load"]
    return {
        "cpu_ms": own * 1000 / max(1, ended),
        "cpu_share": own / span / cores,
        "load_share": cpu["load"] / span / cores,
        "upstream_share": cpu["upstream"] / span / cores,
        "others": max(0.0, (last.busy - first.busy - sum(cpu.values())) / span / cores),
        "stolen": (last.stolen - first.stolen) / span / cores,
    }


def asked_upstream(before: Mapping[str, Any], after: Mapping[str, Any], good: int) -> Window:
    """The upstream's books: how long it held an initiation's calls, and how many each initiation made."""
    initiations = max(1, good)
    calls = difference(before["calls"], after["calls"])
    return {
        "held_ms": held(calls, difference(before["held_ms"], after["held_ms"]), initiations),
        "calls": {name: count / initiations for name, count in calls.items()},
        "sessions_each": (after["sessions"] - before["sessions"]) / initiations,
    }


def held(calls: dict[str, float], held_ms: dict[str, float], initiations: int) -> float:
    """Milliseconds that the upstream held an initiation's calls, without a token that is fetched now and then."""
    return sum(held_ms[name] / count * round(count / initiations) for name, count in calls.items())


def difference(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
