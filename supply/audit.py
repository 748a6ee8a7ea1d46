"""`.ci/audit`: no package that is installed has a known hole. A database that can't be reached is no hole.

pip-audit asks, in an environment of its own, since it would bring thirty packages into the tests'. PyPI's database
first, then OSV's; where neither can be reached the audit is skipped, in so many words.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = Path(__file__).with_name("accepted.toml")
AUDITOR = ROOT / ".venv-audit" / "bin" / "pip-audit"
# The tests' requirements have all that the service runs on, and more; a test holds that.
REQUIREMENTS = ROOT / "requirements-dev.txt"
SERVICES = ("pypi", "osv")
# What pip-audit's last words hold when a database did not answer as one: its own exceptions, and those of requests.
_UNREACHED = ("requests.exceptions.", "ServiceError", "Could not connect to", "PyPI is not redirecting properly")
# Seconds for some 130 packages, one question each.
_LONGEST = 300


class Verdict(Enum):
    """What came of an audit, and whether CI may go on."""

    CLEAN = "no known holes"
    FOUND = "known holes"
    UNREACHED = "not audited: the database can't be reached"
    BROKEN = "the audit itself failed"


@dataclass(frozen=True)
class Audit:
    """A verdict and what there is to say of it, a line each."""

    verdict: Verdict
    lines: tuple[str, ...] = ()

    @property
    def lets_through(self) -> bool:
        """Holes stop it, and so does an audit that is broken: it would never find any."""
        return self.verdict in (Verdict.CLEAN, Verdict.UNREACHED)


def judged(report: str, complaint: str, accepted: Mapping[str, Any], today: date) -> Audit:
    """What a report of pip-audit's means; it is "" where there is none, and `complaint` says why."""
    if not report:
        last = complaint.strip().splitlines()[-1:] or ["it said nothing"]
        unreached = any(word in complaint for word in _UNREACHED)
        return Audit(Verdict.UNREACHED if unreached else Verdict.BROKEN, (last[0][:300],))
    packages = json.loads(report)["dependencies"]
    # A package that the database does not know is passed over in silence: a mirror may know none.
    asked = [one for one in packages if "vulns" in one]
    if not asked:
        return Audit(Verdict.UNREACHED, (f"it knows none of {len(packages)} packages",))
    passed_over = tuple(f"{one['name']}: the database does not know it" for one in packages if "vulns" not in one)
    found, waved_through = [], set()
    for package in asked:
        for hole in package["vulns"]:
            entry = _entry(package["name"], hole, accepted, today)
            if entry:
                waved_through.add(entry)
            else:
                found.append(_told(package, hole))
    gone = accepted.keys() - waved_through
    stale = tuple(f"{name}: no longer found, so take it out of {ACCEPTED.name}" for name in sorted(gone))
    lines = (*found, *passed_over, *stale, f"{len(asked)} packages audited")
    return Audit(Verdict.FOUND if found else Verdict.CLEAN, lines)


def _entry(package: str, hole: Mapping[str, Any], accepted: Mapping[str, Any], today: date) -> str:
    """The name under which a hole of a package is accepted today; "" if it isn't."""
    for name in (hole["id"], *hole.get("aliases", ())):
        entry = accepted.get(name)
        if entry and entry["package"] == package and today <= entry["until"]:
            return str(name)
    return ""


def _told(package: Mapping[str, Any], hole: Mapping[str, Any]) -> str:
    names = ", ".join((hole["id"], *hole.get("aliases", ())))
    mended = f"mended in {', '.join(hole['fix_versions'])}" if hole.get("fix_versions") else "not mended yet"
    return f"{package['name']} {package['version']}: {names}, {mended}"


def audits(accepted: Mapping[str, Any], today: date) -> Iterator[tuple[str, Audit]]:
    """Each database's, until one has answered."""
    for service in SERVICES:
        audit = judged(*_asked(service), accepted, today)
        yield service, audit
        if audit.verdict is not Verdict.UNREACHED:
            return


def _asked(service: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        how = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "--desc", "off")
        files = ("--output", str(report), "--requirement", str(REQUIREMENTS))
        ask = [str(AUDITOR), *how, "--vulnerability-service", service, *files]
        try:
            done = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=_LONGEST)
        except subprocess.TimeoutExpired:
            return "", f"requests.exceptions.Timeout: no end after {_LONGEST} seconds"
        return report.read_text() if report.exists() else "", done.stderr


def main() -> int:
    """Ask, and say what came of it."""
    accepted = tomllib.loads(ACCEPTED.read_text())
    passed = True
    for service, audit in audits(accepted, datetime.now(UTC).date()):
        print(f"audit by {service}: {audit.verdict.value}", *audit.lines, sep="\n  ")
        passed = audit.lets_through
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
