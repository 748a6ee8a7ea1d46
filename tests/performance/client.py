"""A second load of another make, to hold beside wrk's figures and to do what wrk can't: a steady rate.

    python -m tests.performance.client PORT PATH KEY --connections 128 --seconds 6 [--rate 20]

Without a rate each connection asks again as soon as it is answered, as wrk does. With one, requests are due at even
times and a latency counts from the moment its request was due, so waiting for a free connection is part of it. It
measures after a warm-up, over the same connections, and prints JSON: for each status its count, p50 and p99 (ms), and
as `load_cpu_ms` what a request cost this client.
"""

import argparse
import asyncio
import json
import time
import uuid
from collections import defaultdict

import uvloop

WARM_UP_SECONDS = 1.0
TIMEOUT_SECONDS = 15


async def ask(reader, writer, head):
    """The status of one data action; "wrong" for a 200 without a verified session."""
    body = b'{"conversationId":"%s","channel":"webchat"}' % str(uuid.uuid4()).encode()
    writer.write(head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    content = await reader.readexactly(int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
    status = answer[9:12].decode()
    return status if status != "200" or b'"verified":true' in content else "wrong"


async def run(asked):
    head = f"POST {asked.path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {asked.key}\r\nPrefer: status\r\n".encode()
    cpu, due = time.process_time(), time.perf_counter()
    begins, ends = due + WARM_UP_SECONDS, due + WARM_UP_SECONDS + asked.seconds
    seen = defaultdict(list)

    async def work(number):
        nonlocal due
        await asyncio.sleep(WARM_UP_SECONDS / 2 * number / asked.connections)
        reader = writer = None
        while (sent := time.perf_counter()) < ends:
            if asked.rate:
                due, sent = due + 1 / asked.rate, due
                await asyncio.sleep(max(0.0, sent - time.perf_counter()))
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", asked.port)
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    status = await ask(reader, writer, head)
            except (OSError, asyncio.IncompleteReadError):
                status, writer = "broken", None
                await asyncio.sleep(0.01)
            answered = time.perf_counter()
            if begins <= sent < ends:
                seen[status].append((answered - sent) * 1000)
        if writer:
            writer.close()

    await asyncio.gather(*(work(number) for number in range(asked.connections)))
    requests = sum(map(len, seen.values())) * (1 + WARM_UP_SECONDS / asked.seconds)
    found = {status: summarize(sorted(taken)) for status, taken in seen.items()}
    return found | {"load_cpu_ms": (time.process_time() - cpu) * 1000 / max(1, requests)}


def summarize(taken):
    return {"count": len(taken), "p50_ms": taken[len(taken) // 2], "p99_ms": taken[int(len(taken) * 0.99)]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("port", "path", "key"):
        parser.add_argument(name)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: as fast as they are answered")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))
