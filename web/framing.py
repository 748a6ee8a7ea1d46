"""Whether all bytes of an HTTP/1.1 request have come. It decides when a thread is given to it, never what it means."""

import re

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:([^\r\n]*)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)


class Arrival:
    """The bytes of one request as they come in. What can't be framed counts as whole: gunicorn's parser refuses it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.wants_continue = False
        self._body = -1
        self._ends = -1
        self._chunk = -1

    def add(self, data: bytes) -> bool:
        """Take more bytes; whether the request is whole now."""
        self.received += data
        if self._body < 0 and not self._head():
            return False
        if self._chunk >= 0:
            return self._chunks()
        return len(self.received) >= self._ends

    def _head(self) -> bool:
        """Find the head's end and how the body is framed."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._body = end + 4
        head = bytes(self.received[: self._body])
        length = _LENGTH.search(head)
        coding = b",".join(_CODING.findall(head))
        if coding.lower().replace(b",", b" ").split()[-1:] == [b"chunked"]:
            self._chunk = self._body
        # Any other transfer coding is refused, so nothing needs to be waited for.
        self._ends = self._body + (int(length[1]) if length and not coding else 0)
        self.wants_continue = bool(_EXPECT.search(head)) and len(self.received) == self._body
        return True

    def _chunks(self) -> bool:
        """Go on through the chunks that have come: to the last one's blank line, or to something that is no chunk."""
        while (line := self.received.find(b"\r\n", self._chunk)) >= 0:
            try:
                size = int(bytes(self.received[self._chunk : line]).split(b";", 1)[0], 16)
            except ValueError:
                return True
            if size == 0:
                return self.received.find(b"\r\n\r\n", line) >= 0
            if size < 0:
                return True
            self._chunk = line + 2 + size + 2
            if self._chunk > len(self.received):
                return False
        return len(self.received) - self._chunk > 64
