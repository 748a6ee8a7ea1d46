"""What may stand between the service and Genesys: a forward proxy, a gateway that ends TLS, certificates for both."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        try:
            san: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            san = x509.DNSName(name)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([san]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        folder = tmp_path_factory.mktemp(name.replace(".", "-"))
        (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
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
