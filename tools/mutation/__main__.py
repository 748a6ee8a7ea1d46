"""`python -m tools.mutation [--only FILE] [--part 1/4]`: every change of mutmut's, and whether a test notices it.

mutmut's own runner changes the bodies of undecorated functions only, and half of what matters here is tables, defaults
and constants. So its mutators are applied to every place of a module, and each mutant is imported in its module's place
by a process of its own, which runs the tests of targets.toml until one fails. Each mutant that no test notices is
printed, and at the end a table of all modules. The exit status is 1 if fewer than `--score` of a module's mutants are
noticed. A part is each n-th mutant of each module, so that all parts together are the whole. What equivalent.toml names
is not tried: such a mutant does the same as the module.
"""

import argparse
import gc
import importlib
import multiprocessing
import os
import resource
import sys
import time
import tomllib
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from tools.mutation.mutations import Mutant, mutants

TARGETS, EQUIVALENT = (Path(__file__).with_name(name) for name in ("targets.toml", "equivalent.toml"))
# A mutant hangs after this many times as long as the module itself, and these seconds more.
TIMES_AS_LONG, SECONDS_MORE = 5, 20.0
# Bytes of memory: a mutant that collects without end must not take the machine with it. Of data, not of addresses: a
# thread reserves a hundred megabytes of those and uses few, and a transport's tests start some hundred threads.
MOST_MEMORY = 2 << 30
# Nobody reads how an assertion failed. Random order would make a mutant's fate differ from run to run.
_PYTEST = (
    *("-x", "-q", "--no-header", "--no-summary", "--assert=plain", "--timeout=60"),
    *("-p", "no:cacheprovider", "-p", "no:randomly"),
)
# What the tests import besides the code: imported once, before the forks.
_PRELOADED = (
    "hypothesis",
    "greenlet",
    "marshmallow",
    "flask",
    "httpx",
    "pycurl",
    "orjson",
    "structlog",
    "cryptography",
    "standardwebhooks",
    "psycopg",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "jmespath",
    "defusedxml.ElementTree",
    "anyio",
)
_FORK = multiprocessing.get_context("fork")


class _Substitute(MetaPathFinder, Loader):
    """Loads a mutant's source under its module's name and file."""

    def __init__(self, file: str, source: str) -> None:
        self._file, self._source = file, source

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self._file.removesuffix(".py").replace("/", "."):
            return None
        return spec_from_file_location(fullname, Path.cwd() / self._file, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, str(module.__file__), "exec"), module.__dict__)


def passes(file: str, source: str, tests: Sequence[str], timeout: float | None = None) -> bool:
    """Whether all tests pass with this source in the file's place; False also if they do not end in time (seconds)."""
    process = _FORK.Process(target=_run, args=(file, source, tests))
    process.start()
    process.join(timeout)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode == 0


def _run(file: str, source: str, tests: Sequence[str]) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    sys.meta_path.insert(0, _Substitute(file, source))
    # One after the other, so that a mutant that the first notices never imports the rest.
    os._exit(next((code for test in tests if (code := int(pytest.main([*_PYTEST, test])))), 0))


class Outcome(NamedTuple):
    """How many mutants of a module were tried, and how many of them no test noticed."""

    file: str
    tried: int
    lived: int
    tests_pass: bool = True

    @property
    def score(self) -> float:
        """The share that was noticed; 0 if none could be tried, since the tests fail on the module as it is."""
        return self.tests_pass - self.lived / max(self.tried, 1)

    def __str__(self) -> str:
        return f"{self.file:52}{self.tried:6}{self.tried - self.lived:8}{self.lived:9}{self.score:8.1%}"


def try_mutants(file: str, tests: Sequence[str], workers: int, part: slice, equivalent: Collection[str]) -> Outcome:
    """Try this part of a module's mutants but those that are equivalent, and print the diff of each that lives."""
    source, began = Path(file).read_text("utf-8"), time.monotonic()
    if not passes(file, source, tests):
        print(f"{file}: its tests fail without any change: {' '.join(tests)}", flush=True)
        return Outcome(file, 0, 0, tests_pass=False)
    timeout = (time.monotonic() - began) * TIMES_AS_LONG + SECONDS_MORE
    every, lived = list(mutants(source)), 0
    tried = [mutant for mutant in every if mutant.change not in equivalent][part]
    for line in {*equivalent} - {mutant.change for mutant in every}:
        print(f"{file}: no mutant has this line of {EQUIVALENT.name}: {line}")

    def lives(mutant: Mutant) -> bool:
        return passes(file, mutant.source, tests, timeout)

    with ThreadPoolExecutor(workers) as pool:
        for mutant, alive in zip(tried, pool.map(lives, tried), strict=True):
            if alive:
                lived += 1
                print(f"{file}\n{mutant.diff}\n", flush=True)
    print(f"{file}: {time.monotonic() - began:.0f} s", flush=True)
    return Outcome(file, len(tried), lived)


def _part(text: str) -> slice:
    number, _, of = text.partition("/")
    return slice(int(number) - 1, None, int(of))


def main() -> int:
    """Try them all and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("--only", default="", help="the files whose path contains this")
    parser.add_argument("--workers", type=int, default=2, help="mutants tried at a time")
    parser.add_argument("--score", type=float, default=0.95, help="share that must be noticed of each module's mutants")
    parser.add_argument("--part", type=_part, default=slice(None), help="1/4: the first of four parts")
    given = parser.parse_args()
    for name in _PRELOADED:
        importlib.import_module(name)
    # pytest collects garbage at its end, and what all mutants share is none.
    gc.freeze()
    targets = tomllib.loads(TARGETS.read_text("utf-8")).items()
    equivalent = tomllib.loads(EQUIVALENT.read_text("utf-8"))
    outcomes = [
        try_mutants(file, tests, given.workers, given.part, equivalent.get(file, ()))
        for file, tests in targets
        if given.only in file
    ]
    print(f"\n{'module':52}{'tried':>6}{'noticed':>8}{'survived':>9}{'score':>8}")
    print(*outcomes, sep="\n")
    wrong = [outcome.file for outcome in outcomes if outcome.score < given.score]
    if wrong:
        print(f"under {given.score:.0%}: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
