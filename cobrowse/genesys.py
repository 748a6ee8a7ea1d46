"""The domain's port to Genesys Cloud."""

from typing import Protocol

from cobrowse.flow import Attempt, Flow
from cobrowse.model import Ending, Session, Sessions, SessionView


class Genesys(Protocol):
    """One org. Each check is of the attempt's conversation, by one call, and raises GenesysError if that fails."""

    def flow(self, name: str = "") -> Flow:
        """The flow of that name, else the one that this org uses."""

    def ending(self) -> Flow:
        """The flow that ends the session's targets."""

    def sessions(self, attempt: Attempt) -> Sessions:
        """The conversation's cobrowse sessions. ConversationError if it can't have one."""

    def find_live(self, attempt: Attempt) -> Ending:
        """What of the attempt's session, or of the conversation, is live."""

    def view(self, attempt: Attempt, session: Session) -> SessionView:
        """How far a session has come."""

    def newest_webchat(self, attempt: Attempt) -> str:
        """The id of the newest active webchat. NoActiveConversation if there is none."""
