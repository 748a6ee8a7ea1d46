"""Ports for the servers that tests start: no two tests get the same one, nor does any client's connection."""

import os
import socket
from itertools import count

# Below what the system hands out by itself, which begins at 32768; each process of the run has a range of its own.
FIRST, EACH = 12_000, 2_500
_numbers = count()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, and that nobody else is given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = FIRST + worker % 8 * EACH + next(_numbers) % EACH
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
