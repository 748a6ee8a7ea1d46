"""The ways to start a session, a row each, and the choice between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from cobrowse.errors import CobrowseNotSupported, ConversationNotFound, GenesysBadResponse, NoActiveConversation
from cobrowse.flow import Attempt, Flow, FlowUnavailable, Step
from cobrowse.model import Channel, Ending, Session, Sessions, SessionView
from integrations.genesys.client import Client
from integrations.genesys.cobrowse_parts import view_of
from integrations.genesys.ending import EndCalls
from integrations.genesys.operations import ATTACH, COBROWSE, CREATE, LIST, Operation, UpstreamRejected
from integrations.genesys.steps import Calls

# The mode that takes the first flow of the table that the org has.
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A way to start a session.

    `invitation` is the operation that reaches the customer. `scopes` are what its token asks for, by the command's
    channel; without any, the client's roles decide. `trial` is an operation that reaches no customer and by which an
    org shows whether it has the flow. `hints` say what to do about kinds of conversation that the flow can't serve.
    `can_end`: Genesys documents how its sessions are ended.
    """

    name: str
    steps: Callable[[Calls], tuple[Step, ...]]
    invitation: Operation
    scopes: Mapping[Channel | None, str] = field(default_factory=dict)
    trial: Operation | None = None
    hints: Mapping[str, str] = field(default_factory=dict)
    can_end: bool = False


_MEDIA_SCOPES = "cobrowse:initiate conversation:read"


def _media_steps(calls: Calls) -> tuple[Step, ...]:
    return (
        Step("token", calls.token),
        Step("create", calls.create, has_side_effect=True),
        Step("attach", calls.attach, calls.find_session, has_side_effect=True, notifies_customer=True),
        *_last_steps(calls),
    )


def _native_steps(calls: Calls) -> tuple[Step, ...]:
    return (
        Step("token", calls.token),
        Step("cobrowse", calls.cobrowse, calls.find_session, has_side_effect=True, notifies_customer=True),
        *_last_steps(calls),
    )


def _last_steps(calls: Calls) -> tuple[Step, ...]:
    return (
        Step("verify", calls.verify),
        Step("hand over", calls.hand_over, applies=lambda attempt: attempt.command.hand_over),
    )


FLOWS = (
    FlowRow(
        "media",
        _media_steps,
        ATTACH,
        scopes={
            "webchat": f"{_MEDIA_SCOPES} conversation:webchat",
            "voice": f"{_MEDIA_SCOPES} conversation:voice",
            "message": f"{_MEDIA_SCOPES} conversation:message",
            None: f"{_MEDIA_SCOPES} conversation:webchat conversation:voice conversation:message",
        },
        trial=CREATE,
    ),
    # Genesys's published API grants by role, and its own SDK asks for no scopes.
    FlowRow(
        "native",
        _native_steps,
        COBROWSE,
        hints={
            "webchat": "The native flow is for web messaging and voice: Genesys's legacy web chat has had no co-browse "
            "since 30 June 2024. Move the site's chat to Messenger."
        },
        can_end=True,
    ),
)
MODES = (AUTO, *(row.name for row in FLOWS))


def candidates(mode: str, rows: Sequence[FlowRow] = FLOWS) -> tuple[FlowRow, ...]:
    """The rows that this mode chooses from, in the order in which they are tried."""
    return tuple(row for row in rows if mode in (AUTO, row.name))


def unavailable_hint(row: FlowRow, rows: Sequence[FlowRow]) -> str:
    """What to do where this flow is set and the org does not have it."""
    others = " or ".join([*(other.name for other in rows if other is not row), AUTO])
    return f"This org has no {row.trial.path}; set COBROWSE_FLOW={others}." if row.trial else ""


class Flows:
    """Implements the domain's port to Genesys Cloud. `mode` is a row's name or AUTO.

    AUTO takes the next row for good once Genesys lacks a flow's endpoint (404, 405) or refuses its scopes (403, or
    invalid_scope at the token).
    """

    def __init__(self, client: Client, mode: str, rows: Sequence[FlowRow] = FLOWS, *, end_media_sessions: bool) -> None:
        self.client = client
        self._unendable = {row.name for row in rows if not (row.can_end or end_media_sessions)}
        self._end_calls = EndCalls(
            client, self.authorize, lambda: name if (name := self._in_force()) in self._unendable else ""
        )
        self._ending = Flow("end", (self._end_calls.step(),))
        self._candidates = [row.name for row in candidates(mode, rows)]
        self._unavailable: set[str] = set()
        self._calls = {
            row.name: Calls(
                client, row.scopes, partial(self._mark_unavailable, row.name), unavailable_hint(row, rows), row.hints
            )
            for row in rows
        }
        self._flows = {row.name: Flow(row.name, row.steps(self._calls[row.name])) for row in rows}

    def flow(self, name: str = "") -> Flow:
        """The flow of that name, else the one that this org uses."""
        return self._flows[name or self._in_force()]

    def ending(self) -> Flow:
        """The flow that ends the session's targets."""
        return self._ending

    def find_live(self, attempt: Attempt) -> Ending:
        """What of the attempt's session, or of the conversation, is live, by one check."""
        return self._end_calls.find_live(attempt)

    def authorize(self, attempt: Attempt) -> Calls:
        """The calls of the attempt's flow; outside of one, those of the first that the org grants a token for."""
        if attempt.checkpoint.flow in self._calls:
            return self._calls[attempt.checkpoint.flow]
        while True:
            calls = self._calls[self._in_force()]
            try:
                calls.authorize(attempt)
            except FlowUnavailable:
                continue
            return calls

    def sessions(self, attempt: Attempt) -> Sessions:
        """The conversation's cobrowse sessions. ConversationError if it can't have one."""
        seen = self.authorize(attempt).fetch_conversation(attempt)
        seen.raise_if_ineligible()
        live = seen.live
        waits = attempt.command.start_when == "agent_connected"
        over = tuple(session for session in seen.sessions if session not in live)
        return Sessions(live, over, seen.unanswered() if waits else "")

    def view(self, attempt: Attempt, session: Session) -> SessionView:
        """How far a session has come, by one check of its conversation; unknown if that is gone."""
        try:
            seen = self.authorize(attempt).fetch_conversation(attempt)
        except ConversationNotFound:
            return SessionView()
        return view_of(seen.parts, session, ended=seen.is_over, now=attempt.clock.now())

    def newest_webchat(self, attempt: Attempt) -> str:
        """The id of the newest active webchat. NoActiveConversation if there is none."""
        try:
            entities = self.client.call(attempt, LIST, self.authorize(attempt).scope(attempt))["entities"]
        except UpstreamRejected as refused:
            if refused.status not in (400, 404, 405):
                raise GenesysBadResponse(refused.message) from None
            # An org without any has an empty list; this says nothing about its webchats, and won't next time either.
            hint = "This org does not list webchats (GET /api/v2/conversations/webchat); send the conversationId."
            raise CobrowseNotSupported(refused.message, hint=hint) from None
        if not entities:
            raise NoActiveConversation("Genesys lists no active webchat")
        return str(entities[0]["id"])

    def _in_force(self) -> str:
        return next(name for name in self._candidates if name not in self._unavailable)

    def _mark_unavailable(self, name: str) -> bool:
        """Note that the org does not have this flow, if another takes its place; whether one does."""
        if name not in self._candidates[:-1]:
            return False
        self._unavailable.add(name)
        return True
