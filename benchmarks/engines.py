"""Which engine carries httpx requests best when many callers share it: `python benchmarks/engines.py`, about 60 s.

Each cell of the table is a process of its own, so that memory and CPU are that engine's alone. It starts N threads,
lets each make a few calls to open its connections, then counts calls for a second. A call is one of this product's: an
`httpx.Request` with a token and 200 bytes of JSON is built, handed to the engine, and the answer, with the fifteen
headers and the 600 bytes that Genesys Cloud's answers have, is read. The upstream is one more process on 127.0.0.1.
The threads are greenlets for CurlTransport, which is made for them, and the system's for the others.
Trust the ratios between rows of one run; the numbers are the machine's.
"""

# each cell's process loads its own engine and no other: memory is one of the columns

import argparse
import asyncio
import io
import json
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import httpx
from gevent.monkey import patch_all  # type: ignore[import-untyped]  # it ships no types

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

THREADS = (1, 16, 64, 128)
DELAYS_MS = (0, 50)
WARM_UP_CALLS = 3
MEASURED_SECONDS = 1.0
PAYLOAD = json.dumps({"conversationId": "c" * 36, "note": "n" * 140}).encode()
ANSWER_BODY = json.dumps({"id": "i" * 36, "text": "t" * 540}).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Date: Tue, 24 Nov 2026 12:00:00 GMT\r\nConnection: keep-alive\r\n"
    b"inin-correlation-id: 5c4a1b1e-8f0e-4a51-9d5c-0d8e4f2b7a10\r\ninin-ratelimit-count: 3\r\n"
    b"inin-ratelimit-allowed: 300\r\ninin-ratelimit-reset: 41\r\nStrict-Transport-Security: max-age=600\r\n"
    b"Cache-Control: no-cache, no-store, must-revalidate\r\nPragma: no-cache\r\nExpires: 0\r\n"
    b"X-Content-Type-Options: nosniff\r\nVia: 1.1 edge\r\nX-Cache: Miss\r\n\r\n" % len(ANSWER_BODY)
) + ANSWER_BODY

Call = Callable[[str, int], None]


class Upstream(asyncio.Protocol):
    """Answers every request alike; the path says after how many milliseconds."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, blank, body = self.received.partition(b"\r\n\r\n")
        if not blank or len(body) < len(PAYLOAD):
            return
        self.received = body[len(PAYLOAD) :]
        delay_ms = int(head.split(b" ", 2)[1].strip(b"/"))
        if delay_ms:
            asyncio.get_running_loop().call_later(delay_ms / 1000, self.answer)
        else:
            self.answer()

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(ANSWER)


async def serve(seconds: float) -> None:
    """Print the port, serve on it for so long at most."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(seconds)


def request(url: str, number: int) -> httpx.Request:
    headers = {"authorization": f"Bearer token-{number}", "content-type": "application/json", "accept": "*/*"}
    extensions = {"timeout": {"connect": 5.0, "read": 20.0, "write": 5.0, "pool": 20.0}, "deadline": 20.0}
    return httpx.Request("POST", url, headers=headers, content=PAYLOAD, extensions=extensions)


def over(transport: httpx.BaseTransport) -> Call:
    def call(url: str, number: int) -> None:
        response = transport.handle_request(request(url, number))
        if response.read() != ANSWER_BODY:
            raise AssertionError("not the answer")

    return call


def httpx_transport() -> Call:
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
    return over(httpx.HTTPTransport(limits=limits, trust_env=False))


def curl_transport() -> Call:
    from integrations.genesys.transport import CurlTransport

    return over(CurlTransport())


def pyreqwest_shipped() -> Call:
    from pyreqwest.client import SyncClientBuilder
    from pyreqwest.compatibility.httpx import SyncHttpxTransport

    return over(SyncHttpxTransport(SyncClientBuilder().no_proxy().follow_redirects(enable=False).build()))


