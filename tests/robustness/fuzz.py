"""`python -m tests.robustness.fuzz [--inputs N] [--minutes M]`: bad input by the hundred thousand.

No input may make the service answer 500, hold it for more than a second, make it grow, or be let in with a body that
nobody signed. Parsers get their input directly, the app through WSGI, and gunicorn through sockets.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.leftovers import held_by
from tests.robustness.fuzz_app import data_actions, deliveries, paths, wire
from tests.robustness.parsers import authenticated, changed, genuine, read, tampered

# CPU seconds that one input may cost, and seconds after which it is taken to hang.
SLOW, HANG = 1.0, 10.0
# Bytes by which a process may grow between the first fifth of the inputs and the last.
GROWTH = 24_000_000
# Inputs that hypothesis is asked for at a time: it remembers all that it has tried.
BATCH = 500
QUIET = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class Found(NamedTuple):
    """What came of a part: seconds of CPU of its slowest input, bytes of growth, and what was wrong."""

    part: str
    inputs: int
    slowest: float
    growth: int
    wrong: str


@contextlib.contextmanager
def signatures():
    """Headers and bodies that nobody signed, for each sender."""
    yield tampered(genuine()), lambda case: authenticated(*case)


@contextlib.contextmanager
def envelopes():
    """Bodies that no sender writes, as if they had been signed."""
    yield changed(genuine()), lambda case: read(*case)


# Each part with its share of the inputs.
PARTS = {
    wire: 0.03,
    deliveries: 0.14,
    data_actions: 0.15,
    signatures: 0.36,
    envelopes: 0.30,
    paths: 0.02,
}


def hang(*_):
    raise TimeoutError(f"no end after {HANG:.0f} s")


def run(job):
    """Try so many inputs of a part, until one is wrong, or until the time is over."""
    part, count, ends, first = job
    inputs, slowest, early, growth, wrong = 0, 0.0, 0, 0, ""
    signal.signal(signal.SIGALRM, hang)

    def judge_one(value):
        nonlocal inputs, slowest
        inputs += 1
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, HANG)
        try:
            fault = judge(value)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        slowest = max(slowest, time.process_time() - begun)
        assert not fault, fault
        assert slowest < SLOW, f"took {slowest:.2f} s"

    try:
        with part() as (strategy, judge):
            while inputs < count and time.monotonic() < ends:
                batch = settings(QUIET, max_examples=min(BATCH, count - inputs))
                seed(first + inputs)(batch(given(strategy)(judge_one)))()
                if not early and inputs >= count / 5:
                    early = held_by([os.getpid()]).memory
            growth = held_by([os.getpid()]).memory - early if early else 0
            assert growth < GROWTH, f"grew by {growth / 1e6:.0f} MB"
    except Exception as fault:  # noqa: BLE001 - an app that raises is what is looked for
        wrong = "".join(traceback.format_exception(fault, limit=-3))
    return Found(part.__name__, inputs, slowest, growth, wrong)


def main():
    """Run every part and print what came of it; 1 if anything was wrong."""
    names = {part.__name__: part for part in PARTS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all (100,000)")
    parser.add_argument("--minutes", type=float, default=15.0, help="at most (15)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9), help="for the same inputs again")
    parser.add_argument("--only", choices=list(names), action="append", help="these parts only")
    chosen = parser.parse_args()
    begun = time.monotonic()
    parts = [names[name] for name in chosen.only or names]
    ends = begun + chosen.minutes * 60
    jobs = [(part, max(1, round(chosen.inputs * PARTS[part])), ends, chosen.seed) for part in parts]
    with multiprocessing.get_context("fork").Pool(os.cpu_count() or 2, maxtasksperchild=1) as pool:
        found = list(pool.imap(run, jobs, chunksize=1))
    print(f"{'part':<16}{'inputs':>8}{'slowest':>10}{'growth':>10}")
    for one in found:
        print(f"{one.part:<16}{one.inputs:>8}{one.slowest * 1000:>7.0f} ms{one.growth / 1e6:>7.1f} MB")
    wrong = [one for one in found if one.wrong]
    for one in wrong:
        print(f"✗ {one.part}: {one.wrong}")
    total = sum(one.inputs for one in found)
    print(f"{total} inputs in {time.monotonic() - begun:.0f} s, seed {chosen.seed}: {len(wrong)} parts with a fault")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
