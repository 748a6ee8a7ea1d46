"""`make demo`, as a stranger runs it first."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from sandbox.state import WEBCHAT
from tests.clocks import HANGS
from tests.integration.conftest import ROOT
from tests.ports import free_port

FIRST_LINE = "In another terminal the commands use this service after the first line:\n"


def demo(*words, **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "demo", *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_its_answer_is_all_there_is_as_json_and_a_taken_port_and_foreign_settings_are_in_nobodys_way():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = demo("--json", PORT=port, GENESYS_REGION="mypurecloud.ie", COBROWSE_FLOW="auto")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["status"] == "initiated"


def test_one_that_stays_up_says_that_it_is_not_on_the_port_that_was_wanted():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words, environment = [sys.executable, str(ROOT / "cli.py"), "demo", "--serve"], {"PATH": "/usr/bin:/bin"}
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        with subprocess.Popen(words, env={**environment, "PORT": port, "PYTHONUNBUFFERED": "1"}, **quiet) as stays:
            line = next(line for line in stays.stdout if line.startswith("✓ The service is on "))
            stays.terminate()
    assert re.fullmatch(rf"✓ The service is on http://127.0.0.1:(\d+) \({port} is in use\)\n", line)


def test_it_shows_a_session_being_started_and_stops_with_0():
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "> POST /data-actions/cobrowse HTTP/1.1" in done.stdout
    assert "< HTTP/1.1 200" in done.stdout
    steps = re.findall(r"^  (\d) (\w+) .* → (\d+)$", done.stdout, re.MULTILINE)
    assert steps == [
        ("1", "token", "200"),
        ("2", "create", "201"),
        ("3", "attach", "201"),
        ("4", "conversation", "200"),
    ]
    answer = json.loads(done.stdout[done.stdout.rindex("\n{") :])
    assert (answer["status"], answer["verified"]) == ("initiated", True)
    assert done.stdout.rstrip().count('\n  "') == len(answer)


def test_the_commands_work_on_a_demo_that_stays_up(tmp_path):
    words = [sys.executable, str(ROOT / "cli.py")]
    bare = {"PATH": "/usr/bin:/bin", "PORT": str(free_port())}
    with subprocess.Popen(
        [*words, "demo", "--serve", "--json"], cwd=tmp_path, env=bare, stdout=subprocess.PIPE, text=True
    ) as stays:
        try:
            places = json.loads(stays.stdout.readline())

            def command(*arguments):
                line = f"set -a; . {places['envFile']}; set +a; {shlex.join([*words, *arguments])}"
                return subprocess.run(
                    ["/bin/sh", "-c", line], env=bare, cwd=tmp_path, capture_output=True, check=True, timeout=HANGS
                ).stdout

            command("start", WEBCHAT)
            assert json.loads(command("export", "--json"))["conversationId"] == WEBCHAT
            sent = command("send", "zendesk", "--example", "--json", "--url", places["service"])
            assert json.loads(sent)["success"] is True
        finally:
            stays.terminate()
        assert stays.wait(HANGS) == 143
    assert list(tmp_path.iterdir()) == []


def test_the_lines_that_it_prints_work_in_a_shell_whose_path_has_no_such_command(tmp_path):
    bare = {"PATH": "/usr/bin:/bin", "PORT": str(free_port())}
    ours = [sys.executable, str(ROOT / "cli.py")]
    with subprocess.Popen(
        [*ours, "demo", "--serve"], cwd=tmp_path, env=bare, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as stays:
        try:
            lines = list(iter(stays.stdout.readline, "Ctrl-C stops both.\n"))
            settings, lists, sends, _ = lines[lines.index(FIRST_LINE) + 1 :]
            program = Path(shlex.split(lists)[0])
            assert program.is_absolute()
            assert os.access(program, os.X_OK)
            # This Python's may be of another working copy.
            script = f"{settings}{sends}{lists}".replace(str(program), shlex.join(ours))
            done = subprocess.run(
                ["/bin/sh", "-c", script],
                env=bare,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
                timeout=HANGS,
            )
            assert done.stdout.splitlines()[-1].split()[2:] == [WEBCHAT, "✓", "initiated", "zendesk"]
        finally:
            stays.terminate()
