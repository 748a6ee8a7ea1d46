"""One channel from its socket's opening to its end: silence is detected by a ping, and an end is reported as one."""

from datetime import datetime
from typing import NamedTuple, Protocol

from cobrowse.clock import Clock
from integrations.genesys.streams import StreamClosed
from integrations.listening.messages import PING, Message, read_message

# Seconds without a message (Genesys's heartbeats come in less) until a ping, and then until its pong.
QUIET, PONG = 40.0, 10.0
# Seconds before its end from which a channel is replaced: Genesys gives one a day.
RENEW_BEFORE = 1800.0
# Seconds between tries to replace one: several fit into the minute after a closing notice.
RENEW_AGAIN = 10.0
# Seconds a channel is used for where Genesys does not say when it ends.
USUAL_LIFE = 86_400.0


class Socket(Protocol):
    """An open WebSocket."""

    def receive(self, seconds: float) -> str | bytes | None:
        """The next message; None if none comes within so many seconds. Raises StreamClosed."""

    def send(self, text: str) -> None:
        """Send a message. Raises StreamClosed."""

    def close(self) -> None:
        """Close it."""


class Silent(StreamClosed):
    """Nothing came, and no answer to a ping."""


class Times(NamedTuple):
    """Seconds: without a message until a ping, and on to the pong; before a channel's end to its renewal.

    `renew_again` lie between two tries to renew it.
    """

    quiet: float = QUIET
    pong: float = PONG
    renew_before: float = RENEW_BEFORE
    renew_again: float = RENEW_AGAIN


USUAL_TIMES = Times()


class Connection:
    """A channel's socket, read by one thread."""

    def __init__(self, socket: Socket, expires: datetime | None, clock: Clock, times: Times = USUAL_TIMES) -> None:
        self._socket = socket
        self._clock = clock
        self._times = times
        life = (expires - clock.now()).total_seconds() if expires is not None else USUAL_LIFE
        # A life that is short leaves half of it, so that renewals don't follow each other at once.
        self._renew_at = clock.monotonic() + max(life - times.renew_before, life / 2)
        self._last_message = clock.monotonic()
        self._ping_sent: float | None = None
        self._closing = False
        self._not_before = 0.0

    @property
    def is_ending(self) -> bool:
        """Whether another channel should take its place: it expires soon, or Genesys has said that it will close."""
        now = self._clock.monotonic()
        return (self._closing or now >= self._renew_at) and now >= self._not_before

    def receive(self, seconds: float) -> Message | None:
        """The next message; None if there is none yet. Raises StreamClosed, Silent too."""
        text = self._socket.receive(seconds)
        now = self._clock.monotonic()
        if text is None:
            self._check_silence(now)
            return None
        self._last_message, self._ping_sent = now, None
        message = read_message(text)
        if message.kind == "closing":
            self._closing = True
        return message

    def postpone_end(self) -> None:
        """Keep using it: no replacement is available now. `is_ending` is false for a moment."""
        self._not_before = self._clock.monotonic() + self._times.renew_again

    def close(self) -> None:
        """Leave the channel; Genesys drops it once nobody is connected."""
        self._socket.close()

    def _check_silence(self, now: float) -> None:
        if self._ping_sent is not None:
            if now - self._ping_sent >= self._times.pong:
                raise Silent(f"silent for {now - self._last_message:.0f} s, and no answer to a ping")
        elif now - self._last_message >= self._times.quiet:
            self._socket.send(PING)
            self._ping_sent = now
