"""The small parts of a worker: its clock, a lock its threads wait at, and the store it shares tokens through."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cobrowse.model import Secret
from integrations.ledger.grants import StoredGrant
from tests.simulation.genesys import SERVICE_TOKEN
from tests.simulation.ledger import SimulatedLedger
from tests.simulation.scheduler import START, WRONG, Actor, Scheduler

# Seconds that a machine has been up at most.
_LONGEST_UP = 1e5


class SimulatedClock:
    """A machine's clock: it counts from a point of its own and is up to a second wrong about the date."""

    def __init__(self, world: Scheduler) -> None:
        self._world = world
        self._boot = world.between(0.0, _LONGEST_UP)

    def monotonic(self) -> float:
        return self._boot + self._world.now

    def now(self) -> datetime:
        return START + timedelta(seconds=self._world.now + WRONG * self._boot / _LONGEST_UP)

    def sleep(self, seconds: float) -> None:
        self._world.tempt(seconds)
        self._world.pause(seconds)


class Lock:
    """A lock that lets the others run while one waits."""

    def __init__(self, world: Scheduler) -> None:
        self._world = world
        self._owner: Actor | None = None
        self._waiting: list[Actor] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        actor = self._world.alive()
        if self._owner is not None:
            if not blocking or timeout == 0:
                return False
            self._waiting.append(actor)
            self._world.tempt(0.1)
            self._world.park(timeout if timeout > 0 else None)
            if actor in self._waiting:
                self._waiting.remove(actor)
                return False
            return True  # handed over by who released it
        self._owner = actor
        return True

    def release(self) -> None:
        self._owner = None
        if self._waiting:
            self._owner = self._waiting.pop(int(self._world.random.random() * len(self._waiting)))
            self._world.wake(self._owner)


@dataclass(frozen=True)
class Stored:
    value: Secret
    seconds_left: float
    version: int


class SimulatedTokenStore:
    """Where workers share tokens, in the ledger: as far away, and as likely to be out of reach."""

    def __init__(self, ledger: SimulatedLedger) -> None:
        self._ledger = ledger
        self._tokens: dict[str, tuple[Secret, float, int]] = {}
        self._leads: dict[str, tuple[str, float]] = {}

    def read(self, name: str) -> Stored | None:
        return self._ledger.reached("token read", name, lambda: self._stored(name))

    def try_acquire_refresh_lease(self, name: str, lease_owner: str, seconds: float, stale_version: int) -> bool:
        return self._ledger.reached("token lead", name, lambda: self._lead(name, lease_owner, seconds, stale_version))

    def put(self, name: str, value: Secret, expires_in: float) -> Stored:
        return self._ledger.reached("token put", name, lambda: self._put(name, value, expires_in))

    def release(self, name: str, lease_owner: str) -> None:
        self._ledger.reached("token release", name, lambda: self._release(name, lease_owner))

    def _stored(self, name: str) -> Stored | None:
        if name not in self._tokens:
            return None
        value, until, version = self._tokens[name]
        return Stored(value, until - self._ledger.now(), version)

    def _lead(self, name: str, lease_owner: str, seconds: float, stale_version: int) -> bool:
        stored, (leader, until) = self._stored(name), self._leads.get(name, ("", 0.0))
        if (stored.version if stored else 0) != stale_version or (leader != lease_owner and until > self._ledger.now()):
            return False
        self._leads[name] = (lease_owner, self._ledger.now() + seconds)
        return True

    def _put(self, name: str, value: Secret, expires_in: float) -> Stored:
        stored = self._stored(name)
        self._tokens[name] = (value, self._ledger.now() + expires_in, stored.version + 1 if stored else 1)
        return self._stored(name)

    def _release(self, name: str, lease_owner: str) -> None:
        if self._leads.get(name, ("",))[0] == lease_owner:
            del self._leads[name]


__all__ = ["Lock", "SimulatedClock", "SimulatedTokenStore", "Stored"]


class LoggedIn:
    """A ledger in which the service user is logged in, and another process has just renewed the token, at each look."""

    def __init__(self) -> None:
        self._version = 0

    def read(self, _name: str) -> StoredGrant:
        self._version += 1
        far = 1e9
        since = datetime(2026, 1, 1, tzinfo=UTC)
        return StoredGrant(Secret(SERVICE_TOKEN), Secret("r"), far, far, self._version, "", "service", "org", since)
