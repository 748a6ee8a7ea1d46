"""Where a worker's CPU goes: python -m tests.performance.hotspots [--connections 128] [--delay-ms 50] [--seconds 10].

py-spy samples one worker while wrk loads the service as a benchmark's window does. Prints the functions by self time,
and the time by the package that spends it. A waiting worker is not sampled, so the parts are of busy time. py-spy takes
a thread that waits for a lock for a busy one; the pools' idle threads, which do that, are left out by name.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.performance.contenders import OURS, ROOT, tool
from tests.performance.processes import Group
from tests.performance.window import Bench, measure

SAMPLES_A_SECOND = 250
TOP = 40
# Where an idle thread of a pool waits for work.
IDLE = ("acquire_with_timeout (gevent/_threading.py)", "_worker (concurrent/futures/thread.py)")


def parse_stacks(collapsed):
    """Each stack's frames, outermost first, and how often it was seen."""
    for line in collapsed.splitlines():
        stack, _, count = line.rpartition(" ")
        yield stack.split(";"), int(count)


def package_of(frame):
    """Whose code a frame is, written `function (package/module.py:line)`; of integrations, which of them."""
    parts = frame.rpartition("(")[2].partition(":")[0].split("/")
    return "/".join(parts[: 2 if parts[0] == "integrations" else 1]).removesuffix(".py")


def summarize(collapsed):
    """Two tables in text: functions by self time with their whole time beside it, and packages by self time."""
    own, whole, packages = Counter(), Counter(), Counter()
    total = 0
    for frames, count in parse_stacks(collapsed):
        functions = [re.sub(r":\d+\)$", ")", frame) for frame in frames]
        if functions[-1] in IDLE:
            continue
        total += count
        own[functions[-1]] += count
        whole.update(dict.fromkeys(functions, count))
        packages[package_of(frames[-1])] += count
    lines = [f"{total} samples", "", "  self  whole  function"]
    lines += [f"{count / total:6.1%} {whole[name] / total:6.1%}  {name}" for name, count in own.most_common(TOP)]
    lines += ["", "  self  package"]
    lines += [f"{count / total:6.1%}  {name}" for name, count in packages.most_common(TOP // 2)]
    return "\n".join(lines)


def record(service, seconds, folder):
    """py-spy on the first worker, started, and the file that its collapsed stacks will be in."""
    out = folder / "stacks.txt"
    words = [
        tool("py-spy"),
        "record",
        "--format",
        "raw",
        "--rate",
        str(SAMPLES_A_SECOND),
        "--duration",
        str(seconds),
    ]
    words += ["--output", str(out), "--pid", str(service.group.workers()[0].pid)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--delay-ms", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=10)
    asked = parser.parse_args()
    if not shutil.which(tool("py-spy")):
        parser.error("py-spy is needed; make profile installs it")
    with tempfile.TemporaryDirectory(prefix="cobrowse-profile-") as name:
        folder = Path(name)
        words = [sys.executable, "-m", "tests.performance.upstream"]
        with Group("upstream", words, env=os.environ, folder=ROOT, log=folder / "upstream.log", piped=True) as upstream:
            bench = Bench(folder, upstream, int(upstream.read_line()), asked.seconds, 1)
            with bench.running(OURS) as service:
                measure(bench, service, asked.connections, asked.delay_ms, seconds=1)
                spy, out = record(service, asked.seconds, folder)
                window = measure(bench, service, asked.connections, asked.delay_ms)
                said = spy.communicate(timeout=30)[0]
                if spy.returncode:
                    sys.exit(f"py-spy: {said.strip()}")
        print(f"{window['rate']:.0f} initiations/s, {window['cpu_ms']:.2f} ms of the service's CPU each\n")
        print(summarize(out.read_text()))


if __name__ == "__main__":
    main()
