"""Ending a session: one look at what is live, and a call for each communication that has to be disconnected."""

from collections.abc import Callable
from dataclasses import dataclass

from cobrowse.errors import CobrowseNotSupported, ConversationNotFound, GenesysBadResponse
from cobrowse.existing_session import offer_is_open
from cobrowse.flow import PROBE_DELAYS, Attempt, SessionUpdate
from integrations.genesys.client import Client
from integrations.genesys.cobrowse_parts import targets_of
from integrations.genesys.operations import DISCONNECT, UpstreamRejected
from integrations.genesys.steps import Calls

_MEDIA = (
    "Genesys documents no call that ends a session of the media flow. END_MEDIA_SESSIONS=true tries the one of the "
    "native flow, which is not confirmed; or end it in the agent's workspace."
)
_IN_THE_WORKSPACE = "end it in the agent's workspace."


@dataclass(frozen=True, slots=True)
class Ending:
    """The calls of an end. `authorize` gives the calls of the flow in force; `allowed`: its sessions can be ended."""

    client: Client
    authorize: Callable[[Attempt], Calls]
    allowed: Callable[[], bool]

    def find_targets(self, attempt: Attempt) -> SessionUpdate:
        """Step: what has to be disconnected; nothing where the conversation is over, or is gone."""
        try:
            targets = self._targets(attempt)
        except ConversationNotFound:
            targets = ()
        return {"targets": targets, **({} if targets else {"state": "disconnected"})}

    def find_no_targets(self, attempt: Attempt) -> SessionUpdate | None:
        """The probe: nothing is live any more."""
        found = self.find_targets(attempt)
        return None if found["targets"] else found

    def _targets(self, attempt: Attempt) -> tuple[str, ...]:
        known = attempt.session.cobrowse_session_id
        for _ in attempt.poll(PROBE_DELAYS, "before another look for what is to be ended"):
            seen = self.authorize(attempt).fetch_conversation(attempt)
            shown = [session for session in seen.sessions if known in ("", session.cobrowse_session_id)]
            if shown or seen.is_over or not offer_is_open(attempt.session, attempt.clock.now()):
                break
        else:
            raise GenesysBadResponse(
                f"conversation {attempt.command.conversation_id} does not show the session, and its offer is open",
                hint="The customer may still accept it: retry, or wait until offerEnds.",
            )
        if seen.is_over or not any(session in seen.live for session in shown):
            return ()
        if not self.allowed():
            raise CobrowseNotSupported(f"conversation {seen.id}: a session of the media flow is live", hint=_MEDIA)
        targets = targets_of(seen.parts, known)
        if not targets:
            raise CobrowseNotSupported(
                f"conversation {seen.id} shows the session as its medium, and no participant's communication to end",
                hint=f"Genesys documents no call that ends such a session; {_IN_THE_WORKSPACE}",
            )
        return targets

    def disconnect(self, attempt: Attempt) -> SessionUpdate:
        """Step: end what the look has found, one call for each session."""
        for target in attempt.session.targets:
            participant, _, communication = target.partition("/")
            try:
                self.client.call(
                    attempt,
                    DISCONNECT,
                    self.authorize(attempt).scope(attempt),
                    conversation_id=attempt.command.conversation_id,
                    target=(participant, "communications", communication),
                    json={"state": "disconnected"},
                )
            except UpstreamRejected as refused:
                # It may have ended by itself since the look.
                if self.find_targets(attempt)["targets"]:
                    hint = f"Genesys refuses to end a session that is live; {_IN_THE_WORKSPACE}"
                    raise CobrowseNotSupported(refused.message, hint=hint) from None
        return {"targets": (), "state": "disconnected"}
