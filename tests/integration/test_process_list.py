"""What others on the machine see of the running service: the process list, a core dump."""

import re
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.clocks import wait_until
from tests.integration.conftest import KEY, as_a_shell_would, running_gunicorn

SECRETS = {
    "CONSOLE_PASSWORD": "console-0123456789abcdef",
    "METRICS_TOKEN": "metrics-0123456789abcdef",
    "LEDGER_KEYS": Fernet.generate_key().decode(),
}


@pytest.fixture
def server(box, tmp_path):
    with running_gunicorn(as_a_shell_would, box, tmp_path) as run:
        server = run(**SECRETS)
        wait_until(lambda: len(server.workers()) == 2)
        yield server


def test_no_secret_is_on_a_command_line_or_in_a_name(server):
    for pid in (server.process.pid, *server.workers()):
        shown = "".join(Path(f"/proc/{pid}/{file}").read_text() for file in ("cmdline", "comm", "status"))
        assert "gunicorn" in shown
        assert not [secret for secret in (KEY, *SECRETS.values()) if secret in shown]


def test_a_crash_leaves_no_core_dump(server):
    for pid in (server.process.pid, *server.workers()):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 +bytes", limits, re.MULTILINE)
