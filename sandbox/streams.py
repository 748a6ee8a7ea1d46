"""The WebSocket of a channel, on a connection of the sandbox's server."""

import select
import socket
import time
from collections.abc import Callable, Iterable

import orjson
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from sandbox.channels import HEARTBEAT, PONG, Channel, Channels
from sandbox.errors import GenesysError

PREFIX = "/channels/"
_POLL_INTERVAL = 0.02  # seconds between looks at what is to be sent
HEARTBEAT_EVERY = 30.0


def serve_stream(
    connection: socket.socket,
    path: str,
    headers: Iterable[tuple[str, str]],
    channels: Channels,
    stopping: Callable[[], bool],
) -> None:
    """Speak WebSocket on this connection until either side ends it. `path` names the channel."""
    protocol = ServerProtocol()
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    protocol.receive_data("\r\n".join(lines).encode("latin-1"))
    (request,) = protocol.events_received()
    if not isinstance(request, Request):
        return
    try:
        channel = channels.get(path.removeprefix(PREFIX))
    except GenesysError:
        protocol.send_response(protocol.reject(404, "no such channel\n"))
        _send(connection, protocol)
        return
    protocol.send_response(protocol.accept(request))
    channels.connect(channel)
    try:
        _send(connection, protocol)
        _run(connection, protocol, channel, stopping)
    except OSError:
        return  # the other side is gone
    finally:
        channels.disconnect(channel)


def _run(connection: socket.socket, protocol: ServerProtocol, channel: Channel, stopping: Callable[[], bool]) -> None:
    next_heartbeat = time.monotonic() + HEARTBEAT_EVERY
    while not stopping() and protocol.state is State.OPEN:
        if channel.ended == "cut":
            return
        if channel.ended == "close":
            protocol.send_close(1001, "going away")
        if time.monotonic() >= next_heartbeat and not channel.silent:
            next_heartbeat += HEARTBEAT_EVERY
            channel.outbox.append(orjson.dumps(HEARTBEAT))
        while channel.outbox and protocol.state is State.OPEN:
            protocol.send_text(channel.outbox.popleft())
        _send(connection, protocol)
        if not select.select([connection], [], [], _POLL_INTERVAL)[0]:
            continue
        data = connection.recv(65_536)
        if not data:
            return
        protocol.receive_data(data)
        for event in protocol.events_received():
            is_ping = getattr(event, "opcode", None) is Opcode.TEXT and b"ping" in getattr(event, "data", b"")
            if is_ping and not channel.silent:
                channel.outbox.append(orjson.dumps(PONG))
        _send(connection, protocol)


def _send(connection: socket.socket, protocol: ServerProtocol) -> None:
    for data in protocol.data_to_send():
        if data:
            connection.sendall(data)
