"""Genesys's operations with the right token: another one, and the call again, where Genesys refuses the first."""

from typing import Any
from urllib.parse import quote

import orjson

from cobrowse.errors import GenesysForbidden, GenesysUnauthorized, UserTokenRequired
from cobrowse.flow import Attempt
from cobrowse.model import Secret
from integrations.genesys.grants import Grant, Grants
from integrations.genesys.operations import Operation
from integrations.genesys.origin import Origin, api_headers
from integrations.genesys.retry import Call, RetryingCaller


class Client:
    """The Platform API for one org. `breaker` and `budgets` decide about each of its calls before it is made."""

    def __init__(self, caller: RetryingCaller, grants: Grants, api_url: str) -> None:
        self.breaker, self.budgets = caller.breaker, caller.budgets
        self._caller = caller
        self._grants = grants
        self._origin = Origin(api_url)

    def authorize(self, attempt: Attempt, scope: str) -> None:
        """Get a token and wait for its budget, so that errors show before anything else is done."""
        if attempt.command.user_token:
            return
        grant = self._grants.of(None, scope)
        self._caller.await_budget(attempt, grant.budget)
        grant.get(attempt)

    def call(
        self,
        attempt: Attempt,
        operation: Operation,
        scope: str,
        *,
        conversation_id: str = "",
        target: tuple[str, ...] = (),
        json: object = None,
    ) -> dict[str, Any]:
        """The content of the operation's response. Raises as RetryingCaller.call does.

        A GenesysForbidden names the requested scopes.
        """
        path = operation.path
        if conversation_id:
            path = path.replace("{conversation_id}", quote(conversation_id, safe=""))
        if target:
            path = path.replace("{target}", "/".join(quote(part, safe="") for part in target))
        content = orjson.dumps(json) if operation.sends_json else None
        try:
            return self._call_with_token(attempt, operation, scope, path, content)
        except GenesysForbidden as error:
            if error.by_role:
                asked = f"scopes requested: {scope}" if scope else "no scopes requested, so it is the client's roles"
                error.append(f"; {asked}")
            raise

    def _call_with_token(
        self, attempt: Attempt, operation: Operation, scope: str, path: str, content: bytes | None
    ) -> dict[str, Any]:
        own = attempt.command.user_token
        if own:
            return self._send(attempt, operation, path, content, own, budget="")
        grant = self._grants.of(operation, scope)
        try:
            return self._call_with(grant, attempt, operation, path, content)
        except UserTokenRequired:
            user = self._grants.demand_user(operation, grant)
            if user is None:
                raise
        # That was a definite refusal (400) and comes before any effect, so the call may be sent again as it is.
        return self._call_with(user, attempt, operation, path, content)

    def _call_with(
        self, grant: Grant, attempt: Attempt, operation: Operation, path: str, content: bytes | None
    ) -> dict[str, Any]:
        token = grant.get(attempt)
        try:
            return self._send(attempt, operation, path, content, token, grant.budget)
        except GenesysUnauthorized as error:
            if not error.new_token:
                raise
            # Expired early or revoked. A 401 comes before any effect, so the call may be sent again as it is.
            grant.invalidate(token)
        return self._send(attempt, operation, path, content, grant.get(attempt), grant.budget)

    def _send(
        self, attempt: Attempt, operation: Operation, path: str, content: bytes | None, token: Secret, budget: str
    ) -> dict[str, Any]:
        headers = api_headers(token, attempt.command.correlation_id, content)
        return self._caller.call(attempt, Call(operation, self._origin, path, headers, content, budget))
