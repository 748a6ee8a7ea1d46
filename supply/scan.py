"""`python -m supply.scan`: no secret is in a file that is committed or about to be. Part of `make lint`.

The scanner is Kingfisher, with its own rules for vendors' credentials and rules.yaml for this service's. It asks nobody
whether a secret is in force: nothing leaves this machine.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RULES = Path(__file__).with_name("rules.yaml")
KNOWN = Path(__file__).with_name("known.toml")
SCANNER = Path(sys.executable).with_name("kingfisher")
# Its exit statuses for "nothing found" and for "found something"; any other is a failure of its own.
_DONE = (0, 200)


class Finding(NamedTuple):
    """Something that looks like a secret."""

    path: str
    line: int
    rule: str
    value: str


def findings(folder: Path) -> list[Finding]:
    """What looks like a secret below a folder. RuntimeError if the scanner fails or passes a file over."""
    files = sum(path.is_file() for path in folder.rglob("*"))
    how = ("--no-validate", "--no-update-check", "--no-ignore", "--no-dedup", "--git-history", "none", "--jobs", "1")
    done = subprocess.run(
        [SCANNER, "scan", *how, "--rules-path", RULES, "--format", "jsonl", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in _DONE:
        raise RuntimeError(f"the scanner ended with {done.returncode}: {done.stderr[-2000:]}")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    scanned = next((one["blobs_scanned"] for one in told if "blobs_scanned" in one), 0)
    if scanned != files:
        raise RuntimeError(f"the scanner looked at {scanned} of {files} files")
    return sorted(_read(one) for one in told if "finding" in one)


def _read(told: dict[str, dict[str, str]]) -> Finding:
    found = told["finding"]
    return Finding(found["path"].removeprefix("./"), int(found["line"]), told["rule"]["id"], found["snippet"])


def unknown(found: Iterable[Finding], known: Iterable[str]) -> list[Finding]:
    """Those that nobody has said to be none."""
    known = frozenset(known)
    return [one for one in found if one.value not in known]


def known_values() -> dict[str, str]:
    """Values that look like secrets and are none, each with why."""
    return tomllib.loads(KNOWN.read_text())


def committed(root: Path) -> Iterator[Path]:
    """The files that git has or would take, as they are now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout
    return (Path(name) for name in sorted(set(filter(None, names.split("\0")))) if (root / name).is_file())


def in_repository(root: Path = ROOT) -> list[Finding]:
    """What looks like a secret in the files of a repository."""
    with tempfile.TemporaryDirectory() as copied:
        for path in committed(root):
            (Path(copied) / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, Path(copied) / path)
        return findings(Path(copied))


def main() -> int:
    """Say what was found, without the secrets."""
    found = unknown(in_repository(), known_values())
    for one in found:
        print(f"{one.path}:{one.line}: {one.value[:6]}… looks like a secret ({one.rule})")
    if found:
        print("Take it out, and change it where it is in force. If it is none, say why in supply/known.toml.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
