"""An emulated Genesys Cloud for the benchmark: the calls of both flows, each after a set delay, on little CPU.

`python -m tests.performance.upstream` prints its port and serves until it is ended. Every conversation is live and
shows the sessions attached to it. A call without the token, an attach of a session that was never created, a path that
Genesys does not have: each is refused as there, so no contender is fast by leaving a step out. Besides Genesys's paths:

    GET  /counts            calls by operation, attachments, the milliseconds that each operation was held here
    POST /delay?ms=50       from now on
"""

import asyncio
import os
import time
from collections import Counter, defaultdict
from typing import cast

import orjson
import uvloop

TOKEN = os.urandom(24).hex()
# Conversations remembered; a run that lasts longer forgets the first ones, which nobody asks for any more.
REMEMBERED = 500_000
# As many and as long headers as Genesys's answers have: reading them is part of a call's cost.
HEADERS = (
    "Content-Type: application/json\r\n"
    "Connection: keep-alive\r\n"
    "Date: Tue, 24 Nov 2026 12:00:00 GMT\r\n"
    "inin-correlation-id: 5c4a1b1e-8f0e-4a51-9d5c-0d8e4f2b7a10\r\n"
    "inin-ratelimit-count: 3\r\n"
    "inin-ratelimit-allowed: 300\r\n"
    "inin-ratelimit-reset: 41\r\n"
    "Strict-Transport-Security: max-age=600; includeSubDomains\r\n"
    "Cache-Control: no-cache, no-store, must-revalidate\r\n"
    "Pragma: no-cache\r\n"
    "Expires: 0\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Via: 1.1 edge.cloudfront.net (CloudFront)\r\n"
    "X-Cache: Miss from cloudfront\r\n"
)
REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 411: "Length Required"}
STARTS = {status: f"HTTP/1.1 {status} {reason}\r\n{HEADERS}".encode() for status, reason in REASONS.items()}
AUTHORIZED = b"\r\nauthorization: bearer " + TOKEN.encode()

Answer = tuple[int, bytes]


