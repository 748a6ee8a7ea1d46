"""The service user's token: renewed by one process for all, half of its life ahead, each new pair committed at once.

Genesys may void a refresh token the moment it is used. So a renewal runs beside the requests: none of their deadlines
cuts it off, and a process that ends in the middle leaves an access token that is good for as long again.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import NamedTuple

import structlog

from cobrowse.clock import Clock
from cobrowse.errors import CobrowseError, GenesysTimeout, InternalError, LedgerUnavailable, LoginRequired
from cobrowse.flow import Attempt
from cobrowse.model import Command, Secret
from integrations.genesys.auth import EXPIRY_MARGIN, POLL_INTERVAL, Guard, Recent
from integrations.genesys.user_login import UserLogin, UserTokenPair
from integrations.ledger.grants import GrantTable, StoredGrant

log = structlog.stdlib.get_logger()

# Seconds for which a process uses a token before it looks into the store again: so soon a login or logout is in force.
CACHE_SECONDS = 60.0
# Part of a token's life that is left when it is renewed.
RENEW_AT_SHARE = 0.5
# Seconds that a renewal's calls may take; that its commit waits between tries; and for which nobody else may renew.
RENEWAL_SECONDS, COMMIT_INTERVAL, RENEWAL_LEASE = 8.0, 0.5, 20.0
MAX_COMMITS = 3
_NOT_LOGGED_IN = "no service user has logged in"


class _Cached(NamedTuple):
    """A token, until when to use it without another check, and until when it may be used, in monotonic seconds."""

    value: Secret
    version: int
    fresh_until: float
    ends: float


class _Renewal:
    """One that is under way in this process; `error` once it is `done` and has failed."""

    def __init__(self) -> None:
        self.done = Event()
        self.error: CobrowseError | None = None


def start_thread(work: Callable[[], None]) -> None:
    """Run the work in a thread. The process does not exit before it has ended."""
    Thread(target=work, name="service-user-token").start()


class UserTokens:
    """Provides the service user's token. `name` is its login's in the store; `run` runs work in the background."""

    def __init__(
        self,
        login: UserLogin,
        store: GrantTable,
        clock: Clock,
        name: str,
        *,
        lease_owner: str,
        new_lock: Callable[[], Guard] = Lock,
        run: Callable[[Callable[[], None]], None] = start_thread,
    ) -> None:
        self._login = login
        self._store = store
        self._clock = clock
        self._name = name
        self._lease_owner = lease_owner
        self._guard = new_lock()
        self._run = run
        self._token = _Cached(Secret(), 0, 0.0, 0.0)
        self._invalid_version = 0  # and all before it
        self._invalidations = Recent()
        self._renewal: _Renewal | None = None
        # What Genesys gave for a version and the store could not take yet.
        self._uncommitted: tuple[int, UserTokenPair] | None = None

    def get(self, attempt: Attempt) -> Secret:
        """The token.

        Raises:
            LoginRequired: Nobody has logged in, or Genesys no longer honours the login.
            CobrowseError: There is none to be had within the attempt's deadline.
        """
        token = self._token
        if token.value and self._clock.monotonic() < token.fresh_until:
            return token.value
        if not self._guard.acquire(timeout=attempt.deadline.remaining()):
            raise GenesysTimeout("user_token: no time was left while another request was fetching it")
        try:
            token = self._token
            if not token.value or self._clock.monotonic() >= token.fresh_until:
                token = self._token = self._refresh(attempt)
            return token.value
        finally:
            self._guard.release()

    def invalidate(self, value: Secret) -> None:
        """Genesys answered 401 to this token: the next `get` brings another, unless that happens too often."""
        token, now = self._token, self._clock.monotonic()
        if token.value == value and not self._invalidations.is_full(now):
            self._invalidations.times.append(now)
            self._invalid_version = token.version
            self._token = token._replace(value=Secret())

    def seconds_left(self) -> float:
        """Seconds that the token still has in this process; 0 if there is none."""
        token = self._token
        return max(0.0, token.ends - self._clock.monotonic()) if token.value else 0.0

    def problem(self, *, needed: bool) -> CobrowseError | None:
        """Why a person has to log in again, or where a login is `needed` at all; None while all is well.

        LedgerUnavailable where that can't be known.
        """
        try:
            grant = self._read()
        except LedgerUnavailable as error:
            return error
        return _login_required(grant) if needed or grant is not None else None

    def _refresh(self, attempt: Attempt) -> _Cached:
        """The token in the store, renewed first if expired; one that is only due is renewed in the background."""
        while True:
            try:
                grant = self._read()
            except LedgerUnavailable:
                token, now = self._token, self._clock.monotonic()
                if token.value and now < token.ends:
                    return token._replace(fresh_until=min(token.ends, now + CACHE_SECONDS))
                raise
            if grant is None:
                raise LoginRequired(_NOT_LOGGED_IN)
            problem = _login_required(grant)
            left = grant.seconds_left - min(EXPIRY_MARGIN, grant.lifetime / 4)
            good = left > 0 and grant.version > self._invalid_version
            renewal = None
            if problem is None and not (good and grant.seconds_left > grant.lifetime * RENEW_AT_SHARE):
                renewal = self._begin(grant)
            if good:
                now = self._clock.monotonic()
                return _Cached(grant.access, grant.version, now + min(left, CACHE_SECONDS), now + left)
            if problem is not None:
                raise problem
            if renewal is not None:
                self._await(renewal, attempt)
            elif attempt.deadline.allows(POLL_INTERVAL):
                self._clock.sleep(POLL_INTERVAL)
            else:
                raise GenesysTimeout("user_token: no time was left while another process was renewing it")

    def _await(self, renewal: _Renewal, attempt: Attempt) -> None:
        if not renewal.done.wait(attempt.deadline.remaining()):
            raise GenesysTimeout("user_token: no time was left to renew it; the renewal goes on")
        if renewal.error is not None:
            raise renewal.error

    def _read(self) -> StoredGrant | None:
        if self._uncommitted is not None:
            self._commit(*self._uncommitted)
        return self._store.read(self._name)

    def _begin(self, grant: StoredGrant) -> _Renewal | None:
        """The renewal of this version in this process; None if another process has it."""
        running = self._renewal
        if running is not None and not running.done.is_set():
            return running
        if not self._store.begin_rotation(self._name, self._lease_owner, RENEWAL_LEASE, grant.version):
            return None
        renewal = self._renewal = _Renewal()
        self._run(lambda: self._renew(grant, renewal))
        return renewal

    def _renew(self, grant: StoredGrant, renewal: _Renewal) -> None:
        # A bug must not keep those waiting who wait for this.
        renewal.error = InternalError("user_token: its renewal failed unexpectedly; see the service's log")
        try:
            attempt = Attempt(
                Command("service user", "service-user", RENEWAL_SECONDS), "", self._lease_owner, self._clock
            )
            self._commit_soon(grant.version, self._login.refresh(attempt, grant.refresh))
            renewal.error = None
            log.info("the service user's token was renewed")
        except CobrowseError as error:
            log.warning("the service user's token was not renewed", error=error.code, message=error.message)
            renewal.error = error
            with suppress(LedgerUnavailable):
                if isinstance(error, LoginRequired):
                    self._store.refuse(self._name, grant.version, error.message)
        except Exception:
            log.exception("the service user's token was not renewed")
        finally:
            # Before the next one here can begin, which would have the same lease.
            try:
                with suppress(LedgerUnavailable):  # it ends by itself
                    self._store.release(self._name, self._lease_owner)
            finally:
                renewal.done.set()

    def _commit_soon(self, version: int, pair: UserTokenPair) -> None:
        """Commit it, or keep it for the next look: the one before is void by now."""
        self._uncommitted = version, pair
        for tries_left in reversed(range(MAX_COMMITS)):
            try:
                return self._commit(version, pair)
            except LedgerUnavailable:
                if not tries_left:
                    raise
                self._clock.sleep(COMMIT_INTERVAL)
        return None

    def _commit(self, version: int, pair: UserTokenPair) -> None:
        self._store.rotate(self._name, version, pair.access, pair.refresh, pair.expires_in)
        self._uncommitted = None


def _login_required(grant: StoredGrant | None) -> LoginRequired | None:
    if grant is None:
        return LoginRequired(_NOT_LOGGED_IN)
    return LoginRequired(grant.refused) if grant.refused else None
