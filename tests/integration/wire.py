"""Raw bytes to a server and back: what no HTTP client would send."""

import contextlib
import socket
import struct
import time

from sandbox.state import WEBCHAT
from tests.http_client import HTTP
from tests.integration.conftest import KEY

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
# Connections that the kernel may reset at a stop: those made between the last look into the socket's queue and its
# close, where a loaded machine may keep the worker waiting for a core. Without that look there are many.
CLOSING = 1


def connect(server, timeout=30):
    """A connection to the server's port."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=timeout)


def read_all(connection):
    """Everything until the other end closes."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def exchange(server, *pieces, pause=0.0):
    """Send these bytes one after another, read until the server closes: all it said."""
    with connect(server) as connection:
        send(connection, *pieces, pause=pause)
        return read_all(connection)


def send(connection, *pieces, pause=0.0):
    """Send the pieces with a pause behind each, as far as the other end takes them."""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)


def reset(connection):
    """End a connection as a client that crashed: the server gets a reset, no end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def statuses(received):
    """The status of each response in these bytes."""
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


def post(path="/data-actions/cobrowse", *, headers=b"", body=b"", length=None):
    """A POST with a Content-Length, its head and body."""
    size = len(body) if length is None else length
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n" % (path.encode(), size, headers), body


def chunked(*parts):
    """A chunked body of these parts."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def ask(server, conversation_id=WEBCHAT, timeout=30, **headers):
    """What an ordinary client asks for, and its response."""
    return HTTP.post(
        f"{server.url}/data-actions/cobrowse",
        json={"conversationId": conversation_id},
        headers={"X-Api-Key": KEY, **headers},
        timeout=timeout,
    )
