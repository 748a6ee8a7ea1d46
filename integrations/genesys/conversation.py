"""What a conversation is, read from either shape Genesys gives it: over or not, who has answered, its live sessions."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from cobrowse.errors import CobrowseNotSupported, ConversationNotActive
from cobrowse.model import Channel, Session
from integrations.genesys.cobrowse_parts import CobrowsePart, parts_of
from integrations.genesys.links import check_link
from integrations.genesys.presence import OVER, Presence, is_over, presence_of, purpose_of
from integrations.genesys.redaction import redact

# The participant's list of each kind, and the kind's name in a data action's `channel`.
_KINDS = {
    "chats": "webchat",
    "calls": "voice",
    "messages": "message",
    "emails": "e-mail",
    "callbacks": "callback",
    "videos": "video",
    "internalMessages": "internal message",
    "socialExpressions": "social media",
}
_MEDIA_KINDS = {
    "chat": "webchat",
    "webchat": "webchat",
    "call": "voice",
    "voice": "voice",
    "webmessaging": "message",
    "message": "message",
    "email": "e-mail",
}
# Of messages only web messaging can carry cobrowse: it needs the customer's browser. "" and unknown: not known.
_BROWSER_MESSAGES = frozenset({"", "unknown", "webmessaging", "message"})
_CAPABLE = frozenset({"webchat", "voice", "message"})
_LEFT = (
    "The customer has left, though the conversation is not closed yet (the agent may be in after-call work); "
    "start cobrowse while the customer is connected."
)


class ConversationSnapshot:
    """A conversation as one GET returned it: a loaded ConversationSchema. Each property is computed at its first use.

    Most callers ask whether it shows one session, and no more.
    """

    def __init__(self, conversation: Mapping[str, Any]) -> None:
        self._shown = conversation
        self._participants: Sequence[Mapping[str, Any]] = conversation["participants"]
        self.id: str = conversation["id"]
        self.ended = bool(conversation["endTime"]) or conversation["state"].lower() in OVER

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The media that carry the talk, cobrowse itself left out."""
        talks = [
            (_MEDIA_KINDS.get(medium["type"].lower()) or _printable_kind(medium["type"]), is_over(medium))
            for medium in self._shown["media"]
            if medium["type"] and medium["type"].lower() != "cobrowse"
        ]
        for participant in self._participants:
            talks.extend(_talks(participant))
        # What is over says nothing of what the conversation is now, unless all of it is.
        return tuple(dict.fromkeys([kind for kind, over in talks if not over] or [kind for kind, _ in talks]))

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        """Its cobrowse sessions as each participant has them."""
        return tuple(_session(self.id, medium) for medium in self._cobrowse_media)

    @cached_property
    def live(self) -> tuple[Session, ...]:
        """The sessions that a customer can use now, those that are not over, each once."""
        shown = zip(self.sessions, self._cobrowse_media, strict=True)
        live = [session for session, medium in shown if not is_over(medium)]
        return tuple({session.cobrowse_session_id: session for session in reversed(live)}.values())[::-1]

    @cached_property
    def _cobrowse_media(self) -> Sequence[Mapping[str, str]]:
        media = [medium for medium in self._shown["media"] if medium["type"].lower() == "cobrowse"]
        for participant in self._participants:
            media.extend(participant["cobrowsesessions"])
        return media

    @cached_property
    def customer(self) -> Presence:
        """How far the customer has come. A call between two persons has none: its other end is `external`."""
        return presence_of(self._participants, "customer", otherwise="external")

    @cached_property
    def agent(self) -> Presence:
        """How far the agent has come."""
        return presence_of(self._participants, "agent", "user")

    @cached_property
    def parts(self) -> tuple[CobrowsePart, ...]:
        """Who takes part in which session."""
        return parts_of(self._shown)

    @property
    def customer_id(self) -> str:
        """The id of the customer's participant, which stays when agents change; "" if none is shown."""
        ids = {purpose_of(one): one["id"] for one in self._participants}
        return ids.get("customer") or ids.get("external") or ""

    @property
    def is_over(self) -> bool:
        """Whether no session can be live any more: it has ended, or the customer has left."""
        return self.ended or self.customer is Presence.LEFT

    def session(self, *ids: str) -> Session | None:
        """The session with one of these ids, over or not: it was there. With none given, any live one."""
        wanted = [value for value in ids if value]
        if not wanted:
            return next(iter(self.live), None)
        for session in (*self.live, *self.sessions):
            if session.cobrowse_session_id in wanted or session.media_id in wanted:
                return session
        return None

    def raise_if_ineligible(self) -> None:
        """Raise the ConversationError that fits this conversation, if it can't have a cobrowse session."""
        if self.ended:
            raise ConversationNotActive(f"conversation {self.id} has ended")
        if self.customer is Presence.LEFT:
            raise ConversationNotActive(f"conversation {self.id}: the customer has left", hint=_LEFT)
        if self.kinds and not _CAPABLE.intersection(self.kinds):
            raise CobrowseNotSupported(
                f"conversation {self.id} is {' and '.join(self.kinds)}, which can't carry cobrowse"
            )

    def raise_if_other_channel(self, channel: Channel | None) -> None:
        """Raise CobrowseNotSupported if the conversation is known to be on another channel than the requested one."""
        if channel is not None and self.kinds and channel not in self.kinds:
            kinds = " and ".join(self.kinds)
            raise CobrowseNotSupported(
                f"the channel {channel} was requested, and conversation {self.id} is {kinds}",
                hint="Send the conversation's own channel, or leave the channel out.",
            )

    def unanswered(self) -> str:
        """Who has to answer before both sides talk, in words; "" if none, or if the conversation doesn't show it."""
        if self.agent in (Presence.RINGING, Presence.ABSENT, Presence.LEFT):
            how = {Presence.RINGING: "it still rings", Presence.ABSENT: "none has it yet"}.get(self.agent, "all left")
            return f"conversation {self.id}: no agent is connected, {how}"
        if self.agent is Presence.UNKNOWN and self.customer is not Presence.UNKNOWN:
            # It lists communications, and none of the agent's.
            return f"conversation {self.id}: no agent is connected, none of its communications is shown"
        if self.customer is Presence.RINGING:
            return f"conversation {self.id}: the customer has not answered yet"
        return ""


def _talks(participant: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Each communication's kind, and whether it is over."""
    for name, kind in _KINDS.items():
        for medium in participant[name]:
            yield (_message_kind(medium["type"]) if name == "messages" else kind), is_over(medium)


def _message_kind(kind: str) -> str:
    return "message" if kind.lower() in _BROWSER_MESSAGES else f"{_printable_kind(kind)} message"


def _printable_kind(kind: str) -> str:
    return redact(kind)[:40].lower()


def _session(conversation_id: str, medium: Mapping[str, str]) -> Session:
    return Session(
        conversation_id,
        # A medium that names no session of its own is known by its own id alone.
        cobrowse_session_id=medium["cobrowseSessionId"] or medium["id"],
        media_id=medium["id"],
        viewer_url=check_link(medium["viewerUrl"], "viewerUrl", conversation_id),
        state=medium["state"],
    )
