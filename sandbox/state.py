"""The conversations and cobrowse sessions of the sandbox, and how often each customer was invited."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.directory import QUEUE, USER
from sandbox.errors import GenesysError
from sandbox.faults import Lag
from sandbox.options import Options

# The conversations that always exist.
WEBCHAT = "11111111-1111-4111-8111-111111111111"  # active, and the newest webchat
VOICE = "22222222-2222-4222-8222-222222222222"  # active
MESSAGE = "33333333-3333-4333-8333-333333333333"  # active, web messaging
ENDED = "44444444-4444-4444-8444-444444444444"  # a webchat that is over
EMAIL = "55555555-5555-4555-8555-555555555555"  # active, but e-mail can't be cobrowsed
LIVE = "66666666-6666-4666-8666-666666666666"  # an active webchat that already has a live cobrowse
ABSENT = "99999999-9999-4999-8999-999999999999"  # there is none with this id
# Those to start with, by their channels.
OF_CHANNEL = {"webchat": WEBCHAT, "voice": VOICE, "message": MESSAGE}
LIVE_SESSION = "66666666-0000-4000-8000-000000000001"  # the session of LIVE
LIVE_MEDIUM = "66666666-0000-4000-8000-000000000002"

CHANNELS = ("webchat", "voice", "message", "email")
STATES = ("active", "ended")
# How far a side of a conversation can have come: participant states of Genesys's SDK.
PRESENCES = ("alerting", "dialing", "contacting", "offering", "connected", "disconnected", "terminated")
# What can become of every cobrowse of a conversation that is live.
ENDINGS = ("joined", "ended", "expired")
_GONE = ("disconnected", "terminated")


@dataclass(frozen=True)
class Session:
    """A cobrowse session; `made` and `expires` are in seconds since the epoch."""

    id: str
    flow: str
    made: float
    expires: float
    settings: Mapping[str, object] = field(default_factory=dict)
    conversation_id: str | None = None


@dataclass(frozen=True)
class Medium:
    """A cobrowse that stands in a conversation, until `ended`; unseen while reads are left or before `seen_from`.

    `joined` is when its customer accepted the offer.
    """

    id: str
    session_id: str
    attached: float
    ended: float | None = None
    joined: float | None = None
    unseen_reads: int = 0
    seen_from: float = 0.0


@dataclass(frozen=True)
class Conversation:
    """A conversation on one channel; `ended` is None while it is active.

    `customer` and `agent` are the states of their communications, `attributes` the customer's participant data;
    `transfers` says how often another agent got it.
    """

    id: str
    channel: str
    started: float
    ended: float | None = None
    media: tuple[Medium, ...] = ()
    customer: str = "connected"
    agent: str = "connected"
    queue: str = QUEUE
    user: str = USER
    transfers: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)


class State:
    """All that has happened, behind one lock: each method is one whole step."""

    def __init__(self, options: Options, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._options = options
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.RLock()
        self._conversations: dict[str, Conversation] = {}
        self._sessions: dict[str, Session] = {}
        self._invitations: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        """Put back the conversations that are always there, and forget all else."""
        now = self._clock()
        live = Medium(LIVE_MEDIUM, LIVE_SESSION, attached=now - 300)
        fixed = (
            Conversation(LIVE, "webchat", now - 900, media=(live,)),
            Conversation(EMAIL, "email", now - 800),
            Conversation(ENDED, "webchat", now - 700, ended=now - 400),
            Conversation(MESSAGE, "message", now - 600),
            Conversation(VOICE, "voice", now - 500),
            Conversation(WEBCHAT, "webchat", now - 200),
        )
        with self._lock:
            self._conversations = {one.id: one for one in fixed}
            self._sessions = {LIVE_SESSION: Session(LIVE_SESSION, "media", now - 310, now, conversation_id=LIVE)}
            self._invitations.clear()

    def add(
        self, channel: str, state: str = "active", conversation_id: str | None = None, agent: str = "connected"
    ) -> Conversation:
        """Put a conversation there; one with the same id is replaced."""
        now = self._clock()
        with self._lock:
            ended = now if state == "ended" else None
            new = Conversation(conversation_id or self._new_id(), channel, now, ended, agent=agent)
            self._conversations.pop(new.id, None)  # the newest stands last
            self._conversations[new.id] = new
            return new

    def end(self, conversation_id: str) -> Conversation:
        """The customer leaves: the conversation and every medium in it end."""
        now = self._clock()
        with self._lock:
            conversation = self.conversation(conversation_id)
            media = tuple(replace(one, ended=one.ended or now) for one in conversation.media)
            return self._update(conversation, ended=conversation.ended or now, media=media)

    def move(
        self, conversation_id: str, customer: str | None = None, agent: str | None = None, transfers: int = 0
    ) -> Conversation:
        """Change the state of either side's communication; `transfers`: how many more agents it is passed to."""
        with self._lock:
            conversation = self.conversation(conversation_id)
            return self._update(
                conversation,
                customer=customer or conversation.customer,
                agent=agent or conversation.agent,
                transfers=conversation.transfers + transfers,
            )

    def conversation(self, conversation_id: str) -> Conversation:
        """The conversation as it is, seen or unseen.

        Raises:
            GenesysError: 404, there is none and none is made up.
        """
        with self._lock:
            conversation = self._conversations.get(conversation_id)
            if conversation is None and self._options.auto_create:
                return self.add("webchat", conversation_id=conversation_id)
        if conversation is None:
            raise GenesysError("not.found")
        return conversation

    def view(self, conversation_id: str) -> Conversation:
        """The conversation as a caller sees it; counts as one of the reads of each medium that still lags."""
        now = self._clock()
        with self._lock:
            conversation = self.conversation(conversation_id)
            visible = _visible(conversation, now)
            if len(visible.media) < len(conversation.media):
                media = tuple(replace(one, unseen_reads=max(0, one.unseen_reads - 1)) for one in conversation.media)
                self._update(conversation, media=media)
            return visible

    def webchats(self, *, active: bool) -> list[Conversation]:
        """The webchats that are active, or those that have ended, newest first."""
        with self._lock:
            webchats = [one for one in self._conversations.values() if one.channel == "webchat"]
        now = self._clock()
        visible = [_visible(one, now) for one in reversed(webchats) if (one.ended is None) == active]
        return sorted(visible, key=lambda one: -one.started)

    def create(self, settings: Mapping[str, object]) -> Session:
        """A session of the media flow, not attached to anything yet."""
        now = self._clock()
        return self._store(Session(self._new_id(), "media", now, now + self._options.session_ttl, settings))

    def attach(self, conversation_id: str, session_id: str, lag: Callable[[], Lag]) -> tuple[Medium, bool]:
        """Attach a session to a conversation and invite its customer: the medium, and whether it is new.

        Attaching it once more changes nothing, but the customer is invited once more.

        Raises:
            GenesysError: 404, the conversation is not there or has ended; 400, its channel or the session doesn't fit.
        """
        with self._lock:
            conversation = self._find_open(conversation_id)
            session = self._sessions.get(session_id)
            if session is None or session.conversation_id not in {None, conversation_id}:
                raise _bad_session()
            existing = next((one for one in conversation.media if one.session_id == session_id), None)
            if existing is None and self._clock() >= session.expires:
                raise _bad_session()
            self._invitations[conversation_id] += 1
            if existing is not None:
                return existing, False
            return self._add_medium(conversation, session, lag()), True

    def start(self, conversation_id: str, lag: Callable[[], Lag]) -> Session:
        """The native flow's one step: a new session, in the conversation, its customer invited.

        Raises:
            GenesysError: 404, the conversation is not there or has ended; 400, its channel can't be cobrowsed.
        """
        now = self._clock()
        with self._lock:
            conversation = self._find_open(conversation_id)
            session = self._store(Session(self._new_id(), "native", now, now + self._options.session_ttl))
            self._invitations[conversation_id] += 1
            self._add_medium(conversation, session, lag())
            return self._sessions[session.id]

    def disconnect(self, conversation_id: str, medium_id: str) -> None:
        """End one cobrowse of a conversation; ending it again changes nothing."""
        now = self._clock()
        with self._lock:
            conversation = self.conversation(conversation_id)
            media = (replace(one, ended=one.ended or now) if one.id == medium_id else one for one in conversation.media)
            self._update(conversation, media=tuple(media))

    def set_attributes(self, conversation_id: str, attributes: Mapping[str, str]) -> None:
        """Put texts into the customer's participant data; those of other names stay."""
        with self._lock:
            conversation = self.conversation(conversation_id)
            self._update(conversation, attributes={**conversation.attributes, **attributes})

    def change_cobrowse(self, conversation_id: str, how: str) -> Conversation:
        """Have the customer join every live cobrowse, or end it, or let its offer lapse: one of ENDINGS."""
        now = self._clock()
        with self._lock:
            conversation = self.conversation(conversation_id)
            live = [one for one in conversation.media if one.ended is None]
            changed = {one.id: replace(one, joined=now) if how == "joined" else replace(one, ended=now) for one in live}
            media = tuple(changed.get(one.id, one) for one in conversation.media)
            if how == "expired":
                for one in live:
                    self._sessions[one.session_id] = replace(self._sessions[one.session_id], expires=now)
            return self._update(conversation, media=media)

    def sessions(self) -> list[Session]:
        """The sessions that callers made, oldest first."""
        with self._lock:
            return [one for one in self._sessions.values() if one.id != LIVE_SESSION]

    def conversations(self) -> list[Conversation]:
        """Every conversation, with its media seen or unseen."""
        with self._lock:
            return list(self._conversations.values())

    def invitations(self) -> dict[str, int]:
        """How often the customer of each conversation was invited to a cobrowse."""
        with self._lock:
            return dict(self._invitations)

    def _find_open(self, conversation_id: str) -> Conversation:
        conversation = self.conversation(conversation_id)
        if conversation.ended is not None:
            raise GenesysError("not.found")
        if conversation.channel == "email" or conversation.customer in _GONE:
            raise GenesysError("bad.request")
        return conversation

    def _update(self, conversation: Conversation, **changes: Any) -> Conversation:  # noqa: ANN401 - Conversation's fields
        updated = self._conversations[conversation.id] = replace(conversation, **changes)
        return updated

    def _store(self, session: Session) -> Session:
        with self._lock:
            self._sessions[session.id] = session
        return session

    def _add_medium(self, conversation: Conversation, session: Session, lag: Lag) -> Medium:
        now = self._clock()
        medium = Medium(
            self._new_id(), session.id, now, unseen_reads=lag.reads, seen_from=now + lag.seconds if lag.seconds else 0.0
        )
        self._update(conversation, media=(*conversation.media, medium))
        self._sessions[session.id] = replace(session, conversation_id=conversation.id)
        return medium


def _visible(conversation: Conversation, now: float) -> Conversation:
    """The conversation without the media that still lag."""
    return replace(
        conversation, media=tuple(one for one in conversation.media if one.unseen_reads <= 0 and now >= one.seen_from)
    )


def _bad_session() -> GenesysError:
    detail = {"errorCode": "bad.request", "fieldName": "cobrowseSessionId"}
    return GenesysError("bad.request", details=(detail,))
