"""The two ways to start a session, as rows of steps: `media` (create, attach) and `native` (one call)."""

from contextlib import suppress
from typing import NoReturn

from cobrowse.errors import (
    CobrowseNotSupported,
    ConversationNotFound,
    GenesysBadResponse,
    GenesysError,
    GenesysForbidden,
    GenesysUnavailable,
    NoActiveConversation,
)
from cobrowse.flow import Attempt, Flow, FlowUnavailable, SessionUpdate, Step
from cobrowse.model import Channel, Secret, Session, Sessions, SessionView
from integrations.genesys.client import Client
from integrations.genesys.cobrowse_parts import view_of
from integrations.genesys.conversation import ConversationSnapshot, parse_conversation
from integrations.genesys.ending import Ending
from integrations.genesys.handover import hand_over
from integrations.genesys.links import checked_link
from integrations.genesys.operations import (
    ATTACH,
    COBROWSE,
    CONVERSATION,
    CREATE,
    LIST,
    UpstreamRejected,
)

# Seconds before each poll for the new medium in the conversation; not visible after the last means unverified.
VERIFY_DELAYS = (0.0, 0.2, 0.4, 0.8)
_CHANNEL_SCOPES: dict[Channel | None, str] = {
    "webchat": "conversation:webchat",
    "voice": "conversation:voice",
    "message": "conversation:message",
    None: "conversation:webchat conversation:voice conversation:message",
}


_LEGACY_CHAT = (
    "The native flow is for web messaging and voice: Genesys's legacy web chat has had no co-browse since 30 June "
    "2024. Move the site's chat to Messenger."
)


