"""What the simulated Genesys keeps: conversations, and the sessions in them."""

from dataclasses import dataclass, field


@dataclass
class Session:
    """A cobrowse session. `invitations`: (when, whose call) for each time that the customer was asked.

    `offered_until`: an offer that the conversation does not show, once it is on record, until it is accepted or lapses.
    `unseen_until`: an invitation that the conversation does not show, once its answer has come home, until then.
    `asked` is when its creation was asked for, `heard` when the answer to that came home.
    """

    id: str
    flow: str
    created_by: str
    asked: float
    conversation: str = ""
    media_id: str = ""
    seen_from: float = 0.0
    ended: float = float("inf")
    invitations: list[tuple[float, str]] = field(default_factory=list)
    offered_until: float = 0.0
    unseen_until: float = 0.0
    accepted: bool = False
    heard: float = float("inf")


@dataclass
class Conversation:
    """A conversation; `ended` when it is over. An agent has it from `answered` on, the customer until `left`."""

    id: str
    kind: str
    ended: float = float("inf")
    answered: float = 0.0
    left: float = float("inf")
    sessions: list[Session] = field(default_factory=list)
