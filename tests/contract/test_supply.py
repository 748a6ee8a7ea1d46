"""What the service is made of: locked with hashes, under licences that were agreed on, and asked about known holes."""

import json
import re
from datetime import date

import pytest

from supply.audit import Verdict, judged
from supply.licences import AGREED_FOR, BILL, PAGE, Package, agreed, bill, faults, main, page
from supply.requirements import ROOT, RUN_TIME, locked

LOCKS = sorted(ROOT.glob("requirements*.txt"))
HASH = "--hash=sha256:" + "0" * 64


def releases(path):
    """Each package, its version and its hashes. Markers differ: the tests' packages want some of them elsewhere too."""
    return {(one.name, one.version, one.hashes) for one in locked(path.read_text())}


# Locked


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_is_locked_to_one_version_with_its_hashes(path):
    assert len(locked(path.read_text())) >= 20
    assert path.with_suffix(".in").exists()


@pytest.mark.parametrize(
    "line",
    [
        "flask==3.1.3",
        f"flask>=3.1.3 {HASH}",
        f"flask==3.* {HASH}",
        f"flask {HASH}",
        f"flask @ https://example.com/flask.whl {HASH}",
        f"flask==3.1.3 {HASH[:-1]}",
        f"flask==3.1.3 {HASH} --config-settings=a=b",
        "--index-url https://example.com",
        "-r requirements.txt",
    ],
)
def test_what_is_not_locked_is_refused(line):
    assert [one.name for one in locked(f"flask==3.1.3 ; python_version < '4' \\\n    {HASH}\n")] == ["flask"]
    with pytest.raises(ValueError, match=r"flask|--index-url|-r"):
        locked(line)


def test_what_the_service_runs_on_is_what_the_tests_run_with():
    only_here = releases(RUN_TIME) - releases(ROOT / "requirements-dev.txt")
    assert sorted(f"{name}=={version}" for name, version, _ in only_here) == []


def test_the_image_and_the_virtual_environment_are_installed_with_hashes():
    for name in ("Makefile", "deploy/Dockerfile"):
        text = (ROOT / name).read_text().replace("\\\n", " ")
        installs = re.findall(r"pip install [^&;\n]*-r *\S*requirements\S*", text)
        assert installs, name
        assert [one for one in installs if "--require-hashes" not in one] == []


# Licences


def test_the_page_and_the_bill_of_materials_are_up_to_date_and_every_licence_is_agreed_on(capsys):
    assert (main(["--check"]), capsys.readouterr().out) == (0, "")


