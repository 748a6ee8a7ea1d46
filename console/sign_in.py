"""Signing in to the console: named users or one password, attempts throttled, passwords hashed off the loop."""

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from threading import BoundedSemaphore, Lock

from werkzeug.security import check_password_hash, generate_password_hash

from cobrowse.clock import Clock
from cobrowse.errors import SenderRateLimited
from cobrowse.model import Secret
from integrations.event_loop import run_off_loop
from integrations.senders.auth.config import secret_bytes
from schemas.console_users import ConsoleUser, Role
from schemas.texts import label_in

# Wrong passwords of an address for a name, and of an address in all, within the window in seconds.
MAX_PER_NAME, MAX_PER_ADDRESS, WINDOW = 5, 30, 60.0
# Most counters kept; beyond it the oldest is dropped.
MAX_REMEMBERED = 2_000
# Hashes computed at once, each of 32 MB and 50 ms of CPU time.
MAX_HASHES = 2
# Compared with for an unknown user, so that the time taken doesn't reveal which names exist.
_NO_USER_HASH = "scrypt:32768:8:1.0000000000000000." + "0" * 128


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who uses the console, and the role."""

    name: str
    role: Role

    @property
    def may_act(self) -> bool:
        """Whether this person may retry initiations and end sessions."""
        return self.role == "operator"


class OnePassword:
    """CONSOLE_PASSWORD: with it, everybody is an operator by the name that is given."""

    def __init__(self, password: Secret) -> None:
        self._digest = _digest(password.reveal())

    def check(self, name: str, password: str) -> SignedIn | None:
        """The person with any name; None if it is not the password."""
        # Digests have one length, so the comparison reveals nothing of the password's.
        is_right = compare_digest(_digest(password), self._digest)
        return SignedIn(label_in(name) or "operator", "operator") if is_right else None


class NamedUsers:
    """CONSOLE_USERS: each has a password and a role."""

    def __init__(self, users: Sequence[ConsoleUser]) -> None:
        self._users = {user.name: user for user in users}
        self._hashing = BoundedSemaphore(MAX_HASHES)
        # Keyed digests of verified passwords: scripts send the password with every request, and it is hashed once.
        self._key = secrets.token_bytes(32)
        self._verified: dict[str, bytes] = {}

    def check(self, name: str, password: str) -> SignedIn | None:
        """The user of this name; None if it is not the user's password."""
        user = self._users.get(name)
        digest = blake2b(secret_bytes(password), key=self._key).digest()
        if user is None or not compare_digest(self._verified.get(name, b""), digest):
            password_hash = (user.password_hash if user is not None else _NO_USER_HASH).replace(".", "$")
            with self._hashing:
                is_right = run_off_loop(
                    lambda: check_password_hash(password_hash, password.encode(errors="replace").decode())
                )
            if user is None or not is_right:
                return None
            self._verified[name] = digest
        return SignedIn(user.name, user.role)


class Throttle:
    """Limits wrong passwords: of an address for a name, and of an address whatever the name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counts: OrderedDict[tuple[str, ...], tuple[int, float]] = OrderedDict()

    def attempt(self, address: str, name: str) -> None:
        """Count an attempt before its password is looked at. SenderRateLimited if it may not be made now."""
        now = self._clock.monotonic()
        with self._lock:
            for key, limit in (((address, name[:64]), MAX_PER_NAME), ((address,), MAX_PER_ADDRESS)):
                count, window_end = self._counts.get(key, (0, 0.0))
                if window_end <= now:
                    count, window_end = 0, now + WINDOW
                if count >= limit:
                    raise SenderRateLimited("too many wrong passwords", retry_after=window_end - now)
                self._counts[key] = (count + 1, window_end)
            while len(self._counts) > MAX_REMEMBERED:
                self._counts.popitem(last=False)

    def record_success(self, address: str, name: str) -> None:
        """Uncount the attempt: its password was right."""
        with self._lock:
            self._counts.pop((address, name[:64]), None)
            count, window_end = self._counts.get((address,), (0, 0.0))
            if count:
                self._counts[(address,)] = (count - 1, window_end)


class SignIn:
    """Checks a name and a password that came from an address."""

    def __init__(self, passwords: OnePassword | NamedUsers, clock: Clock) -> None:
        self._passwords = passwords
        self._throttle = Throttle(clock)

    def __call__(self, address: str, name: str, password: str) -> SignedIn | None:
        """The person; None if the password is wrong. SenderRateLimited after too many wrong ones."""
        self._throttle.attempt(address, name)
        person = self._passwords.check(name, password)
        if person is not None:
            self._throttle.record_success(address, name)
        return person


def user_row(name: str, role: Role, password: str) -> str:
    """The entry of CONSOLE_USERS for a user with this password."""
    return f"{name}:{role}:{generate_password_hash(password, 'scrypt').replace('$', '.')}"


def _digest(password: str) -> bytes:
    return blake2b(secret_bytes(password)).digest()
