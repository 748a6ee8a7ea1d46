"""Listens while it has the lease: connects, renews without a gap, reconnects, and catches up on what a gap hid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any

import structlog

from cobrowse.clock import Clock
from cobrowse.errors import CobrowseError, GenesysForbidden
from integrations.genesys.notifications import Notifications
from integrations.genesys.streams import Stream, StreamClosed
from integrations.lease_keeper import LeaseKeeper
from integrations.listening.agent_answers import AgentAnswer, parse_change
from integrations.listening.config import ListenConfig, Subscription, is_id
from integrations.listening.connection import DEFAULT_TIMES, Connection, Silent, Times
from integrations.listening.starting import Starter
from integrations.observability.background_metrics import ListenerMetrics

log = structlog.stdlib.get_logger()

# Seconds between checks of the lease, and at most between messages.
POLL_INTERVAL = 0.5
# Seconds before a new connection after one that failed: jittered, twice as long each time.
FIRST_BACKOFF, MAX_BACKOFF = 0.5, 60.0
# Seconds that a channel which was replaced is still read, for what it had under way.
DRAIN_SECONDS = 5.0


@dataclass(slots=True)
class Listener:
    """Listens to what `config` names until `stopping` is set.

    `new_id` makes correlation ids, `jitter` gives numbers from 0 to 1.
    """

    config: ListenConfig
    calls: Notifications
    open_socket: Callable[[str], Stream]
    new_id: Callable[[], str]
    starter: Starter
    lease: LeaseKeeper
    metrics: ListenerMetrics
    clock: Clock
    jitter: Callable[[], float]
    stopping: Event
    times: Times = DEFAULT_TIMES
    _subscription: Subscription | None = None
    _rejected: tuple[str, ...] = ()

    def run(self) -> None:
        """Listen whenever this process has the lease."""
        pause = FIRST_BACKOFF
        while not self.stopping.is_set():
            if not self.lease.is_held:
                self.stopping.wait(POLL_INTERVAL)
                continue
            start = self.clock.monotonic()
            reason = self._listen()
            if not reason:
                continue
            self.metrics.on_reconnect(reason)
            if self.clock.monotonic() - start > MAX_BACKOFF:
                pause = FIRST_BACKOFF  # it had worked
            self.stopping.wait(pause * (0.5 + self.jitter() / 2))
            pause = min(pause * 2, MAX_BACKOFF)

    def _listen(self) -> str:
        """Listen until the lease is lost or the process stops (""), or until why the connection is over."""
        connection = None
        try:
            connection = self._connect()
            self.metrics.on_listening(True)
            # After the subscription is active, so that no change falls between the query and the events.
            self.starter.submit(self._catch_up)
            while self.lease.is_held and not self.stopping.is_set():
                if connection.is_ending:
                    connection = self._replace(connection)
                self._handle(connection)
        except StreamClosed as error:
            log.warning("listener: the channel is gone", why=str(error))
            return "silent" if isinstance(error, Silent) else "closed"
        except CobrowseError as error:
            log.warning("listener: not listening", error=error.code, message=error.message, hint=error.hint)
            return "failed"
        finally:
            self.metrics.on_listening(False)
            if connection is not None:
                connection.close()
        return ""

    def _connect(self) -> Connection:
        """A channel whose topics hold and whose socket is open. Raises CobrowseError."""
        subscription = self._subscription = self._subscription or self._resolve()
        channel = self.calls.open_channel(subscription.topics)
        rejected = tuple(f"{topic}: {why}" for topic, why in channel.rejected.items())
        if len(rejected) == len(subscription.topics):
            raise GenesysForbidden(f"Genesys rejected every topic: {'; '.join(rejected)[:600]}")
        if rejected != self._rejected:
            self._rejected = rejected
            for topic in rejected:
                log.error("listener: Genesys rejected a topic; the others are listened to", topic=topic)
        connection = Connection(self.open_socket(channel.uri), channel.expires, self.clock, self.times)
        log.info("listener: listening", topics=len(subscription.topics) - len(rejected))
        return connection

    def _resolve(self) -> Subscription:
        """The ids of the names, resolved once for each process."""
        queues = [one if is_id(one) else self.calls.queue_id(one) for one in self.config.queues]
        users = [one if is_id(one) else self.calls.user_id(one) for one in self.config.users]
        return Subscription(tuple(dict.fromkeys(queues)), tuple(dict.fromkeys(users)))

    def _replace(self, old: Connection) -> Connection:
        """The connection that takes over: open before the old one is left, whose last messages are read too.

        While there is none to be had, the old one goes on.
        """
        try:
            new = self._connect()
        except CobrowseError as error:
            log.warning("listener: the channel can't be renewed yet", error=error.code, message=error.message)
            old.postpone_end()
            return old
        self.metrics.on_reconnect("renewed")
        until = self.clock.monotonic() + DRAIN_SECONDS
        try:
            while self.clock.monotonic() < until and self._handle(old):
                pass
        except StreamClosed:
            pass  # the new one has been listening since before
        finally:
            old.close()
        return new

    def _handle(self, connection: Connection) -> bool:
        """Take in one message; whether there was one. Raises StreamClosed."""
        message = connection.receive(POLL_INTERVAL)
        if message is None:
            return False
        if message.kind == "event":
            self._handle_event(message.event)
        elif message.kind == "unreadable":
            self.metrics.on_event("unreadable")
        return True

    def _handle_event(self, event: Mapping[str, Any]) -> None:
        try:
            request = parse_change(event, self.clock.now(), self.new_id)
        except CobrowseError as error:
            self.metrics.on_event("unreadable")
            log.warning("listener: an event can't be read", error=error.code, message=error.message)
            return
        if isinstance(request, AgentAnswer):
            self.metrics.on_event("started" if self.starter.start(request) else "known")
        else:
            self.metrics.on_event("ignored")

    def _catch_up(self) -> None:
        """Look at each live conversation, as if a change of it had just come; count the gap if that can't be done."""
        subscription = self._subscription
        if subscription is None or not self.config.catch_up:
            self.metrics.on_gap("lost")
            return
        try:
            found = self.calls.live_conversations(subscription.queues, subscription.users, self.clock.now())
        except CobrowseError as error:
            log.warning("listener: what was missed can't be asked for", error=error.code, message=error.message)
            self.metrics.on_gap("lost")
            return
        complete = True
        for conversation_id in found:
            if self.stopping.is_set():
                return
            complete = self._check_conversation(conversation_id, subscription) and complete
        self.metrics.on_gap("caught_up" if complete else "lost")

    def _check_conversation(self, conversation_id: str, subscription: Subscription) -> bool:
        try:
            state = self.calls.conversation(conversation_id)
        except CobrowseError as error:
            log.warning("listener: a conversation can't be checked", message=error.message)
            return False
        self._handle_event({"topicName": subscription.topics[0], "eventBody": state})
        return True
