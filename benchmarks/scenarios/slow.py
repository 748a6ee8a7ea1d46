"""Clients that never finish their request: are the others served meanwhile, and when are the slow ones ended?"""

import asyncio
import contextlib
import statistics
import time
from typing import Any

from contenders import KEY, Contender, Service

from scenarios.window import Bench

SLOW = 64
SLOW_ENDS_SECONDS = 12.0


def slow_clients(bench: Bench, contender: Contender) -> dict[str, Any]:
    """64 clients that never finish their header, then 64 that never finish their body; others ask in between."""
    bench.delay(50)
    found: dict[str, Any] = {}
    for kind in ("header", "body"):
        with bench.running(contender) as service:
            found[kind] = asyncio.run(among_slow(service, kind))
    return found


async def among_slow(service: Service, kind: str, asked: int = 10, patience: float = 4.0) -> dict[str, Any]:
    usual = [await normal(service, patience) for _ in range(asked)]
    request = f"POST {service.contender.path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n"
    cut = "X-Slow: " if kind == "header" else 'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"conv'
    watchers = []
    for _ in range(SLOW):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.place.port)
        writer.write((request + cut).encode())
        watchers.append(asyncio.create_task(until_ended(reader, writer)))
    await asyncio.sleep(0.5)
    between = [await normal(service, patience) for _ in range(asked)]
    ends = await asyncio.gather(*watchers)
    ended = [seconds for seconds, _ in ends if seconds is not None]
    answers = sorted({answer for _, answer in ends})
    return {
        "usual_ms": statistics.median(taken for taken in usual if taken) if any(usual) else None,
        "between_ms": statistics.median(taken for taken in between if taken) if any(between) else None,
        "slowest_ms": max((taken for taken in between if taken), default=None),
        "served": sum(taken is not None for taken in between),
        "asked": asked,
        "slow": SLOW,
        "slow_ended": len(ended),
        "slow_ended_seconds": max(ended, default=None),
        "slow_answers": answers,
    }


async def normal(service: Service, patience: float) -> float | None:
    """Milliseconds that an ordinary request on a connection of its own takes; None without a good answer in time."""
    from load import new_conversation

    body = f'{{"conversationId":"{new_conversation()}"}}'
    request = (
        f"POST {service.contender.path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    began = time.perf_counter()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.place.port)
            try:
                writer.write(request.encode())
                answer = await reader.read(1 << 16)
            finally:
                writer.close()
        if answer.startswith(b"HTTP/1.1 200"):
            return (time.perf_counter() - began) * 1000
    return None


async def until_ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[float | None, str]:
    """After how many seconds the server ended this slow client, and the status it was told."""
    began = time.perf_counter()
    answer = b""
    try:
        async with asyncio.timeout(SLOW_ENDS_SECONDS):
            while chunk := await reader.read(4096):
                answer += chunk
    except TimeoutError:
        return None, "still open"
    except OSError:
        pass
    finally:
        writer.close()
    return time.perf_counter() - began, answer[9:12].decode() or "closed"
