"""`python -m hostile.mutants [--only FILE]`: every change that mutmut knows to make, and whether a test notices it.

mutmut itself changes bodies of undecorated functions only, and half of what is at stake here are tables, defaults and
constants; so its mutators are put to every place of a module, and each mutant is run by a runner of our own, on a copy
of the working tree. The status is 1 if a target is below its mark, or if what survives isn't what survivors.toml says.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hostile.mutants import survivors
from hostile.mutants.mutations import Mutant, mutants
from hostile.mutants.trials import SURVIVED, Unfit, fitting, verdicts

ROOT = Path(__file__).resolve().parents[2]
TARGETS = Path(__file__).with_name("targets.toml")
# The share of a target's mutants that must be noticed.
MARK = 0.9
_NOT_COPIED = (".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "var", "*.sqlite3*")

Verdicts = dict[str, list[tuple[Mutant, str]]]


def tried(files: Mapping[str, Mapping[str, Any]], workers: int) -> Verdicts:
    """What became of the mutants of each file, told as it goes."""
    found: Verdicts = {}
    for file, row in files.items():
        start, source = time.monotonic(), Path(file).read_text("utf-8")
        seconds = fitting(file, source, row["tests"])
        found[file] = list(verdicts(mutants(file, source), row["tests"], seconds, workers))
        counted = Counter(verdict for _, verdict in found[file])
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items()))
        print(f"{file}: {told} in {time.monotonic() - start:.0f} s", flush=True)
    return found


def below_the_mark(found: Verdicts, targets: Mapping[str, str]) -> Iterator[str]:
    """The score of each target is printed; those that are too low are yielded."""
    for target in dict.fromkeys(targets[file] for file in found):
        ours = [verdict for file in found if targets[file] == target for _, verdict in found[file]]
        noticed = sum(verdict != SURVIVED for verdict in ours)
        print(f"{target}: {noticed} of {len(ours)} noticed, {noticed / len(ours):.1%}")
        if noticed < MARK * len(ours):
            yield f"{target}: fewer than {MARK:.0%} of the mutants are noticed"


def unlike_the_list(found: Verdicts, listed: Iterable[survivors.Survivor]) -> Iterator[str]:
    """Survivors nobody has judged, and those of the list that are none, for these files."""
    lived = {mutant.key for file in found for mutant, verdict in found[file] if verdict == SURVIVED}
    judged = {one.key for one in listed if one.file in found}
    for file, function, before, after in sorted(lived - judged):
        yield f"survives and is not in survivors.toml: {file} {function}\n    - {before}\n    + {after}"
    for file, function, before, after in sorted(judged - lived):
        yield f"in survivors.toml, and is noticed or no more: {file} {function}\n    - {before}\n    + {after}"


def main() -> int:
    """Try them all and print what came of it; 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(
        prog="python -m hostile.mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="the files whose path holds this")
    parser.add_argument("--workers", type=int, default=2, help="mutants tried at a time")
    given = parser.parse_args()
    files = {file: row for file, row in tomllib.loads(TARGETS.read_text("utf-8")).items() if given.only in file}
    if not files:
        parser.error("no file of targets.toml has that in its path")
    listed = survivors.known(survivors.LIST.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        os.chdir(copy)
        # Everything that isn't loaded yet comes from the copy.
        sys.path[:] = [str(copy), *(path for path in sys.path if path not in ("", str(ROOT)))]
        try:
            found = tried(files, given.workers)
        except Unfit as tests:
            print(f"these fail without any change: {tests}")
            return 1
        finally:
            os.chdir(ROOT)
    targets = {file: str(row["target"]) for file, row in files.items()}
    wrong = [*below_the_mark(found, targets), *unlike_the_list(found, listed)]
    print("\n".join(wrong) if wrong else "every survivor is known")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
