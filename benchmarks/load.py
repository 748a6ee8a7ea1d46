"""The load: N connections, each asking for a session in a new conversation as soon as it has its last answer.

    python benchmarks/load.py --port 8000 --path /data-actions/cobrowse --connections 50 --seconds 3 \
        --header 'X-Api-Key: …'

Every answer is checked: a success, verified, for the conversation that was asked for. Every latency is kept, none is
sampled. It prints `begin` and `end` as the measured window begins and ends (so that whoever started it can read the
kernel's counters at those moments), and then one line of JSON.

A refusal (429 or 503 with Retry-After) is counted apart, and the connection waits as it was told, as good clients do.
"""

import argparse
import asyncio
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Sequence

import uvloop

ERROR_CODE = re.compile(rb'"errorCode": ?"([^"]+)"')
# Seconds after which a request counts as lost: more than any contender's own limit.
PATIENCE = 15.0
LONGEST_PAUSE = 10.0


class Tally:
    """What came of the requests. Times are `time.perf_counter` seconds.

    A latency belongs to the window that its request was sent in, however late it ended; the rate counts what ended in
    the window; an error counts if any of it lay in the window.
    """

    def __init__(self) -> None:
        self.begins = self.ends = float("inf")
        self.latencies: list[float] = []
        self.refusals: list[float] = []
        self.refused_as: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.good = 0
        self.good_in_window = 0
        self.ended_in_window = 0

    def ended(self, sent: float, error: str = "", *, refused: bool = False) -> None:
        """A request that was sent then has just ended."""
        now = time.perf_counter()
        inside = self.begins <= now < self.ends
        self.ended_in_window += inside
        if not error:
            self.good += 1
            self.good_in_window += inside
        if self.begins <= sent < self.ends:
            if refused:
                self.refusals.append(now - sent)
                self.refused_as[error] += 1
            elif not error:
                self.latencies.append(now - sent)
        if error and not refused and now >= self.begins and sent < self.ends:
            self.errors[error] += 1

    def summary(self) -> dict[str, object]:
        seconds = self.ends - self.begins
        return {
            "seconds": seconds,
            "rps": self.good_in_window / seconds,
            "good": self.good,
            "ended_in_window": self.ended_in_window,
            "latency": spread(self.latencies),
            "refused": len(self.refusals),
            "refused_as": dict(self.refused_as),
            "refusal": spread(self.refusals),
            "errors": dict(self.errors),
        }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: percentiles by nearest rank; nothing for nothing."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    found = {name: ordered[math.ceil(share * len(ordered)) - 1] * 1000 for name, share in shares.items()}
    return found | {"mean": sum(ordered) / len(ordered) * 1000}


def new_conversation() -> str:
    """A random UUID, at half the price of uuid4()."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


class Load:
    """One run. `count` bounds it by requests; without it `seconds` do, after `warm_up`. `replay`: known keys again."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.tally = Tally()
        self.sending = True
        self.unsent = asked.count or 1 << 60
        self.known: list[str] = []
        self.replaying = False
        headers = "".join(f"{line}\r\n" for line in asked.header)
        body = '{"conversationId":"%s","channel":"webchat","requestedBy":"benchmark"}'
        self.form = (
            f"POST {asked.path} HTTP/1.1\r\nHost: 127.0.0.1:{asked.port}\r\nContent-Type: application/json\r\n"
            f"{headers}%sContent-Length: {len(body) - 2 + 36}\r\n\r\n{body}"
        )
        self.connections: list[Connection] = []

    def next(self) -> tuple[str, bytes]:
        """A conversation and the request for it."""
        self.unsent -= 1
        conversation = random.choice(self.known) if self.replaying else new_conversation()
        if self.asked.replay and not self.replaying:
            self.known.append(conversation)
        key = f"Idempotency-Key: {conversation}\r\n" if self.asked.keys or self.asked.replay else ""
        return conversation, (self.form % (key, conversation)).encode()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self.asked.connections):
            connection = Connection(self, loop)
            await connection.connect()
            self.connections.append(connection)

    def start(self, within: float) -> None:
        """Let every connection send, one after the other, spread over so many seconds."""
        self.sending = True
        loop = asyncio.get_running_loop()
        for number, connection in enumerate(self.connections):
            loop.call_later(within * number / len(self.connections), connection.send)

    async def run(self) -> dict[str, object]:
        asked = self.asked
        await self.open()
        watch = asyncio.create_task(self.watch())
        if asked.replay:
            self.unsent = asked.replay
            self.start(asked.ramp)
            await self.finished()
            self.replaying, self.unsent = True, 1 << 60
        if asked.count:
            self.begin()
            self.start(asked.ramp)
            await self.finished()
            self.end()
        else:
            self.start(asked.ramp)
            await asyncio.sleep(asked.warm_up)
            self.begin()
            await asyncio.sleep(asked.seconds)
            self.end()
            self.sending = False
            await self.finished()
        watch.cancel()
        return self.tally.summary()

    def begin(self) -> None:
        self.tally.begins = time.perf_counter()
        print("begin", flush=True)

    def end(self) -> None:
        self.tally.ends = time.perf_counter()
        print("end", flush=True)

    async def finished(self) -> None:
        """Wait until every request that was sent has ended."""
        await asyncio.sleep(self.asked.ramp)
        while any(connection.busy for connection in self.connections):
            await asyncio.sleep(0.01)

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            late = time.perf_counter() - PATIENCE
            for connection in self.connections:
                if connection.asking and connection.sent < late:
                    connection.give_up("no answer in time")


