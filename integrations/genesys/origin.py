"""A server's address, parsed once, and requests to it that are made of text: httpx parses a URL in 12 µs, each time."""

from collections.abc import Sequence
from typing import Any

import httpx

from cobrowse.model import Secret
from integrations.genesys import curl

Header = tuple[bytes, bytes]

_SAME_FOR_ALL: tuple[Header, ...] = ((b"Accept", b"application/json"), (b"User-Agent", b"cobrowse-bridge"))


class HiddenBytes(bytes):
    """Bytes whose repr is masked, since tools show the variables of a traceback's frames."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "•••"


class Origin:
    """Where an API is. `url` may have a path, which comes before each request's.

    Raises:
        httpx.InvalidURL: It is none.
    """

    def __init__(self, url: str) -> None:
        parsed = httpx.URL(url)
        self.url = curl.target(parsed).rstrip("/")
        self.host = parsed.host
        self.host_header: Header = (b"Host", parsed.netloc)


class OriginRequest(httpx.Request):
    """A request to an origin, its content loaded. Its `url` and `headers` are built only when they are read.

    Args:
        method: The HTTP method.
        origin: Where it goes.
        path: The path and query, percent-encoded.
        headers: What it carries besides `Host` and `Content-Length`.
        content: The body; with None a POST has an empty one.
        extensions: As httpx's.
    """

    def __init__(
        self,
        method: str,
        origin: Origin,
        path: str,
        headers: Sequence[Header],
        content: bytes | None,
        extensions: dict[str, Any],
    ) -> None:
        # Not httpx.Request's own: it parses the URL, and looks for headers to add.
        body = content or b""
        self.raw_headers = [origin.host_header, *headers]
        if content is not None or method == "POST":
            self.raw_headers.append((b"Content-Length", b"%d" % len(body)))
        self.method = method
        self.target = origin.url + path
        self.extensions = extensions
        self.stream = httpx.ByteStream(body)
        self._content = body

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - httpx says which type each is
        """What httpx.Request has from its making and this one not yet."""
        if name == "url":
            self.url = httpx.URL(self.target)
        elif name == "headers":
            self.headers = httpx.Headers(self.raw_headers)
        else:
            raise AttributeError(name)
        return self.__dict__[name]


def api_headers(token: Secret, correlation_id: str, content: bytes | None) -> list[Header]:
    """What a call to the Platform API carries with this token; `content` is JSON, None without a body."""
    headers = [
        *_SAME_FOR_ALL,
        (b"Authorization", b"Bearer " + token.reveal().encode()),
        (b"ININ-Correlation-Id", correlation_id.encode()),
    ]
    if content is not None:
        headers.append((b"Content-Type", b"application/json"))
    return headers
