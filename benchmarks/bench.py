"""The service beside what people would use instead, on this machine: `python benchmarks/bench.py`, about five minutes.

Each contender does the same work (create, attach, verify) against one upstream of our own and under one load, in turn,
in several rounds whose order alternates. Results go to benchmarks/results/: latest.md, latest.json, latest.svg;
publish.py makes the documentation's figures of them. benchmarks/README.md says what is measured and how.
Linux only: it reads /proc.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from contenders import BY_NAME, CONTENDERS, Contender
from measure import Failed, Group, machine
from report.figures import Results
from report.plot import plot
from report.tables import in_short, markdown
from scenarios.loads import LOADS, Load
from scenarios.parts import PARTS, Part
from scenarios.window import Bench, window

HERE = Path(__file__).resolve().parent
# Up to so many rounds those far behind take part in the first one only, from there on also in the last.
FEW_ROUNDS = 3
# More than a slow contender can serve within anybody's patience.
SLOW_CONNECTIONS = 50
QUICK_LOADS = ("1 at 0 ms", "16 at 0 ms", "50 at 50 ms", "128 at 50 ms")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    names = ", ".join([*BY_NAME, "load", *(part.name for part in PARTS)])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of short windows: does everything run?")
    parser.add_argument("--only", default="", help=f"some of: {names}; separated by commas")
    parser.add_argument("--rounds", type=int, default=0, help="3 without it")
    parser.add_argument("--seconds", type=float, default=0.0, help="of a window; 2 without it")
    parser.add_argument("--initiations", type=int, default=0, help="for the memory's growth; 50,000 without it")
    parser.add_argument("--tls", action="store_true", help="the upstream speaks https")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="the folder to write to")
    parser.add_argument("--name", default="latest", help="of the files there")
    asked = parser.parse_args(arguments)
    asked.rounds = asked.rounds or (1 if asked.quick else 3)
    asked.seconds = asked.seconds or (0.8 if asked.quick else 2.0)
    asked.initiations = asked.initiations or (1_000 if asked.quick else 50_000)
    asked.only = [name.strip() for name in asked.only.split(",") if name.strip()]
    unknown = [name for name in asked.only if name not in names.split(", ")]
    if unknown:
        parser.error(f"--only: {', '.join(unknown)} is none of {names}")
    asked.contenders = [each for each in CONTENDERS if each.name in asked.only] or list(CONTENDERS)
    named = [part for part in PARTS if part.name in asked.only]
    asked.loads = LOADS if "load" in asked.only or not named else ()
    if asked.quick:
        asked.loads = [load for load in asked.loads if load.name in QUICK_LOADS]
    asked.parts = named or [part for part in PARTS if part.by_default and "load" not in asked.only]
    return asked


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def able(contenders: Sequence[Contender], results: Results) -> list[Contender]:
    """Those that can run here. What the others lack is said and kept."""
    found = []
    for contender in contenders:
        lacking = contender.lacks()
        if lacking:
            say(f"{contender.name}: skipped, {lacking}")
            results["skipped"][contender.name] = lacking
        else:
            entry = {"short": contender.short, "title": contender.title, "version": contender.version(), "loads": {}}
            results["contenders"][contender.name] = entry
            found.append(contender)
    return found


def takes_part(contender: Contender, number: int, rounds: int) -> bool:
    return contender.near or number == 0 or (rounds > FEW_ROUNDS and number == rounds - 1)


def gives_up(contender: Contender, results: Results) -> bool:
    """Whether it has failed too often to be tried again; what it did not get through once is said in any case."""
    return bool(results["failures"].count(contender.name) > 1)


def one_round(
    bench: Bench, contenders: Sequence[Contender], loads: Sequence[Load], results: Results, number: int
) -> None:
    for contender in contenders:
        if not takes_part(contender, number, bench.rounds) or gives_up(contender, results):
            continue
        taken = results["contenders"][contender.name]["loads"]
        try:
            with bench.running(contender) as service:
                for load in loads:
                    if contender.slow and load.connections > SLOW_CONNECTIONS:
                        continue
                    found = window(bench, service, load)
                    taken.setdefault(load.name, []).append(found)
                    say(f"round {number + 1}  {contender.name:<16} {load.name:<13} {in_short(found)}")
        except Failed as reason:
            say(f"{contender.name}: {reason}")
            results["skipped"].setdefault(contender.name, f"failed in round {number + 1}: {reason}")
            results["failures"].append(contender.name)


def run(bench: Bench, asked: argparse.Namespace, results: Results) -> None:
    contenders = able(asked.contenders, results)
    if asked.loads:
        with timed(results, "load"):
            for number in range(asked.rounds):
                order = contenders if number % 2 == 0 else contenders[::-1]
                one_round(bench, order, asked.loads, results, number)
    for part in asked.parts:
        with timed(results, part.name):
            for contender in contenders:
                if contender.name in part.whom and not gives_up(contender, results):
                    put(part, bench, contender, results)


def put(part: Part, bench: Bench, contender: Contender, results: Results) -> None:
    """A question to a contender."""
    say(f"{part.name}: {contender.name}")
    try:
        found = part.ask(bench, contender)
    except Failed as reason:
        say(f"{part.name}, {contender.name}: {reason}")
        results["skipped"].setdefault(f"{part.name}: {contender.name}", f"failed: {reason}")
    else:
        results["parts"].setdefault(part.name, {})[contender.name] = found


@contextlib.contextmanager
def timed(results: Results, name: str) -> Iterator[None]:
    """Keep how long it took, so that a run's length can be seen to and cut."""
    began = time.monotonic()
    try:
        yield
    finally:
        results["seconds"][name] = time.monotonic() - began


def written(results: Results, folder: Path, name: str) -> str:
    """The report, which is kept beside the figures and the plot."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(results)
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / f"{name}.md").write_text(text)
    (folder / f"{name}.svg").write_text(plot(results))
    return text


def main() -> int:
    asked = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts jobs in the background deaf to it
    options = {"rounds": asked.rounds, "seconds": asked.seconds, "quick": asked.quick, "tls": asked.tls}
    results: Results = {
        "machine": machine(),
        "options": options,
        "contenders": {},
        "parts": {},
        "skipped": {},
        "failures": [],
        "seconds": {},
    }
    interrupted = False
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="cobrowse-benchmark-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        words = [sys.executable, str(HERE / "upstream.py"), *(["--tls", str(folder)] if asked.tls else [])]
        log = folder / "upstream.log"
        upstream = Group("upstream", words, env=os.environ, folder=HERE, log=log, piped=True)
        stack.enter_context(upstream)
        port = int(upstream.line() or 0)
        if not port:
            raise SystemExit(f"the upstream did not start: {upstream.last_words()}")
        scheme, ca_file = ("https", str(folder / "ca.pem")) if asked.tls else ("http", "")
        url = f"{scheme}://127.0.0.1:{port}"
        bench = Bench(folder, asked.seconds, asked.rounds, asked.initiations, upstream, port, url, ca_file)
        try:
            run(bench, asked, results)
        except KeyboardInterrupt:
            interrupted = True
            say("interrupted: what was measured so far is written")
        results["starts_ms"] = bench.starts
    print("\n" + written(results, asked.results, asked.name))
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
