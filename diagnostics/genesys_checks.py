"""The org: the OAuth client and its scopes, the flow it has, and a conversation. Nothing here reaches a customer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from marshmallow import fields

from cobrowse.errors import (
    CobrowseError,
    ConversationNotFound,
    GenesysBadResponse,
    GenesysForbidden,
    GenesysTimeout,
    GenesysUnauthorized,
    GenesysUnavailable,
    SessionNotIdentified,
)
from cobrowse.flow import Attempt
from cobrowse.model import Command, Secret
from diagnostics.context import Check, DiagnosticContext, failing
from diagnostics.network_checks import PROXY_HINT, is_proxied
from integrations.genesys import grant_name
from integrations.genesys.auth import Tokens
from integrations.genesys.client import Client
from integrations.genesys.conversation import ConversationSnapshot
from integrations.genesys.flows import FLOWS, FlowRow, candidates, unavailable_hint
from integrations.genesys.grants import Grants
from integrations.genesys.operations import (
    ATTRIBUTES,
    CONVERSATION,
    DISCONNECT,
    TOKEN,
    Operation,
    UpstreamRejected,
    check_is_identified,
)
from integrations.genesys.retry import Call, RetryingCaller
from integrations.genesys.user_login import UserLogin
from integrations.genesys.user_token import UserTokens
from integrations.ledger.grants import GrantTable
from schemas.genesys import TokenSchema

# Seconds for each question to Genesys, its repetitions included.
TIMEOUT_SECONDS = 6.0


class _GrantSchema(TokenSchema):
    """RFC 6749, 5.1: the granted scopes, if they differ from the requested ones."""

    scope = fields.String(load_default=None)


_GRANT = replace(TOKEN, answer=_GrantSchema())


class GenesysChecks:
    """Asks Genesys on behalf of one examination, with a token of its own."""

    def __init__(
        self, context: DiagnosticContext, grants: GrantTable | None = None, rows: Sequence[FlowRow] = FLOWS
    ) -> None:
        settings = context.settings
        self._rows = rows
        self._candidates = candidates(settings.cobrowse_flow, rows)
        # Until `flow` finds that the org lacks it.
        self.row = self._candidates[0]
        self._context = context
        self._transport = context.transport
        self._identity = (
            settings.genesys_client_id or "sandbox",
            settings.genesys_client_secret or Secret("sandbox-secret"),
        )
        caller = RetryingCaller(
            self._transport, context.clock, _fixed_jitter, secrets=self._identity[1:], sandbox=settings.sandbox
        )
        self.login, user = None, None
        if settings.user_client is not None and grants is not None:
            self.login = UserLogin(caller, settings.user_client)
            name = grant_name(settings.user_client)
            # An owner of its own, for another doctor may run. A renewal is waited for: connections close in the end.
            owner = f"doctor:{context.new_id()}"
            user = UserTokens(self.login, grants, context.clock, name, lease_owner=owner, run=lambda work: work())
        self.grants = Grants(settings.genesys_grant, self._tokens(caller), user)
        self.client = Client(caller, self.grants, settings.api_url)

    def close(self) -> None:
        """End the connections."""
        self._transport.close()

    def credentials(self) -> Iterator[Check]:
        """The client's id and secret."""
        settings = self._context.settings
        try:
            self.client.authorize(self.attempt(), "")
        except GenesysUnauthorized as error:
            yield failing("credentials", error, _credential_hint(error.message))
        except GenesysBadResponse as error:
            hint = "Something other than Genesys's login answered: check GENESYS_LOGIN_URL and any proxy on the way."
            yield failing("credentials", error, hint)
        except CobrowseError as error:
            proxy_failed = is_proxied(settings, settings.login_url) and isinstance(
                error, GenesysUnavailable | GenesysTimeout
            )
            yield failing("credentials", error, PROXY_HINT if proxy_failed else "")
        else:
            yield Check("credentials", True, f"Genesys gives a token to client {self._identity[0]}")

    def scopes(self) -> Iterator[Check]:
        """Each scope that the org's flow asks for, as far as `flow` has found which that is."""
        row = self.row
        scopes = row.scopes.get(None, "").split()
        if not scopes:
            yield Check("scopes", None, f"the {row.name} flow requests none: the client's roles decide")
            return
        try:
            granted = self._granted_scopes(" ".join(scopes))
        except GenesysForbidden:
            # All or nothing: only a request for each alone shows which.
            granted = None
        for scope in scopes:
            try:
                is_granted = scope in (self._granted_scopes(scope) if granted is None else granted)
            except GenesysForbidden:
                is_granted = False
            except CobrowseError as error:
                yield failing(scope, error)
                continue
            hint = "" if is_granted else _missing(scope, self._candidates)
            yield Check(scope, is_granted, "granted" if is_granted else "not granted to this client", hint)

    def reading(self) -> Iterator[Check]:
        """Whether conversations can be read: a made-up one must be absent, not forbidden."""
        hint = "Give the client a role that may view conversations, in every division it serves."
        yield self._try_operation("reading", CONVERSATION, None, "conversations can be read", hint)

    def ending(self) -> Iterator[Check]:
        """Whether sessions may be ended: of a made-up conversation, whose absence must come before any other answer."""
        hint = "Ignore this if nothing is to be ended; else give the client a role with the permission in the message."
        body = {"state": "disconnected"}
        yield self._try_operation("ending", DISCONNECT, body, "sessions can be ended", hint, needed=False)

    def participant_data(self) -> Iterator[Check]:
        """Whether participant data may be written, in the same way, where PARTICIPANT_DATA asks for it."""
        name = "participant data"
        if not self._context.settings.participant_data:
            yield Check(name, None, "PARTICIPANT_DATA is not set")
            return
        hint = "Give the client a role that may edit participant attributes; until then handedOver is false."
        yield self._try_operation(name, ATTRIBUTES, {"attributes": {}}, "participant data can be written", hint)

    def _try_operation(
        self, name: str, operation: Operation, json: object, success: str, hint: str, *, needed: bool = True
    ) -> Check:
        """Whether this operation is permitted, with `hint` if not; a failure where it is `needed`."""
        unused_id, failed = self._context.new_id(), False if needed else None
        target = (unused_id, "communications", unused_id) if operation is DISCONNECT else (unused_id,)
        try:
            self.client.call(self.attempt(), operation, "", conversation_id=unused_id, target=target, json=json)
        except UpstreamRejected as refused:
            if refused.status not in (400, 404):
                return Check(name, failed, refused.message, "Check GENESYS_API_URL and any proxy on the way.")
        except CobrowseError as error:
            found = failing(name, error, hint if isinstance(error, GenesysForbidden) else "")
            return replace(found, ok=failed)
        return Check(name, True, success)

    def flow(self) -> Iterator[Check]:
        """Which flow this org has: by a session that stays unattached, which reaches no customer and ends by itself."""
        absence = ""
        for row in self._candidates:
            self.row = row
            if row.trial is None:
                reason = f"{absence}; auto sees that by itself" if absence else "as COBROWSE_FLOW says"
                yield Check(
                    "flow", bool(absence) or None, f"{row.name}: {reason}; only starting a session can prove it"
                )
                return
            try:
                check_is_identified(self.client.call(self.attempt(), row.trial, "", json={}))
            except UpstreamRejected as refused:
                if refused.status in (404, 405) and row is not self._candidates[-1]:
                    absence = f"this org has no {row.trial.path}"
                    continue
                hint = "Genesys refuses an empty session: check the org's cobrowse configuration."
                if refused.status in (404, 405):
                    hint = unavailable_hint(row, self._rows)
                yield Check("flow", False, refused.message, hint)
            except GenesysForbidden as error:
                scope = next((f"the scope {scope} and " for scope in row.scopes.get(None, "").split()), "")
                yield failing("flow", error, f"Give the OAuth client {scope}a role with the permission in the message.")
            except SessionNotIdentified as error:
                yield failing("flow", error, "Check GENESYS_API_URL and any proxy in between: the body holds no id.")
            else:
                yield Check("flow", True, f"{row.name}: the org creates sessions (this one reaches no customer)")
            return

    def conversation(self) -> Iterator[Check]:
        """The conversation's state and channel."""
        conversation_id = self._context.conversation_id
        if not conversation_id:
            yield Check("conversation", None, "none was named; add --conversation ID to check one")
            return
        try:
            conversation = self.client.call(self.attempt(), CONVERSATION, "", conversation_id=conversation_id)
            snapshot = ConversationSnapshot(conversation)
            snapshot.raise_if_ineligible()
        except UpstreamRejected as refused:
            kind = ConversationNotFound if refused.status in (400, 404) else GenesysBadResponse
            raise kind(f"conversation {conversation_id}: {refused.message}") from None
        channel = " and ".join(snapshot.kinds) or "of an unknown kind"
        live = "; it has a live cobrowse session already" if snapshot.live else ""
        yield Check("conversation", True, f"active, {channel}{live}")

    def _granted_scopes(self, scope: str) -> frozenset[str]:
        caller = _ScopeRecorder(self._transport, self._context.clock, _fixed_jitter)
        self._tokens(caller).get(self.attempt(), scope)
        return frozenset((scope if caller.granted is None else caller.granted).split())

    def _tokens(self, caller: RetryingCaller) -> Tokens:
        client_id, secret = self._identity
        return Tokens(
            caller, self._context.clock, self._context.settings.login_url, client_id, secret, lease_owner="doctor"
        )

    def attempt(self) -> Attempt:
        """A new attempt for one check's calls."""
        command = Command(sender="doctor", correlation_id=self._context.new_id(), deadline_seconds=TIMEOUT_SECONDS)
        return Attempt(command, "doctor", "doctor", self._context.clock)