@pytest.mark.parametrize(
    ("licence", "fine"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("LGPL-3.0-only", False),
        ("LGPL-2.1-only OR MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("MIT AND GPL-2.0-only", False),
        ("MIT AND (GPL-2.0-only OR AGPL-3.0-only)", False),
        ("UNKNOWN", False),
    ],
)
def test_a_licence_is_agreed_on_by_its_name(licence, fine):
    assert agreed(Package("one", "1", licence, "https://example.com")) is fine


def test_the_lgpl_is_agreed_on_for_psycopg_alone_and_the_page_says_so():
    assert {one: sorted(names) for one, names in AGREED_FOR.items()} == {
        "LGPL-3.0-only": ["psycopg", "psycopg-binary", "psycopg-pool"]
    }
    assert "psycopg is the only one under the LGPL" in PAGE.read_text()


def test_a_licence_that_is_not_agreed_on_and_a_file_out_of_date_are_told(tmp_path):
    bad = Package("one", "1", "AGPL-3.0-only", "https://example.com")
    old = tmp_path / "licences.md"
    old.write_text(page([]))
    told = list(faults([bad], {old: page([bad]), tmp_path / "absent.json": bill([bad])}))
    assert [line.split()[0] for line in told] == ["one", "licences.md", "absent.json"]


def test_the_bill_of_materials_lists_what_is_locked():
    told = json.loads(BILL.read_text())
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    listed = [(one["name"], one["version"]) for one in told["components"]]
    assert listed == [(one.name, one.version) for one in locked(RUN_TIME.read_text())]
    references = [one["bom-ref"] for one in told["components"]]
    assert len(set(references)) == len(references)


# Known holes

HOLE = {"id": "PYSEC-1", "aliases": ["CVE-1", "GHSA-1"], "fix_versions": ["2.0"]}
TODAY = date(2026, 11, 25)
ACCEPTED = {"GHSA-1": {"package": "one", "reason": "never called", "until": date(2026, 12, 31)}}


def report(*packages):
    return json.dumps({"dependencies": list(packages), "fixes": []})


def asked(name, *holes):
    return {"name": name, "version": "1.0", "vulns": list(holes)}


def passed_over(name):
    return {"name": name, "skip_reason": "Dependency not found on PyPI and could not be audited"}


def test_without_holes_it_is_clean():
    audit = judged(report(asked("one"), asked("two")), "", {}, TODAY)
    assert (audit.verdict, audit.lets_through, audit.lines) == (Verdict.CLEAN, True, ("2 packages audited",))


def test_a_hole_stops_it_and_is_told_with_its_remedy():
    audit = judged(report(asked("one", HOLE), asked("two")), "", {}, TODAY)
    assert (audit.verdict, audit.lets_through) == (Verdict.FOUND, False)
    assert audit.lines[0] == "one 1.0: PYSEC-1, CVE-1, GHSA-1, mended in 2.0"


def test_a_hole_stops_it_though_others_are_not_known_to_the_database():
    assert judged(report(asked("one", HOLE), passed_over("two")), "", {}, TODAY).verdict is Verdict.FOUND


def test_an_accepted_hole_lets_it_through_under_any_of_its_names():
    assert judged(report(asked("one", HOLE)), "", ACCEPTED, TODAY).verdict is Verdict.CLEAN


@pytest.mark.parametrize(
    ("package", "today"), [("two", TODAY), ("one", date(2027, 1, 1))], ids=["of another package", "past its day"]
)
def test_what_was_accepted_is_accepted_for_one_package_and_not_for_ever(package, today):
    assert judged(report(asked(package, HOLE)), "", ACCEPTED, today).verdict is Verdict.FOUND


def test_what_is_accepted_and_no_longer_found_is_told():
    audit = judged(report(asked("one")), "", ACCEPTED, TODAY)
    assert audit.verdict is Verdict.CLEAN
    assert any("GHSA-1: no longer found" in line for line in audit.lines)


def test_what_the_database_does_not_know_is_told():
    audit = judged(report(asked("one"), passed_over("two")), "", {}, TODAY)
    assert (audit.verdict, audit.lines[0]) == (Verdict.CLEAN, "two: the database does not know it")


def test_a_database_that_knows_nothing_at_all_is_one_that_was_not_reached():
    """pip-audit itself says of a mirror without the database that there are no known vulnerabilities."""
    audit = judged(report(passed_over("one"), passed_over("two")), "", {}, TODAY)
    assert (audit.verdict, audit.lets_through) == (Verdict.UNREACHED, True)


@pytest.mark.parametrize(
    "complaint",
    [
        "  raise ConnectionError(e)\nrequests.exceptions.ConnectionError: HTTPSConnectionPool(host='pypi.org')",
        "requests.exceptions.ProxyError: Unable to connect to proxy",
        "requests.exceptions.ReadTimeout: Read timed out.",
        "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed",
        "  raise ServiceError from http_error\npip_audit._service.interface.ServiceError",
    ],
)
def test_a_network_that_fails_lets_it_through_and_says_so(complaint):
    audit = judged("", complaint, {}, TODAY)
    assert (audit.verdict, audit.lets_through) == (Verdict.UNREACHED, True)
    assert audit.lines[0]


@pytest.mark.parametrize(
    "complaint", ["", "usage: pip-audit [-h]\nerror: unrecognized arguments: --x", "KeyError: 'a'"]
)
def test_an_audit_that_is_broken_stops_it(complaint):
    audit = judged("", complaint, {}, TODAY)
    assert (audit.verdict, audit.lets_through) == (Verdict.BROKEN, False)
