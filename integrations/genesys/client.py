"""Genesys's operations with the right token: an expired one is renewed and the call retried, once."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson

from cobrowse.errors import GenesysForbidden, GenesysUnauthorized
from cobrowse.flow import Attempt
from cobrowse.model import Secret
from integrations.genesys.auth import Tokens
from integrations.genesys.budget import BudgetState
from integrations.genesys.operations import Operation
from integrations.genesys.origin import Header, Origin
from integrations.genesys.retry import RetryingCaller

_SAME_FOR_ALL: tuple[Header, ...] = ((b"Accept", b"application/json"), (b"User-Agent", b"cobrowse-bridge"))


class Client:
    """The Platform API for one org."""

    def __init__(self, caller: RetryingCaller, tokens: Tokens, api_url: str) -> None:
        self._caller = caller
        self._tokens = tokens
        self._origin = Origin(api_url)

    def open_circuits(self) -> tuple[str, ...]:
        """The hosts whose circuit breaker is open."""
        return self._caller.breaker.open_circuits()

    def budgets(self) -> Sequence[BudgetState]:
        """What is known of the tokens' budgets of calls."""
        return self._caller.budgets.states()

    def authorize(self, attempt: Attempt, scope: str) -> None:
        """Make sure of a token and of calls left for it, so that what is wrong shows before anything else is done."""
        self._caller.await_budget(attempt)
        if not attempt.command.user_token:
            self._tokens.get(attempt, scope)

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
            return self._authorized(attempt, operation, scope, path, content)
        except GenesysForbidden as error:
            if error.by_role:
                asked = f"scopes requested: {scope}" if scope else "no scopes requested, so it is the client's roles"
                error.append(f"; {asked}")
            raise

    def _authorized(
        self, attempt: Attempt, operation: Operation, scope: str, path: str, content: bytes | None
    ) -> dict[str, Any]:
        own = attempt.command.user_token
        if own:
            return self._caller.call(attempt, operation, self._origin, path, _headers(attempt, own, content), content)
        token = self._tokens.get(attempt, scope)
        try:
            return self._caller.call(attempt, operation, self._origin, path, _headers(attempt, token, content), content)
        except GenesysUnauthorized as error:
            if not error.new_token:
                raise
            # Expired early or revoked. A 401 comes before any effect, so the call may be sent again as it is.
            self._tokens.invalidate(scope, token)
        token = self._tokens.get(attempt, scope)
        return self._caller.call(attempt, operation, self._origin, path, _headers(attempt, token, content), content)


def _headers(attempt: Attempt, token: Secret, content: bytes | None) -> list[Header]:
    headers = [
        *_SAME_FOR_ALL,
        (b"Authorization", b"Bearer " + token.reveal().encode()),
        (b"ININ-Correlation-Id", attempt.command.correlation_id.encode()),
    ]
    if content is not None:
        headers.append((b"Content-Type", b"application/json"))
    return headers
