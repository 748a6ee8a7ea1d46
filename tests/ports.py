"""Ports for the servers that tests start: no two tests get the same one, nor does any client's connection."""

import atexit
import os
import socket
from functools import cache
from itertools import count

# Below what the system hands out by itself, which begins at 32768. Each process that runs tests has a range of its own,
# of this run or of another on the machine: it is the one that listens on the first port of its range.
FIRST, LAST, EACH = 12_000, 32_000, 500


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, and that nobody else is given."""
    first, numbers, _ = _own_range(os.getpid())
    while True:
        port = first + 1 + next(numbers) % (EACH - 1)
        if (probe := _bound(port)) is not None:
            probe.close()
            return port


@cache
def _own_range(_process: int) -> tuple[int, "count[int]", socket.socket]:
    """The first port of this process's range, the numbers of those in use, and the socket that keeps others out."""
    for first in range(FIRST, LAST, EACH):
        if (claimed := _bound(first)) is not None:
            claimed.listen()
            atexit.register(claimed.close)
            return first, count(), claimed
    raise OSError(f"every range of ports between {FIRST} and {LAST} is in use")


def _bound(port: int) -> socket.socket | None:
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.close()
        return None
    return probe
