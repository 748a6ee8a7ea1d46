"""Shows the service running on this machine: a sandbox of Genesys Cloud, the service, and one data action through them.

    python examples/demo.py            start both, send the request an Architect data action would, stop
    python examples/demo.py --serve    start both and stay up until Ctrl-C

Free ports are found by the system, so nothing that already runs is in the way.
"""

import argparse
import contextlib
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONVERSATION = "11111111-1111-4111-8111-111111111111"
KEY = "demo-key-0123456789abcdef"
START_SECONDS = 30.0


def free_port(wanted=0):
    """`wanted` if it is free, else one that the system gives."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise SystemExit("no free port on 127.0.0.1")


def call(port, method, path, body=None, headers=None):
    """One HTTP exchange: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request(
            method, path, body, headers or {}, encode_chunked=bool(headers and "Transfer-Encoding" in headers)
        )
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def wait_until_up(port, path, process):
    """Return once it answers; say what it printed if it ends instead."""
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise SystemExit(f"{shlex.join(process.args)} ended with {process.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if call(port, "GET", path)[0] == 200:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing answered on 127.0.0.1:{port} within {START_SECONDS:.0f} s")


def command(*words):
    """A command of the virtual environment that this runs in."""
    return [str(Path(sys.executable).with_name(words[0])), *words[1:]]


def every_sender():
    """The variables that open the webhook of each row in senders.example.toml, with secrets for a sandbox only."""
    lines = (ROOT / "deploy/postman/sandbox.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@contextlib.contextmanager
def running(serve):
    """The sandbox and the service, up until the block ends: their ports."""
    genesys_port = free_port(9099 if serve else 0)
    port = free_port(int(os.environ.get("PORT") or 8000) if serve else 0)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        genesys_url = f"http://127.0.0.1:{genesys_port}"
        environment = (
            os.environ
            | (every_sender() if serve else {})
            | {
                "SANDBOX": "true",
                "GENESYS_API_URL": genesys_url,
                "GENESYS_LOGIN_URL": genesys_url,
                "API_KEYS": f"demo:{KEY}",
                "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "LOG_FORMAT": "json",
                "LOG_LEVEL": "INFO" if serve else "ERROR",
            }
        )
        web = shlex.split((ROOT / "Procfile").read_text().partition("web:")[2])
        for words, wait_port, path in (
            (("flask", "cobrowse", "sandbox", "--port", str(genesys_port)), genesys_port, "/sandbox/state"),
            (web, port, "/healthz"),
        ):
            quiet = None if serve else subprocess.DEVNULL
            process = subprocess.Popen(command(*words), cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)
            stack.callback(stop, process)
            wait_until_up(wait_port, path, process)
        yield genesys_port, port


def stop(process):
    """End a process of ours: politely, then surely."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def demonstrate(genesys_port, port):
    """Send what a data action sends, and show what went over the wire and what came back."""
    body = json.dumps({"conversationId": CONVERSATION, "channel": "webchat", "requestedBy": "make demo"})
    headers = {
        "Content-Type": "application/json",
        "X-Api-Key": KEY,
        "ININ-Correlation-Id": "demo-0001",
        "Idempotency-Key": "demo-0001",
        "Transfer-Encoding": "chunked",  # as Genesys sends it by default
    }
    print(f"A sandbox of Genesys Cloud is on 127.0.0.1:{genesys_port}, the service on 127.0.0.1:{port}.\n")
    print("> POST /data-actions/cobrowse HTTP/1.1")
    for name, value in headers.items():
        print(f"> {name}: {'•••' if name == 'X-Api-Key' else value}")
    print(f">\n> {body}\n")
    start = time.monotonic()
    status, answer_headers, answer = call(port, "POST", "/data-actions/cobrowse", [body.encode()], headers)
    milliseconds = (time.monotonic() - start) * 1000
    print(f"< HTTP/1.1 {status} ({milliseconds:.0f} ms)")
    for name, value in answer_headers:
        print(f"< {name}: {value}")
    print("\nWhat the service asked of Genesys:")
    for number, asked in enumerate(json.loads(call(genesys_port, "GET", "/sandbox/calls")[2])["calls"], 1):
        print(f"  {number} {asked['operation']:<13} {asked['method']:<4} {asked['path']} → {asked['status']}")
    print("\nThe answer, as the flow gets it:")
    print(json.dumps(json.loads(answer), indent=2))
    return status == 200 and json.loads(answer)["verified"]


def main():
    """Start both; demonstrate or stay up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help="stay up until Ctrl-C")
    serve = parser.parse_args().serve
    with running(serve) as (genesys_port, port):
        if not serve:
            return 0 if demonstrate(genesys_port, port) else 1
        print(f"Genesys's sandbox: http://127.0.0.1:{genesys_port}    service: http://127.0.0.1:{port}")
        print(f"curl -sS http://127.0.0.1:{port}/data-actions/cobrowse -H 'X-Api-Key: {KEY}' \\")
        print(f"  -H 'Content-Type: application/json' -d '{{\"conversationId\": \"{CONVERSATION}\"}}'")
        print("Ctrl-C stops both.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
