"""One simulated Genesys Cloud: its parts, and the methods for tests."""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from sandbox import responses
from sandbox.calls import Call, Calls
from sandbox.channels import Channels
from sandbox.faults import Faults
from sandbox.logins import Logins
from sandbox.options import Options
from sandbox.state import Conversation, Session, State
from sandbox.tokens import Tokens


def random_id() -> str:
    """A fresh id, as Genesys's are."""
    return str(uuid.uuid4())


class FakeGenesys:
    """A Genesys Cloud without its server.

    Args:
        options: how it behaves to begin with, and again after a reset.
        clock: seconds since the epoch; tokens, limits, lags and offers go by it. Delays and drips take real time.
        new_id: a fresh id each time.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._initially = options or Options()
        self.options = replace(self._initially)
        self.clock = clock
        self.new_id = new_id
        self.faults = Faults()
        self.tokens = Tokens(self.options, clock, new_id)
        self.logins = Logins(self.options, clock, new_id, self.tokens)
        self.state = State(self.options, clock, new_id)
        self.channels = Channels(clock, new_id)
        self.record = Calls(clock)
        self.stopping = threading.Event()  # set once the running calls have nothing more to wait for

    def reset(self) -> None:
        """Put everything back: settings, conversations, sessions, tokens, faults, counts.

        A call that a fault still delays is given up: it must not change what comes next.
        """
        stopping, self.stopping = self.stopping, threading.Event()
        stopping.set()
        self.options.copy_from(self._initially)
        self.faults.clear()
        self.tokens.clear()
        self.logins.clear()
        self.state.clear()
        self.channels.clear()
        self.record.clear()

    def invitations(self, conversation_id: str | None = None) -> int:
        """How many invitations the customer of a conversation saw, or the customers of all."""
        counted = self.state.invitations()
        return sum(counted.values()) if conversation_id is None else counted.get(conversation_id, 0)

    def sessions(self) -> list[Session]:
        """The sessions made so far, attached or not."""
        return self.state.sessions()

    def calls(self, operation: str | None = None) -> list[Call]:
        """The calls so far, oldest first, of one operation or of all."""
        return self.record.newest(operation)

    def add_conversation(
        self,
        channel: str = "webchat",
        state: str = "active",
        conversation_id: str | None = None,
        agent: str = "connected",
    ) -> Conversation:
        """Put a conversation there; its id is made up unless given."""
        return self.notify(self.state.add(channel, state, conversation_id, agent))

    def ring(self, conversation_id: str | None = None, channel: str = "webchat") -> Conversation:
        """A conversation of the queue that rings an agent; a new one unless it is named."""
        if conversation_id is None:
            return self.add_conversation(channel, agent="alerting")
        return self.notify(self.state.move(conversation_id, agent="alerting"))

    def answer(self, conversation_id: str) -> Conversation:
        """The agent answers."""
        return self.notify(self.state.move(conversation_id, agent="connected"))

    def transfer(self, conversation_id: str) -> Conversation:
        """Transfer the conversation to another agent, who is alerted."""
        return self.notify(self.state.move(conversation_id, agent="alerting", transfers=1))

    def end(self, conversation_id: str) -> Conversation:
        """The conversation ends."""
        return self.notify(self.state.end(conversation_id))

    def notify(self, conversation: Conversation) -> Conversation:
        """Send the conversation's state to the channels that listen to its queue or agent."""
        topics = (
            f"v2.routing.queues.{conversation.queue}.conversations",
            f"v2.users.{conversation.user}.conversations",
        )
        self.channels.notify(topics, responses.notification(conversation))
        return conversation
