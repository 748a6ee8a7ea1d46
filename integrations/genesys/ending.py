"""Ending a session: one check of what is live, and a call for each communication that has to be disconnected."""

from collections.abc import Callable
from dataclasses import dataclass

from cobrowse.errors import CobrowseNotSupported, ConversationNotFound
from cobrowse.flow import Attempt, SessionUpdate, Step
from cobrowse.model import Ending
from integrations.genesys.client import Client
from integrations.genesys.cobrowse_parts import targets_of
from integrations.genesys.operations import DISCONNECT, UpstreamRejected
from integrations.genesys.steps import Calls

_DISCONNECTED: SessionUpdate = {"targets": (), "state": "disconnected"}
_IN_THE_WORKSPACE = "end it in the agent's workspace."
_NO_CALL = (
    "Genesys documents no call that ends a session of this flow. END_MEDIA_SESSIONS=true tries the one of the native "
    f"flow, which is not confirmed; or {_IN_THE_WORKSPACE}"
)


@dataclass(frozen=True, slots=True)
class EndCalls:
    """The calls of an end. `authorize` returns the calls of the flow that the org uses.

    `unendable` is that flow's name if its sessions can't be ended, else "".
    """

    client: Client
    authorize: Callable[[Attempt], Calls]
    unendable: Callable[[], str]

    def step(self) -> Step:
        """The step that ends a session of any flow; skipped where a check has found nothing live."""
        return Step(
            "end",
            self.disconnect,
            self.find_ended,
            has_side_effect=True,
            applies=lambda attempt: bool(attempt.session.targets),
        )

    def find_live(self, attempt: Attempt) -> Ending:
        """What has to be disconnected, and what is over; everything where the conversation has ended, or is gone."""
        known = attempt.session.cobrowse_session_id
        try:
            seen = self.authorize(attempt).fetch_conversation(attempt)
        except ConversationNotFound:
            return Ending(all_over=True)
        if seen.ended:
            return Ending(all_over=True)
        shown = [session for session in seen.sessions if known in ("", session.cobrowse_session_id)]
        ids = tuple(dict.fromkeys(session.cobrowse_session_id for session in shown))
        if not any(session in seen.live for session in shown):
            return Ending(session_ids=ids, customer_left=seen.is_over)
        if flow := self.unendable():
            raise CobrowseNotSupported(f"conversation {seen.id}: a session of the {flow} flow is live", hint=_NO_CALL)
        targets = targets_of(seen.parts, known)
        if not targets:
            raise CobrowseNotSupported(
                f"conversation {seen.id} shows the session as its medium, and no participant's communication to end",
                hint=f"Genesys documents no call that ends such a session; {_IN_THE_WORKSPACE}",
            )
        return Ending(targets, ids)

    def find_ended(self, attempt: Attempt) -> SessionUpdate | None:
        """The probe: nothing is live any more."""
        return None if self.find_live(attempt).targets else _DISCONNECTED

    def disconnect(self, attempt: Attempt) -> SessionUpdate:
        """Step: end what the check has found, one call for each session."""
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
                # It may have ended by itself since the check.
                if self.find_live(attempt).targets:
                    hint = f"Genesys refuses to end a session that is live; {_IN_THE_WORKSPACE}"
                    raise CobrowseNotSupported(refused.message, hint=hint) from None
        return _DISCONNECTED
