"""The part of the fuzz run that coverage guides, in an environment of its own, since not every Python has atheris."""

import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from hostile.service import ROOT
from hostile.tally import MOST_TOLD, Tally

# `make .venv-fuzz/.installed` lays it out, from requirements-fuzz.txt.
PYTHON = ROOT / ".venv-fuzz" / "bin" / "python"
# Seconds that it may take to come up and to end, besides those that it runs.
BESIDES = 60
_DONE = re.compile(r"^Done (\d+) runs in (\d+) second", re.MULTILINE)
_REACHED = re.compile(r"\bcov: (\d+) ft: (\d+)")


def lacking(python: Path = PYTHON) -> str:
    """Why it can't run here; nothing if it can."""
    if not python.exists():
        return "there is no .venv-fuzz: `make fuzz` makes it, or `make .venv-fuzz/.installed`"
    asked = subprocess.run([python, "-c", "import atheris"], capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        return ""
    if "No module named 'atheris'" in asked.stderr:
        here = f"{platform.python_implementation()} {platform.python_version()} on {sys.platform} {platform.machine()}"
        return f"atheris has no wheel for {here}, see requirements-fuzz.in"
    return f"atheris does not start: {asked.stderr.strip().splitlines()[-1:]}"


def guided(runs: int, seconds: int, first: int, python: Path = PYTHON) -> Tally:
    """So many inputs of `hostile.coverage`, for so many seconds at most: what it has tried, and what was wrong."""
    tally = Tally("guided by coverage")
    with tempfile.TemporaryDirectory() as folder:
        words = [f"-runs={runs}", f"-max_total_time={seconds}", f"-seed={first % 2**31}", f"-artifact_prefix={folder}/"]
        try:
            ended = subprocess.run(
                [python, "-m", "hostile.coverage", *words],
                cwd=ROOT,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=seconds + BESIDES,
            )
        except subprocess.TimeoutExpired:
            tally.wrong.append(f"did not end within {seconds + BESIDES} s")
            return tally
        kept = [f"{path.name}: {path.read_bytes().hex()}" for path in Path(folder).iterdir()][:MOST_TOLD]
    done = _DONE.search(ended.stderr)
    tally.inputs = int(done[1]) if done else 0
    if ended.returncode or not tally.inputs:
        tally.wrong.append(f"ended with {ended.returncode}: {ended.stderr[-3000:]} {' '.join(kept)}")
    reached = _REACHED.findall(ended.stderr)
    if reached:
        print(f"guided by coverage: {reached[0][0]} edges of the parsers at first, {reached[-1][0]} in the end")
    return tally
