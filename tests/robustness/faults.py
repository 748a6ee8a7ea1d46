"""`python -m tests.robustness.faults [--quick] [--slack SECONDS]`: each upstream call failing in each way.

Each case runs the service over real sockets on a sandbox of its own, asks once while Genesys fails, once more with the
same key when it is well again, and once for something else. It holds the answer's kind, HTTP status and waiting time,
the deadline, the count of invitations, and the threads and files that are left to `tests.robustness.rules`.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.robustness.matrix import cells, some
from tests.robustness.rules import GOOD
from tests.robustness.stage import SLACK, Result, Stage

WORKERS = 12
# How often the cases that failed are tried again, so many at a time: a busy machine may take a case's time away, again
# and again; what is wrong is wrong each time.
TRIES, FEW = 5, 2
_stage = []


def run(chosen, slack, workers=WORKERS):
    """The results of these cases, many played at a time, each worker on a stage of its own."""
    slow_first = sorted(chosen, key=lambda cell: not cell.slow)
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory() as folder,
        context.Pool(min(workers, len(slow_first)), _set_up, (folder, slack)) as pool,
    ):
        return list(pool.imap_unordered(_play, slow_first))


def _set_up(folder, slack):
    _stage.append(Stage(Path(tempfile.mkdtemp(dir=folder)), slack))


def _play(cell):
    try:
        return _stage[0].play(cell)
    except Exception as fault:  # noqa: BLE001 - a case that can't be judged is a mismatch, not the end of the run
        return Result(cell, "crashed", 0.0, (f"{type(fault).__name__}: {fault}",))


def table(found):
    """What came of each family of faults and of each call, in counts."""
    outcomes = [name for name, _ in Counter(result.outcome for result in found).most_common()]
    short = [name.removeprefix("genesys_").removeprefix("conversation_").removeprefix("cobrowse_") for name in outcomes]
    yield f"{'':<24}{'cases':>7}  {'  '.join(short)}  mismatches"
    for group in (lambda cell: cell.way.family, lambda cell: cell.role.name, lambda _: "all"):
        for name in dict.fromkeys(group(result.cell) for result in found):
            ones = [result for result in found if group(result.cell) == name]
            counted = Counter(result.outcome for result in ones)
            columns = "".join(
                f"{counted[one] or '':>{len(head) + 2}}" for one, head in zip(outcomes, short, strict=True)
            )
            yield f"{name:<24}{len(ones):>7}{columns}{sum(bool(one.wrong) for one in ones):>12}"
        yield ""


def main():
    """Run the matrix and print it; 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a slice that meets every fault once, some seconds")
    parser.add_argument("--only", default="", help="the cases whose name holds this, as 'media: attach: reset'")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--slack", type=float, default=SLACK, help="seconds that an answer may come after its deadline")
    given = parser.parse_args()
    chosen = [cell for cell in (some() if given.quick else cells()) if given.only in str(cell)]
    if not chosen:
        parser.error("no case has that in its name")
    begun = time.monotonic()
    found = run(chosen, given.slack, given.workers)
    again = sum(bool(result.wrong) for result in found)
    for _ in range(TRIES):
        if failed := [result.cell for result in found if result.wrong]:
            found = [result for result in found if not result.wrong] + run(failed, given.slack, FEW)
    wrong = [result for result in found if result.wrong]
    print("\n".join(table(found)))
    for result in wrong:
        print(f"✗ {result.cell}: {'; '.join(result.wrong)}")
    failures = sum(result.outcome not in GOOD for result in found)
    print(
        f"{len(found)} cases in {time.monotonic() - begun:.0f} s: {len(found) - failures} sessions started all the "
        f"same, {failures} failures reported by their kind, {len(wrong)} mismatches; slowest answer "
        f"{max(result.seconds for result in found):.2f} s; {again} were tried again"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
