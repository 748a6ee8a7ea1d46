"""A request's body, and whether it was read to its end."""

from typing import Any


class CountedBody:
    """gunicorn's body, for reading only.

    Until it has been read to its end, the request's connection must not be kept: what is left of the body would be read
    as the next request. gunicorn sends what `must_close` says as `Connection: close`, and stops reading.
    """

    def __init__(self, request: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        self._body = request.body
        # What is still to come of a body of known length; None for a chunked one.
        self._left: int | None = getattr(request.body.reader, "length", None)
        # Known no longer than it is needed: a request that its own body knows waits for the garbage collector.
        self._request: Any = None
        if self._left != 0 and not request.must_close:
            request.must_close = True
            self._request = request

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes; fewer at the body's end only."""
        if self._left == 0:
            return b""
        data: bytes = self._body.read(size)
        if self._left is not None:
            self._left -= len(data)
        elif size < 0 or len(data) < size:
            self._left = 0
        if self._left == 0 and self._request is not None:
            self._request.must_close = False
            self._request = None
        return data
