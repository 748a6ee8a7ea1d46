"""Notification channels: their topics, what was sent to each, and the ways in which a socket can misbehave."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

from sandbox.errors import GenesysError

LIFE = 86_400.0  # seconds a channel lives
MAX_TOPICS = 1000
# What can be done to every open socket: a proper close, a cut, no more answers, Genesys's notice before a close; and to
# the next event: sent twice, sent after the one that follows it.
DISTURBANCES = ("close", "cut", "silence", "closing", "duplicate", "reorder")
PONG = {"topicName": "channel.metadata", "eventBody": {"message": "pong"}}
HEARTBEAT = {"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}}


@dataclass
class Channel:
    """One channel; `outbox` is what its socket has still to send, as JSON. `ended` is how its socket is to end."""

    id: str
    expires: float
    topics: tuple[str, ...] = ()
    connections: int = 0
    silent: bool = False
    ended: str = ""
    outbox: deque[bytes] = field(default_factory=deque)


class Channels:
    """All channels of one sandbox, behind one lock."""

    def __init__(self, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._next_events: deque[str] = deque()
        self._delayed: bytes | None = None
        self.made = 0

    def clear(self) -> None:
        """Forget every channel; its socket is cut."""
        with self._lock:
            for one in self._channels.values():
                one.ended = "cut"
            self._channels.clear()
            self._next_events.clear()
            self._delayed = None
            self.made = 0

    def make(self) -> Channel:
        """A new channel without topics."""
        with self._lock:
            self.made += 1
            new = Channel(f"streaming-0-{self._new_id()}", self._clock() + LIFE)
            self._channels[new.id] = new
            return new

    def get(self, channel_id: str) -> Channel:
        """The channel of this id. GenesysError: 404, there is none."""
        with self._lock:
            found = self._channels.get(channel_id)
        if found is None or self._clock() >= found.expires:
            raise GenesysError("not.found")
        return found

    def subscribe(self, channel_id: str, topics: Iterable[str]) -> None:
        """Give the channel these topics in place of its others."""
        self.get(channel_id).topics = tuple(topics)

    def connect(self, channel: Channel) -> None:
        """A socket is open; a second one of the same channel takes over from the first."""
        with self._lock:
            channel.connections += 1
            channel.ended = ""

    def disconnect(self, channel: Channel) -> None:
        """A socket is closed."""
        with self._lock:
            channel.connections -= 1

    def listening(self) -> int:
        """How many channels have an open socket."""
        with self._lock:
            return sum(one.connections > 0 for one in self._channels.values())

    def notify(self, topics: Iterable[str], body: object) -> None:
        """Send the event to every connected channel, once for each of these topics that it has."""
        with self._lock:
            for topic in topics:
                message = orjson.dumps({"topicName": topic, "version": "2", "eventBody": body})
                for one in self._channels.values():
                    if topic in one.topics and one.connections and not one.silent:
                        self._put(one, message)

    def disturb(self, what: str) -> None:
        """Do one of DISTURBANCES."""
        with self._lock:
            if what in ("duplicate", "reorder"):
                self._next_events.append(what)
                return
            for one in self._channels.values():
                if what == "silence":
                    one.silent = True
                elif what == "closing":
                    notice = {"topicName": "v2.system.socket_closing", "eventBody": {"message": "closing in 60 s"}}
                    one.outbox.append(orjson.dumps(notice))
                elif one.connections:
                    one.ended = what

    def _put(self, channel: Channel, message: bytes) -> None:
        once = self._next_events.popleft() if self._next_events else ""
        if once == "reorder":
            self._delayed = message
            return
        channel.outbox.append(message)
        if once == "duplicate":
            channel.outbox.append(message)
        if self._delayed is not None:
            channel.outbox.append(self._delayed)
            self._delayed = None
