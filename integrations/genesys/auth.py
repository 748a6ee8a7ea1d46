"""The integration's OAuth token: one fetch however many ask, shared by all workers, renewed once after a 401."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol
from urllib.parse import urlencode

import httpx

from cobrowse.clock import Clock
from cobrowse.errors import GenesysForbidden, GenesysTimeout, LedgerUnavailable
from cobrowse.flow import Attempt
from cobrowse.model import Secret
from integrations.genesys.operations import TOKEN
from integrations.genesys.retry import RetryingCaller, Header

# Seconds before its end from which a token counts as over: a call that starts with it must also end with it.
EARLY = 60.0
# Seconds a fetch may take before another worker may try in its place; and between looks whether it is done.
FETCH_LEASE = 10.0
LOOK_EVERY = 0.05


class StoredToken(Protocol):
    """A token as the store has it. `version` grows with each new one."""

    @property
    def value(self) -> Secret:
        """The token."""

    @property
    def seconds_left(self) -> float:
        """Seconds until it expires, by the store's clock."""

    @property
    def version(self) -> int:
        """1 for the first."""


class TokenStore(Protocol):
    """Where workers share tokens. Every method may raise LedgerUnavailable."""

    def read(self, name: str) -> StoredToken | None:
        """The newest token of that name."""

    def lead(self, name: str, holder: str, seconds: float, stale_version: int) -> bool:
        """Whether this holder is the one to fetch what comes after `stale_version`."""

    def put(self, name: str, holder: str, value: Secret, expires_in: float) -> StoredToken:
        """Keep what was fetched."""

    def release(self, name: str, holder: str) -> None:
        """Let somebody else fetch: this one failed."""


class Guard(Protocol):
    """A lock as threading has it."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, waiting so many seconds at most."""

    def release(self) -> None:
        """Give it back."""


@dataclass(slots=True)
class _Slot:
    """What this process knows of the token for one set of scopes."""

    guard: Guard
    value: Secret = Secret()
    version: int = 0
    good_until: float = 0.0
    refused: int = field(default=0)


class Tokens:
    """Hands out the integration's token.

    `store` shares it with other workers; without one, or while it is away, each process fetches its own.
    """

    def __init__(
        self,
        caller: RetryingCaller,
        clock: Clock,
        login_url: str,
        client_id: str,
        client_secret: Secret,
        *,
        holder: str,
        store: TokenStore | None = None,
        new_lock: Callable[[], Guard] = Lock,
    ) -> None:
        self._caller = caller
        self._clock = clock
        self._url = httpx.URL(login_url + TOKEN.path)
        self._client_id = client_id
        pair = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._headers: tuple[Header, ...] = (
            (b"Authorization", f"Basic {pair}".encode()),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
            (b"Accept", b"application/json"),
        )
        self._holder = holder
        self._store = store
        self._new_lock = new_lock
        self._slots: dict[str, _Slot] = {}

    def get(self, attempt: Attempt, scope: str) -> Secret:
        """The token for these scopes (space-separated; empty: whatever the client's roles allow)."""
        slot = self._slot(scope)
        if slot.value and self._clock.monotonic() < slot.good_until:
            return slot.value
        if not slot.guard.acquire(timeout=attempt.deadline.remaining()):
            raise GenesysTimeout("token: no time was left while another request was fetching it")
        try:
            if not slot.value or self._clock.monotonic() >= slot.good_until:
                self._renew(attempt, scope, slot)
            return slot.value
        finally:
            slot.guard.release()

    def refused(self, scope: str, value: Secret) -> None:
        """Genesys answered 401 to this token: the next `get` brings another, unless that has happened by now."""
        slot = self._slot(scope)
        if slot.value == value:
            slot.refused = slot.version
            slot.value = Secret()

    def seconds_left(self) -> float:
        """Seconds that the token with the longest life still has in this process; 0 if there is none."""
        now = self._clock.monotonic()
        return max((slot.good_until - now for slot in self._slots.values() if slot.value), default=0.0)

    def _slot(self, scope: str) -> _Slot:
        slot = self._slots.get(scope)
        return slot if slot is not None else self._slots.setdefault(scope, _Slot(self._new_lock()))

    def _renew(self, attempt: Attempt, scope: str, slot: _Slot) -> None:
        if self._store is not None:
            try:
                self._share(self._store, attempt, scope, slot)
            except LedgerUnavailable:
                pass  # a token can be had without the store; what must be exactly once is guarded by the ledger itself
            else:
                return
        value, expires_in = self._fetch(attempt, scope)
        self._keep(slot, value, slot.version + 1, expires_in)

    def _share(self, store: TokenStore, attempt: Attempt, scope: str, slot: _Slot) -> None:
        """Take the token another worker fetched, or be the one who fetches it for all."""
        name = hashlib.sha256(f"{self._url} {self._client_id} {scope}".encode()).hexdigest()[:32]
        while True:
            stored = store.read(name)
            if stored is not None and stored.version > slot.refused and stored.seconds_left > EARLY:
                return self._keep(slot, stored.value, stored.version, stored.seconds_left)
            version = stored.version if stored is not None else 0
            if store.lead(name, self._holder, FETCH_LEASE, version):
                try:
                    value, expires_in = self._fetch(attempt, scope)
                except BaseException:
                    store.release(name, self._holder)
                    raise
                return self._keep(slot, value, store.put(name, self._holder, value, expires_in).version, expires_in)
            if not attempt.deadline.holds(LOOK_EVERY):
                raise GenesysTimeout("token: no time was left while another worker was fetching it")
            self._clock.sleep(LOOK_EVERY)

    def _keep(self, slot: _Slot, value: Secret, version: int, expires_in: float) -> None:
        # A token that lives for less than two minutes is used for the first half of its life.
        slot.good_until = self._clock.monotonic() + max(expires_in - EARLY, expires_in / 2)
        slot.version = version
        slot.value = value

    def _fetch(self, attempt: Attempt, scope: str) -> tuple[Secret, float]:
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        headers = (*self._headers, (b"ININ-Correlation-Id", attempt.command.correlation_id.encode()))
        try:
            answer = self._caller.call(attempt, TOKEN, self._url, headers, urlencode(form).encode())
        except GenesysForbidden as error:
            raise GenesysForbidden(f"{error.message}; scopes asked for: {scope or 'none'}") from None
        return Secret(answer["access_token"]), float(answer["expires_in"])


__all__ = ["StoredToken", "TokenStore", "Tokens"]
