"""Ending a session: one look at what is live, and a call for each communication that has to be disconnected."""

from collections.abc import Callable

from cobrowse.errors import CobrowseNotSupported, ConversationNotFound, GenesysBadResponse
from cobrowse.existing_session import offer_is_open
from cobrowse.flow import PROBE_DELAYS, Attempt, Flow, SessionUpdate, Step
from integrations.genesys.client import Client
from integrations.genesys.cobrowse_parts import targets_of
from integrations.genesys.conversation import ConversationSnapshot
from integrations.genesys.operations import DISCONNECT, UpstreamRejected

_MEDIA = (
    "Genesys documents no call that ends a session of the media flow. END_MEDIA_SESSIONS=true tries the one of the "
    "native flow, which is not confirmed; or end it in the agent's workspace."
)
_IN_THE_WORKSPACE = "end it in the agent's workspace."


class Ending:
    """The steps of an end. `fetch` looks at the conversation; `allowed`: whether this org's sessions can be ended."""

    def __init__(
        self,
        client: Client,
        fetch: Callable[[Attempt], ConversationSnapshot],
        scope: Callable[[Attempt], str],
        allowed: Callable[[], bool],
    ) -> None:
        self._client = client
        self._fetch = fetch
        self._scope = scope
        self._allowed = allowed

    def flow(self) -> Flow:
        """The steps: the call is left out where nothing is live."""
        return Flow(
            "end",
            (
                Step("look", self._find_targets),
                Step(
                    "end",
                    self._disconnect,
                    probe=self._find_no_targets,
                    has_side_effect=True,
                    applies=lambda attempt: bool(attempt.session.targets),
                ),
            ),
        )

    def _find_targets(self, attempt: Attempt) -> SessionUpdate:
        """What has to be disconnected; nothing where the conversation is over, or is gone."""
        try:
            targets = self._targets(attempt)
        except ConversationNotFound:
            targets = ()
        return {"targets": targets, **({} if targets else {"state": "disconnected"})}

    def _find_no_targets(self, attempt: Attempt) -> SessionUpdate | None:
        """The probe: nothing is live any more."""
        found = self._find_targets(attempt)
        return None if found["targets"] else found

    def _targets(self, attempt: Attempt) -> tuple[str, ...]:
        known = attempt.session.cobrowse_session_id
        for _ in attempt.poll(PROBE_DELAYS, "before another look for what is to be ended"):
            seen = self._fetch(attempt)
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
        if not self._allowed():
            raise CobrowseNotSupported(f"conversation {seen.id}: a session of the media flow is live", hint=_MEDIA)
        targets = targets_of(seen.parts, known)
        if not targets:
            raise CobrowseNotSupported(
                f"conversation {seen.id} shows the session as its medium, and no participant's communication to end",
                hint=f"Genesys documents no call that ends such a session; {_IN_THE_WORKSPACE}",
            )
        return targets

    def _disconnect(self, attempt: Attempt) -> SessionUpdate:
        for target in attempt.session.targets:
            participant, _, communication = target.partition("/")
            try:
                self._client.call(
                    attempt,
                    DISCONNECT,
                    self._scope(attempt),
                    conversation_id=attempt.command.conversation_id,
                    target=(participant, "communications", communication),
                    json={"state": "disconnected"},
                )
            except UpstreamRejected as refused:
                # It may have ended by itself since the look.
                if self._find_targets(attempt)["targets"]:
                    hint = f"Genesys refuses to end a session that is live; {_IN_THE_WORKSPACE}"
                    raise CobrowseNotSupported(refused.message, hint=hint) from None
        return {"targets": (), "state": "disconnected"}
