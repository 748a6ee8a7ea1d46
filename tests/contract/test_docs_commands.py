"""Every command in the documentation is run as it stands, or there is a reason why not."""

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from sandbox.server import start
from sandbox.state import WEBCHAT
from tests.clocks import HANGS
from tests.contract.pages import PAGES, ROOT, SHELLS, blocks, table
from tests.ports import free_port
from tests.unit.test_commands import EVERY

# Commands that can't be run here: how each begins, and why. `make` targets and named files are checked all the same.
NOT_RUN = {
    r"make [\w-]+": "make runs this very suite, or resolves packages from the network",
    r"(python3 -m venv|source) \.venv": "the tests run inside such an environment",
    r"\.venv/bin/pip install": "make and .ci/run install this way",
    r"\.venv/bin/python -m pytest": "it is the suite that runs this",
    r"docker ": "needs a Docker daemon; test_deploy.py runs what the compose file describes without one",
    r"cobrowse-bridge listen": "runs until it is stopped; test_listen.py runs it on a sandbox",
    r"cobrowse-bridge login": "waits for a person at a browser; test_login.py is one, on a sandbox",
    r"sudo": "changes the machine; test_deploy.py checks the unit",
    r"journalctl": "needs a service under systemd",
    r"kubectl": "needs a cluster; test_deploy_kubernetes.py checks the files",
    r"pg_dump": "needs a PostgreSQL of the reader's own",
}
# What must be seen when a page's commands are run.
SEEN = {
    "sandbox.md": '"errorCode":"agent_not_connected"',
    "operations.md": '"status":"initiated"',
    "senders.md": '"status": "initiated"',
    "genesys-setup.md": "✓ initiated",
    "CONTRIBUTING.md": "usage: python -m tests.simulation",
}


@functools.cache
def commands(page):
    """Each command of a page, whole: continued lines and here-documents are one."""
    found = []
    for block in blocks(PAGES[page], *SHELLS):
        whole = ""
        for line in block.splitlines():
            whole += line.removeprefix("$ ") + "\n"
            if not whole.strip() or whole.lstrip().startswith("#"):
                whole = ""
                continue
            checked = subprocess.run(["bash", "-n"], input=whole, capture_output=True, text=True, check=False)
            if checked.returncode == 0 and not checked.stderr and not line.endswith("\\"):
                found.append(whole.strip())
                whole = ""
        assert not whole, f"{page}: not a whole command: {whole}"
    return found


def why_not(command):
    """Why a command is not run here; "" if it is."""
    return next((why for pattern, why in NOT_RUN.items() if re.match(pattern, command)), "")


def run_of(page):
    """Those of a page's commands that are run."""
    return [command for command in commands(page) if not why_not(command)]


@pytest.fixture
def desk(tmp_path):
    """A folder that looks like the repository, where a page's commands may write."""
    for entry in ROOT.iterdir():
        if entry.is_file() and entry.name != ".env" and ".sqlite3" not in entry.name:
            shutil.copy(entry, tmp_path)
        elif entry.is_dir() and entry.name not in ("deploy", ".venv", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns(".env"))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    command = tmp_path / "installed/cobrowse-bridge"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/cli.py" "$@"\n')
    command.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(not shutil.which("curl"), reason="the documentation's requests are made with curl")
@pytest.mark.parametrize("page", SEEN)
def test_the_commands_of_a_page_run_as_they_stand(page, desk):
    script, ports = "\n".join(run_of(page)), {"8000": str(free_port()), "9099": str(free_port())}
    for written, free in ports.items():
        script = re.sub(rf"(127\.0\.0\.1:|--port ){written}\b", rf"\g<1>{free}", script)
    with start(rate_limit=None) as box:
        environment = {
            "PATH": f"{desk}/installed:{Path(sys.prefix, 'bin')}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(desk),
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
            "HOST": "127.0.0.1",
            "PORT": ports["8000"],
            "WEB_CONCURRENCY": "2",
            "CONVERSATION_ID": WEBCHAT,
            "SANDBOX": "true",
            "GENESYS_API_URL": box.url,
            "GENESYS_LOGIN_URL": box.url,
        }
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}\nwait"],
            cwd=desk,
            env=environment,
            capture_output=True,
            text=True,
            timeout=4 * HANGS,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert SEEN[page] in done.stdout
    if page == "operations.md":
        made = dict(line.split("=", 1) for line in (desk / "deploy/.env").read_text().splitlines())
        assert sorted(made) == ["API_KEYS", "LEDGER_KEYS", "POSTGRES_PASSWORD"]
        assert Fernet(made["LEDGER_KEYS"])
        assert (desk / "deploy/.env").stat().st_mode & 0o777 == 0o600


def test_the_commands_of_every_page_are_run_or_there_is_a_reason():
    assert {page for page in PAGES if run_of(page)} == set(SEEN)


def test_every_reason_not_to_run_a_command_is_still_needed():
    everything = [command for page in PAGES for command in commands(page)]
    assert [pattern for pattern in NOT_RUN if not any(re.match(pattern, command) for command in everything)] == []


def test_what_a_command_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for command in commands(page):
            if command.startswith("make "):
                assert command.split()[1] in targets, command
            for path in re.findall(r"(?<![\w/.-])(?:tests|deploy|examples)/[\w./-]+\.\w+", command):
                assert (ROOT / path).exists(), command


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists_with_its_options(page):
    known = {" ".join(words): {name for one in command.params for name in one.opts} for words, command in EVERY.items()}
    code = "\n".join((*commands(page), *re.findall(r"`([^`\n]+)`", PAGES[page])))
    for first, second, rest in re.findall(r"(?m)^cobrowse-bridge ([a-z-]+)( [a-z]+)?([^\n|]*)", code):
        command = first + second if first + second in known else first
        assert command in known, f"cobrowse-bridge {first}{second}"
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", rest)) - {"--help"}
        assert options <= known[command], f"cobrowse-bridge {first}{second}{rest}"


def test_every_make_target_is_explained_to_who_contributes():
    targets = set(re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split())
    told = {row[0].strip("`").removeprefix("make ") for row in table(PAGES["CONTRIBUTING.md"], "## Commands")}
    assert told == targets
