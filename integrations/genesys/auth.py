"""The integration's OAuth token: one fetch however many ask, shared by all workers, renewed once after a 401."""

import base64
import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from cobrowse.clock import Clock
from cobrowse.errors import GenesysError, GenesysForbidden, GenesysTimeout, GenesysUnavailable, LedgerUnavailable
from cobrowse.flow import Attempt
from cobrowse.model import Secret
from integrations.genesys.operations import TOKEN, Operation
from integrations.genesys.origin import Header, HiddenBytes, Origin
from integrations.genesys.retry import Call, RetryingCaller
from integrations.ledger.tokens import TokenTable

# Seconds before its end from which a token counts as expired: a call that starts with it must also end with it.
EXPIRY_MARGIN = 60.0
# Seconds for which a new token is used at least, however soon it is said to expire.
MIN_USE = 5.0
# Tokens of one set of scopes that may be invalidated, and fetches that may be refused, within so many seconds. An API
# that rejects every token, or a login host that refuses every request, would otherwise cost a fetch for each call; so
# the callers get the 401, or what the last fetch got.
MAX_RENEWALS = 5
RENEWAL_WINDOW = 10.0
# Seconds a fetch may take before another worker may try in its place; and between checks whether it is done.
FETCH_LEASE = 10.0
POLL_INTERVAL = 0.05


class Guard(Protocol):
    """A lock as threading has it."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire it, waiting for `timeout` seconds at most."""

    def release(self) -> None:
        """Stop renewing the lease and release it."""


class _CachedToken(NamedTuple):
    """A token, and until when to use it, in the clock's monotonic seconds. Replaced as a whole."""

    value: Secret
    version: int
    usable_until: float


_NO_TOKEN = _CachedToken(Secret(), 0, 0.0)


@dataclass(slots=True)
class Recent:
    """When the last few of something happened, in the clock's monotonic seconds."""

    times: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RENEWALS))

    def is_full(self, now: float) -> bool:
        """Whether it may not happen again yet."""
        return len(self.times) == MAX_RENEWALS and now - self.times[0] < RENEWAL_WINDOW


@dataclass(slots=True)
class _ScopeState:
    """What this process knows of the token for one set of scopes. `guard` is held during a fetch."""

    guard: Guard
    token: _CachedToken = _NO_TOKEN
    invalid_version: int = 0  # and all before it
    invalidations: Recent = field(default_factory=Recent)
    refusals: Recent = field(default_factory=Recent)
    refusal: GenesysError | None = None  # the last one
    refused: int = 0  # how many there were


