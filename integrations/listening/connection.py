"""One channel from its socket's opening to its end: silence is detected by a ping, and an end is reported as one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

import orjson

from cobrowse.clock import Clock
from integrations.genesys.streams import Stream, StreamClosed
from integrations.senders.payloads.chat_events import HEARTBEAT
from schemas.json_text import parse_json

CLOSING = "v2.system.socket_closing"
PING = '{"message":"ping"}'
# Seconds a channel is used for where Genesys does not say when it ends.
DEFAULT_LIFETIME = 86_400.0


class Message(NamedTuple):
    """One message. `channel`: a heartbeat or a pong; `closing`: Genesys will close the socket within a minute."""

    kind: Literal["channel", "closing", "event", "unreadable"]
    event: Mapping[str, Any]


class Silent(StreamClosed):
    """Nothing came, and no answer to a ping."""


class Times(NamedTuple):
    """When what is done about a channel, in seconds."""

    # Without a message until a ping: Genesys's heartbeats come in less. Then until its pong.
    quiet: float = 40.0
    pong: float = 10.0
    # Before its end, which comes after a day, until it is replaced.
    renew_before: float = 1800.0
    # Between tries to replace it: several fit into the minute after a closing notice.
    renew_again: float = 10.0


DEFAULT_TIMES = Times()


class Connection:
    """A channel's socket, read by one thread."""

    def __init__(self, socket: Stream, expires: datetime | None, clock: Clock, times: Times = DEFAULT_TIMES) -> None:
        self._socket = socket
        self._clock = clock
        self._times = times
        life = (expires - clock.now()).total_seconds() if expires is not None else DEFAULT_LIFETIME
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
        message = parse_message(text)
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


def parse_message(text: str | bytes) -> Message:
    """What a message of the socket is."""
    try:
        event = parse_json(text if isinstance(text, bytes) else text.encode())
    except orjson.JSONDecodeError:
        return Message("unreadable", {})
    if not isinstance(event, dict):
        return Message("unreadable", {})
    topic = event.get("topicName")
    if topic == CLOSING:
        return Message("closing", event)
    if topic == HEARTBEAT or not topic:
        return Message("channel", event)
    return Message("event", event)
