"""The service over the engines that were not chosen, to see what each costs where it matters: never a way to run it.

    .venv-bench/bin/python benchmarks/other_engines.py      under two minutes; prints a table

gunicorn -c gunicorn.conf.py --pythonpath benchmarks 'other_engines:over_httpx()'
"""

import json
import os
import re
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import httpx
from flask import Flask

ROOT = Path(__file__).parent.parent
KEY = "benchmark-key-0123456789"
WORK = ((16, 0), (50, 50), (128, 50))
SECONDS = 4.0


def over_httpx() -> Flask:
    """Over httpx's own transport, one for all threads, with room for all of them."""
    from app import create_app

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
    return create_app(transport=httpx.HTTPTransport(limits=limits, trust_env=False))


def over_pyreqwest() -> Flask:
    """Over pyreqwest's client behind httpx's interface, the body read whole."""
    from pyreqwest.client import SyncClientBuilder

    from app import create_app

    client = SyncClientBuilder().no_proxy().follow_redirects(enable=False).build()

    class Transport(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            builder = client.request(request.method, str(request.url)).headers(request.headers.multi_items())
            builder = builder.body_bytes(request.content).timeout(timedelta(seconds=request.extensions["deadline"]))
            answer = builder.build().send()
            return httpx.Response(answer.status, headers=list(answer.headers.items()), content=bytes(answer.bytes()))

    return create_app(transport=Transport())


FACTORIES = {
    "libcurl (ours)": "app:create_app()",
    "pyreqwest": "other_engines:over_pyreqwest()",
    "httpx.HTTPTransport": "other_engines:over_httpx()",
}


def measured(factory: str, connections: int, delay_ms: int, folder: Path) -> str:
    """One window of one engine: a row's figures."""
    from contenders import tool
    from measure import Group

    def started(name: str, words: list[str], **more: str) -> Group:
        return Group(name, words, env=os.environ | more, folder=ROOT, log=folder / f"{name}.log")

    upstream_port, port = "9581", "9582"
    url = f"http://127.0.0.1:{upstream_port}"
    gunicorn = [tool("gunicorn"), "-c", "gunicorn.conf.py", "--pythonpath", "benchmarks", factory]
    load = [sys.executable, "benchmarks/load.py", "--connections", str(connections), "--seconds", str(SECONDS)]
    load += ["--port", port, "--path", "/data-actions/cobrowse", "--header", f"X-Api-Key: {KEY}"]
    upstream = [sys.executable, "benchmarks/upstream.py", "--port", upstream_port, "--delay-ms", str(delay_ms)]
    settings = {
        "GENESYS_API_URL": url,
        "GENESYS_LOGIN_URL": url,
        "API_KEYS": f"bench:{KEY}",
        "LEDGER_URL": f"sqlite:///{folder}/{connections}-{re.sub(r'[^a-z]', '', factory)}.sqlite3",
        "HOST": "127.0.0.1",
        "PORT": port,
        "LOG_FORMAT": "json",
    }
    with started("upstream", upstream), started("service", gunicorn, **settings) as service:
        wait_until_up(f"http://127.0.0.1:{port}/healthz")
        with Group("load", load, env=os.environ, folder=ROOT, log=folder / "load.log", piped=True) as asking:
            assert asking.process.stdout is not None
            spent = {}
            for line in asking.process.stdout:
                if line.strip() in ("begin", "end"):
                    spent[line.strip()] = service.cpu()
                elif line.startswith("{"):
                    result = json.loads(line)
        memory = sum(service.memory("VmRSS"))
    each = (spent["end"] - spent["begin"]) / max(1, result["ended_in_window"]) * 1000
    latency = result["latency"]
    return f"{result['rps']:>8,.0f} {each:>8.2f} {latency['p50']:>8.0f} {latency['p99']:>8.0f} {memory:>8.0f}"


def wait_until_up(url: str) -> None:
    """Return once it answers."""
    for attempt in range(100):
        try:
            if httpx.get(url, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            if attempt == 99:
                raise
        time.sleep(0.1)


if __name__ == "__main__":
    print(f"{'':22}{'conn.':>6}{'delay':>7}{'each/s':>9}{'CPU ms':>9}{'p50 ms':>9}{'p99 ms':>9}{'MB':>9}")
    with tempfile.TemporaryDirectory() as name:
        for connections, delay_ms in WORK:
            for engine, factory in FACTORIES.items():
                row = measured(factory, connections, delay_ms, Path(name))
                print(f"{engine:22}{connections:>6}{delay_ms:>7}{row}", flush=True)
