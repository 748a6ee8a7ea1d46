"""Who takes part: a row each, how it is started and where it is asked."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from measure import Failed, Group, free_port

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
KEY = "benchmark-key-0123456789abcdef"
CORES = str(len(os.sched_getaffinity(0)))


@dataclass(frozen=True)
class Place:
    """Where a contender runs: its port, the upstream's address, a folder of its own, the CA file to trust if any."""

    port: int
    genesys_url: str
    folder: Path
    ca_file: str = ""


@dataclass(frozen=True)
class Contender:
    """One row.

    `near`: what ours is held against, so it takes part in every round; the others in the first and, of more than
    three, the last.
    `slow`: too slow for more than 50 connections, and its windows are longer, so that enough ends in them.
    `short` is its name in the plot. `lacks` says what is missing on this machine to run it, "" if nothing is.
    """

    name: str
    short: str
    title: str
    command: Callable[[Place], list[str]]
    version: Callable[[], str]
    lacks: Callable[[], str] = lambda: ""
    path: str = "/cobrowse"
    ready: str = "/"
    folder: Path = PEERS
    near: bool = False
    slow: bool = False
    is_load: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return self.name == "ours"


def tool(name: str) -> str:
    """A command of the environment that this runs in."""
    return str(Path(sys.executable).with_name(name))


def ours(_: Place) -> list[str]:
    web = shlex.split((ROOT / "Procfile").read_text().partition("web:")[2])
    return [tool(web[0]), *web[1:]]


def without_ledger(_: Place) -> list[str]:
    here = str(PEERS.parent)
    return [tool("gunicorn"), "-c", "gunicorn.conf.py", "--pythonpath", here, "without_ledger:create_app()"]


def uvicorn(module: str) -> Callable[[Place], list[str]]:
    return lambda place: [tool("uvicorn"), f"{module}:app", "--port", str(place.port), "--workers", CORES]


