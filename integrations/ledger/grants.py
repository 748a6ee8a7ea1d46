"""The service user's login: its tokens, encrypted, and the lease to renew them. All processes share one pair."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cobrowse.model import Secret
from integrations.ledger import queries
from integrations.ledger.database import Database
from integrations.ledger.encryption import SecretBox, UnknownKey
from integrations.ledger.leases import LeaseTable


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A stored login. `seconds_left` is the access token's by the database's clock, `lifetime` what it had when new.

    `refused` says why it is invalid, "" while it is valid. `account` and `org` are for people to read.
    """

    access: Secret
    refresh: Secret
    seconds_left: float
    lifetime: float
    version: int
    refused: str
    account: str
    org: str
    logged_in: datetime


class GrantTable:
    """Keeps one login of each name. Every method raises LedgerUnavailable as the ledger's do."""

    def __init__(self, database: Database, box: SecretBox, leases: LeaseTable) -> None:
        self._database = database
        self._box = box
        self._leases = leases

    def read(self, name: str) -> StoredGrant | None:
        """The login of that name; None if nobody is logged in."""
        rows = self._database.read(queries.GRANT, {"name": name})
        if not rows:
            return None
        secret, seconds_left, lifetime, version, refused, account, org, logged_in = rows[0]
        try:
            pair = self._box.decrypt(secret)
        except UnknownKey:
            pair, seconds_left = {"access": "", "refresh": ""}, 0.0
            refused = "no key of LEDGER_KEYS decrypts the service user's login"
        since = datetime.fromtimestamp(logged_in, UTC)
        access, refresh = Secret(pair["access"]), Secret(pair["refresh"])
        return StoredGrant(access, refresh, seconds_left, lifetime, version, refused, account, org, since)

    def log_in(self, name: str, access: Secret, refresh: Secret, expires_in: float, *, account: str, org: str) -> None:
        """Put a new login in place of the one before. `expires_in` is the access token's, in seconds."""
        params = self._pair(name, access, refresh, expires_in) | {"account": account, "org": org}
        self._database.execute(queries.LOG_IN, params)

    def log_out(self, name: str) -> bool:
        """Forget the login; whether there was one."""
        return bool(self._database.execute(queries.LOG_OUT, {"name": name}))

    def begin_rotation(self, name: str, lease_owner: str, seconds: float, version: int) -> bool:
        """Whether this owner may renew that version now; it has `seconds` for it."""

        def is_current() -> bool:
            found = self.read(name)
            return found is not None and found.version == version and not found.refused

        return self._leases.acquire_if(f"grant:{name}", lease_owner, seconds, is_current)

    def rotate(self, name: str, version: int, access: Secret, refresh: Secret, expires_in: float) -> bool:
        """Put a new pair in the place of that version's, on the disk when this returns; whether it was still there."""
        params = self._pair(name, access, refresh, expires_in) | {"version": version}
        return bool(self._database.execute(queries.ROTATE, params))

    def refuse(self, name: str, version: int, why: str) -> None:
        """Note that Genesys no longer honours that version."""
        params = {"name": name, "version": version, "refused": why}
        self._database.execute(queries.REFUSE_GRANT, params, durable=False)

    def release(self, name: str, lease_owner: str) -> None:
        """Release the lease to renew it."""
        self._leases.release(f"grant:{name}", lease_owner)

    def _pair(self, name: str, access: Secret, refresh: Secret, expires_in: float) -> dict[str, object]:
        secret = self._box.encrypt({"access": access.reveal(), "refresh": refresh.reveal()})
        return {"name": name, "secret": secret, "expires_in": expires_in}
