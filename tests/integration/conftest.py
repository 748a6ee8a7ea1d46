"""The service on a sandbox of Genesys: in this process where meaning counts, under gunicorn where sockets do."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest

from app import build_ledger, create_app
from cobrowse.model import Secret
from integrations.genesys.transport import CurlTransport
from sandbox.server import start
from settings import Settings
from tests.clocks import HANGS, wait_until
from tests.forks import Forks
from tests.http_client import HTTP
from tests.ports import free_port
from tests.templates import CompiledTemplates
from tests.watch import WATCH

ROOT = Path(__file__).resolve().parents[2]
KEY = "test-key-0123456789abcdef"
OTHER_KEY = "other-key-fedcba9876543210"


# What has processes of its own, which may end with a call to the sandbox under way that is done after the test.
OF_PROCESSES = {"gunicorn", "person", "ledger_variables"}
TEMPLATES = CompiledTemplates()


@pytest.fixture(scope="session")
def shared_box():
    """The sandbox of all tests that use it from this process only."""
    with start(rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
def box(request):
    """A sandbox as new."""
    with contextlib.ExitStack() as stack:
        if OF_PROCESSES.intersection(request.fixturenames):
            sandbox = stack.enter_context(start(rate_limit=None))
        else:
            sandbox = request.getfixturevalue("shared_box")
            sandbox.reset()  # gives up what is delayed, so that the calls end at once
            sandbox.close_connections()
            sandbox.reset()
        yield sandbox
        WATCH.taint(*sandbox.tokens._tokens, *sandbox.logins.issued)


# What a process of ours would take from this one's environment.
OF_THE_SERVICE = {*Settings.NAMES, "PROMETHEUS_MULTIPROC_DIR"}


class Service:
    """The service in this process: `post` is what a data action does."""

    def __init__(self, settings, ledger, transport, environ, clock):
        self.settings = settings
        self.app = create_app(settings, ledger=ledger, transport=transport, environ=environ, clock=clock)
        self.app.jinja_options = {"bytecode_cache": TEMPLATES}
        self.client = self.app.test_client()
        self.initiate = self.app.extensions["cobrowse"]
        WATCH.follow(settings, self.initiate, environ)

    def post(self, body=None, *, key=KEY, path="/data-actions/cobrowse", headers=None, **fields):
        headers = {"X-Api-Key": key, **(headers or {})} if key else dict(headers or {})
        return self.client.post(path, json=fields if body is None else body, headers=headers)

    def start(self, conversation_id, **more):
        """The answer's flat keys for a conversation."""
        headers = more.pop("headers", None)
        return self.post(conversationId=conversation_id, headers=headers, **more).json


def settings_on(box, folder, **chosen):
    """A service's settings on this sandbox, its ledger in this folder."""
    defaults = Settings(
        sandbox=True,
        genesys_api_url=box.url,
        genesys_login_url=box.url,
        api_keys=Secret(f"flow:{KEY},crm:{OTHER_KEY}"),
        ledger_url=Secret(f"sqlite:///{folder}/ledger.sqlite3"),
        log_format="json",
    )
    return replace(defaults, **chosen)


@pytest.fixture
def service(box, tmp_path):
    """A factory: the service on the sandbox, with these settings besides.

    `rows` become its senders.toml, and `environ` holds the secrets that they name.
    """
    with contextlib.ExitStack() as stack:

        def build(transport=None, ledger=None, environ=MappingProxyType({}), clock=None, rows="", **settings):
            if rows:
                (tmp_path / "senders.toml").write_text(rows)
                settings["senders_file"] = str(tmp_path / "senders.toml")
            chosen = settings_on(box, tmp_path, **settings)
            if transport is None:
                transport = CurlTransport()
                stack.callback(transport.close)
            if ledger is not None:
                return Service(chosen, ledger, transport, environ, clock)
            ledger = build_ledger(chosen)
            stack.callback(ledger.close)
            made = Service(chosen, ledger, transport, environ, clock)
            # What it writes a second later would open the ledger again, for the rest of the process's life.
            stack.callback(made.app.extensions["recorder"].flush)
            return made

        yield build


def as_a_shell_would(words, environment, log):
    """The process with these words, which prints into this file."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(Path(sys.executable).with_name(words[0])), *words[1:]],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


class Gunicorn:
    """The service as the Procfile starts it, in processes of its own."""

    def __init__(self, start_process, environment, log):
        self.environment = environment
        self.url = f"http://{environment['HOST']}:{environment['PORT']}"
        self.log_path = log
        words = shlex.split((ROOT / "Procfile").read_text().partition("web:")[2])
        self.process = start_process(words, environment, log)
        self._wait()

    def _wait(self):
        wait_until(self._answers, f"gunicorn did not come up; its log is {self.log_path}")

    def _answers(self):
        assert self.process.poll() is None, self.log
        with contextlib.suppress(httpx.TransportError):
            return HTTP.get(f"{self.url}/healthz", timeout=2).status_code == 200

    def workers(self):
        """The workers' process ids."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def close(self):
        """End it, and hold its log to the promise."""
        self.stop(signal.SIGKILL)
        WATCH.saw("the log of gunicorn", self.log)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            if how == signal.SIGKILL:
                os.killpg(self.process.pid, how)
            else:
                self.process.send_signal(how)
        self.process.wait(70)

    @property
    def log(self):
        return self.log_path.read_text()


def started_in_vain(environment, *options):
    """gunicorn with settings that end it before it serves anybody: its status and what it said."""
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", *options, "app:create_app()"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )


@contextlib.contextmanager
def running_gunicorn(start_process, box, folder):
    """A factory: gunicorn on the sandbox, with these variables besides, until the block ends."""
    with contextlib.ExitStack() as stack:

        def run(**variables):
            environment = {name: value for name, value in os.environ.items() if name not in OF_THE_SERVICE} | {
                "SANDBOX": "true",
                "GENESYS_API_URL": box.url,
                "GENESYS_LOGIN_URL": box.url,
                "API_KEYS": f"flow:{KEY}",
                "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
                "HOST": "127.0.0.1",
                "PORT": str(free_port()),
                "WEB_CONCURRENCY": "2",
                "LOG_FORMAT": "json",
                "TMPDIR": str(folder),
                **variables,
            }
            server = Gunicorn(start_process, environment, folder / f"gunicorn-{environment['PORT']}.log")
            stack.callback(server.close)
            return server

        yield run


@pytest.fixture
def gunicorn(gunicorn_forks, box, tmp_path):
    """A factory: gunicorn on the sandbox, with these variables besides."""
    with running_gunicorn(gunicorn_forks.start, box, tmp_path) as run:
        yield run


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    """What runs commands."""
    started = Forks(tmp_path_factory.mktemp("commands"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def cli(forks):
    """Runs a command of the command line in a process of its own."""
    return forks.run


@pytest.fixture
def unused_tcp_port():
    """A factory for ports that nobody has."""
    return free_port
