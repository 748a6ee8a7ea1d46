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
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.robustness.failure_modes import WAYS
from tests.robustness.harness import SLACK, Result, Stage
from tests.robustness.matrix import ROLES, Cell, cells, some
from tests.robustness.rules import GOOD

WORKERS = 12
# How often a case that failed is tried alone.
TRIES = 5
_stage: list[Stage] = []


def run(chosen: Iterable[Cell], slack: float, workers: int = WORKERS) -> list[Result]:
    """Play these cases, many at a time, each worker on a stage of its own."""
    slow_first = sorted(chosen, key=lambda cell: not cell.slow)
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("fork")
        with context.Pool(min(workers, len(slow_first)), _set_up, (folder, slack)) as pool:
            found = list(pool.imap_unordered(_play, slow_first))
    return found


def _set_up(folder: str, slack: float) -> None:
    _stage.append(Stage(Path(tempfile.mkdtemp(dir=folder)), slack))


def _play(cell: Cell) -> Result:
    try:
        return _stage[0].play(cell)
    except Exception as fault:  # noqa: BLE001 - a case that can't be judged is a mismatch, not the end of the run
        return Result(cell, "crashed", 0.0, (f"{type(fault).__name__}: {fault}",))


def settled(found: Sequence[Result], slack: float) -> tuple[list[Result], int]:
    """The results, with those that failed tried again alone; and how many they were.

    A busy machine may take a case's time away, again and again; what is wrong is wrong each time.
    """
    again = 0
    for _ in range(TRIES):
        failed = [result.cell for result in found if result.wrong]
        if not failed or len(failed) > 100:
            break
        again = again or len(failed)
        found = [result for result in found if not result.wrong] + run(failed, slack, workers=1)
    return list(found), again


def table(found: Sequence[Result]) -> str:
    """What came of each family of faults, in counts."""
    families = list(dict.fromkeys(way.family for way in WAYS))
    outcomes = [name for name, _ in Counter(result.outcome for result in found).most_common()]
    lines = [f"{'':<24}{'cases':>7}" + "".join(f"  {_short(name)}" for name in outcomes) + "  mismatches"]
    rows = [(family, [one for one in found if one.cell.way.family == family]) for family in families]
    rows += [("", []), *((role.name, [one for one in found if one.cell.role == role]) for role in ROLES)]
    rows += [("", []), ("all", list(found))]
    for name, ones in rows:
        counted = Counter(one.outcome for one in ones)
        cells_ = "".join(f"{counted[outcome] or '':>{len(_short(outcome)) + 2}}" for outcome in outcomes)
        wrong = sum(bool(one.wrong) for one in ones)
        lines.append(f"{name:<24}{len(ones):>7}{cells_}{wrong:>12}" if ones else "")
    return "\n".join(lines)


def _short(name: str) -> str:
    return name.removeprefix("genesys_").removeprefix("conversation_").removeprefix("cobrowse_")


def main() -> int:
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
    found, again = settled(run(chosen, given.slack, given.workers), given.slack)
    wrong = [result for result in found if result.wrong]
    print(table(found))
    print()
    for result in wrong:
        print(f"✗ {result.cell}: {'; '.join(result.wrong)}")
    slowest = max(result.seconds for result in found)
    failures = sum(result.outcome not in GOOD for result in found)
    print(
        f"{len(found)} cases in {time.monotonic() - begun:.0f} s: {len(found) - failures} sessions started all "
        f"the same, {failures} failures told by their kind, {len(wrong)} mismatches; slowest answer {slowest:.2f} s"
    )
    if again:
        print(f"{again} were tried again, alone")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
