"""cobrowse-bridge demo: a sandbox of Genesys Cloud, the service, and one data action through them, on this machine."""

import contextlib
import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import orjson
from dotenv import dotenv_values

from cobrowse.clock import SystemClock
from commands.group import Failure
from commands.terminal import echo, echo_json, echo_json_line, echo_unwrapped, progress
from sandbox.server import Sandbox, start
from sandbox.state import WEBCHAT

ROOT = Path(__file__).resolve().parent.parent
# Public: it opens a sandbox only.
SANDBOX_KEY = "demo-key-0123456789abcdef"
# Where the sandbox is while both stay up, if nothing else is there.
SANDBOX_PORT = 9099
# Seconds that the service may take to answer for the first time.
TIMEOUT_SECONDS = 30.0
CLOCK = SystemClock()
# What a data action sends.
BODY = orjson.dumps({"conversationId": WEBCHAT, "channel": "webchat", "requestedBy": "make demo"})
HEADERS = {
    "Content-Type": "application/json",
    "X-Api-Key": SANDBOX_KEY,
    "ININ-Correlation-Id": "demo-0001",
    "Idempotency-Key": "demo-0001",
    "Transfer-Encoding": "chunked",  # as Genesys sends it, unless its action says otherwise
}
PROGRAM = (sys.executable, str(ROOT / "cli.py"), "serve")


@click.command()
@click.option("--serve", is_flag=True, help="Stay up until Ctrl-C, for curl and Postman.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer, or with --serve where both are, as JSON only.")
def demo(serve: bool, as_json: bool) -> None:
    """Run the service and a sandbox of Genesys on this machine. Needs no settings."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = CLOCK.monotonic()
    with running(serve, quiet=as_json) as (genesys, port, env_file):
        url = f"http://127.0.0.1:{port}"
        if as_json:
            if not serve:
                status, _, answer = call(port, "POST", "/data-actions/cobrowse", BODY, HEADERS)
                sys.exit(0 if _print_answer(status, answer) else 1)
            places = {"sandbox": genesys.url, "service": url, "console": f"{url}/console"}
            echo_json_line(places | {"envFile": str(env_file)})
            _wait()
            return
        echo(f"✓ Both are up after {CLOCK.monotonic() - began:.1f} s.", style="green")
        if not serve:
            sys.exit(0 if demonstrate(genesys, port) else 1)
        echo("", f"The console is on {url}/console. A session is started by this:")
        echo_unwrapped(f"curl -sS {url}/data-actions/cobrowse \\", f"  -H 'X-Api-Key: {SANDBOX_KEY}' \\")
        echo_unwrapped(f"  -H 'Content-Type: application/json' -d '{{\"conversationId\": \"{WEBCHAT}\"}}'", "")
        echo("In another terminal the commands use this service after the first line:")
        echo_unwrapped(f"set -a; . {env_file}; set +a")
        echo_unwrapped(f"{program()} list", f"{program()} send zendesk --example --url {url}")
        echo("", "Ctrl-C stops both.")
        _wait()


def program() -> str:
    """How a shell reaches the commands: by name where the path has it, else by its file beside this Python."""
    beside = Path(sys.executable).with_name("cobrowse-bridge")
    found = shutil.which("cobrowse-bridge") or not beside.exists()
    return "cobrowse-bridge" if found else shlex.quote(str(beside))


def _wait() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


@contextlib.contextmanager
def running(serve: bool, *, quiet: bool = False) -> Iterator[tuple[Sandbox, int, Path]]:
    """The sandbox, the service's port, and a file for a shell with the settings; both are up until the block ends."""
    wanted, sandbox_port = (port_of_settings(), SANDBOX_PORT) if serve else (0, 0)
    port = free_port(wanted)
    with tempfile.TemporaryDirectory() as folder, start(port=free_port(sandbox_port)) as genesys:
        settings = (every_sender() if serve else {}) | {
            "SANDBOX": "true",
            "GENESYS_API_URL": genesys.url,
            "GENESYS_LOGIN_URL": genesys.url,
            "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
            "API_KEYS": f"demo:{SANDBOX_KEY}",
        }
        env_file = Path(folder, "settings.env")
        env_file.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
        environment = os.environ | settings
        environment |= {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "INFO" if serve else "ERROR",
        }
        # In an empty folder, so that no .env of the working folder has a say.
        output = None if serve and not quiet else subprocess.DEVNULL
        process = subprocess.Popen(PROGRAM, cwd=folder, env=environment, stdout=output, stderr=output)  # noqa: S603 - our own program
        try:
            with contextlib.nullcontext() if quiet else progress("The service starts"):
                wait_until_up(port, process)
            if not quiet:
                _print_place("A sandbox of Genesys Cloud", genesys.url, sandbox_port)
                _print_place("The service", f"http://127.0.0.1:{port}", wanted)
            yield genesys, port, env_file
        finally:
            stop(process)


