"""The WebSocket of a notification channel, read message by message."""

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from cobrowse.errors import GenesysBadResponse, GenesysUnavailable
from cobrowse.model import Secret
from integrations.genesys.no_proxy import is_direct
from integrations.genesys.redaction import redact
from schemas.addresses import is_in_the_clear

# Seconds until the socket must be open, and that a goodbye may take.
OPEN_SECONDS, CLOSE_SECONDS = 5.0, 1.0
# A conversation's whole state; a larger message closes the socket, which is a gap like any other.
MAX_BYTES = 2_097_152


class StreamClosed(Exception):
    """The socket is closed; the text says how."""


class Stream:
    """An open socket. Used by one thread."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def receive(self, seconds: float) -> str | bytes | None:
        """The next message; None if there is none within `seconds`. Raises StreamClosed."""
        try:
            return self._connection.recv(timeout=seconds)
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise StreamClosed(_describe_close(error)) from None

    def send(self, text: str) -> None:
        """Send a message. Raises StreamClosed."""
        try:
            self._connection.send(text)
        except ConnectionClosed as error:
            raise StreamClosed(_describe_close(error)) from None

    def close(self) -> None:
        """Close it; closing again changes nothing."""
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Streams:
    """Opens sockets the way the other calls to Genesys go: `proxy`, `no_proxy` and `ca_file` are the settings'."""

    proxy: Secret = Secret()
    no_proxy: str = ""
    ca_file: str = ""
    open_seconds: float = OPEN_SECONDS

    def open(self, uri: str) -> Stream:
        """Connect to a channel's URI. Raises GenesysUnavailable, or GenesysBadResponse for a URI that can't be one."""
        place = urlsplit(uri)
        host = place.hostname or ""
        if place.scheme not in ("wss", "ws") or is_in_the_clear(place):
            raise GenesysBadResponse("channel: Genesys's connectUri is not a wss address")
        try:
            connection = connect_websocket(
                uri,
                ssl=self._tls() if place.scheme == "wss" else None,
                # None: none at all; what HTTPS_PROXY says is not read, as by the other calls.
                proxy=None if is_direct(host, self.no_proxy) else self.proxy.reveal() or None,
                user_agent_header="cobrowse-bridge",
                compression=None,
                open_timeout=self.open_seconds,
                close_timeout=CLOSE_SECONDS,
                # The channel has a ping of its own, which proves more: that Genesys's side of the channel is there.
                ping_interval=None,
                max_size=MAX_BYTES,
                # As much as comes while a renewal or a catch-up is on.
                max_queue=None,
                # The connection itself: what it is connected for is longer than a with block.
                legacy=True,
            )
        except (OSError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
            raise GenesysUnavailable(f"channel: no WebSocket to {host[:80]}: {redact(str(error))[:200]}") from None
        return Stream(connection)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(self.ca_file)
        return context


def _describe_close(error: ConnectionClosed) -> str:
    if error.rcvd is not None:
        return f"closed by Genesys: {error.rcvd.code} {redact(error.rcvd.reason)[:80]}".strip()
    return "the connection was lost"
