"""The steps that flows are made of: each is one call of Genesys's, or a check of what a lost call has done."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from cobrowse.errors import (
    CobrowseNotSupported,
    ConversationNotFound,
    GenesysBadResponse,
    GenesysError,
    GenesysForbidden,
    GenesysUnavailable,
)
from cobrowse.flow import Attempt, FlowUnavailable, SessionUpdate
from cobrowse.model import Channel, Secret, Session, SessionState
from integrations.genesys.client import Client
from integrations.genesys.conversation import ConversationSnapshot
from integrations.genesys.links import check_link
from integrations.genesys.operations import (
    ATTACH,
    ATTRIBUTES,
    COBROWSE,
    CONVERSATION,
    CREATE,
    UpstreamRejected,
    check_is_identified,
)

# Seconds before each poll for the new medium in the conversation; not visible after the last means unverified.
VERIFY_DELAYS = (0.0, 0.2, 0.4, 0.8)


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one flow.

    `scopes` are those it asks for, by the command's channel; without any, the client's roles decide.
    `mark_unavailable` notes that the org does not have this flow and returns whether another takes its place;
    `unavailable_hint` is the hint where none does. `hints` are for kinds of conversation that the flow can't serve.
    """

    client: Client
    scopes: Mapping[Channel | None, str]
    mark_unavailable: Callable[[], bool]
    unavailable_hint: str
    hints: Mapping[str, str]

    def scope(self, attempt: Attempt) -> str:
        """The scopes that this attempt's token needs, separated by spaces."""
        return self.scopes.get(attempt.command.channel, "")

    def authorize(self, attempt: Attempt) -> None:
        """Get a token. FlowUnavailable if the org refuses this flow's scopes and has another flow."""
        try:
            self.client.authorize(attempt, self.scope(attempt))
        except GenesysForbidden as error:
            self._raise_if_flow_unavailable(error)
            raise

    def token(self, attempt: Attempt) -> SessionUpdate:
        """Step: a token, before anything else is done."""
        if attempt.checkpoint.completed_steps or attempt.checkpoint.pending_step:
            # An attempt that goes on from a session must not forget that it may be attached: no other flow now.
            self.client.authorize(attempt, self.scope(attempt))
        else:
            self.authorize(attempt)
        return {}

    def create(self, attempt: Attempt) -> SessionUpdate:
        """Step: a session that is in no conversation yet, so that no customer sees it."""
        # While none can be attached, each one would be left over.
        self.client.breaker.before_call(ATTACH.name, attempt.initiation_id)
        settings = dict(attempt.command.session_settings)
        try:
            created = self.client.call(attempt, CREATE, self.scope(attempt), json=settings)
        except UpstreamRejected as refused:
            if refused.status not in (404, 405):
                hint = "Genesys refuses to create the session; check sessionSettings against the org's configuration."
                raise CobrowseNotSupported(refused.message, hint=hint) from None
            if self.mark_unavailable():
                raise FlowUnavailable from None
            raise CobrowseNotSupported(refused.message, hint=self.unavailable_hint) from None
        except GenesysForbidden as error:
            self._raise_if_flow_unavailable(error)
            raise
        check_is_identified(created)
        return {
            "cobrowse_session_id": created["id"],
            "join_url": check_link(created["joinUrl"], "joinUrl", attempt.command.conversation_id),
            "viewer_url": check_link(created["viewerUrl"], "viewerUrl", attempt.command.conversation_id),
        }

    def attach(self, attempt: Attempt) -> SessionUpdate:
        """Step: bring the session into the conversation, which invites the customer."""
        # The type is lower case, exactly.
        json = {"type": "cobrowse", "cobrowseSessionId": attempt.session.cobrowse_session_id}
        conversation_id = attempt.command.conversation_id
        try:
            attached = self.client.call(
                attempt, ATTACH, self.scope(attempt), conversation_id=conversation_id, json=json
            )
        except UpstreamRejected as refused:
            self._raise_rejection_reason(attempt, refused)
        except GenesysForbidden as error:
            self._explain_forbidden(attempt, error)
        return {"media_id": attached["id"], "state": attached["state"]}

    def cobrowse(self, attempt: Attempt) -> SessionUpdate:
        """Step: start a session in the conversation, which offers it to the customer."""
        conversation_id = attempt.command.conversation_id
        try:
            started = self.client.call(attempt, COBROWSE, self.scope(attempt), conversation_id=conversation_id)
        except UpstreamRejected as refused:
            self._raise_rejection_reason(attempt, refused)
        except GenesysForbidden as error:
            self._explain_forbidden(attempt, error)
        return {
            "cobrowse_session_id": started["id"],
            "join_code": Secret(started["joinCode"]),
            "websocket_url": check_link(started["websocketUrl"], "websocketUrl", conversation_id, "wss"),
            "offer_ends": started["dateOfferEnds"],
        }

    def find_session(self, attempt: Attempt) -> SessionUpdate | None:
        """The probe: what the conversation shows of our session, whose id the native flow may not know."""
        seen = self.fetch_conversation(attempt)
        session = seen.session(attempt.session.cobrowse_session_id)
        if session is None:
            seen.raise_if_ineligible()
            return None
        return _merge_session(attempt, session)

    def verify(self, attempt: Attempt) -> SessionUpdate:
        """Step: poll until the conversation shows the session. It is attached by now, so nothing here is a failure."""
        customer = attempt.session.customer_id
        try:
            for _ in attempt.poll(VERIFY_DELAYS, "before another check for the session"):
                seen = self.fetch_conversation(attempt)
                customer = seen.customer_id or customer
                session = seen.session(attempt.session.cobrowse_session_id, attempt.session.media_id)
                if session is not None:
                    return _merge_session(attempt, session) | {"verified": True, "customer_id": customer}
        except (GenesysError, ConversationNotFound):
            pass  # the customer has the invitation; that it could not be seen is what `unverified` says
        return {"verified": False, "customer_id": customer}

    def hand_over(self, attempt: Attempt) -> SessionUpdate:
        """Step: the session in the data of the customer's participant, which stays when agents change.

        Agents' scripts and flows read it there. The invitation is out, so nothing here is a failure. All names are
        written each time: an empty one takes away what an earlier session has left.
        """
        session = attempt.session
        if not session.customer_id:
            return {"handed_over": False, "hand_over_error": "the conversation did not show the customer's participant"}
        attributes = {
            "cobrowse.joinUrl": session.join_url.reveal(),
            "cobrowse.viewerUrl": session.viewer_url.reveal(),
            "cobrowse.joinCode": session.join_code.reveal(),
            "cobrowse.initiationId": attempt.initiation_id,
            "cobrowse.state": SessionState.OFFERED.value,
        }
        try:
            self.client.call(
                attempt,
                ATTRIBUTES,
                self.scope(attempt),
                conversation_id=attempt.command.conversation_id,
                target=(session.customer_id,),
                json={"attributes": attributes},
            )
        except (GenesysError, UpstreamRejected) as error:
            return {"handed_over": False, "hand_over_error": error.message}
        return {"handed_over": True, "hand_over_error": ""}

    def fetch_conversation(self, attempt: Attempt) -> ConversationSnapshot:
        """The conversation as it is now. ConversationNotFound if there is none for this client."""
        conversation_id = attempt.command.conversation_id
        try:
            scope = self.scope(attempt)
            return ConversationSnapshot(self.client.call(attempt, CONVERSATION, scope, conversation_id=conversation_id))
        except UpstreamRejected as refused:
            if refused.status not in (400, 404):
                raise GenesysBadResponse(refused.message) from None
            raise ConversationNotFound(f"conversation {conversation_id}: {refused.message}") from None

    def _raise_if_flow_unavailable(self, error: GenesysForbidden) -> None:
        """Raise FlowUnavailable if Genesys itself refuses what this flow asks for, and another takes its place."""
        if error.by_role and self.mark_unavailable():
            raise FlowUnavailable from None

    def _raise_rejection_reason(self, attempt: Attempt, refused: UpstreamRejected) -> NoReturn:
        """Why Genesys refuses to add cobrowse: the conversation itself says. A conflict may be its session."""
        if refused.status == 409:
            # Added by a call whose answer a gateway lost and sent again: only a check can find out; the probe is one.
            hint = "Genesys reports a conflict: this conversation may have an offer that it does not show; retry."
            raise GenesysUnavailable(refused.message, hint=hint, ambiguous=True, refused=True)
        seen = self.fetch_conversation(attempt)
        seen.raise_if_ineligible()
        seen.raise_if_other_channel(attempt.command.channel)
        if len(seen.kinds) == 1 and seen.kinds[0] in self.hints:
            (kind,) = seen.kinds
            raise CobrowseNotSupported(f"{refused.message}; conversation {seen.id} is {kind}", hint=self.hints[kind])
        raise CobrowseNotSupported(
            refused.message,
            hint="The conversation is live and of a kind that can carry cobrowse, so Genesys has another reason; "
            "check that cobrowse is enabled in the org and in its deployment.",
        )

    def _explain_forbidden(self, attempt: Attempt, error: GenesysForbidden) -> NoReturn:
        """Why Genesys forbids it: a channel that is not the conversation's asks for the wrong scope."""
        if attempt.command.channel is not None and error.by_role:
            with suppress(GenesysError, ConversationNotFound):
                self.fetch_conversation(attempt).raise_if_other_channel(attempt.command.channel)
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
