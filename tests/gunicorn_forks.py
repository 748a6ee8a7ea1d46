"""gunicorn in processes of its own, without the half second that importing the service takes at each start.

One process has imported what the service imports, and each gunicorn runs in a fork of it: in a session of its own, with
its own environment and log, as a shell would start it. Run as a module, this is that process.
"""

import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest

from tests.forks import ROOT, become

IMPORTED = (
    "app",
    "gunicorn.app.wsgiapp",
    "gunicorn.arbiter",
    "gunicorn.workers.ggevent",
    "integrations.ledger.sqlite",
    "prometheus_client.multiprocess",
)


class Forked:
    """A process that another one has forked, with what is used here of subprocess.Popen."""

    def __init__(self, pid, status):
        self.pid, self.returncode = pid, None
        self._status = status

    def poll(self):
        if self.returncode is None and self._status.exists():
            self.returncode = int(self._status.read_text())
        return self.returncode

    def wait(self, timeout):
        ends = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > ends:
                raise subprocess.TimeoutExpired("gunicorn", timeout)
            time.sleep(0.005)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)


class GunicornForks:
    """Starts gunicorns, until it is closed."""

    def __init__(self, folder):
        self._folder, self._numbers = folder, count()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.gunicorn_forks"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PROMETHEUS_MULTIPROC_DIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, words, environment, log):
        """The process with these words, which prints into this file."""
        status = self._folder / f"status-{next(self._numbers)}"
        paths = {"in": os.devnull, "out": str(log), "err": str(log), "status": str(status)}
        command = {"words": words[1:], "cwd": str(ROOT), "env": environment, **paths}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return Forked(int(self._process.stdout.readline()), status)

    def close(self):
        self._process.communicate()


@pytest.fixture(scope="session")
def gunicorn_forks(tmp_path_factory):
    """What starts gunicorns."""
    started = GunicornForks(tmp_path_factory.mktemp("gunicorns"))
    yield started
    started.close()


def keep(command, fork, waitpid):
    """Start one, print its process id, wait for its end, and write down how it ended."""
    if (pid := fork()) == 0:
        from gunicorn.app import wsgiapp

        os.setsid()
        tempfile.tempdir = None
        os._exit(become(command, wsgiapp.run))
    os.write(1, f"{pid}\n".encode())
    status = Path(command["status"])
    written = status.with_suffix(".new")
    written.write_text(str(os.waitstatus_to_exitcode(waitpid(pid, 0)[1])))
    written.rename(status)


def serve():
    """Start those that come in, a line of JSON each."""
    from gevent import monkey

    monkey.patch_all()
    for name in ("pygments", "rich"):  # as gunicorn.conf.py has it
        sys.modules[name] = None
    for name in IMPORTED:
        import_module(name)
    gc.freeze()
    fork = monkey.get_original("os", "fork")  # gevent's own would start its hub here, which the forks would share
    waitpid = monkey.get_original("os", "waitpid")
    for line in sys.stdin:
        if fork() == 0:
            keep(json.loads(line), fork, waitpid)
            os._exit(0)
        reap(waitpid, os.WNOHANG)
    reap(waitpid, 0)


def reap(waitpid, options):
    """Wait for the keepers that have ended, or for all, so that their CPU time counts as that of the tests."""
    with contextlib.suppress(ChildProcessError):
        while waitpid(-1, options)[0]:
            pass


if __name__ == "__main__":
    serve()