def pyreqwest_whole() -> Call:
    """As its own adapter, which streams the body with more crossings into Rust; this one reads it whole."""
    from datetime import timedelta

    from pyreqwest.client import SyncClientBuilder

    client = SyncClientBuilder().no_proxy().follow_redirects(enable=False).build()

    class Transport(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            builder = client.request(request.method, str(request.url)).headers(request.headers.multi_items())
            builder = builder.body_bytes(request.content).timeout(timedelta(seconds=request.extensions["deadline"]))
            answer = builder.build().send()
            return httpx.Response(
                answer.status, headers=list(answer.headers.items()), content=bytes(answer.bytes()), request=request
            )

    return over(Transport())


def pycurl_bare() -> Call:
    """No httpx and no care: the floor for anything on libcurl."""
    import pycurl  # type: ignore[import-untyped]  # as in integrations/genesys/curl.py

    local = threading.local()

    def call(url: str, number: int) -> None:
        if not hasattr(local, "curl"):
            local.curl = pycurl.Curl()
            local.curl.setopt(pycurl.NOSIGNAL, 1)
        headers: list[bytes] = []
        body = io.BytesIO()
        token = f"Authorization: Bearer token-{number}"
        local.curl.setopt(pycurl.URL, url)
        local.curl.setopt(pycurl.HTTPHEADER, [token, "Content-Type: application/json", "Accept: */*"])
        local.curl.setopt(pycurl.POSTFIELDS, PAYLOAD)
        local.curl.setopt(pycurl.HEADERFUNCTION, headers.append)
        local.curl.setopt(pycurl.WRITEFUNCTION, body.write)
        local.curl.perform()
        if body.getvalue() != ANSWER_BODY:
            raise AssertionError("not the answer")

    return call


ENGINES: dict[str, Callable[[], Call]] = {
    "CurlTransport": curl_transport,
    "pyreqwest, whole body": pyreqwest_whole,
    "pyreqwest, its adapter": pyreqwest_shipped,
    "httpx.HTTPTransport": httpx_transport,
    "(pycurl without httpx)": pycurl_bare,
}


def measure(engine: str, threads: int, url: str) -> dict[str, float]:
    """One cell: what `threads` threads get out of one engine in `MEASURED_SECONDS`."""
    call = ENGINES[engine]()
    ready = threading.Barrier(threads + 1)
    stop = threading.Event()
    taken: list[list[float]] = [[] for _ in range(threads)]

    def work(own: list[float]) -> None:
        for number in range(WARM_UP_CALLS):
            call(url, number)
        ready.wait()
        number = 0
        while not stop.is_set():
            began = time.perf_counter()
            call(url, number)
            own.append(time.perf_counter() - began)
            number += 1

    workers = [threading.Thread(target=work, args=(own,), daemon=True) for own in taken]
    for worker in workers:
        worker.start()
    ready.wait()
    began, cpu_began = time.perf_counter(), time.process_time()
    time.sleep(MEASURED_SECONDS)
    stop.set()
    for worker in workers:
        worker.join()
    elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    all_taken = sorted(seconds for own in taken for seconds in own)
    return {
        "calls/s": len(all_taken) / elapsed,
        "CPU ms": cpu / len(all_taken) * 1000,
        "p50 ms": statistics.median(all_taken) * 1000,
        "p99 ms": all_taken[int(len(all_taken) * 0.99)] * 1000,
        "RSS MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def compare(engines: list[str]) -> None:
    me = [sys.executable, __file__]
    upstream = subprocess.Popen([*me, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert upstream.stdout
        port = upstream.stdout.readline().strip()
        print(f"{'upstream':>8}  {'threads':>7}  {'engine':<22}  calls/s  CPU ms   p50 ms   p99 ms  RSS MB")
        for delay_ms in DELAYS_MS:
            for threads in THREADS:
                for engine in engines:
                    cell = [*me, "--cell", engine, str(threads), f"http://127.0.0.1:{port}/{delay_ms}"]
                    try:
                        printed = subprocess.run(cell, capture_output=True, text=True, timeout=20, check=True).stdout
                    except subprocess.SubprocessError as error:
                        print(f"{delay_ms:>5} ms  {threads:>7}  {engine:<22}  {type(error).__name__}")
                        continue
                    calls, cpu, p50, p99, rss = json.loads(printed).values()
                    cells = f"{calls:>7,.0f}  {cpu:>6.3f}  {p50:>7.2f}  {p99:>7.1f}  {rss:>6.0f}"
                    print(f"{delay_ms:>5} ms  {threads:>7}  {engine:<22}  {cells}", flush=True)
    finally:
        upstream.kill()
        upstream.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engines", nargs="*", help=f"of: {' · '.join(ENGINES)}; all without one")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(seconds=180))
    elif asked.cell:
        engine, threads, url = asked.cell
        if engine == "CurlTransport":
            patch_all()
        print(json.dumps(measure(engine, int(threads), url)))
    else:
        compare(asked.engines or list(ENGINES))


if __name__ == "__main__":
    main()
