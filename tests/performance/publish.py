"""The documentation's figures from the last run's: python -m tests.performance.publish.

Between their markers it writes docs/performance.md's figures and README.md's table; what stands outside is not touched.
The results that they were made from become published.json, and a test fails if the pages are anything else.
"""

import json
import re
import sys
from pathlib import Path

from tests.performance.report import readme, report

ROOT = Path(__file__).resolve().parents[2]
LATEST = Path(__file__).resolve().parent / "results" / "latest.json"
PUBLISHED = Path("tests/performance/published.json")
PAGES = {Path("docs/performance.md"): report, Path("README.md"): readme}
MARKED = re.compile(r"(<!-- figures: [^>]* -->\n).*?(<!-- end of figures -->\n)", re.DOTALL)


def page(path, results):
    """The page as it should be. Errors: ValueError without exactly one pair of markers."""
    figures = PAGES[path](results)
    text, pairs = MARKED.subn(lambda marks: f"{marks[1]}\n{figures}\n{marks[2]}", (ROOT / path).read_text())
    if pairs != 1:
        raise ValueError(f"{path}: one pair of <!-- figures: … --> and <!-- end of figures -->, not {pairs}")
    return text


def stale_pages():
    """The pages that are not what the published results make."""
    results = json.loads((ROOT / PUBLISHED).read_text())
    return [str(path) for path in PAGES if (ROOT / path).read_text() != page(path, results)]


def main():
    results = json.loads(LATEST.read_text())
    if results.get("only"):
        sys.exit(f"the last run measured only {', '.join(results['only'])}: run make bench")
    for path in PAGES:
        (ROOT / path).write_text(page(path, results))
    (ROOT / PUBLISHED).write_text(LATEST.read_text())
    print(f"written: {', '.join(map(str, (*PAGES, PUBLISHED)))}")


if __name__ == "__main__":
    main()
