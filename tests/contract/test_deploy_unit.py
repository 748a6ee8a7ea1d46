"""The systemd unit: held to its rules and to systemd's own checker, and what it expects of the service."""

import re
import shlex
import shutil
import socket
import subprocess

import pytest

from settings import Settings
from tests.clocks import HANGS
from tests.contract.processes import COMMAND, DEPLOY, ROOT, clean, put_image, running, seconds_to_finish
from tests.ports import free_port


def unit(name="cobrowse-bridge.service"):
    """A unit's settings, each with all its values."""
    found = {}
    for line in (DEPLOY / name).read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_runs_the_service_and_may_finish_at_a_stop():
    said = unit()
    assert shlex.split(said["ExecStart"][0].removeprefix("/opt/cobrowse-bridge/bin/")) == COMMAND
    assert said["ExecReload"] == [f"{said['ExecStart'][0]} --check", "/bin/kill -HUP $MAINPID"]
    assert int(said["TimeoutStopSec"][0]) > seconds_to_finish()
    assert said["KillMode"] == ["mixed"]
    assert said["RestartPreventExitStatus"] == ["2"]


def test_the_unit_keeps_the_ledger_where_it_may_write():
    said = unit()
    environment = dict(value.split("=", 1) for value in said["Environment"])
    assert environment["LEDGER_URL"] == f"sqlite:////var/lib/{said['StateDirectory'][0]}/ledger.sqlite3"
    assert environment["XDG_RUNTIME_DIR"] == f"/run/{said['RuntimeDirectory'][0]}"
    assert said["EnvironmentFile"] == ["/etc/cobrowse-bridge/env"]
    assert environment.keys() & {name for name in Settings.NAMES if re.search("SECRET|KEY", name)} == set()


def test_the_listeners_drop_in_changes_what_is_run_and_shares_the_ledger():
    service, listener = unit(), unit("cobrowse-bridge-listen.conf")
    first, *rest = shlex.split(listener["ExecStart"][1])
    assert listener["ExecStart"][0] == ""  # the service's own command is taken away first
    assert (first, rest) == (shlex.split(service["ExecStart"][0])[0], ["listen"])
    assert listener["Type"] == ["exec"]  # it tells systemd nothing
    assert listener["User"] == ["cobrowse-bridge"]  # what DynamicUser calls the service's
    assert service["RuntimeDirectory"][0] not in listener["RuntimeDirectory"]
    assert "StateDirectory" not in listener


def test_the_unit_is_hardened():
    said = unit()
    for name in (
        "DynamicUser",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "NoNewPrivileges",
        "ProtectKernelTunables",
    ):
        assert said[name] == ["yes"], name
    assert said["ProtectSystem"] == ["strict"]
    assert said["CapabilityBoundingSet"] == said["AmbientCapabilities"] == [""]
    assert said["SystemCallFilter"] == ["@system-service"]
    assert said["LimitCORE"] == ["0"]


@pytest.fixture
def installed(tmp_path):
    """The unit as it would be installed, with a command that exists."""
    command = tmp_path / "bin/cobrowse-bridge"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    placed = tmp_path / "cobrowse-bridge.service"
    placed.write_text((DEPLOY / placed.name).read_text().replace("/opt/cobrowse-bridge", str(tmp_path)))
    return placed


def systemd_analyze(*words):
    """What systemd's own checker says. Skips where there is none."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze here; the rules above are ours")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


def test_systemd_finds_nothing_wrong_with_the_unit(installed):
    done = systemd_analyze("verify", "--man=no", str(installed))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_calls_the_units_exposure_low(installed):
    done = systemd_analyze("security", "--offline=yes", "--no-pager", str(installed))
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze can't judge a file")
    assert float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1]) <= 2.0


def test_the_service_tells_systemd_when_it_is_ready(tmp_path):
    assert unit()["Type"] == ["notify"]
    image, port, told, url = put_image(tmp_path / "app"), free_port(), tmp_path / "notify", "http://127.0.0.1:9"
    environment = clean(SANDBOX="true", GENESYS_API_URL=url, GENESYS_LOGIN_URL=url, HOST="127.0.0.1", PORT=str(port))
    environment |= {"NOTIFY_SOCKET": str(told), "WEB_CONCURRENCY": "1"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(told))
        heard.settimeout(HANGS)
        with running(COMMAND, image, environment, port):
            assert b"READY=1" in heard.recv(4096)


def test_the_example_of_the_settings_is_read_alike_by_dotenv_systemd_and_docker():
    """No quotes, no export, no comment behind a value: there the three differ."""
    for line in (ROOT / ".env.example").read_text().splitlines():
        setting = line.removeprefix("# ") if re.match(r"# [A-Z_]+=", line) else line
        if setting and not setting.startswith("#"):
            assert re.fullmatch(r"""[A-Z_]+=[^"'#\s]*""", setting), line
