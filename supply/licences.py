"""`python -m supply.licences`: writes docs/licences.md and deploy/sbom.cdx.json, of what the service runs on.

With --check it writes nothing and fails if they are not up to date or a licence is not one of those agreed on.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

from supply.requirements import ROOT, RUN_TIME, Locked, locked

PAGE = ROOT / "docs" / "licences.md"
BILL = ROOT / "deploy" / "sbom.cdx.json"

# What may be used without asking, by SPDX's names. MPL-2.0 asks for its own files' changes only, and none is changed.
AGREED = frozenset(
    {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"}
)
# Agreed on for these alone; the page says what it means.
AGREED_FOR = {"LGPL-3.0-only": frozenset({"psycopg", "psycopg-binary", "psycopg-pool"})}

# What packages say without SPDX's names. Those that say "BSD" (itsdangerous, jinja2) have the three clauses.
_SPDX = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# Packages of other Pythons and systems, which need not be installed where this runs: what PyPI says of them.
_ELSEWHERE = {
    "async-timeout": ("Apache-2.0", "https://github.com/aio-libs/async-timeout"),
    "deprecated": ("MIT", "https://github.com/laurent-laporte-pro/deprecated"),
    "tzdata": ("Apache-2.0", "https://github.com/python/tzdata"),
}
_HOMES = ("homepage", "home", "source", "source code", "code", "repository", "github")

_HEAD = """# Licences

What the service runs on, as `requirements.txt` locks it. `python -m supply.licences` writes this page and, for
programs, [deploy/sbom.cdx.json](../deploy/sbom.cdx.json) (CycloneDX); a test fails when one of them is out of date, or
when a package has a licence that nobody has agreed on.

psycopg is the only one under the LGPL. It is used as it is published, imported and not changed, and pip can put another
version in its place; it is needed for a ledger on PostgreSQL only. Whoever passes the image on passes its licence on
with it. The wheels of psycopg-binary and pycurl bring C libraries with them (libpq, OpenSSL, libcurl), whose licences
are in the wheels.

| package | version | licence | home |
|---|---|---|---|
"""


class Package(NamedTuple):
    """A package that the service runs on, its licence an SPDX expression."""

    name: str
    version: str
    licence: str
    home: str


def packages(requirements: Iterable[Locked]) -> Iterator[Package]:
    """Each with what it says about itself. ValueError where that is nothing, or another version is installed."""
    for one in requirements:
        if one.name in _ELSEWHERE:
            yield Package(one.name, one.version, *_ELSEWHERE[one.name])
            continue
        try:
            about = metadata(one.name)
        except PackageNotFoundError:
            raise ValueError(f"{one.name} is not installed; install requirements-dev.txt first") from None
        if about["Version"] != one.version:
            raise ValueError(f"{one.name} {about['Version']} is installed, not {one.version}")
        yield Package(one.name, one.version, licence(about), home(one.name, about))


def licence(about: PackageMetadata) -> str:
    """A package's licence in SPDX's words, from the first place that tells. ValueError if none does."""
    classifiers = [one for one in _said(about, "Classifier") if one.startswith("License ::")]
    classified = (one.rpartition(" :: ")[2] for one in classifiers)
    for said in (*_said(about, "License-Expression"), *_said(about, "License"), *classified):
        # Some put the whole text of their licence there.
        if said and len(said) < 80:
            return _SPDX.get(said, said)
    raise ValueError(f"{about['Name']} says nothing of its licence")


def _said(about: PackageMetadata, field: str) -> list[str]:
    return about.get_all(field) or []


def home(name: str, about: PackageMetadata) -> str:
    """Where a package lives, by its own word; else its page on PyPI."""
    pairs = (one.partition(", ")[::2] for one in _said(about, "Project-URL"))
    urls = {label.lower(): url for label, url in pairs}
    stated = [*(urls[label] for label in _HOMES if label in urls), *_said(about, "Home-page")]
    return (*stated, f"https://pypi.org/project/{name}/")[0].rstrip("/")


def agreed(package: Package) -> bool:
    """Whether its licence is one of those agreed on. Of "A OR B" one is enough; of "A AND B" both must be."""
    return all(
        any(_agreed(package.name, one.strip(" ()")) for one in part.split(" OR "))
        for part in re.split(r" AND ", package.licence)
    )


def _agreed(name: str, one: str) -> bool:
    return one in AGREED or name in AGREED_FOR.get(one, ())


def page(listed: Iterable[Package]) -> str:
    """The page for people."""
    return _HEAD + "".join(f"| {one.name} | {one.version} | {one.licence} | <{one.home}> |\n" for one in listed)


def bill(listed: Iterable[Package]) -> str:
    """The bill of materials for programs: CycloneDX, without what would differ from run to run."""
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{one.name}@{one.version}",
            "name": one.name,
            "version": one.version,
            "licenses": [{"expression": one.licence}],
            "purl": f"pkg:pypi/{one.name}@{one.version}",
            "externalReferences": [{"type": "website", "url": one.home}],
        }
        for one in listed
    ]
    service = {"type": "application", "bom-ref": "cobrowse-bridge", "name": "cobrowse-bridge"}
    whole = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": service}}
    return json.dumps({**whole, "components": components}, indent=2) + "\n"


def faults(listed: list[Package], files: dict[Path, str]) -> Iterator[str]:
    """What is wrong, a line each: a licence, or a file that is not what it should be."""
    for one in listed:
        if not agreed(one):
            yield f"{one.name} {one.version} is under {one.licence}, which nobody has agreed on (supply/licences.py)"
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.name} is out of date: python -m supply.licences"


def main(words: list[str] | None = None) -> int:
    """Write both files, or check them."""
    reader = argparse.ArgumentParser(prog="python -m supply.licences", description=__doc__)
    reader.add_argument("--check", action="store_true", help="write nothing")
    check = reader.parse_args(words).check
    listed = list(packages(locked(RUN_TIME.read_text())))
    files = {PAGE: page(listed), BILL: bill(listed)}
    if not check:
        for path, text in files.items():
            path.write_text(text)
    wrong = list(faults(listed, files))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
