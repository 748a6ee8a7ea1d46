"""The service where something listens already: another process, the one before it, or the socket it is to take over."""

import os
import shlex
import signal
import socket
import subprocess
import sys

import pytest

from tests.clocks import HANGS, wait_until
from tests.contract.processes import asked
from tests.integration.conftest import OF_THE_SERVICE, ROOT, started_in_vain

HOST = "127.0.0.1"
PROGRAM = [sys.executable, str(ROOT / "cli.py"), "serve"]


@pytest.fixture
def taken():
    with socket.create_server((HOST, 0)) as listening:
        yield listening


@pytest.fixture
def environment(taken, box, tmp_path):
    """What the service needs to start on the port that is taken."""
    bare = {name: value for name, value in os.environ.items() if name not in OF_THE_SERVICE}
    genesys = {"SANDBOX": "true", "GENESYS_API_URL": box.url, "GENESYS_LOGIN_URL": box.url}
    own = {"LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite3", "TMPDIR": str(tmp_path), "WEB_CONCURRENCY": "1"}
    return {**bare, **genesys, **own, "HOST": HOST, "PORT": str(taken.getsockname()[1])}


@pytest.fixture
def started(environment, tmp_path):
    """Starts these words, and ends them with the test: the process, and a function that reads its log."""
    processes = []

    def start(words, **more):
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                words, cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True, **more
            )
        processes.append(process)
        return process, (tmp_path / "log").read_text

    yield start
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(70)


def answers(port):
    try:
        return asked(int(port), "GET", "/healthz")[0] == 200
    except OSError:
        return False


def test_a_taken_port_is_named_at_once_and_waited_for(started, taken, environment):
    port = environment["PORT"]
    _, log = started(PROGRAM)
    wait_until(lambda: f"ss -ltnp 'sport = :{port}'" in log())
    assert f"{HOST}:{port} is in use by another process." in log()
    taken.close()
    wait_until(lambda: answers(port))
    assert "Connection in use" not in log()


def test_a_port_that_stays_taken_ends_the_start_with_the_same_words_and_none_of_gunicorns(taken, environment):
    ended = started_in_vain(environment)
    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith(
        f":{environment['PORT']} is in use by another process: the service has not started."
    )
    assert "Connection in use" not in ended.stderr


def test_a_socket_that_systemd_hands_over_is_taken_as_it_is(started, taken, environment):
    script = f"LISTEN_FDS=1 LISTEN_PID=$$ exec {shlex.join(PROGRAM)} 3<&0"
    _, log = started(["/bin/sh", "-c", script], stdin=taken)
    wait_until(lambda: f"Listening at: http://{HOST}:{environment['PORT']}" in log())
    assert answers(environment["PORT"])
    assert "in use" not in log()


def test_a_master_that_takes_the_place_of_another_takes_its_socket_and_leaves_nothing(
    started, taken, environment, tmp_path
):
    taken.close()
    process, log = started(PROGRAM)
    wait_until(lambda: answers(environment["PORT"]))
    process.send_signal(signal.SIGUSR2)
    wait_until(lambda: log().count("Listening at:") == 2)
    assert "in use" not in log()
    process.send_signal(signal.SIGTERM)
    process.wait(HANGS)
    wait_until(lambda: answers(environment["PORT"]))
    assert len(list(tmp_path.glob("cobrowse-metrics-*"))) == 1


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_in_ipv6_may_be_with_or_without_brackets(started, taken, environment, host):
    taken.close()
    environment["HOST"] = host
    _, log = started(PROGRAM)
    # The latter where the machine has no IPv6.
    wait_until(lambda: "Listening at: http://[::1]:" in log() or "::1 is not an address of this machine" in log())
