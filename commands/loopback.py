"""A web server on this machine that waits for a login's way back, and for nothing else (RFC 8252, 7.3)."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

from cobrowse.clock import Clock, Deadline

# Seconds that a browser may take for its request.
REQUEST_SECONDS = 5.0
_THANKS = b"Logged in, if the command says so. You can close this window."
_OTHER = b"This is not the address that a login comes back to."


def is_served(redirect_uri: str) -> bool:
    """Whether this machine can listen there: a loopback address without TLS."""
    return urlsplit(redirect_uri).scheme == "http"


class LoopbackServer:
    """Listens at the redirect URI from its making on. OSError if it can't.

    `belongs` says whether a request's path and query are of this login: any page in a browser can send others.
    """

    def __init__(self, redirect_uri: str, belongs: Callable[[str], bool]) -> None:
        parts = urlsplit(redirect_uri)
        self._callback = ""
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS

            def do_GET(self) -> None:
                is_callback = urlsplit(self.path).path == (parts.path or "/") and belongs(self.path)
                if is_callback:
                    loopback._callback = self.path
                self.send_response(200 if is_callback else 404)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(_THANKS if is_callback else _OTHER)

            def log_message(self, *_: object) -> None:
                """Nothing: the path holds the code."""

        host = parts.hostname or ""
        self._server = HTTPServer(("127.0.0.1" if host == "localhost" else host, parts.port or 80), Handler)

    def wait(self, seconds: float, clock: Clock) -> str:
        """The path and query of this login's way back; "" if it has not come in time. Listens no more then."""
        deadline = Deadline.after(seconds, clock)
        with self._server as server:
            while not self._callback and deadline.remaining():
                server.timeout = deadline.remaining()
                server.handle_request()
        return self._callback