def port_of_settings() -> int:
    """PORT, or its default."""
    from settings import load_settings  # noqa: PLC0415 - a quarter of a second, which a demo that ends can do without

    return load_settings(only=("PORT",)).port


def _print_place(what: str, url: str, wanted: int) -> None:
    """Print where it is, and whether that is another port than the one wanted (0: any)."""
    note = f" ({wanted} is in use)" if wanted and not url.endswith(f":{wanted}") else ""
    echo_unwrapped(f"✓ {what} is on {url}{note}", style="green")


def every_sender() -> dict[str, str]:
    """The variables that open the webhook of each row in senders.example.toml, with secrets for a sandbox only."""
    variables = dotenv_values(ROOT / "deploy/postman/sandbox.env")
    known = {name: value for name, value in variables.items() if value is not None}
    return known | {"SENDERS_FILE": str(ROOT / known["SENDERS_FILE"])}


def free_port(wanted: int = 0) -> int:
    """`wanted` if it is free, else one that the system chooses."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise Failure("There is no free port on 127.0.0.1.")


def call(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, list[tuple[str, str]], bytes]:
    """One HTTP exchange: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        chunked = bool(headers and "Transfer-Encoding" in headers)
        connection.request(method, path, [body] if body and chunked else body, headers or {}, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once the service answers; end the demo if its process ends instead."""
    ends = CLOCK.monotonic() + TIMEOUT_SECONDS
    while CLOCK.monotonic() < ends:
        if process.poll() is not None:
            cause = f"{shlex.join(PROGRAM)} ended with {process.returncode}."
            raise Failure(cause, "cobrowse-bridge demo --serve shows what it says.")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if call(port, "GET", "/healthz")[0] == 200:
                return
        CLOCK.sleep(0.05)
    raise Failure(f"Nothing answered on 127.0.0.1:{port} within {TIMEOUT_SECONDS:.0f} s.")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process: SIGTERM, then SIGKILL after 10 seconds."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def demonstrate(genesys: Sandbox, port: int) -> bool:
    """Send what a data action sends, and show the request and the response: whether it succeeded."""
    echo_unwrapped("", "> POST /data-actions/cobrowse HTTP/1.1")
    for name, value in HEADERS.items():
        echo_unwrapped(f"> {name}: {'•••' if name == 'X-Api-Key' else value}")
    echo_unwrapped(">", f"> {BODY.decode()}", "")
    start = CLOCK.monotonic()
    status, answer_headers, answer = call(port, "POST", "/data-actions/cobrowse", BODY, HEADERS)
    echo_unwrapped(f"< HTTP/1.1 {status} ({(CLOCK.monotonic() - start) * 1000:.0f} ms)")
    for name, value in answer_headers:
        echo_unwrapped(f"< {name}: {value}")
    echo("", "What the service asked of Genesys:")
    for number, upstream in enumerate(genesys.calls(), 1):
        echo_unwrapped(f"  {number} {upstream.operation:<13} {upstream.method:<4} {upstream.path} → {upstream.status}")
    echo("", "The answer, as the flow gets it:")
    return _print_answer(status, answer)


def _print_answer(status: int, answer: bytes) -> bool:
    """Print the answer's document: whether the conversation shows a session."""
    document = orjson.loads(answer)
    echo_json(document)
    return status == 200 and bool(document["verified"])
