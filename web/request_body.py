"""A request's body, and whether it was read to its end."""

from typing import Any


class CountedBody:
    """gunicorn's body, for reading only.

    Until it has been read to its end, the request's connection must not be kept: what is left of the body would be read
    as the next request. gunicorn sends what `must_close` says as `Connection: close`, and stops reading.
    """

    def __init__(self, request: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        self._request = request
        self._body = request.body
        # What is still to come of a body of known length; None for a chunked one.
        self._left: int | None = getattr(request.body.reader, "length", None)
        self._may_be_kept = not request.must_close
        self._note_end(self._left == 0)

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes; fewer at the body's end only."""
        if self._left == 0:
            return b""
        data: bytes = self._body.read(size)
        if self._left is None:
            self._note_end(size < 0 or len(data) < size)
        else:
            self._left -= len(data)
            self._note_end(self._left == 0)
        return data

    def _note_end(self, has_ended: bool) -> None:
        self._request.must_close = not (has_ended and self._may_be_kept)