class Flows:
    """Implements the domain's port to Genesys Cloud. `mode` is media, native or auto.

    `auto` turns native for good once Genesys lacks the media flow's endpoint (404, 405) or refuses its scopes (403, or
    invalid_scope at the token).
    """

    def __init__(self, client: Client, mode: str, *, end_media_sessions: bool = False) -> None:
        self._client = client
        self._mode = mode
        self._end_media_sessions = end_media_sessions
        self._lacks_media = False
        ending = Ending(client, self._fetch_conversation, self._scope, self._may_end)
        self._flows = {"media": self._media(), "native": self._native(), "end": ending.flow()}

    @property
    def lacks_media(self) -> bool:
        """Whether `auto` has found that this org does not have the media flow's endpoint."""
        return self._lacks_media

    def open_circuits(self) -> tuple[str, ...]:
        """The hosts whose circuit breaker is open."""
        return self._client.open_circuits()

    def flow(self, name: str = "") -> Flow:
        """The flow of that name, else the one in force for this org."""
        native = self._mode == "native" or (self._mode == "auto" and self._lacks_media)
        return self._flows[name or ("native" if native else "media")]

    def sessions(self, attempt: Attempt) -> Sessions:
        """The conversation's cobrowse sessions. ConversationError if it can't have one."""
        seen = self._fetch_conversation(attempt)
        seen.raise_if_ineligible()
        live = seen.live
        waits = attempt.command.start_when == "agent_connected"
        over = tuple(session for session in seen.sessions if session not in live)
        return Sessions(live, over, seen.unanswered() if waits else "")

    def newest_webchat(self, attempt: Attempt) -> str:
        """The id of the newest active webchat. NoActiveConversation if there is none."""
        try:
            entities = self._client.call(attempt, LIST, self._granted(attempt))["entities"]
        except UpstreamRejected as refused:
            if refused.status not in (400, 404, 405):
                raise GenesysBadResponse(refused.message) from None
            # An org without any has an empty list; this says nothing about its webchats, and won't next time either.
            hint = "This org does not list webchats (GET /api/v2/conversations/webchat); send the conversationId."
            raise CobrowseNotSupported(refused.message, hint=hint) from None
        if not entities:
            raise NoActiveConversation("Genesys lists no active webchat")
        return str(entities[0]["id"])

    def ending(self) -> Flow:
        """The steps that end what is live: a look, and where there is anything, the call."""
        return self._flows["end"]

    def view(self, attempt: Attempt, session: Session) -> SessionView:
        """How far a session has come, by one look at its conversation. One that is gone tells nothing."""
        try:
            seen = self._fetch_conversation(attempt)
        except ConversationNotFound:
            return SessionView()
        return view_of(seen.parts, session, ended=seen.is_over, now=attempt.clock.now())

    def _media(self) -> Flow:
        return Flow(
            "media",
            (
                Step("token", self._token),
                Step("create", self._create, has_side_effect=True),
                Step("attach", self._attach, probe=self._find_session, has_side_effect=True, notifies_customer=True),
                Step("verify", self._verify),
                self._handover(),
            ),
        )

    def _native(self) -> Flow:
        return Flow(
            "native",
            (
                Step("token", self._token),
                Step(
                    "cobrowse", self._cobrowse, probe=self._find_session, has_side_effect=True, notifies_customer=True
                ),
                Step("verify", self._verify),
                self._handover(),
            ),
        )

    def _may_end(self) -> bool:
        return self._end_media_sessions or self.flow().name == "native"

    def _handover(self) -> Step:
        return Step(
            "hand over",
            lambda attempt: hand_over(self._client, attempt, self._scope(attempt)),
            applies=lambda attempt: attempt.command.hand_over,
        )

    def _scope(self, attempt: Attempt) -> str:
        """The media flow's scopes. Genesys's published API grants by role instead, and its own SDK asks for none."""
        if self._started_by(attempt).name == "native":
            return ""
        return f"cobrowse:initiate conversation:read {_CHANNEL_SCOPES[attempt.command.channel]}"

    def _started_by(self, attempt: Attempt) -> Flow:
        """The flow of this attempt; of one that ends a session the one in force."""
        name = attempt.checkpoint.flow
        return self.flow("" if name == "end" else name)

    def _granted(self, attempt: Attempt) -> str:
        """The scopes for a call outside of a flow; those of native where the media flow's are refused."""
        scope = self._scope(attempt)
        if attempt.checkpoint.flow in ("", "end"):
            try:
                self._client.authorize(attempt, scope)
            except GenesysForbidden as error:
                if not self._turns_native(error):
                    raise
        return self._scope(attempt)

    def _turns_native(self, error: GenesysForbidden) -> bool:
        """Whether `auto` takes the native flow for this refusal of the media flow's scopes; from now on, then."""
        if self._mode != "auto" or not error.by_role:
            return False
        self._lacks_media = True
        return True

    def _token(self, attempt: Attempt) -> SessionUpdate:
        try:
            self._client.authorize(attempt, self._scope(attempt))
        except GenesysForbidden as error:
            # An attempt that goes on from a session of the media flow must not forget that it may be attached.
            fresh = attempt.checkpoint.flow == "media" and not (
                attempt.checkpoint.completed_steps or attempt.checkpoint.pending_step
            )
            if fresh and self._turns_native(error):
                raise FlowUnavailable from None
            raise
        return {}

    def _create(self, attempt: Attempt) -> SessionUpdate:
        settings = dict(attempt.command.session_settings)
        try:
            created = self._client.call(attempt, CREATE, self._scope(attempt), json=settings)
        except UpstreamRejected as refused:
            if refused.status in (404, 405) and self._mode == "auto":
                self._lacks_media = True
                raise FlowUnavailable from None
            if refused.status in (404, 405):
                hint = "This org has no /api/v2/cobrowse/sessions; set COBROWSE_FLOW=native or auto."
            else:
                hint = "Genesys refuses to create the session; check sessionSettings against the org's configuration."
            raise CobrowseNotSupported(refused.message, hint=hint) from None
        except GenesysForbidden as error:
            if self._turns_native(error):
                raise FlowUnavailable from None
            raise
        return {
            "cobrowse_session_id": created["id"],
            "join_url": checked_link(created["joinUrl"], "joinUrl", attempt.command.conversation_id),
            "viewer_url": checked_link(created["viewerUrl"], "viewerUrl", attempt.command.conversation_id),
        }

    def _attach(self, attempt: Attempt) -> SessionUpdate:
        # The type is lower case, exactly.
        json = {"type": "cobrowse", "cobrowseSessionId": attempt.session.cobrowse_session_id}
        conversation_id = attempt.command.conversation_id
        try:
            attached = self._client.call(
                attempt, ATTACH, self._scope(attempt), conversation_id=conversation_id, json=json
            )
        except UpstreamRejected as refused:
            self._raise_rejection_reason(attempt, refused)
        except GenesysForbidden as error:
            self._doubt(attempt, error)
        return {"media_id": attached["id"], "state": attached["state"]}

    def _cobrowse(self, attempt: Attempt) -> SessionUpdate:
        conversation_id = attempt.command.conversation_id
        try:
            started = self._client.call(attempt, COBROWSE, self._scope(attempt), conversation_id=conversation_id)
        except UpstreamRejected as refused:
            self._raise_rejection_reason(attempt, refused)
        except GenesysForbidden as error:
            self._doubt(attempt, error)
        return {
            "cobrowse_session_id": started["id"],
            "join_code": Secret(started["joinCode"]),
            "websocket_url": checked_link(started["websocketUrl"], "websocketUrl", conversation_id, "wss"),
            "offer_ends": started["dateOfferEnds"],
        }

    def _find_session(self, attempt: Attempt) -> SessionUpdate | None:
        """The probe: what the conversation shows of our session, whose id the native flow may not know."""
        seen = self._fetch_conversation(attempt)
        session = seen.session(attempt.session.cobrowse_session_id)
        if session is None:
            seen.raise_if_ineligible()
            return None
        return _merge_session(attempt, session)

    def _verify(self, attempt: Attempt) -> SessionUpdate:
        """Poll until the conversation shows the session. It is attached by now, so nothing here is a failure."""
        customer = attempt.session.customer_id
        try:
            for _ in attempt.poll(VERIFY_DELAYS, "before another look for the session"):
                seen = self._fetch_conversation(attempt)
                customer = seen.customer_id or customer
                session = seen.session(attempt.session.cobrowse_session_id, attempt.session.media_id)
                if session is not None:
                    return _merge_session(attempt, session) | {"verified": True, "customer_id": customer}
        except (GenesysError, ConversationNotFound):
            pass  # the customer has the invitation; that it could not be seen is what `unverified` says
        return {"verified": False, "customer_id": customer}

    def _fetch_conversation(self, attempt: Attempt) -> ConversationSnapshot:
        conversation_id = attempt.command.conversation_id
        try:
            scope = self._granted(attempt)
            return parse_conversation(self._client.call(attempt, CONVERSATION, scope, conversation_id=conversation_id))
        except UpstreamRejected as refused:
            if refused.status not in (400, 404):
                raise GenesysBadResponse(refused.message) from None
            raise ConversationNotFound(f"conversation {conversation_id}: {refused.message}") from None

    def _raise_rejection_reason(self, attempt: Attempt, refused: UpstreamRejected) -> NoReturn:
        """Why Genesys refuses to add cobrowse: the conversation itself says. A conflict may be the session we want."""
        if refused.status == 409:
            # Added by a call whose answer a gateway lost and sent again: only a check can tell; the probe is one.
            raise GenesysUnavailable(refused.message, ambiguous=True, refused=True)
        seen = self._fetch_conversation(attempt)
        seen.raise_if_ineligible()
        seen.contradict(attempt.command.channel)
        if seen.kinds == ("webchat",) and self.flow(attempt.checkpoint.flow).name == "native":
            message = f"{refused.message}; conversation {seen.id} is legacy web chat"
            raise CobrowseNotSupported(message, hint=_LEGACY_CHAT)
        raise CobrowseNotSupported(
            refused.message,
            hint="The conversation is live and of a kind that can carry cobrowse, so Genesys has another reason; "
            "check that cobrowse is enabled in the org and in its deployment.",
        )

    def _doubt(self, attempt: Attempt, error: GenesysForbidden) -> NoReturn:
        """Why Genesys forbids it: a channel that is not the conversation's asks for the wrong scope."""
        if attempt.command.channel is not None and error.by_role:
            with suppress(GenesysError, ConversationNotFound):
                self._fetch_conversation(attempt).contradict(attempt.command.channel)
        raise error


def _merge_session(attempt: Attempt, session: Session) -> dict[str, object]:
    """The session with the fields that the conversation adds."""
    ours = attempt.session
    return {
        "cobrowse_session_id": ours.cobrowse_session_id or session.cobrowse_session_id,
        "media_id": ours.media_id or session.media_id,
        "viewer_url": ours.viewer_url or session.viewer_url,
        "state": session.state,
    }
