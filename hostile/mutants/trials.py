"""A mutant's trial: a process of its own imports it in the module's place and runs the tests until one fails."""

import importlib
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, ForkProcess
from pathlib import Path
from types import ModuleType

import pytest

from hostile.mutants.mutations import Mutant

# A mutant that runs this many times as long as the module itself, and a while for a busy machine, hangs.
TIMES_AS_LONG, SECONDS_MORE = 10, 20.0
# Bytes of memory: one that collects without end must not take the machine with it.
MOST_MEMORY = 2 << 30

SURVIVED, KILLED, HUNG = "survived", "killed", "hung"
# Nobody reads how an assertion failed, so none is rewritten; and what was imported early is no news.
_PYTEST = ("-x", "-q", "--no-header", "--no-summary", "--assert=plain", "-p", "no:cacheprovider")
_FORK: ForkContext = multiprocessing.get_context("fork")


class Unfit(Exception):
    """These tests say nothing, since they fail on the module as it is."""


def fitting(file: str, source: str, tests: Sequence[str]) -> float:
    """Seconds after which a mutant of this module hangs. Unfit if even the module as it is doesn't pass its trial."""
    seconds = _warmed_up(tests) * TIMES_AS_LONG + SECONDS_MORE
    if [verdict for _, verdict in verdicts([Mutant(file, "", "", "", source)], tests, seconds, 1)] != [SURVIVED]:
        raise Unfit(" ".join(tests))
    return seconds


def _warmed_up(tests: Sequence[str]) -> float:
    """Seconds that these tests take; what they import that isn't ours is imported once and for all by then."""
    mine, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_try_out, args=(tuple(tests), theirs))
    process.start()
    theirs.close()
    try:
        exit_code, seconds, names = mine.recv()
    except EOFError:
        exit_code, seconds, names = 1, 0.0, ()
    process.join()
    if exit_code:
        raise Unfit(" ".join(tests))
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - whatever can't be imported early is imported by whoever needs it
            continue
    return float(seconds)


def _try_out(tests: Sequence[str], answer: Connection) -> None:
    _hush()
    before, start = set(sys.modules), time.monotonic()
    exit_code = _failed(tests)
    seconds, here = time.monotonic() - start, str(Path.cwd())
    names = [
        name
        for name, module in sys.modules.items()
        if name not in before and not str(getattr(module, "__file__", None) or here).startswith(here)
    ]
    answer.send((exit_code, seconds, names))
    answer.close()
    os._exit(0)


def verdicts(
    mutants: Iterable[Mutant], tests: Sequence[str], seconds: float, workers: int
) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with what has become of it, as it is known; so many are tried at a time."""
    waiting = iter(mutants)
    running: dict[int, tuple[Mutant, ForkProcess, float]] = {}
    while True:
        while len(running) < workers and (mutant := next(waiting, None)) is not None:
            process = _FORK.Process(target=_try, args=(mutant, tuple(tests)))
            process.start()
            running[process.sentinel] = mutant, process, time.monotonic() + seconds
        if not running:
            return
        wait(list(running), timeout=1.0)
        for sentinel, (mutant, process, until) in list(running.items()):
            if process.is_alive():
                if time.monotonic() < until:
                    continue
                process.kill()
                verdict = HUNG
            else:
                verdict = KILLED if process.exitcode else SURVIVED
            process.join()
            process.close()
            del running[sentinel]
            yield mutant, verdict


def _try(mutant: Mutant, tests: Sequence[str]) -> None:
    _hush()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    sys.meta_path.insert(0, _Substitute(mutant))
    os._exit(_failed(tests))


def _failed(tests: Sequence[str]) -> int:
    """0 if all pass; one after the other, so that what the first notices never imports the rest."""
    return next((code for test in tests if (code := int(pytest.main([*_PYTEST, test])))), 0)


def _hush() -> None:
    """What a mutant's tests have to say is of no interest."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


class _Substitute(MetaPathFinder, Loader):
    """Finds the mutant where its module is asked for, and loads it under that module's name and file."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = mutant.file.removesuffix(".py").replace("/", ".")

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_file_location(fullname, Path.cwd() / self._mutant.file, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, str(module.__file__), "exec"), module.__dict__)
