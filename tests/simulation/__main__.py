"""python -m tests.simulation --seeds 100000: many runs, or with --seed one of them with its whole trace."""

import argparse
import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import Pool

import structlog

from tests.simulation.mutants import MUTANTS, first_seed, shows
from tests.simulation.scenario import SOUND, Run, run
from tests.simulation.stored import STORED

# Violations after which it makes no sense to go on.
_ENOUGH = 20
_BATCH = 250

Broken = list[tuple[int, list[str]]]


def _batch(stored: bool, seeds: range) -> Broken:
    """The seeds of these that broke a promise."""
    kind = STORED if stored else SOUND
    gc.disable()
    broken = [(seed, found) for seed in seeds if (found := run(seed, kind).violations)]
    gc.enable()
    gc.collect()
    return broken


def say(text: str) -> None:
    """A line for whoever waits, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit status 1 if any promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one and print its trace")
    parser.add_argument("--stored", action="store_true", help="on the service's own ledger statements, slower")
    parser.add_argument("--mutants", action="store_true", help="which is the first seed that shows each mutant")
    parser.add_argument("--workers", type=int, default=1, help="processes to share the work")
    options = parser.parse_args()
    # What the service says of a simulated org is no news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if options.mutants:
        return _find_mutants(options.workers)
    if options.seed is not None:
        return _replay(run(options.seed, STORED if options.stored else SOUND))
    start = time.perf_counter()
    done, broken = 0, []
    for seeds, found in _batches(partial(_batch, options.stored), options.first, options.seeds, options.workers):
        done += seeds
        for seed, lines in found:
            say(f"seed {seed}: {'; '.join(lines)}")
        broken += found
        if len(broken) >= _ENOUGH:
            say("… and no further")
            break
    seconds = time.perf_counter() - start
    say(f"{done} seeds in {seconds:.1f} s ({done / seconds:.0f} seeds/s), {len(broken)} with violations")
    return 1 if broken else 0


def _batches(batch: Callable[[range], Broken], first: int, count: int, workers: int) -> Iterator[tuple[int, Broken]]:
    ranges = [range(low, min(low + _BATCH, first + count)) for low in range(first, first + count, _BATCH)]
    if workers == 1:
        for seeds in ranges:
            yield len(seeds), batch(seeds)
        return
    with Pool(workers) as pool:
        for seeds, found in zip(ranges, pool.imap(batch, ranges), strict=True):
            yield len(seeds), found


def _first_seed(number: int) -> int | None:
    return first_seed(MUTANTS[number])


def _find_mutants(workers: int) -> int:
    """Exit status 1 if a mutant is not shown by the seed that its `shown_by` names."""
    with Pool(workers) as pool:
        firsts = pool.map(_first_seed, range(len(MUTANTS)), 1)
    for mutant, seed in zip(MUTANTS, firsts, strict=True):
        say(f"{'none' if seed is None else seed:>5} {mutant.name}")
    stale = [mutant.name for mutant in MUTANTS if not shows(mutant, mutant.shown_by)]
    say(f"shown_by is to be changed of: {'; '.join(stale) or 'none'}")
    return 1 if stale else 0


def _replay(what: Run) -> int:
    say(what.told())
    say(f"seed {what.seed}: {'; '.join(what.violations) or 'nothing to complain of'}")
    return 1 if what.violations else 0


if __name__ == "__main__":
    sys.exit(main())
