"""The floor: the three calls of a warm initiation by a bare asyncio client, with no service around them.

It takes the load's options and prints what the load prints, as if there were a service that costs nothing.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load import Tally, arguments, new_conversation

GENESYS = urlsplit(os.environ["GENESYS_URL"])


class Client:
    """One connection, kept alive."""

    async def connect(self) -> None:
        context = ssl.create_default_context() if GENESYS.scheme == "https" else None
        self.reader, self.writer = await asyncio.open_connection(GENESYS.hostname, GENESYS.port, ssl=context)

    async def call(self, method: str, path: str, headers: str = "", body: str = "") -> dict:
        head = f"{method} {path} HTTP/1.1\r\nHost: {GENESYS.netloc}\r\n{headers}"
        self.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await self.reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 20"):
            raise SystemExit(answer.decode())
        length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return json.loads(await self.reader.readexactly(int(length)))

    async def initiate(self, token: str) -> bool:
        """The same work as everybody's: create, attach, verify."""
        conversation = new_conversation()
        authorized = f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        session = await self.call("POST", "/api/v2/cobrowse/sessions", authorized, "{}")
        medium = json.dumps({"type": "cobrowse", "cobrowseSessionId": session["id"]})
        await self.call("POST", f"/api/v2/conversations/{conversation}/media", authorized, medium)
        shown = await self.call("GET", f"/api/v2/conversations/{conversation}", authorized)
        return any(medium.get("cobrowseSessionId") == session["id"] for medium in shown["media"])


async def run(connections: int, seconds: float, warm_up: float, ramp: float) -> dict:
    tally = Tally()
    clients = [Client() for _ in range(connections)]
    for client in clients:
        await client.connect()
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    token = (await clients[0].call("POST", "/oauth/token", form, "grant_type=client_credentials"))["access_token"]

    async def work(number: int, client: Client) -> None:
        await asyncio.sleep(ramp * number / connections)
        while time.perf_counter() < tally.ends:
            sent = time.perf_counter()
            verified = await client.initiate(token)
            tally.ended(sent, "" if verified else "not verified")

    tasks = [asyncio.create_task(work(*numbered)) for numbered in enumerate(clients)]
    await asyncio.sleep(warm_up)
    tally.begins = time.perf_counter()
    print("begin", flush=True)
    await asyncio.sleep(seconds)
    tally.ends = time.perf_counter()
    print("end", flush=True)
    await asyncio.gather(*tasks)
    return tally.summary()


if __name__ == "__main__":
    asked = arguments(__doc__.splitlines()[0]).parse_args()
    print(json.dumps(uvloop.run(run(asked.connections, asked.seconds, asked.warm_up, asked.ramp))), flush=True)
