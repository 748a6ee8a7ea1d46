"""What a conversation is, read from either shape Genesys gives it: over or not, its kind, its live sessions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cobrowse.errors import CobrowseNotSupported, ConversationNotActive
from cobrowse.model import Session
from integrations.genesys.links import checked_link
from integrations.genesys.redaction import redact

_OVER = frozenset({"disconnected", "terminated", "ended", "closed", "inactive"})
# The participant's list of each kind, and the kind's name in a data action's `channel`.
_KINDS = {"chats": "webchat", "calls": "voice", "messages": "message", "emails": "e-mail", "callbacks": "callback"}
_MEDIA_KINDS = {"chat": "webchat", "call": "voice", "email": "e-mail", "webmessaging": "message"}
# Of messages only web messaging can carry cobrowse: it needs the customer's browser. "" and unknown: we can't tell.
_BROWSER_MESSAGES = frozenset({"", "unknown", "webmessaging", "message"})
_CAPABLE = frozenset({"webchat", "voice", "message"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A conversation as one GET showed it. `kinds` are the media that carry the talk, cobrowse itself left out.

    `sessions` are its cobrowse sessions as each participant has them, `live` those that are not over, each once.
    """

    id: str
    ended: bool
    kinds: tuple[str, ...]
    sessions: tuple[Session, ...]

    @property
    def live(self) -> tuple[Session, ...]:
        """The sessions that a customer can use now."""
        live = [session for session in self.sessions if session.state.lower() not in _OVER]
        return tuple({session.cobrowse_session_id: session for session in reversed(live)}.values())[::-1]

    def session(self, *ids: str) -> Session | None:
        """The session with one of these ids, over or not: it was there. With none given, any live one."""
        wanted = [value for value in ids if value]
        if not wanted:
            return next(iter(self.live), None)
        for session in (*self.live, *self.sessions):
            if session.cobrowse_session_id in wanted or session.media_id in wanted:
                return session
        return None

    def rule_out(self) -> None:
        """Raise the ConversationError that this conversation stands for, if it can't have a cobrowse session."""
        if self.ended:
            raise ConversationNotActive(f"conversation {self.id} has ended")
        if self.kinds and not _CAPABLE.intersection(self.kinds):
            raise CobrowseNotSupported(
                f"conversation {self.id} is {' and '.join(self.kinds)}, which can't carry cobrowse"
            )


def see(conversation: Mapping[str, Any]) -> Seen:
    """Read a loaded ConversationSchema."""
    kinds: dict[str, None] = {}
    sessions: list[Session] = []
    for medium in conversation["media"]:
        if medium["type"].lower() == "cobrowse":
            sessions.append(_session(conversation["id"], medium))
        elif medium["type"]:
            kinds[_MEDIA_KINDS.get(medium["type"].lower()) or _shown(medium["type"])] = None
    for participant in conversation["participants"]:
        sessions.extend(_session(conversation["id"], medium) for medium in participant["cobrowsesessions"])
        for name, kind in _KINDS.items():
            for medium in participant[name]:
                kinds[_message_kind(medium["type"]) if name == "messages" else kind] = None
    ended = bool(conversation["endTime"]) or conversation["state"].lower() in _OVER
    return Seen(conversation["id"], ended, tuple(kinds), tuple(sessions))


def _message_kind(kind: str) -> str:
    return "message" if kind.lower() in _BROWSER_MESSAGES else f"{_shown(kind)} message"


def _shown(kind: str) -> str:
    return redact(kind)[:40].lower()


def _session(conversation_id: str, medium: Mapping[str, str]) -> Session:
    return Session(
        conversation_id,
        # A medium that names no session of its own is known by its own id alone.
        cobrowse_session_id=medium["cobrowseSessionId"] or medium["id"],
        media_id=medium["id"],
        viewer_url=checked_link(medium["viewerUrl"], "viewerUrl", conversation_id),
        state=medium["state"],
    )
