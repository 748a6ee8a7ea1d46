"""What `make test-fast` passes over."""

import re
import subprocess
import sys

from tests.contract.pages import ROOT

# One without a mark, one that is marked itself, and two that are marked with their folder.
FILES = (
    "tests/unit/test_ids.py",
    "tests/contract/test_loaded_modules.py",
    "tests/integration/test_crashes.py",
    "tests/browser",
)


def test_the_inner_loop_passes_over_what_is_marked():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    choice = re.search(r'^test-fast:.*\n\t\$\(PYTEST\) -m "(.+)" tests/unit', makefile, re.MULTILINE)[1]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", "-m", choice, *FILES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    chosen = {line.partition("::")[0] for line in run.stdout.splitlines() if "::" in line}
    assert chosen == {"tests/unit/test_ids.py"}