class FakeGenesys:
    """What there is, and what was asked for it."""

    def __init__(self, delay_ms: float) -> None:
        self.delay_ms = delay_ms
        self.calls: Counter[str] = Counter()
        self.held_ms: defaultdict[str, float] = defaultdict(float)
        self.run = os.urandom(6).hex()
        self.made = 0
        self.sessions: set[str] = set()
        self.media: dict[str, list[tuple[str, str]]] = {}
        self.native: dict[str, list[str]] = {}
        self.attachments = 0

    def new_id(self) -> str:
        self.made += 1
        return f"{self.made:08x}-0000-4000-8000-{self.run}"

    def answer(self, method: bytes, path: bytes, head: bytes, body: bytes) -> tuple[str, Answer]:
        """The operation's name and the answer; "" names what is no operation of Genesys."""
        if path == b"/oauth/token":
            return "token", self.token(method, body)
        if path == b"/counts":
            return "", (200, orjson.dumps(self.counts()))
        if path.startswith(b"/delay?ms="):
            self.delay_ms = float(path[10:])
            return "", (200, b"{}")
        if AUTHORIZED not in head:
            return "refused", (401, b'{"message":"No authentication bearer token specified in authorization header."}')
        return self.api(method, path, body)

    def api(self, method: bytes, path: bytes, body: bytes) -> tuple[str, Answer]:
        if method == b"POST" and path == b"/api/v2/cobrowse/sessions":
            return "create", self.create()
        if path.startswith(b"/api/v2/conversations/"):
            conversation, _, rest = path[22:].decode().partition("/")
            if method == b"GET" and not rest:
                return "conversation", self.conversation(conversation)
            if method == b"POST" and rest == "media":
                return "attach", self.attach(conversation, body)
            if method == b"POST" and rest == "cobrowse":
                return "cobrowse", self.cobrowse(conversation)
        return "refused", (404, b'{"message":"HTTP 404 Not Found","code":"not.found","status":404}')

    def token(self, method: bytes, body: bytes) -> Answer:
        if method != b"POST" or b"grant_type=client_credentials" not in body:
            return 400, b'{"error":"unsupported_grant_type"}'
        return 200, b'{"access_token":"%s","token_type":"bearer","expires_in":86399}' % TOKEN.encode()

    def create(self) -> Answer:
        session = self.new_id()
        self.sessions.add(session)
        return 201, (
            f'{{"id":"{session}","joinUrl":"https://cobrowse.example.com/join/{session}",'
            f'"viewerUrl":"https://cobrowse.example.com/view/{session}","dateOfferEnds":"2026-11-24T12:10:00.000Z",'
            f'"selfUri":"/api/v2/cobrowse/sessions/{session}"}}'
        ).encode()

    def attach(self, conversation: str, body: bytes) -> Answer:
        try:
            asked = orjson.loads(body)
            session = asked["cobrowseSessionId"]
            self.sessions.remove(session)
        except (ValueError, TypeError, KeyError):
            return 400, b'{"message":"The session is not known or already attached.","code":"bad.request"}'
        if asked.get("type") != "cobrowse":
            return 400, b'{"message":"The type is not cobrowse.","code":"bad.request"}'
        medium = self.new_id()
        self.remember(conversation)
        self.media.setdefault(conversation, []).append((medium, session))
        self.attachments += 1
        return 200, orjson.dumps(shown_medium(medium, session))

    def cobrowse(self, conversation: str) -> Answer:
        session = self.new_id()
        self.remember(conversation)
        self.native.setdefault(conversation, []).append(session)
        self.attachments += 1
        return 200, (
            f'{{"id":"{session}","name":"","joinCode":"123456","websocketUrl":"wss://cobrowse.example.com/ws",'
            f'"dateOfferEnds":"2026-11-24T12:10:00.000Z","communicationType":"Message",'
            f'"selfUri":"/api/v2/conversations/{conversation}/cobrowse/{session}"}}'
        ).encode()

    def conversation(self, conversation: str) -> Answer:
        """As Genesys shows it to both flows: `media` of the documented one, `participants` of the published API."""
        agent = {"id": "a" * 36, "purpose": "agent", "name": "Agent", "chats": [], "cobrowsesessions": []}
        customer = agent | {
            "id": "c" * 36,
            "purpose": "customer",
            "name": "Customer",
            "chats": [{"id": "d" * 36, "state": "connected", "held": False, "provider": "PureCloud Webchat v2"}],
            "cobrowsesessions": [
                {"id": session, "state": "connected", "cobrowseSessionId": session, "cobrowseRole": "SHARER"}
                for session in self.native.get(conversation, ())
            ],
        }
        shown = {
            "id": conversation,
            "startTime": "2026-11-24T11:58:00.000Z",
            "state": "active",
            "media": [
                {"id": "d" * 36, "type": "webchat", "state": "connected"},
                *(shown_medium(*one) for one in self.media.get(conversation, ())),
            ],
            "participants": [customer, agent],
            "recordingState": "NONE",
            "selfUri": f"/api/v2/conversations/{conversation}",
        }
        return 200, orjson.dumps(shown)

    def remember(self, conversation: str) -> None:
        for known in (self.media, self.native):
            if len(known) > REMEMBERED and conversation not in known:
                del known[next(iter(known))]

    def counts(self) -> dict[str, object]:
        return {
            "delay_ms": self.delay_ms,
            "calls": dict(self.calls),
            "held_ms": {name: round(total, 3) for name, total in self.held_ms.items()},
            "attachments": self.attachments,
        }


def shown_medium(medium: str, session: str) -> dict[str, str]:
    return {"id": medium, "type": "cobrowse", "cobrowseSessionId": session, "state": "connected"}


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as a client that keeps its connection alive and states its body's length needs it."""

    def __init__(self, world: FakeGenesys, loop: asyncio.AbstractEventLoop) -> None:
        self.world = world
        self.loop = loop
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[: end + 2].lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 : head.index(b"\r\n", at + 17)]) if at >= 0 else 0
            if at < 0 and b"\r\ntransfer-encoding:" in head:
                self.write("refused", 0.0, (411, b"{}"))
                self.transport.close()
                return
            rest = end + 4 + length
            if len(self.received) < rest:
                return
            method, path, _ = self.received[:end].split(b" ", 2)
            body = self.received[end + 4 : rest]
            self.received = self.received[rest:]
            arrived = time.perf_counter()
            operation, answer = self.world.answer(method, path, head, body)
            if operation and self.world.delay_ms:
                self.loop.call_later(self.world.delay_ms / 1000, self.write, operation, arrived, answer)
            else:
                self.write(operation, arrived, answer)

    def write(self, operation: str, arrived: float, answer: Answer) -> None:
        status, body = answer
        if not self.transport.is_closing():
            self.transport.write(STARTS[status] + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        if operation:
            self.world.calls[operation] += 1
            self.world.held_ms[operation] += (time.perf_counter() - arrived) * 1000


async def serve(delay_ms: float) -> None:
    loop = asyncio.get_running_loop()
    world = FakeGenesys(delay_ms)
    server = await loop.create_server(lambda: Connection(world, loop), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(delay_ms=0))
