"""What a locked requirements file says: each package with its version, where it is for, and its hashes."""

import re
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
RUN_TIME = ROOT / "requirements.txt"
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})(?!\S)")


class Locked(NamedTuple):
    """A package as it is locked. `marker` is "" where every Python on every system has it."""

    name: str
    version: str
    marker: str
    hashes: frozenset[str]


def locked(text: str) -> list[Locked]:
    """The packages of a file in their order. ValueError for a line that is no version or option without a hash."""
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return [_locked(line) for line in lines if line and not line.startswith("#")]


def _locked(line: str) -> Locked:
    stated, *options = re.split(r"\s(?=--)", line)
    if stated.startswith("-"):
        raise ValueError(f"{stated.split()[0]} has no place in a locked file")
    requirement = Requirement(stated.strip())
    specifiers = list(requirement.specifier)
    if requirement.url or len(specifiers) != 1 or specifiers[0].operator != "==" or "*" in specifiers[0].version:
        raise ValueError(f"{requirement.name}: not one version, by ==")
    hashes = [match[1] for option in options if (match := _HASH.fullmatch(option.strip()))]
    if not hashes or len(hashes) != len(options):
        raise ValueError(f"{requirement.name}: has no SHA-256 hash, or something else beside it")
    marker = str(requirement.marker or "")
    return Locked(canonicalize_name(requirement.name), specifiers[0].version, marker, frozenset(hashes))
