"""What may stand between the service and Genesys: a forward proxy, a gateway that ends TLS, certificates for both."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.certificates import self_signed
from tests.integration.upstreams import Exchange


@dataclass
class Certified:
    context: ssl.SSLContext
    bundle: str
    key: str


@pytest.fixture(scope="module")
def certified(tmp_path_factory) -> Callable[[str], Certified]:
    """A server's context for a name, and the file that makes its certificate trusted."""

    def certify(name: str) -> Certified:
        certificate, key = self_signed(name)
        folder = tmp_path_factory.mktemp(name.replace(".", "-"))
        (folder / "certificate.pem").write_bytes(certificate)
        (folder / "key.pem").write_bytes(key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        return Certified(context, str(folder / "certificate.pem"), str(folder / "key.pem"))

    return certify


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def tunnel(exchange: Exchange) -> None:
    """A proxy's answer to CONNECT: bytes in both directions until one side ends."""
    host, _, port = exchange.head[0].split()[1].decode().rpartition(":")
    with socket.create_connection((host, int(port))) as beyond:
        exchange.socket.sendall(b"HTTP/1.1 200 Connection established\r\nVia: p\r\n\r\n")
        back = threading.Thread(target=pump, args=(beyond, exchange.socket))
        back.start()
        pump(exchange.socket, beyond)
        back.join()


class Gateway:
    """Ends TLS in front of a server on this machine. `names` are those that the clients' certificates have."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        self._context, self._port = context, port
        self.names: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with suppress(OSError), self._context.wrap_socket(accepted, server_side=True) as spoken:
            subject = (spoken.getpeercert() or {}).get("subject", ())
            self.names += [value for ((key, value),) in subject if key == "commonName"]
            with socket.create_connection(("127.0.0.1", self._port)) as beyond:
                back = threading.Thread(target=pump, args=(beyond, spoken))
                back.start()
                pump(spoken, beyond)
                back.join()
