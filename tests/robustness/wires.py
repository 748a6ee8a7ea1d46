"""Bytes to a service and what comes back, read as long as the client's own end stays open."""

import socket
import time
from dataclasses import dataclass

from tests.robustness.malformed_requests import ANSWERED, BODY, INNER, SHAPES, WAITED_FOR, Shape, head

__all__ = ["BODY", "INNER", "SHAPES", "WAITED_FOR", "Heard", "Shape", "exchange", "head", "row_errors"]

# Seconds of silence after which an answer on a connection that stays open counts as read.
SILENCE = 0.3


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back. `seconds`: until the first byte of it, or until the connection was ended without one."""

    answer: bytes
    seconds: float

    @property
    def status(self) -> int:
        """The first answer's status; 0 if there was none, -1 if it is no HTTP."""
        if not self.answer:
            return 0
        words = self.answer.split(b" ", 2)
        return int(words[1]) if words[0] in (b"HTTP/1.1", b"HTTP/1.0") and words[1][:3].isdigit() else -1


def exchange(port: int, data: bytes, patience: float = WAITED_FOR + 2) -> Heard:
    """Send this, leave our end open, and hear what comes until it is silent or ended."""
    begun = time.monotonic()
    first, answer = 0.0, b""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        try:
            connection.sendall(data)
            while chunk := connection.recv(65_536):
                first = first or time.monotonic() - begun
                answer += chunk
                connection.settimeout(SILENCE)
        except TimeoutError:
            pass
        except OSError:  # it has been cut, which ends it too
            pass
    return Heard(answer, first or time.monotonic() - begun)


def row_errors(shape: Shape, heard: Heard, slack: float = 0.0) -> list[str]:
    """What is wrong with what was heard; nothing most times. It may be late by `slack` seconds."""
    wrong = []
    if heard.status not in shape.statuses:
        wrong.append(f"answered {heard.status}: {heard.answer[:120]!r}")
    if not shape.honest and ANSWERED in heard.answer:
        wrong.append("the request inside was answered")
    if heard.seconds > shape.within + slack:
        wrong.append(f"answered after {heard.seconds:.1f} s")
    return wrong
