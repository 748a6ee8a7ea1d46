"""What the service is made of: locked with hashes, installed by them, and listed in the bill of materials."""

import json
import re

import pytest

from tests.contract.pages import ROOT

LOCKED = re.compile(r"(?m)^([a-z0-9-]+)==([^ ;\\]+)[^\\\n]*\\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")


def releases(name):
    """Each package of a locked file with its version and hashes."""
    return {match.groups() for match in LOCKED.finditer((ROOT / name).read_text())}


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_every_package_is_locked_to_one_version_with_its_hashes(path):
    rest = LOCKED.sub("", path.read_text())
    assert [line for line in rest.splitlines() if line and not line.startswith("#")] == []
    assert len(releases(path.name)) >= 20
    assert path.with_suffix(".in").exists()


def test_what_the_service_runs_on_is_what_the_tests_run_with():
    only_here = releases("requirements.txt") - releases("requirements/dev.txt")
    assert sorted(f"{name}=={version}" for name, version, _ in only_here) == []


@pytest.mark.parametrize("name", ["Makefile", "deploy/Dockerfile"])
def test_the_image_and_the_virtual_environments_are_installed_with_hashes(name):
    text = (ROOT / name).read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install [^&;\n]*-r *\S*requirements\S*", text)
    assert installs
    assert [one for one in installs if "--require-hashes" not in one] == []


def test_the_bill_of_materials_lists_what_is_locked():
    bill = json.loads((ROOT / "deploy/sbom.cdx.json").read_text())
    listed = {(one["name"], one["version"]) for one in bill["components"]}
    assert listed == {(name, version) for name, version, _ in releases("requirements.txt")}
