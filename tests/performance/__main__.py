"""The benchmark: python -m tests.performance [--only NAMES] [--rounds 2] [--seconds 3.5].

The contenders are measured in turn in one run, the other scenarios after them. Results go to tests/performance/results/
as latest.json and latest.md.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.performance.contenders import CONTENDERS, ROOT
from tests.performance.figures import medians
from tests.performance.processes import FailedToRun, Group, describe_machine
from tests.performance.report import python_version, report
from tests.performance.scenarios import SCENARIOS
from tests.performance.window import Bench, measure
from tests.performance.wrk import WrkFailed

RESULTS = Path(__file__).resolve().parent / "results"
# Connections, milliseconds a call, part of the usual seconds.
LOADS = ((1, 0, 0.5), (16, 0, 0.5), (50, 50, 1), (128, 50, 1), (256, 50, 1))
COMPARISON = "contenders"
# What ends one contender's turn or one scenario, and not the run.
FAILURES = (FailedToRun, WrkFailed, psutil.Error, subprocess.TimeoutExpired)


def compare(bench, results, names):
    """Each contender's windows, in turn, and in reverse in every second round; medians over the rounds."""
    windows = {}
    chosen = [each for each in CONTENDERS if not names or each.name in names]
    for number in range(bench.rounds):
        for contender in chosen[:: -1 if number % 2 else 1]:
            if number and not contender.every_round:
                continue
            if not contender.is_installed:
                results["skipped"][contender.name] = "not installed"
                continue
            say(f"{contender.title}, round {number + 1}")
            try:
                measure_loads(bench, contender, windows)
            except FAILURES as reason:
                results["skipped"][contender.name] = str(reason)
    for contender in chosen:
        if taken := windows.get(contender.name):
            loads = {name: medians(rounds) for name, rounds in taken["loads"].items()}
            head = {"title": contender.title, "versions": contender.versions}
            results["contenders"][contender.name] = head | taken | {"loads": loads}


def measure_loads(bench, contender, windows):
    """One contender's turn; its windows are added to those of earlier rounds."""
    with bench.running(contender) as service:
        taken = windows.setdefault(contender.name, {"start_seconds": service.start_seconds, "loads": {}})
        for connections, delay_ms, part in LOADS:
            if connections <= contender.most_connections:
                seconds = bench.seconds * part * contender.times_longer
                found = measure(bench, service, connections, delay_ms, seconds=seconds)
                taken["loads"].setdefault(f"{connections} at {delay_ms} ms", []).append(found)


def run(bench, only, results):
    """What was asked for; a scenario that can't run is told under `skipped`, and the others go on."""
    contenders = {each.name for each in CONTENDERS} & set(only)
    if not only or COMPARISON in only or contenders:
        compare(bench, results, contenders)
    for name, measured in SCENARIOS.items():
        if only and name not in only:
            continue
        say(name)
        try:
            results[name] = measured(bench)
        except FAILURES as reason:
            results["skipped"][name] = str(reason)


def say(text):
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def main():
    names = (COMPARISON, *(each.name for each in CONTENDERS), *SCENARIOS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help=f"of {', '.join(names)}; separated by commas")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.5, help="how long a window is")
    asked = parser.parse_args()
    only = [name for name in asked.only.split(",") if name]
    if unknown := set(only) - set(names):
        parser.error(f"--only: {', '.join(sorted(unknown))}: not among {', '.join(names)}")
    if not shutil.which("wrk"):
        parser.error("wrk is needed: apt-get install wrk, or brew install wrk")
    results = {"machine": describe_machine(), "python": python_version(), "rounds": asked.rounds}
    results |= {"seconds": asked.seconds, "only": only, "contenders": {}, "skipped": {}}
    began = time.monotonic()
    RESULTS.mkdir(exist_ok=True)
    # Not in /tmp, which is often in memory: the ledger's cost is the disk's too.
    with tempfile.TemporaryDirectory(prefix="run-", dir=RESULTS) as name:
        folder = Path(name)
        words = [sys.executable, "-m", "tests.performance.upstream"]
        with Group("upstream", words, env=os.environ, folder=ROOT, log=folder / "upstream.log", piped=True) as upstream:
            bench = Bench(folder, upstream, int(upstream.read_line()), asked.seconds, asked.rounds)
            try:
                run(bench, only, results)
            finally:
                write(results, bench.noise, time.monotonic() - began)


def write(results, noise, seconds):
    """What was measured until now, also if the run was interrupted."""
    results["others"] = round(statistics.median(noise or [0]), 3)
    results["minutes"] = round(seconds / 60, 1)
    text = report(results)
    (RESULTS / "latest.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (RESULTS / "latest.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