class _ScopeRecorder(RetryingCaller):
    """Requests a token and records the scopes granted with it; None: the requested ones."""

    granted: str | None = None

    def call(self, attempt: Attempt, call: Call) -> dict[str, Any]:
        """As RetryingCaller.call, with an answer that is read for its scopes too."""
        answer = super().call(attempt, call._replace(operation=_GRANT))
        self.granted = answer["scope"]
        return answer


def _fixed_jitter() -> float:
    """One process that asks once gains nothing from waiting for a random time."""
    return 0.5


def _credential_hint(message: str) -> str:
    """Which of the two Genesys refuses: it answers 400 to a client it does not know, 401 to a wrong secret."""
    if "answered 400" in message:
        return "Genesys does not know this client here: check GENESYS_CLIENT_ID, and GENESYS_REGION, where it was made."
    return (
        "Genesys knows the client and refuses the secret: copy GENESYS_CLIENT_SECRET anew from Admin > Integrations > "
        "OAuth, and check that the client is active."
    )


def _missing(scope: str, flows: Sequence[FlowRow]) -> str:
    """What helps against a scope that the first of these flows was not granted."""
    hint = f"Add the scope {scope} to the OAuth client and to its role's permissions (Admin > Integrations > OAuth)."
    if scope.startswith("conversation:") and scope != "conversation:read":
        hint += " If no conversation is of that channel, send channel in each request and ignore this."
    elif len(flows) > 1:
        hint += f" An org without the {flows[0].name} flow has no such scope: then set COBROWSE_FLOW={flows[1].name}."
    return hint
