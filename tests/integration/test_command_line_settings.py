"""Where a command's settings come from, and which of them each needs."""

import json
import signal
import subprocess
import sys

import pytest

from cobrowse import __version__
from integrations.ledger.migrations import VERSION
from sandbox.state import WEBCHAT
from tests.clocks import HANGS, wait_until
from tests.contract.processes import asked, running
from tests.integration.conftest import KEY, ROOT
from tests.ports import free_port

PROGRAM = [sys.executable, str(ROOT / "cli.py")]
PATH = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}
ROW = '[senders.crm]\nsignature = "bearer"\nsecrets = ["$CRM"]\nenvelope = "custom"\nconversation_id = "id"\n'
SECRET = "crm-secret-0123456789abcdef"


@pytest.fixture
def bridge(tmp_path, cli):
    """Runs a command in a folder that is not the repository's, with these variables and no others."""

    def run(*words, **variables):
        return cli(*words, cwd=tmp_path, env={**PATH, **variables})

    return run


def test_a_file_of_settings_may_be_named_and_takes_the_place_of_dot_env(bridge, tmp_path):
    (tmp_path / ".env").write_text("GENESYS_REGION=mars\n")
    (tmp_path / "env").write_text("GENESYS_REGION=venus\n")
    assert "'mars' is not a region" in bridge("start", WEBCHAT).stderr
    assert "'venus' is not a region" in bridge("start", WEBCHAT, "--env-file", "env").stderr
    assert "'pluto' is not a region" in bridge("start", WEBCHAT, "--env-file", "env", GENESYS_REGION="pluto").stderr
    gone = bridge("start", WEBCHAT, "--env-file", "gone")
    assert gone.returncode == 2
    assert "'gone' does not exist" in gone.stderr


def test_the_ledgers_commands_need_no_client_of_genesys(bridge):
    assert bridge("ledger", "upgrade").stdout == f"The schema went from 0 to {VERSION}.\n"
    assert bridge("ledger", "purge").stdout == "0 initiations removed.\n"
    assert bridge("list").stdout.startswith("No initiations in the SQLite file ")


def test_the_senders_commands_need_no_client_of_genesys_and_no_counter(bridge, tmp_path):
    (tmp_path / "senders.toml").write_text(ROW)
    listed = bridge("senders", SENDERS_FILE="senders.toml", CRM=SECRET, RATE_LIMIT_STORAGE="redis://127.0.0.1:1")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.startswith("/webhooks/crm\n")


def test_the_ledgers_commands_speak_json(bridge):
    assert json.loads(bridge("ledger", "upgrade", "--json").stdout) == {"from": 0, "to": VERSION}
    assert json.loads(bridge("ledger", "purge", "--json").stdout) == {"removed": 0}
    assert json.loads(bridge("ledger", "resend", "--json").stdout) == {"due": 0}


