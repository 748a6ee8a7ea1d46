"""`python -m tests.robustness.fuzz [--inputs N] [--minutes M]`: bad input by the hundred thousand.

No input may make the service answer 500, hold it for more than a second, make it grow, or be let in with a body that
nobody signed. Parsers get their input directly, the app through WSGI, and gunicorn through sockets.
"""

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Sequence

from tests.robustness.fuzz_app import data_actions, deliveries, paths
from tests.robustness.fuzz_parsers import envelopes, signatures
from tests.robustness.fuzz_wire import wire
from tests.robustness.tally import Tally

# Each part with its share of the inputs.
PARTS: dict[str, tuple[Callable[[int, float, int], Tally], float]] = {
    "wire": (wire, 0.03),
    "deliveries": (deliveries, 0.14),
    "data actions": (data_actions, 0.15),
    "signatures": (signatures, 0.36),
    "envelopes": (envelopes, 0.30),
    "paths": (paths, 0.02),
}


def _run(job: tuple[str, int, float, int]) -> Tally:
    name, count, ends, first = job
    try:
        return PARTS[name][0](count, ends, first)
    except Exception as fault:  # noqa: BLE001 - a part that can't run is a fault of its own
        return Tally(name, wrong=[f"the part did not run: {type(fault).__name__}: {fault}"])


def main() -> int:
    """Run every part and print what came of it; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all (100,000)")
    parser.add_argument("--minutes", type=float, default=15.0, help="at most (15)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9), help="for the same inputs again")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="these parts only")
    chosen = parser.parse_args()
    names = chosen.only or list(PARTS)
    begun = time.monotonic()
    ends = begun + chosen.minutes * 60
    jobs = [
        (name, max(1, round(chosen.inputs * share)), ends, chosen.seed)
        for name, (_, share) in PARTS.items()
        if name in names
    ]
    context = multiprocessing.get_context("fork")
    with context.Pool(os.cpu_count() or 2, maxtasksperchild=1) as pool:
        found = list(pool.imap(_run, jobs, chunksize=1))
    wrong = _report(found)
    total = sum(tally.inputs for tally in found)
    print(f"{total} inputs in {time.monotonic() - begun:.0f} s, seed {chosen.seed}: {wrong} wrong")
    return 1 if wrong else 0


def _report(found: Sequence[Tally]) -> int:
    """Print a line for each part, and all that was wrong: how much that was."""
    print(f"{'part':<26}{'inputs':>8}{'wrong':>7}{'slowest':>10}{'growth':>10}")
    for tally in found:
        took, grew = f"{tally.slowest * 1000:.0f} ms", f"{tally.growth / 1e6:.1f} MB"
        print(f"{tally.part:<26}{tally.inputs:>8}{len(tally.wrong):>7}{took:>10}{grew:>10}")
    wrong = [f"{tally.part}: {fault}" for tally in found for fault in tally.wrong]
    for fault in wrong:
        print(f"✗ {fault}")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