def gunicorn(module: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        workers = ["--worker-class", "gthread", "--workers", CORES, "--threads", "128"]
        return [tool("gunicorn"), *workers, "--bind", f"127.0.0.1:{place.port}", f"{module}:app"]

    return command


def go(place: Place) -> list[str]:
    """Built before it is started, so that its start is its own."""
    binary = place.folder.parent / "go_reference"
    if not binary.exists():
        source = str(PEERS / "go_reference" / "main.go")
        built = subprocess.run(
            ["go", "build", "-o", str(binary), source],
            env=os.environ | {"GO111MODULE": "off"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if built.returncode:
            raise Failed(f"go build: {built.stderr.strip()[-300:]}")
    return [str(binary)]


def webhook(place: Place) -> list[str]:
    return ["webhook", "-hooks", "hooks.json", "-template", "-ip", "127.0.0.1", "-port", str(place.port)]


def needs(*commands: str, packages: tuple[str, ...] = ()) -> Callable[[], str]:
    def lacks() -> str:
        missing = [name for name in commands if not shutil.which(name)]
        missing += [f"Python package {name}" for name in packages if not find_spec(name)]
        return f"{', '.join(missing)} not installed" if missing else ""

    return lacks


def needs_node() -> str:
    missing = needs("node")()
    if missing:
        return missing
    found = said("node", "--version")()
    number = re.match(r"v?(\d+)", found)
    return "" if number and int(number[1]) >= 18 else f"node 18 or newer is needed, not {found}"


def said(*words: str) -> Callable[[], str]:
    """What a command says of its version."""

    def ask() -> str:
        try:
            answer = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
        except OSError:
            return ""
        return (answer.stdout or answer.stderr).strip().partition("\n")[0]

    return ask


def packages(*names: str) -> Callable[[], str]:
    def ask() -> str:
        found = []
        for name in names:
            try:
                found.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                found.append(f"{name} absent")
        return ", ".join(found)

    return ask


CONTENDERS = (
    Contender(
        "ours",
        "cobrowse-bridge",
        "cobrowse-bridge (Flask, gunicorn, libcurl, ledger)",
        ours,
        packages("flask", "gunicorn", "httpx", "pycurl"),
        path="/data-actions/cobrowse",
        ready="/readyz",
        folder=ROOT,
        near=True,
    ),
    Contender(
        "fastapi_aiohttp",
        "FastAPI + aiohttp",
        "FastAPI, uvicorn, aiohttp",
        uvicorn("fastapi_aiohttp"),
        packages("fastapi", "uvicorn", "uvloop", "httptools", "aiohttp"),
        needs(packages=("fastapi", "uvicorn", "aiohttp")),
        near=True,
    ),
    Contender("go", "Go", "Go net/http (reference)", go, said("go", "version"), needs("go"), near=True),
    Contender(
        "node",
        "Node",
        "Node http and fetch, cluster",
        lambda _: ["node", "node_server.mjs"],
        said("node", "--version"),
        needs_node,
    ),
    Contender(
        "fastapi_httpx",
        "FastAPI + httpx",
        "FastAPI, uvicorn, httpx",
        uvicorn("fastapi_httpx"),
        packages("fastapi", "uvicorn", "uvloop", "httptools", "httpx"),
        needs(packages=("fastapi", "uvicorn", "httpx")),
    ),
    Contender(
        "tutorial",
        "Flask + httpx",
        "Flask, gunicorn, httpx as in tutorials",
        gunicorn("flask_tutorial"),
        packages("flask", "gunicorn", "httpx"),
        slow=True,
    ),
    Contender(
        "webhook",
        "adnanh/webhook",
        "adnanh/webhook, sh, curl",
        webhook,
        said("webhook", "-version"),
        needs("webhook", "curl", "sed"),
        path="/hooks/cobrowse",
        folder=PEERS / "webhook",
        slow=True,
    ),
    Contender(
        "floor",
        "no service",
        "floor: bare asyncio client, no service",
        lambda _: [sys.executable, str(PEERS / "floor.py")],
        packages("uvloop"),
        is_load=True,
    ),
)
BY_NAME = {contender.name: contender for contender in CONTENDERS}
OURS = BY_NAME["ours"]


def environment(contender: Contender, place: Place) -> dict[str, str]:
    """What every contender is told, and what ours is told in its own words."""
    env = dict(os.environ) | {
        "GENESYS_URL": place.genesys_url,
        "GENESYS_CLIENT_ID": "benchmark",
        "GENESYS_CLIENT_SECRET": "benchmark-secret",
        "API_KEY": KEY,
        "PORT": str(place.port),
    }
    if place.ca_file:
        # OpenSSL's own, requests', curl's and Node's name for the same file.
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GENESYS_CA_FILE")
        env |= dict.fromkeys(names, place.ca_file)
    if contender.ours:
        env |= {
            "GENESYS_API_URL": place.genesys_url,
            "GENESYS_LOGIN_URL": place.genesys_url,
            "API_KEYS": f"benchmark:{KEY}",
            "LEDGER_URL": f"sqlite:///{place.folder}/ledger.sqlite3",
            "HOST": "127.0.0.1",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "INFO",
            "SENDERS_FILE": "",
        }
    return env | dict(contender.settings)


@dataclass(frozen=True)
class Service:
    """A contender that runs. `group` is None for the floor, which is a load and no service."""

    contender: Contender
    place: Place
    group: Group | None
    start_seconds: float

    def memory(self, field: str) -> list[float]:
        """VmRSS or VmHWM (its peak) of each process, in MB."""
        return self.group.memory(field) if self.group else []


@contextmanager
def running(contender: Contender, genesys_url: str, folder: Path, ca_file: str = "") -> Iterator[Service]:
    """The contender, up until the block ends."""
    place = Place(free_port(), genesys_url, folder, ca_file)
    folder.mkdir(parents=True, exist_ok=True)
    if contender.is_load:
        yield Service(contender, place, None, 0.0)
        return
    words = contender.command(place)
    env = environment(contender, place)
    began = monotonic()
    with Group(contender.name, words, env=env, folder=contender.folder, log=folder / "log") as group:
        group.wait_until_ready(place.port, contender.ready)
        yield Service(contender, place, group, monotonic() - began)
