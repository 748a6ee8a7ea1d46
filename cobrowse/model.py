"""The domain's model: command, session, spans and outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

Channel = Literal["webchat", "voice", "message"]
StartWhen = Literal["customer_connected", "agent_connected"]
Action = Literal["start", "end"]
SpanKind = Literal["step", "call", "wait", "commit"]


class Secret:
    """A text that only `reveal()` gives: str(), formats, repr, the log and exceptions show dots, JSON refuses it."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, to sign, send or store."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "•••"


class Status(StrEnum):
    """Status of a request, as callers see it."""

    INITIATED = "initiated"
    UNVERIFIED = "unverified"
    JOINED = "joined"
    ALREADY_ACTIVE = "already_active"
    IGNORED = "ignored"
    FAILED = "failed"
    ENDED = "ended"
    ALREADY_ENDED = "already_ended"
    RUNNING = "running"
    WOULD_START = "would_start"
    WOULD_END = "would_end"


class SessionState(StrEnum):
    """How far a cobrowse session has come; `unknown` where neither the record nor the conversation says."""

    OFFERED = "offered"
    JOINED = "joined"
    ENDED = "ended"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Command:
    """One request to start a cobrowse session, or to end one, parsed and authenticated.

    `deadline_seconds` is how long the caller waits. `fingerprint` distinguishes requests with one key; it is empty
    where the key names the event whatever its data, as a sender's delivery id does. With `start_when` agent_connected
    nothing is started before an agent has answered. With `check_before_create` the conversation is
    checked before a session is made that no customer sees yet. An `action` of end is about the session of the
    initiation `ends`, or about every live one of the conversation. `hand_over`: the customer's participant gets the
    session's data.
    """

    sender: str
    correlation_id: str
    deadline_seconds: float
    conversation_id: str = ""
    latest: bool = False
    channel: Channel | None = None
    requested_by: str = ""
    credential: str = ""
    session_settings: Mapping[str, object] = field(default_factory=dict)
    key: str = ""
    fingerprint: str = ""
    reuse_live_session: bool = False
    check_before_create: bool = False
    start_when: StartWhen = "customer_connected"
    user_token: Secret = Secret()
    action: Action = "start"
    ends: str = ""
    hand_over: bool = False


class Session(NamedTuple):
    """Session data collected by a flow's steps; an empty string means "not known". `offer_ends` is ISO 8601.

    `targets` are the communications to disconnect, each as the ids of its participant and its own with a slash between.
    `customer_id` is the customer's participant.
    """

    conversation_id: str = ""
    cobrowse_session_id: str = ""
    media_id: str = ""
    join_url: Secret = Secret()
    viewer_url: Secret = Secret()
    join_code: Secret = Secret()
    websocket_url: Secret = Secret()
    offer_ends: str = ""
    state: str = ""
    verified: bool = False
    targets: tuple[str, ...] = ()
    customer_id: str = ""
    handed_over: bool = False
    hand_over_error: str = ""


@dataclass(frozen=True, slots=True)
class Sessions:
    """A conversation's cobrowse sessions, as one check shows them: those the customer can use, and the others.

    `unanswered` says who has to answer before a session may be started, "" if nobody.
    """

    live: tuple[Session, ...] = ()
    over: tuple[Session, ...] = ()
    unanswered: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """What one check shows of what is to be ended. `targets` as in Session; `all_over`: no session can be live there.

    `session_ids` are those of the targets and of sessions that are shown as over. `customer_left`: nobody is there who
    could accept what does not show.
    """

    targets: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    all_over: bool = False
    customer_left: bool = False


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as one check of its conversation shows it. `since`: ISO 8601, "" where Genesys does not say."""

    state: SessionState = SessionState.UNKNOWN
    customer_connected: bool = False
    agent_connected: bool = False
    since: str = ""


class Span(NamedTuple):
    """A stretch of an initiation: a step, an upstream call, a wait before a retry, a commit. Times are seconds."""

    kind: SpanKind
    name: str
    start: float
    seconds: float
    result: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A stored error. `is_terminal`: a retry with the same key gets it again. `retry_after` is in seconds."""

    code: str
    message: str
    hint: str
    retryable: bool
    is_terminal: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a request. `seconds` is its duration."""

    status: Status
    initiation_id: str
    correlation_id: str
    session: Session = Session()
    flow: str = ""
    seconds: float = 0.0
    upstream_calls: int = 0
    attempts: int = 1
    failure: Failure | None = None
    spans: tuple[Span, ...] = ()
    reason: str = ""
    replayed: bool = field(default=False, compare=False)

    @property
    def success(self) -> bool:
        """Whether the customer has (or had) an invitation from this."""
        return self.failure is None and self.status is not Status.IGNORED
