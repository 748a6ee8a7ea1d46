"""Which token an operation goes out with: the OAuth client's own, or the service user's where Genesys demands one."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import structlog

from cobrowse.errors import CobrowseError
from cobrowse.flow import Attempt
from cobrowse.model import Secret
from integrations.genesys.auth import Tokens
from integrations.genesys.operations import Operation
from integrations.genesys.user_token import UserTokens

log = structlog.stdlib.get_logger()

CLIENT, USER, AUTO = "client_credentials", "service_user", "auto"
GRANTS = (AUTO, CLIENT, USER)


class Grant(NamedTuple):
    """A source of tokens. `budget` is the name of their budget of calls."""

    budget: str
    get: Callable[[Attempt], Secret]
    invalidate: Callable[[Secret], None]


class Grants:
    """The choice, by `mode`, one of GRANTS. Without `user` there is none but the client's.

    AUTO takes the service user's token for the operations that Genesys has refused to the client for lack of a user,
    as long as this process lives.
    """

    def __init__(self, mode: str, client: Tokens, user: UserTokens | None = None) -> None:
        self.mode = mode if user is not None else CLIENT
        self._client = client
        self.user = user
        self._user = Grant("user", user.get, user.invalidate) if user is not None else None
        self._demanded: set[str] = set()
        self._by_scope: dict[str, Grant] = {}

    def of(self, operation: Operation | None, scope: str) -> Grant:
        """The grant for an operation (None: the first that a flow makes), and for these scopes of the client's."""
        if self._user is not None and (
            self.mode == USER or (operation is not None and operation.name in self._demanded)
        ):
            return self._user
        found = self._by_scope.get(scope)
        if found is None:
            own = Grant("api", partial(self._client.get, scope=scope), partial(self._client.invalidate, scope))
            found = self._by_scope.setdefault(scope, own)
        return found

    def demand_user(self, operation: Operation, refused: Grant) -> Grant | None:
        """The user's grant, in AUTO, for an operation that Genesys has just refused to the client; else None."""
        if self.mode != AUTO or refused is self._user:
            return None
        if operation.name not in self._demanded:
            self._demanded.add(operation.name)
            log.warning(
                "Genesys demands a user for an operation, which goes out as the service user from now on",
                operation=operation.name,
            )
        return self._user

    def demanded(self) -> tuple[str, ...]:
        """The operations for which this process has learnt that Genesys demands a user."""
        return tuple(sorted(self._demanded))

    def seconds_left(self) -> float:
        """Seconds that the token of the flows' first operation still has in this process; 0 if there is none."""
        if self.mode == USER and self.user is not None:
            return self.user.seconds_left()
        return self._client.seconds_left()

    def user_problem(self) -> CobrowseError | None:
        """Why the service user has to log in (again); None while all is well, or nothing has called for a user."""
        if self.user is None:
            return None
        return self.user.problem(needed=self.mode == USER or bool(self._demanded))
