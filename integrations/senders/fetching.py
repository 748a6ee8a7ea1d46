"""One call of a URL that is configured or that a vendor names: bounded in time and size, and without redirects."""

import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR, socket
from threading import Event, Thread, Timer
from urllib.parse import urlsplit

import structlog

log = structlog.stdlib.get_logger()

# Seconds for the connection and for each wait for bytes; nobody's request waits for this.
STEP_SECONDS = 10.0
# Seconds for the answer as a whole: one that comes a byte at a time never makes anybody wait for bytes.
TOTAL_SECONDS = 30.0
# Bytes: a set of keys has a few thousand.
MAX_BYTES = 262_144
_NO_HEADERS: Mapping[str, str] = {}


class FetchError(Exception):
    """The URL could not be fetched; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's status, its Retry-After header, and its content: MAX_BYTES of it and one more if it is longer."""

    status: int
    retry_after: str
    content: bytes


@cache
def _trust() -> ssl.SSLContext:
    # Reading the authorities takes 20 ms of CPU time.
    return ssl.create_default_context()


def exchange(
    url: str, total_seconds: float = TOTAL_SECONDS, body: bytes | None = None, headers: Mapping[str, str] = _NO_HEADERS
) -> Answer:
    """The answer to one GET, or POST of a body, whatever its status.

    FetchError if there is none within `total_seconds` of the connection, which may take STEP_SECONDS for each address.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)  # else the library takes an IPv6 address's last part for it
    connection = (
        HTTPSConnection(host, port, timeout=STEP_SECONDS, context=_trust())
        if secure
        else HTTPConnection(host, port, timeout=STEP_SECONDS)
    )
    too_late = Event()
    watch = Timer(total_seconds, lambda: _end(sock, too_late))
    watch.daemon = True
    method, target = "GET" if body is None else "POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    try:
        HTTPConnection.connect(connection)  # no TLS yet: its handshake, too, may come a byte at a time
        if secure:
            connection.sock = _trust().wrap_socket(connection.sock, server_hostname=host, do_handshake_on_connect=False)
        sock = connection.sock  # kept: the connection lets go of its socket once the answer has begun
        watch.start()
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        if too_late.is_set() or isinstance(error, TimeoutError):
            problem = f"did not answer within {total_seconds if too_late.is_set() else STEP_SECONDS:g} s"
        else:
            problem = f"can't be reached: {type(error).__name__}"
        raise FetchError(f"{host} {problem}") from None
    finally:
        watch.cancel()
        connection.close()
    if too_late.is_set():
        raise FetchError(f"{host} did not answer within {total_seconds:g} s")
    return Answer(answer.status, answer.headers.get("Retry-After", ""), content)


def fetch(url: str, total_seconds: float = TOTAL_SECONDS) -> bytes:
    """What is at this URL. Raises FetchError for anything but a 200 of at most MAX_BYTES within `total_seconds`."""
    answer, host = exchange(url, total_seconds), urlsplit(url).hostname
    if answer.status != 200:
        raise FetchError(f"{host} answered {answer.status}")
    if len(answer.content) > MAX_BYTES:
        raise FetchError(f"{host} sent more than {MAX_BYTES} bytes")
    return answer.content


def _end(sock: socket, too_late: Event) -> None:
    """End a connection while another thread reads from it."""
    too_late.set()
    with suppress(OSError):
        sock.shutdown(SHUT_RDWR)


def call_in_background(url: str) -> None:
    """Call this URL once in the background, and log the result; its host alone, since the rest is a token."""

    def call() -> None:
        host = urlsplit(url).hostname
        try:
            fetch(url)
        except FetchError as error:
            log.warning("the vendor's URL could not be called", error=str(error))
        else:
            log.info("the vendor's URL was called", host=host)

    Thread(target=call, name="handshake", daemon=True).start()
