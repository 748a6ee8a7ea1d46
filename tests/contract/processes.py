"""The service as deploy/ starts it: the image's files in a folder, commands that stay up, requests to them."""

import ast
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

from settings import Settings
from tests.clocks import HANGS, wait_until

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
# What the image and the unit run.
COMMAND = ["cobrowse-bridge", "serve"]


def clean(**variables):
    """The environment without settings of the service, and these variables."""
    return {name: value for name, value in os.environ.items() if name not in Settings.NAMES} | variables


def dockerfile():
    """The instructions, in their order, each with what follows it on one line."""
    text = "\n".join(line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    return [tuple(line.split(maxsplit=1)) for line in re.sub(r"\\\n\s*", "", text).splitlines() if line]


INSTRUCTIONS = dockerfile()


def given(instruction):
    """What each such instruction says."""
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def copied():
    """What the image copies from the repository: (source, target) below /app."""
    pairs = []
    for rest in given("COPY"):
        *sources, target = rest.split()
        if not sources[0].startswith("--from"):
            pairs += [(source.rstrip("/"), target) for source in sources]
    return pairs


def put_image(folder):
    """Put the files that the image has in /app into this folder."""
    folder.mkdir()
    for source, target in copied():
        place = folder / ("" if target == "./" else target)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)
    return folder


def seconds_to_finish():
    """How long gunicorn lets requests in flight take at a stop; read as text, for running it patches the process."""
    tree = ast.parse((ROOT / "gunicorn.conf.py").read_text())
    values = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    return ast.literal_eval(values["graceful_timeout"])


def asked(port, method, path, body=None, **headers):
    """One HTTP exchange: status, headers, body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=HANGS)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def placed(words, folder):
    """A command with the program that it names: the one whose files are in this folder, or the environment's."""
    if words[0] == "cobrowse-bridge":
        return [sys.executable, str(folder / "cli.py"), *words[1:]]
    return [str(BIN / words[0]), *words[1:]]


def answers(process, log, port, path):
    """Whether a process that has not ended serves this path."""
    assert process.poll() is None, Path(log).read_text()
    with contextlib.suppress(OSError):
        return asked(port, "GET", path)[0] == 200


@contextlib.contextmanager
def running(words, folder, environment, port, path="/healthz"):
    """A command of the virtual environment, up until the block ends."""
    with (folder / f"{words[0]}-{port}.log").open("wb") as log:
        process = subprocess.Popen(placed(words, folder), cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(process, log.name, port, path), f"{words[0]} did not come up; its log is {log.name}")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(70)
