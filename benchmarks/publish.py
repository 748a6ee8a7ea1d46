"""The documentation's figures from a run's: `python benchmarks/publish.py`.

    python benchmarks/publish.py                                        from results/latest.json
    python benchmarks/publish.py results/latest.json results/long.json  one run, and what another adds
    python benchmarks/publish.py --check                                writes nothing; fails if anything is stale

It writes docs/performance.svg, and between their markers the figures of docs/performance.md and the README's table;
what stands outside the markers is people's. The figures it was made from are kept in benchmarks/published.json.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from report.figures import Results
from report.merge import merged
from report.plot import plot
from report.published import performance, readme

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PUBLISHED = HERE / "published.json"
MARKED = re.compile(r"(<!-- figures: [^>]* -->\n).*?(<!-- end of figures -->\n)", re.DOTALL)


def documents(results: Results, root: Path = ROOT) -> dict[Path, str]:
    """Each document as it should be."""
    page, first = root / "docs" / "performance.md", root / "README.md"
    return {
        page: between_markers(page, performance(results)),
        first: between_markers(first, readme(results)),
        root / "docs" / "performance.svg": plot(results),
    }


def between_markers(page: Path, figures: str) -> str:
    """The page with these figures. Errors: ValueError without one pair of markers, since people may have cut one."""
    text, pairs = MARKED.subn(lambda marks: f"{marks[1]}\n{figures}\n{marks[2]}", page.read_text())
    if pairs != 1:
        raise ValueError(f"{page.name}: one pair of <!-- figures: … --> and <!-- end of figures -->, not {pairs}")
    return text


def stale(results: Results, root: Path = ROOT) -> list[str]:
    """The names of the documents that are not what these results make."""
    wanted = documents(results, root)
    return [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]


def found(path: Path) -> Path:
    """A run's file as it is named from where one stands, else from this folder."""
    return path if path.exists() else HERE / path


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, default=[HERE / "results" / "latest.json"])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if anything is stale")
    asked = parser.parse_args(arguments)
    if asked.check:
        old = stale(json.loads(PUBLISHED.read_text()))
        print(f"stale, so run benchmarks/publish.py: {', '.join(old)}" if old else "up to date")
        return 1 if old else 0
    try:
        results = merged([json.loads(found(path).read_text()) for path in asked.files])
        pages = documents(results)
    except (OSError, ValueError) as reason:
        parser.error(str(reason))
    for path, text in pages.items():
        path.write_text(text)
    PUBLISHED.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written: {', '.join(path.name for path in pages)} and {PUBLISHED.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
