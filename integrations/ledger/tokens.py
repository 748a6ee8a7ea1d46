"""Secrets by name, shared by all workers: the integration's tokens, and what a person is asked to do about a sender."""

from contextlib import suppress
from dataclasses import dataclass

from cobrowse.errors import LedgerUnavailable
from cobrowse.model import Secret
from integrations.ledger import queries
from integrations.ledger.database import Database
from integrations.ledger.encryption import SecretBox, UnknownKey
from integrations.ledger.leases import LeaseTable

# Seconds that a note is kept: Amazon SNS's confirmation is valid for three days.
NOTE_SECONDS = 259_200.0


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A stored token. `seconds_left` by the database's clock, below 0 once it has expired."""

    value: Secret
    seconds_left: float
    version: int


class TokenTable:
    """Keeps the newest token of each name, encrypted. Every method raises LedgerUnavailable as the ledger's do."""

    def __init__(self, database: Database, box: SecretBox, leases: LeaseTable) -> None:
        self._database = database
        self._box = box
        self._leases = leases

    def read(self, name: str) -> StoredToken | None:
        """The newest token of that name. One that no key decrypts has no time left, so that it is replaced."""
        rows = self._database.read(queries.NEWEST, {"name": name})
        if not rows:
            return None
        encrypted, seconds_left, version = rows[0]
        try:
            return StoredToken(Secret(self._box.decrypt(encrypted)["token"]), seconds_left, version)
        except UnknownKey:
            return StoredToken(Secret(), 0.0, version)

    def try_acquire_refresh_lease(self, name: str, lease_owner: str, seconds: float, stale_version: int) -> bool:
        """Whether this owner is to fetch the token that follows `stale_version` (0: none), within its lease."""

        def is_stale() -> bool:
            found = self.read(name)
            return (found.version if found is not None else 0) == stale_version

        return self._leases.acquire_if(f"token:{name}", lease_owner, seconds, is_stale)

    def put(self, name: str, value: Secret, expires_in: float) -> StoredToken:
        """Store a fetched token, even if the lease has passed to another: it is valid. `expires_in` in seconds."""
        params = {"name": name, "value": self._box.encrypt({"token": value.reveal()}), "expires_in": expires_in}
        version = self._database.execute(queries.PUT, params, durable=False)[0][0]
        return StoredToken(value, expires_in, version)

    def release(self, name: str, lease_owner: str) -> None:
        """Release the lease to fetch it."""
        self._leases.release(f"token:{name}", lease_owner)


class NoteTable:
    """The newest note about each sender: it may hold a token, such as a URL that confirms a subscription."""

    def __init__(self, tokens: TokenTable) -> None:
        self._tokens = tokens

    def save(self, sender: str, note: str) -> None:
        """Replace the sender's note. If the ledger is unreachable it is in the log and in this worker only."""
        with suppress(LedgerUnavailable):
            self._tokens.put(f"note:{sender}", Secret(note), NOTE_SECONDS)

    def read(self, sender: str) -> str:
        """The note, "" if there is none that still counts. Raises LedgerUnavailable."""
        found = self._tokens.read(f"note:{sender}")
        return found.value.reveal() if found is not None and found.seconds_left > 0 else ""
