"""The checks of /readyz, and which of them make a process unready. Results are cached, so polling is cheap."""

from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock

from cobrowse.clock import Clock
from cobrowse.errors import (
    CobrowseError,
    GenesysUnavailable,
    InvalidRequest,
    LedgerUnavailable,
    LoginRequired,
    RateLimitStorageUnavailable,
)
from cobrowse.flow import Attempt, Observer
from cobrowse.model import Command
from integrations import genesys
from integrations.ledger import LedgerStore
from integrations.senders.rate_limit import RateLimiter

Problem = CobrowseError | None
HealthCheck = Callable[[], Problem]

# Seconds for which an answer is cached: several load balancers probe more than once a second.
CACHE_SECONDS = 2.0
# Seconds between two tries to get a token where there is none: a wrong secret must not be sent all day long.
TOKEN_RETRY_SECONDS = 30.0
# Seconds that a try may take; probes give up after a few.
TIMEOUT_SECONDS = 2.0


class Readiness:
    """Runs the checks at most once per interval; calls in between get the cached results."""

    def __init__(self, checks: Mapping[str, HealthCheck], clock: Clock) -> None:
        self._checks = checks
        self._clock = clock
        self._running = Lock()
        self._results: Mapping[str, Problem] = {}
        self._until = float("-inf")

    def __call__(self) -> Mapping[str, Problem]:
        """Each check's problem, None if it has none."""
        if self._clock.monotonic() < self._until:
            return self._results
        # Only the first ever have to wait for one another.
        if self._running.acquire(blocking=not self._results):
            try:
                if self._clock.monotonic() >= self._until:
                    self._results = {name: check() for name, check in self._checks.items()}
                    self._until = self._clock.monotonic() + CACHE_SECONDS
            finally:
                self._running.release()
        return self._results


def circuit_check(open_circuits: Callable[[], tuple[str, ...]]) -> Problem:
    """An open circuit breaker, if there is one."""
    operations = " and ".join(open_circuits())
    message = f"circuit breaker open for {operations} after repeated failures; next attempt in 5 s at most"
    return GenesysUnavailable(message) if operations else None


class TokenCheck:
    """Whether this process has a valid token, or can get one."""

    def __init__(
        self,
        seconds_left: Callable[[], float],
        authorize: Callable[[Attempt], object],
        clock: Clock,
        lease_owner: str,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self._seconds_left = seconds_left
        self._authorize = authorize
        self._clock = clock
        self._lease_owner = f"{lease_owner}/readyz"
        self._observers = observers
        self._next = float("-inf")
        self._problem: Problem = None

    def __call__(self) -> Problem:
        """Why there is no token; None if there is one."""
        if self._seconds_left() > 0:
            self._problem = None
        elif self._clock.monotonic() >= self._next:
            self._next = self._clock.monotonic() + TOKEN_RETRY_SECONDS
            self._problem = self._try()
        return self._problem

    def _try(self) -> Problem:
        command = Command(sender="readyz", correlation_id="readyz", deadline_seconds=TIMEOUT_SECONDS)
        attempt = Attempt(command, "readyz", self._lease_owner, self._clock, self._observers)
        # As an initiation does it, so that it asks for the same scopes and the next one finds the token there.
        try:
            self._authorize(attempt)
        except LoginRequired:
            return None  # the service user's own check reports it
        except CobrowseError as error:
            return error
        return None


def user_check(problem: Callable[[], Problem]) -> Problem:
    """Whether the service user is logged in, where one is needed. An unreachable ledger has a check of its own."""
    found = problem()
    return None if isinstance(found, LedgerUnavailable) else found


def ping_check(ping: Callable[[], None]) -> Problem:
    """Whether the ledger can be written, or the counters of rates be reached."""
    try:
        ping()
    except (LedgerUnavailable, RateLimitStorageUnavailable) as error:
        return error
    return None


def reload_check(refused: tuple[str, ...]) -> Problem:
    """The refused reload. `refused`: its errors, a line each."""
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    hint = "The previous configuration stays active. Correct the file and send SIGHUP again."
    return InvalidRequest(f"a reload was refused: {refused[0]}{more}", hint=hint)


def tolerated_checks(*, strict: bool, ledger_required: bool) -> tuple[str, ...]:
    """The checks that are reported but never make the service unready. Rates: data actions have none.

    `strict`: an outage of Genesys, or a service user who has to log in again, makes it unready too.
    """
    tolerated = ("rates", "configuration") if strict else ("rates", "configuration", "circuit", "service_user")
    return tolerated if ledger_required else (*tolerated, "ledger")


def readiness(
    flows: genesys.Flows,
    grants: genesys.Grants,
    lease_owner: str,
    store: LedgerStore | None,
    clock: Clock,
    telemetry: Observer,
    rates: RateLimiter,
    refused: tuple[str, ...],
) -> Readiness:
    """The checks of /readyz. `refused`: the errors of a refused reload, which is reported and tolerated."""
    questions: dict[str, HealthCheck] = {
        "genesys": TokenCheck(grants.seconds_left, flows.authorize, clock, lease_owner, (telemetry,)),
        "circuit": partial(circuit_check, flows.client.breaker.open_circuits),
    }
    if grants.user is not None:
        questions["service_user"] = partial(user_check, grants.user_problem)
    if store is not None:
        questions["ledger"] = partial(ping_check, store.ping)
    if rates.is_remote:
        questions["rates"] = partial(ping_check, rates.ping)
    if refused:
        questions["configuration"] = partial(reload_check, refused)
    return Readiness(questions, clock)
