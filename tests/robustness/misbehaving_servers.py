"""Places that no call should reach: a closed port, a host that redirects name, bad TLS, a body without end."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.certificates import self_signed

_FINE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Stranger:
    """A listener that counts who comes and answers what it is told; with a certificate it speaks TLS.

    `says`: its answer; with None it is silent until the other side hangs up. `endless`: it answers with a body that
    never ends, and counts the bytes that were taken.
    """

    def __init__(self, *, certificate: Path | None = None, says: bytes | None = _FINE, endless: bool = False) -> None:
        self._tls = _context(certificate) if certificate else None
        self._says = says
        self._endless = endless
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._socket.settimeout(0.1)
        self._stopped = threading.Event()
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self.heard = b""  # what was said after the handshake
        self.sent = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            with contextlib.suppress(OSError), client:
                client.settimeout(2)
                self._answer(self._tls.wrap_socket(client, server_side=True) if self._tls else client)

    def _answer(self, client: socket.socket) -> None:
        with client:
            self.heard += client.recv(65_536)
            if self._says is None:
                self._wait(client)
            if not self._endless:
                client.sendall(self._says or b"")
                return
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            while not self._stopped.is_set():
                self.sent += client.send(b"[" * 65_536)

    def _wait(self, client: socket.socket) -> None:
        """Until the other side has hung up."""
        client.settimeout(0.1)
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                if not client.recv(65_536):
                    return

    def close(self) -> None:
        """Stop listening."""
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, and that nobody else can have meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key, in one file."""
    made, key = self_signed("127.0.0.1", ca=False)
    file = folder / "untrusted.pem"
    file.write_bytes(key + made)
    return file


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
