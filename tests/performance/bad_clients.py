"""Clients that hold their connections: python -m tests.performance.bad_clients PORT PATH KEY --count 300 --seconds 40

A third each send their header, or their body, a byte a second, or pipeline requests and never read an answer. Prints
`ready` once all are connected, and at the end the statuses that those who read were answered with, as JSON.
"""

import argparse
import asyncio
import contextlib
import json
import socket
from collections import Counter

KINDS = ("header", "body", "reader")
PIPELINED = 50


def opening(kind, path, key):
    """What a client sends at once."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {key}\r\n"
    if kind == "reader":
        return b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * PIPELINED
    return (
        head + ("X-Slow: " if kind == "header" else "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    ).encode()


def connect(port):
    """A socket whose kernel takes little in, so that a server soon waits for a client that does not read."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made


async def drip(client, seen):
    """A byte a second until the server ends it; its answer's status is counted."""
    loop = asyncio.get_running_loop()
    answer = asyncio.create_task(loop.sock_recv(client, 100))
    while not answer.done():
        with contextlib.suppress(OSError):
            await loop.sock_sendall(client, b"a")
        await asyncio.wait([answer], timeout=1)
    try:
        seen[answer.result()[9:12].decode() or "closed"] += 1
    except OSError:
        seen["reset"] += 1


async def run(asked):
    seen = {kind: Counter() for kind in KINDS[:2]}
    clients, tasks = [], []
    for number in range(asked.count):
        kind = KINDS[number % len(KINDS)]
        client = connect(asked.port)
        clients.append(client)
        with contextlib.suppress(BlockingIOError):
            client.send(opening(kind, asked.path, asked.key))
        if kind in seen:
            tasks.append(asyncio.create_task(drip(client, seen[kind])))
    print("ready", flush=True)
    await asyncio.sleep(asked.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {kind: dict(answers) for kind, answers in seen.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("key")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=40)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))