class Connection(asyncio.Protocol):
    """One client: sends, checks the answer, sends again."""

    def __init__(self, load: Load, loop: asyncio.AbstractEventLoop) -> None:
        self.load = load
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        self.received = b""
        self.asking = False
        self.pausing = False
        self.sent = 0.0
        self.conversation = ""

    @property
    def busy(self) -> bool:
        return self.asking or (self.pausing and self.load.sending and self.load.unsent > 0)

    async def connect(self) -> None:
        self.received = b""
        self.transport, _ = await self.loop.create_connection(lambda: self, "127.0.0.1", self.load.asked.port)

    def send(self) -> None:
        self.pausing = False
        if not self.load.sending or self.load.unsent <= 0:
            return
        self.asking = True
        self.sent = time.perf_counter()
        if self.transport is None or self.transport.is_closing():
            self.loop.create_task(self.connect_and_send())
            return
        self.write()

    async def connect_and_send(self) -> None:
        try:
            await self.connect()
        except OSError:
            self.asking = False
            self.load.tally.ended(self.sent, "no connection")
            self.pause(0.1)
        else:
            self.write()

    def write(self) -> None:
        self.conversation, request = self.load.next()
        if self.transport is not None:
            self.transport.write(request)

    def pause(self, seconds: float) -> None:
        self.pausing = True
        self.loop.call_later(min(seconds, LONGEST_PAUSE), self.send)

    def data_received(self, data: bytes) -> None:
        data = self.received + data
        answer = read(data)
        if answer is None:
            self.received = data
            return
        self.received = b""
        if not self.asking:
            return
        self.asking = False
        status, head, body = answer
        if b"\r\nconnection: close" in head and self.transport is not None:
            self.transport.close()
        error = self.fault(status, head, body)
        wait = seconds_to_wait(head) if error and status in (429, 503) else None
        self.load.tally.ended(self.sent, error, refused=wait is not None)
        if wait is None:
            self.send()
        else:
            self.pause(wait)

    def fault(self, status: int, head: bytes, body: bytes) -> str:
        """What is wrong with the answer; "" if nothing is."""
        if status == 200:
            compact = body.replace(b'": ', b'":')
            if (
                b'"success":true' in compact
                and b'"verified":true' in compact
                and self.conversation.encode() in compact
                and (not self.load.replaying or b"\r\nidempotent-replayed: true" in head)
            ):
                return ""
        code = ERROR_CODE.search(body)
        return f"{status} {code[1].decode() if code else ''}".strip()

    def connection_lost(self, _error: Exception | None) -> None:
        if self.asking:
            self.give_up("connection broken")

    def give_up(self, error: str) -> None:
        self.asking = False
        self.load.tally.ended(self.sent, error)
        if self.transport is not None:
            self.transport.abort()
        self.transport = None
        self.pause(0.05)


def read(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Status, head in lower case and body; None while some of it is still to come."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2].lower()
    body = data[end + 4 :]
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        if len(body) < int(head[at + 17 : head.index(b"\r\n", at + 17)]):
            return None
    elif not body.endswith(b"0\r\n\r\n"):  # chunked
        return None
    return int(head[9:12]), head, body


def seconds_to_wait(head: bytes) -> float | None:
    """What Retry-After says; None without one."""
    at = head.find(b"\r\nretry-after:")
    if at < 0:
        return None
    try:
        return float(head[at + 14 : head.index(b"\r\n", at + 14)])
    except ValueError:
        return 1.0


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that the floor has too."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0, help="of the measured window")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before it")
    parser.add_argument("--ramp", type=float, default=0.15, help="seconds over which the connections begin")
    return parser


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/cobrowse")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--count", type=int, default=0, help="stop after so many requests, whatever the time")
    parser.add_argument("--keys", action="store_true", help="send an Idempotency-Key with each request")
    parser.add_argument("--replay", type=int, default=0, help="send so many with a key, then measure their repeats")
    load = Load(parser.parse_args())
    print(json.dumps(uvloop.run(load.run())), flush=True)


if __name__ == "__main__":
    main()