class Tokens:
    """Hands out the integration's token.

    `store` shares it with other workers; without one, or while it is unreachable, each process fetches its own.
    """

    def __init__(
        self,
        caller: RetryingCaller,
        clock: Clock,
        login_url: str,
        client_id: str,
        client_secret: Secret,
        *,
        lease_owner: str,
        store: TokenTable | None = None,
        sandbox: bool = False,
        new_lock: Callable[[], Guard] = Lock,
    ) -> None:
        # In the name under which the token is shared: one that was not checked for a sandbox's must not pass for one.
        self._checked = " of a sandbox" if sandbox else ""
        self._caller = caller
        self._clock = clock
        self._origin = Origin(login_url)
        self._client_id = client_id
        self._client_secret = client_secret
        self._lease_owner = lease_owner
        self._store = store
        self._new_lock = new_lock
        self._states: dict[str, _ScopeState] = {}

    def get(self, attempt: Attempt, scope: str) -> Secret:
        """The token for these scopes (space-separated; empty: whatever the client's roles allow).

        Raises:
            GenesysError: There is none to be had within the attempt's deadline; or the fetch that this request waited
                for, or one fetch too many in the last seconds, was refused.
        """
        state = self._state(scope)
        token = state.token
        if self._is_usable(token):
            return token.value
        refused = state.refused
        if not state.guard.acquire(timeout=attempt.deadline.remaining()):
            raise GenesysTimeout("token: no time was left while another request was fetching it")
        try:
            token = state.token
            if not self._is_usable(token):
                self._check_refusals(attempt, state, waited=state.refused != refused)
                token = state.token = self._renew(attempt, scope, state)
            return token.value
        finally:
            state.guard.release()

    def invalidate(self, scope: str, value: Secret) -> None:
        """Genesys answered 401 to this token: the next `get` brings another, unless that has happened by now.

        Past `MAX_RENEWALS` within `RENEWAL_WINDOW` it changes nothing.
        """
        state = self._state(scope)
        token = state.token
        if token.value != value:
            return
        now = self._clock.monotonic()
        if state.invalidations.is_full(now):
            return
        state.invalidations.times.append(now)
        state.invalid_version = token.version
        state.token = token._replace(value=Secret())

    def seconds_left(self) -> float:
        """Seconds that the token with the longest life still has in this process; 0 if there is none."""
        now = self._clock.monotonic()
        tokens = [state.token for state in self._states.values()]
        return max((token.usable_until - now for token in tokens if token.value), default=0.0)

    def _is_usable(self, token: _CachedToken) -> bool:
        return bool(token.value) and self._clock.monotonic() < token.usable_until

    def _check_refusals(self, attempt: Attempt, state: _ScopeState, *, waited: bool) -> None:
        """Raise the last refusal to those who `waited` for it and, past the limit, to everyone.

        A deadline that has room for the wait that the login host named gets its own fetch.
        """
        refusal = state.refusal
        if refusal is None or not (waited or state.refusals.is_full(self._clock.monotonic())):
            return
        if refusal.retry_after is None or not attempt.deadline.allows(refusal.retry_after):
            raise copy(refusal)

    def _state(self, scope: str) -> _ScopeState:
        state = self._states.get(scope)
        return state if state is not None else self._states.setdefault(scope, _ScopeState(self._new_lock()))

    def _renew(self, attempt: Attempt, scope: str, state: _ScopeState) -> _CachedToken:
        try:
            if self._store is not None:
                try:
                    return self._share(self._store, attempt, scope, state)
                except LedgerUnavailable:
                    pass  # a token can be had without the store; what must be exactly once is guarded by the ledger
            value, expires_in = self._fetch(attempt, scope)
        except (GenesysTimeout, GenesysUnavailable):
            raise  # an unreachable host is the circuit breaker's matter, and the next request may have more time
        except GenesysError as error:
            state.refusal, state.refused = copy(error), state.refused + 1
            state.refusals.times.append(self._clock.monotonic())
            raise
        return self._to_cached_token(value, state.token.version + 1, expires_in)

    def _share(self, store: TokenTable, attempt: Attempt, scope: str, state: _ScopeState) -> _CachedToken:
        """Take the token another worker fetched, or be the one who fetches it for all."""
        name = hashlib.sha256(
            f"{self._origin.url}{TOKEN.path} {self._client_id} {scope}{self._checked}".encode()
        ).hexdigest()[:32]
        while True:
            stored = store.read(name)
            if stored is not None and stored.version > state.invalid_version and stored.seconds_left > EXPIRY_MARGIN:
                return self._to_cached_token(stored.value, stored.version, stored.seconds_left)
            version = stored.version if stored is not None else 0
            if store.try_acquire_refresh_lease(name, self._lease_owner, FETCH_LEASE, version):
                try:
                    value, expires_in = self._fetch(attempt, scope)
                    return self._to_cached_token(value, store.put(name, value, expires_in).version, expires_in)
                finally:
                    with suppress(LedgerUnavailable):  # the lease ends by itself
                        store.release(name, self._lease_owner)
            if not attempt.deadline.allows(POLL_INTERVAL):
                raise GenesysTimeout("token: no time was left while another worker was fetching it")
            self._clock.sleep(POLL_INTERVAL)

    def _to_cached_token(self, value: Secret, version: int, expires_in: float) -> _CachedToken:
        # A token that lives for less than two minutes is used for the first half of its life.
        seconds = max(expires_in - EXPIRY_MARGIN, expires_in / 2, MIN_USE)
        return _CachedToken(value, version, self._clock.monotonic() + seconds)

    def _fetch(self, attempt: Attempt, scope: str) -> tuple[Secret, float]:
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        client = self._client_id, self._client_secret
        try:
            answer = post_to_login_host(self._caller, attempt, TOKEN, self._origin, client, form)
        except GenesysForbidden as error:
            if error.by_role:
                error.append(f"; scopes requested: {scope or 'none'}")
            raise
        return Secret(answer["access_token"]), float(answer["expires_in"])


def post_to_login_host(
    caller: RetryingCaller,
    attempt: Attempt,
    operation: Operation,
    origin: Origin,
    client: tuple[str, Secret],
    form: Mapping[str, str | Secret],
) -> dict[str, Any]:
    """The content of the login host's answer to a form. `client`: its id and its secret, empty where it is public."""
    client_id, client_secret = client
    headers: list[Header] = [
        (b"Content-Type", b"application/x-www-form-urlencoded"),
        (b"Accept", b"application/json"),
        (b"ININ-Correlation-Id", attempt.command.correlation_id.encode()),
    ]
    if client_secret:
        # As it stands in the environment, whatever its bytes: Genesys says that it is wrong.
        pair = base64.b64encode(f"{client_id}:{client_secret.reveal()}".encode(errors="surrogateescape"))
        headers.append((b"Authorization", b"Basic " + pair))
    else:
        form = {**form, "client_id": client_id}
    held = [value for value in form.values() if isinstance(value, Secret)]
    shown = {name: value.reveal() if isinstance(value, Secret) else value for name, value in form.items()}
    content = HiddenBytes(urlencode(shown).encode())
    secrets = (*held, client_secret)
    return caller.call(attempt, Call(operation, origin, operation.path, headers, content, "token", secrets))