def test_the_sandbox_says_in_json_where_it_is():
    port = free_port()
    words = [*PROGRAM, "sandbox", "--port", str(port), "--json"]
    with subprocess.Popen(words, env={**PATH, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(process.stdout.readline())["url"] == f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def test_a_service_whose_file_of_settings_can_not_be_read_ends_with_the_status_of_wrong_settings(bridge, tmp_path):
    (tmp_path / "env").write_text("SANDBOX true\n")
    ended = bridge("serve", "--env-file", "env")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"Invalid configuration: {tmp_path}/env can't be read: line 1 is not of the form NAME=value." in ended.stderr


def test_start_needs_no_caller_of_the_service(bridge, box):
    genesys = {"SANDBOX": "true", "GENESYS_API_URL": box.url, "GENESYS_LOGIN_URL": box.url}
    assert bridge("start", WEBCHAT, METRICS_TOKEN="short", **genesys).returncode == 0


def test_a_secret_may_lie_in_a_file(bridge, tmp_path):
    (tmp_path / "senders.toml").write_text(ROW)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "url").write_text("sqlite:///elsewhere.sqlite3\n")
    assert bridge("senders", SENDERS_FILE="senders.toml", CRM_FILE="secret").returncode == 0
    assert bridge("ledger", "upgrade", LEDGER_URL_FILE="url").returncode == 0
    assert (tmp_path / "elsewhere.sqlite3").exists()


def test_a_secrets_file_that_can_not_be_read_is_one_clear_line(bridge, tmp_path):
    (tmp_path / "senders.toml").write_text(ROW)
    for done in (
        bridge("senders", SENDERS_FILE="senders.toml", CRM_FILE="gone"),
        bridge("ledger", "upgrade", LEDGER_KEYS_FILE="gone"),
    ):
        assert done.returncode == 2
        assert "_FILE: gone can't be read: No such file or directory" in done.stderr
        assert "Traceback" not in done.stderr
    (tmp_path / "secret").write_text(SECRET)
    twice = bridge("senders", SENDERS_FILE="senders.toml", CRM_FILE="secret", CRM=SECRET)
    assert "CRM_FILE: set together with CRM; set one of the two" in twice.stderr
    assert SECRET not in twice.stderr


def test_it_says_its_version(bridge):
    assert bridge("--version").stdout == f"cobrowse-bridge, version {__version__}\n"


def test_a_closed_pipe_is_no_traceback(bridge):
    words = " ".join(PROGRAM)
    done = subprocess.run(
        ["bash", "-c", f"{words} sandbox --help | head -c 1"], env=PATH, capture_output=True, timeout=HANGS, check=False
    )
    assert done.stderr == b""


def test_the_service_runs_from_any_folder_whatever_modules_lie_there(box, tmp_path):
    for name in ("app.py", "settings.py", "web.py", "gunicorn.conf.py"):
        (tmp_path / name).write_text("raise SystemExit('not mine')\n")
    port = free_port()
    (tmp_path / "env").write_text(f"SANDBOX=true\nAPI_KEYS_FILE=keys\nPORT={port}\nHOST=127.0.0.1\nWEB_CONCURRENCY=1\n")
    (tmp_path / "keys").write_text(f"flow:{KEY}\n")
    environment = {**PATH, "GENESYS_API_URL": box.url, "GENESYS_LOGIN_URL": box.url}
    with running(["python", *PROGRAM[1:], "serve", "--env-file", "env"], tmp_path, environment, port):
        body = f'{{"conversationId": "{WEBCHAT}"}}'
        headers = {"X_Api_Key": KEY, "Content_Type": "application/json"}
        assert asked(port, "POST", "/data-actions/cobrowse", body, **headers)[0] == 200
        assert asked(port, "POST", "/data-actions/cobrowse", body)[0] == 401
    assert (tmp_path / "ledger.sqlite3").exists()


def test_a_file_of_settings_is_read_again_at_a_reload(box, tmp_path):
    """What `serve` took from it is not fixed in the process's own environment."""
    port, new = free_port(), "new-key-fedcba9876543210"
    fixed = f"SANDBOX=true\nPORT={port}\nHOST=127.0.0.1\nWEB_CONCURRENCY=1\nGENESYS_API_URL={box.url}\n"
    fixed += f"GENESYS_LOGIN_URL={box.url}\n"
    (tmp_path / ".env").write_text("API_KEYS=unread:0123456789abcdef\n")
    (tmp_path / "env").write_text(f"{fixed}API_KEYS=flow:{KEY}\n")

    def status(key):
        headers = {"X_Api_Key": key, "Content_Type": "application/json"}
        return asked(port, "POST", "/data-actions/cobrowse", f'{{"conversationId": "{WEBCHAT}"}}', **headers)[0]

    with running(["python", *PROGRAM[1:], "serve", "--env-file", "env"], tmp_path, PATH, port) as process:
        assert (status(KEY), status(new)) == (200, 401)
        (tmp_path / "env").write_text(f"{fixed}API_KEYS=flow:{new}\n")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: status(new) == 200)
        wait_until(lambda: status(KEY) == 401)


def test_a_senders_file_is_checked_with_the_secrets_of_the_named_file(bridge, tmp_path):
    (tmp_path / "senders.toml").write_text(ROW)
    (tmp_path / "env").write_text(f"CRM={SECRET}\nSENDERS_FILE=senders.toml\n")
    assert bridge("senders", "--env-file", "env").stdout.startswith("/webhooks/crm\n")
    assert bridge("senders", "check", "senders.toml", "--env-file", "env").stdout == "crm: valid\n"
    assert bridge("senders", "check", "senders.toml").returncode == 2


def test_whether_the_service_would_start_can_be_asked(bridge, box):
    wrong = bridge("serve", "--check", SANDBOX="true")
    assert wrong.returncode == 2
    assert "GENESYS_API_URL: required with SANDBOX" in wrong.stderr
    right = bridge("serve", "--check", SANDBOX="true", GENESYS_API_URL=box.url, GENESYS_LOGIN_URL=box.url)
    assert (right.returncode, right.stdout) == (0, "The settings let the service start.\n")
