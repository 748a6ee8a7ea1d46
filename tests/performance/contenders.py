"""Who takes part: a row each, how it is started and where it is asked.

All do the same work: take a POST with an API key and a conversation's id, check both, create a session, attach it, look
whether the conversation shows it, answer with JSON. They are written as their users would, with the settings that
somebody who knows them would choose. Only ours keeps a ledger.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent / "peers"
KEY = "benchmark-key-0123456789abcdef"
CORES = str(len(os.sched_getaffinity(0)))
# A sender whose events of other topics are ignored.
SENDERS = """
[senders.events]
signature = "api-key"
header = "X-Api-Key"
secrets = ["$API_KEY"]
envelope = "eventbridge"
topics = ["user.start"]
"""


@dataclass(frozen=True)
class Contender:
    """One row.

    `command` makes its words from the port. `most_connections`: with more it only queues, so it is not asked with more.
    `times_longer`: its windows, so that enough of its answers fall into them. `every_round`: ours is held against it,
    so it is measured in each round, the others in the first one.
    """

    name: str
    title: str
    command: Callable[[int], list[str]]
    packages: tuple[str, ...]
    path: str = "/cobrowse"
    ready: str = "/"
    folder: Path = PEERS
    every_round: bool = False
    times_longer: int = 1
    most_connections: int = 10_000
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def versions(self):
        return ", ".join(f"{name} {version(name)}" for name in self.packages)

    @property
    def is_installed(self):
        return shutil.which(self.command(0)[0]) is not None


def tool(name):
    """A command of the environment that this runs in."""
    return str(Path(sys.executable).with_name(name))


def gunicorn(config="gunicorn.conf.py", application="app:create_app()"):
    return lambda _port: [tool("gunicorn"), "-c", config, application]


def uvicorn(module):
    return lambda port: [tool("uvicorn"), f"{module}:app", "--port", str(port), "--workers", CORES]


def tutorial(port):
    threads = ["--worker-class", "gthread", "--workers", CORES, "--threads", "128"]
    return [tool("gunicorn"), *threads, "--bind", f"127.0.0.1:{port}", "flask_tutorial:app"]


OURS = Contender(
    "ours",
    "cobrowse-bridge",
    gunicorn(),
    ("flask", "gunicorn", "httpx", "pycurl"),
    path="/data-actions/cobrowse",
    ready="/readyz",
    folder=ROOT,
    every_round=True,
)
RIVAL = Contender(
    "fastapi_aiohttp",
    "FastAPI + aiohttp",
    uvicorn("fastapi_aiohttp"),
    ("fastapi", "uvicorn", "uvloop", "httptools", "aiohttp"),
    every_round=True,
)
CONTENDERS = (
    OURS,
    RIVAL,
    Contender("node", "Node (http, fetch)", lambda _port: ["node", "node_server.mjs"], ()),
    Contender(
        "fastapi_httpx",
        "FastAPI + httpx",
        uvicorn("fastapi_httpx"),
        ("fastapi", "uvicorn", "uvloop", "httptools", "httpx"),
    ),
    Contender(
        "tutorial",
        "Flask + httpx, as in tutorials",
        tutorial,
        ("flask", "gunicorn", "httpx"),
        most_connections=50,
        times_longer=2,
    ),
)


def environment(contender, port, genesys_url, folder: Path):
    """What every contender is started with, and ours by its own settings; `folder` is for its files."""
    (folder / "senders.toml").write_text(SENDERS)
    env = dict(os.environ) | {
        "GENESYS_URL": genesys_url,
        "GENESYS_CLIENT_ID": "benchmark",
        "GENESYS_CLIENT_SECRET": "benchmark-secret",
        "API_KEY": KEY,
        "PORT": str(port),
    }
    if contender.folder == ROOT:
        env |= {
            "GENESYS_API_URL": genesys_url,
            "GENESYS_LOGIN_URL": genesys_url,
            "API_KEYS": f"benchmark:{KEY}",
            "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
            "HOST": "127.0.0.1",
            "WEB_CONCURRENCY": CORES,
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "INFO",
            "SENDERS_FILE": str(folder / "senders.toml"),
        }
    return env | dict(contender.settings)
