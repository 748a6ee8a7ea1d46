"""Whether a host can be reached, stage by stage: its name, a connection, TLS, an answer. By the standard library."""

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import certifi

# Seconds for each stage; Genesys is near, so longer means that something is wrong.
TIMEOUT_SECONDS = 5.0
# Bytes of an answer that are read.
MAX_ANSWER_BYTES = 4096

Resolve = Callable[..., list[tuple[object, ...]]]

# OpenSSL's codes (x509_vfy.h) for a certificate that can't be trusted, and what helps.
_UNKNOWN_AUTHORITY = (
    "The certificate's authority is not trusted. If a gateway or an inspecting proxy stands in between, put its "
    "authority's certificate into a PEM file and name it in GENESYS_CA_FILE."
)
_CERTIFICATE = {
    9: "The certificate is not valid yet: this machine's clock is probably behind; set it by NTP.",
    10: "The certificate has expired, or this machine's clock is far ahead: check the clock, then the host's owner.",
    18: _UNKNOWN_AUTHORITY,
    19: _UNKNOWN_AUTHORITY,
    20: _UNKNOWN_AUTHORITY,
    21: _UNKNOWN_AUTHORITY,
    62: "The certificate is for another host: check the host's name in the settings, and any proxy in between.",
    64: "The certificate is not for this IP address: use the host's name in the settings.",
}


class Unreachable(Exception):
    """A stage failed. `message` names the failure, `hint` the fix. `untrusted`: it was the certificate."""

    def __init__(self, message: str, hint: str, *, untrusted: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.untrusted = untrusted


@dataclass(frozen=True, slots=True)
class Answer:
    """What a GET brought. `tls` is the protocol's version and how long the certificate lasts, "" without TLS."""

    status: int
    body: bytes
    date: datetime | None
    tls: str


@dataclass(frozen=True, slots=True)
class ConnectivityProbe:
    """Reaches hosts straight, as the service does: no proxy of the environment is used. `timeout` in seconds."""

    resolve: Resolve = socket.getaddrinfo  # type: ignore[assignment]  # its overloads are narrower than what is used
    timeout: float = TIMEOUT_SECONDS

    def addresses(self, url: str) -> list[str]:
        """The addresses of the URL's host. Raises Unreachable."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            found = self.resolve(host, _port(url), type=socket.SOCK_STREAM)
        except OSError as error:
            raise Unreachable(
                f"the name {host} can't be resolved: {error.strerror or error}",
                "Check the spelling of the host or region in the settings, and this machine's DNS.",
            ) from None
        except UnicodeError:
            raise Unreachable(f"{host[:80]!r} is no host name", "Correct the host in the settings.") from None
        return list(dict.fromkeys(str(address[0]) for *_, address in found if isinstance(address, tuple)))

    def connect(self, host: str, port: int) -> None:
        """Make a connection and end it. Raises Unreachable."""
        try:
            socket.create_connection((host, port), timeout=self.timeout).close()
        except OSError as error:
            raise _map_error(f"{host}:{port}", error, "") from None

    def get(
        self, url: str, path: str = "/", *, ca_file: str = "", client_cert: str = "", client_key: str = ""
    ) -> Answer:
        """The answer to a GET, whatever its status. Raises Unreachable."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", _port(url)
        where = f"{host}:{port}"
        connection: http.client.HTTPConnection
        try:
            if parts.scheme == "https":
                context = _tls_context(ca_file)
                if client_cert:
                    _load_client_cert(context, client_cert, client_key)
                connection = http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)
            else:
                connection = http.client.HTTPConnection(host, port, timeout=self.timeout)
            try:
                connection.request("GET", parts.path.rstrip("/") + path, headers={"User-Agent": "cobrowse-bridge"})
                tls = _tls(connection.sock)
                response = connection.getresponse()
                return Answer(
                    response.status, response.read(MAX_ANSWER_BYTES), _date(response.getheader("Date", "")), tls
                )
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise _map_error(where, error, ca_file) from None


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _tls_context(ca_file: str) -> ssl.SSLContext:
    try:
        # certifi's authorities, as the service's own engine trusts them.
        context = ssl.create_default_context(cafile=ca_file or certifi.where())
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "it holds no certificate"
        raise Unreachable(
            f"GENESYS_CA_FILE {ca_file} can't be used: {reason}",
            "Name a PEM file with certificates of authorities that the service's user can read.",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load_client_cert(context: ssl.SSLContext, client_cert: str, client_key: str) -> None:
    try:
        context.load_cert_chain(client_cert, client_key or None)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "it is no certificate with its key"
        raise Unreachable(
            f"GENESYS_CLIENT_CERT {client_cert} can't be used: {reason}",
            "Name a PEM file with the certificate, and its unencrypted key in GENESYS_CLIENT_KEY or the same file.",
        ) from None


def _tls(sock: object) -> str:
    if not isinstance(sock, ssl.SSLSocket):
        return ""
    certificate = sock.getpeercert() or {}
    not_after = str(certificate.get("notAfter", ""))
    until = ""
    if not_after:
        until = f", certificate until {datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC):%Y-%m-%d}"
    return f"{sock.version()}{until}"


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _map_error(where: str, error: Exception, ca_file: str) -> Unreachable:
    """The Unreachable that an exception maps to."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = _CERTIFICATE.get(error.verify_code, "Look at the certificate that the host shows.")
        if ca_file and hint is _UNKNOWN_AUTHORITY:
            hint = f"GENESYS_CA_FILE {ca_file} does not hold the authority that signed it: add that one."
        message = f"{where} shows a certificate that is not trusted: {error.verify_message}"
        return Unreachable(message, hint, untrusted=True)
    if isinstance(error, ssl.SSLError):
        return Unreachable(
            f"TLS with {where} failed: {error.reason or error}",
            "Something at this port does not speak TLS 1.2 or newer: check the URL's scheme and port.",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{where} did not answer in time",
            "A firewall probably drops the packets: allow outgoing connections to this host and port.",
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"{where} refuses the connection", "Nothing listens there: check the URL's host and port, or start it."
        )
    if isinstance(error, http.client.HTTPException | ConnectionResetError):
        return Unreachable(
            f"{where} does not answer as an HTTP server: {type(error).__name__}",
            "Check the URL's scheme and port, and any proxy or firewall on the way.",
        )
    reason = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
    return Unreachable(f"{where} can't be reached: {reason}", "Check this machine's network and its firewall.")
