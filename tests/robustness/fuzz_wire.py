"""Bytes through gunicorn: what no honest client sends, and clients that never end."""

import random
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.server import start
from tests.robustness import inputs, wires
from tests.robustness.service import Service
from tests.robustness.tally import GROWTH, HANG, SLOW, Tally, drive


def wire(count: int, ends: float, first: int) -> Tally:
    """Shapes of the table, and good requests with some bytes changed, through gunicorn; slow clients by the dozen."""
    tally = Tally("bytes through gunicorn")
    with (
        start(rate_limit=None) as box,
        tempfile.TemporaryDirectory() as folder,
        Service(box.url, Path(folder), WEB_CONCURRENCY="1") as service,
    ):
        box.options.auto_create = True
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(_ask, [service.port] * 64))  # whatever is made once is there now
            before = service.sample()
            answers = pool.map(lambda one: wires.exchange(service.port, one.data), wires.SHAPES)
            for shape, heard in zip(wires.SHAPES, answers, strict=True):
                tally.inputs += 1
                tally.wrong += [f"{shape.name}: {wrong}" for wrong in wires.row_errors(shape, heard)]
        tally.wrong += _slow(service.port, tally)
        whole = wires.head(b"Content-Length: %d" % len(wires.BODY)) + b"\r\n" + wires.BODY

        def attempt(data: bytes) -> str:
            with socket.create_connection(("127.0.0.1", service.port), timeout=HANG) as connection:
                answer = b""
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)  # what is not whole now will never be
                    while chunk := connection.recv(65_536):
                        answer += chunk
                except ConnectionError:  # it was cut: a refusal too
                    pass
                return f"500: {answer[-200:]!r}" if answer.startswith(b"HTTP/1.1 500") else ""

        drive(tally, count, ends, inputs.changed_bytes(whole), attempt, first)
        # The kernel's own close may lag behind the last answer.
        time.sleep(3)
        after = service.sample()
        tally.growth = after.memory - before.memory
        if tally.growth > GROWTH or after.files > before.files + 8:
            tally.wrong.append(f"the service went from {before} to {after}")
        if _ask(service.port) != 200:
            tally.wrong.append("a good request was not served afterwards")
    return tally


def _slow(port: int, tally: Tally) -> list[str]:
    """32 clients each that never end, and a good request in between."""
    wrong = []
    for shape in (one for one in wires.SHAPES if one.within == wires.WAITED_FOR):
        held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(32)]
        for one in held:
            one.sendall(shape.data)
        tally.inputs += len(held)
        begun, status = time.monotonic(), 503
        while status == 503 and time.monotonic() - begun < SLOW:  # 32 at once are more than four threads take
            status = _ask(port)
        took = time.monotonic() - begun
        if status != 200 or took > SLOW:
            wrong.append(f"32 times {shape.name}: a good request got {status} after {took:.1f} s")
        for one in held:
            one.close()
    return wrong


def _ask(port: int) -> int:
    conversation = f"{random.getrandbits(32):08x}-0000-4000-8000-000000000000"
    body = f'{{"conversationId": "{conversation}"}}'.encode()
    data = wires.head(b"Content-Length: %d" % len(body), b"Connection: close") + b"\r\n" + body
    return wires.exchange(port, data).status
