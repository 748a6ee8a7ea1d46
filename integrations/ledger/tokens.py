"""The integration's tokens, shared by all workers: one fetches, the others read what it put."""

from dataclasses import dataclass

from cobrowse.model import Secret
from integrations.ledger import statements
from integrations.ledger.engine import Engine
from integrations.ledger.vault import NotOurs, Vault


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as it is kept. `seconds_left` by the database's clock, below 0 once it is over."""

    value: Secret
    seconds_left: float
    version: int


class TokenTable:
    """Keeps the newest token of each name, sealed. Every method raises LedgerUnavailable as the ledger's do."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    def read(self, name: str) -> StoredToken | None:
        """The newest token of that name. One that no key opens has no time left, so that it is replaced."""
        rows = self._engine.read(statements.NEWEST, {"name": name})
        if not rows or not rows[0][0]:
            return None
        sealed, seconds_left, version = rows[0]
        try:
            return StoredToken(Secret(self._vault.open(sealed)["token"]), seconds_left, version)
        except NotOurs:
            return StoredToken(Secret(), 0.0, version)

    def lead(self, name: str, holder: str, seconds: float, stale_version: int) -> bool:
        """Whether this holder is the one to fetch what comes after `stale_version` (0: there was none), so long."""
        params = {"name": name, "holder": holder, "seconds": seconds, "stale_version": stale_version}
        return bool(self._engine.execute(statements.LEAD, params, durable=False))

    def put(self, name: str, holder: str, value: Secret, expires_in: float) -> StoredToken:  # noqa: ARG002 - a token is good whoever holds the lease by now
        """Keep what was fetched and let others lead again. `expires_in` in seconds."""
        params = {"name": name, "value": self._vault.seal({"token": value}), "expires_in": expires_in}
        version = self._engine.execute(statements.PUT, params, durable=False)[0][0]
        return StoredToken(value, expires_in, version)

    def release(self, name: str, holder: str) -> None:
        """Let somebody else fetch: this one failed."""
        self._engine.execute(statements.RELEASE, {"name": name, "holder": holder}, durable=False)
