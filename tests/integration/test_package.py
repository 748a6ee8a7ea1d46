"""The package: built as wheel and sdist, installed into empty environments, used from a folder that has nothing else.

Takes what it depends on from the package index, or from uv's cache.
"""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from cobrowse import __version__
from tests.clocks import HANGS
from tests.integration.conftest import ROOT

UV = str(Path(sys.executable).with_name("uv"))
NAME = f"cobrowse_bridge-{__version__}"
WHEEL, SDIST = f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"


def run(*words, folder, patience=2 * HANGS):
    """A command's output, in an environment that knows nothing of the repository's."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "SSL_CERT_FILE") if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_"))}
    kept["PIP_NO_COMPILE"] = "1"  # the demo imports a small part of what is installed
    done = subprocess.run(words, cwd=folder, env=kept, capture_output=True, text=True, timeout=patience, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with both; the wheel is built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(UV, "build", "--quiet", "--out-dir", str(folder), str(ROOT), folder=folder)
    return folder


def test_it_is_installed_into_an_empty_environment_and_used_from_an_empty_folder(built, tmp_path):
    python, here = tmp_path / "venv/bin/python", tmp_path / "here"
    here.mkdir()
    run(UV, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"), folder=here)
    run(UV, "pip", "install", "--quiet", "--python", str(python), str(built / WHEEL), folder=here)
    bridge = str(python.with_name("cobrowse-bridge"))
    assert run(bridge, "--version", folder=here) == f"cobrowse-bridge, version {__version__}\n"
    shown = run(bridge, "demo", folder=here)
    assert json.loads(shown[shown.rindex("\n{") :])["status"] == "initiated"
    assert list(here.iterdir()) == []


@pytest.fixture
def checkout(built, tmp_path):
    """A folder with the sources, as a clone has them; a build leaves its files there."""
    with tarfile.open(built / SDIST) as sdist:
        sdist.extractall(tmp_path, filter="data")
    return tmp_path / NAME


def in_the_readme(line):
    """The words of a command that the README names."""
    assert f"`{line}`" in (ROOT / "README.md").read_text()
    return line.split()


def test_uvx_runs_it_as_the_readme_says(checkout):
    *words, demo = in_the_readme("uvx --from . cobrowse-bridge demo")
    assert (words[0], demo) == ("uvx", "demo")
    # What is installed is the same as above, where the demo has run.
    said = run(UV, "tool", "run", "--quiet", *words[1:], "--version", folder=checkout)
    assert said == f"cobrowse-bridge, version {__version__}\n"


def test_pipx_installs_it_as_the_readme_says(checkout, tmp_path):
    _, *words = in_the_readme("pipx install .")
    places = (f"PIPX_HOME={tmp_path}/pipx", f"PIPX_BIN_DIR={tmp_path}/bin", f"PIPX_MAN_DIR={tmp_path}/man")
    # With pip it takes ten times as long, for the same packages.
    backend = ("PIPX_DEFAULT_BACKEND=uv", f"PATH={Path(UV).parent}:{os.environ['PATH']}")
    pipx = (UV, "tool", "run", "--quiet", "--python", sys.executable, "pipx")
    run("env", *places, *backend, *pipx, *words, "--python", sys.executable, folder=checkout)
    said = run(f"{tmp_path}/bin/cobrowse-bridge", "--version", folder=tmp_path)
    assert said == f"cobrowse-bridge, version {__version__}\n"


def test_it_holds_the_licence_and_the_versions_that_are_tested(built):
    with zipfile.ZipFile(built / WHEEL) as wheel:
        names = wheel.namelist()
        about = wheel.read(f"{NAME}.dist-info/METADATA").decode()
        assert wheel.read(f"{NAME}.dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert "License-Expression: MIT\n" in about
    pinned = [line.partition(" ")[0] for line in (ROOT / "requirements.in").read_text().splitlines() if line[0] != "#"]
    asked = [line.removeprefix("Requires-Dist: ") for line in about.splitlines() if line.startswith("Requires-Dist")]
    assert sorted(map(str.lower, asked)) == sorted(map(str.lower, pinned))
    tops = {name.partition("/")[0] for name in names} - {f"{NAME}.dist-info"}
    assert not tops & {"tests", "docs", "tools", "requirements"}
    assert {"app.py", "cli.py", "gunicorn.conf.py", "settings", "cobrowse", "web", "console"} <= tops
    assert {"console/templates/console/list.html", "sandbox/server.py"} <= set(names)


def test_no_file_of_a_persons_own_is_in_it(built):
    with tarfile.open(built / SDIST) as sdist:
        names = [Path(name) for name in sdist.getnames()]
    assert [str(name) for name in names if name.suffix in (".key", ".sqlite3", ".pyc") or name.name == ".env"] == []
    assert Path(NAME, "LICENSE") in names
