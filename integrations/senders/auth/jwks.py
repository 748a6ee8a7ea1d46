"""The keys of a token's issuer: fetched in the background, cached, and fetched again when an unknown one is needed.

No request waits for the issuer. A key that is not known yet is answered with a retryable failure while it is looked
for, at most once in MIN_REFRESH_INTERVAL seconds, so that nobody can make this service call the issuer at will.
"""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import orjson
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from cobrowse.clock import Clock, SystemClock
from cobrowse.errors import KeysUnavailable
from integrations.senders.auth.public_keys import Key, Public
from integrations.senders.fetching import FetchError, fetch

log = structlog.stdlib.get_logger()

_KINDS: dict[str, type[RSAKey | ECKey | OKPKey]] = {kind.key_type: kind for kind in (RSAKey, ECKey, OKPKey)}
# Seconds: keys are announced a day and more before they are used.
REFRESH_INTERVAL = 3600.0
MIN_REFRESH_INTERVAL = 60.0
# Keys of one set: an issuer has a handful.
_MAX_KEYS = 50


class Jwks:
    """An issuer's keys by their ids. Nothing is fetched before `start`."""

    def __init__(
        self,
        url: str,
        read: Callable[[str], bytes] = fetch,
        clock: Clock | None = None,
        refresh_interval: float = REFRESH_INTERVAL,
    ) -> None:
        self._url, self._read, self._clock = url, read, clock or SystemClock()
        self._refresh_interval = refresh_interval
        self._keys: dict[str, Key] = {}
        self._fetched_at: float | None = None
        self._requested = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Fetch the keys in the background, now and regularly."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="jwks", daemon=True)
            self._thread.start()

    def candidates(self, key_id: str) -> list[Key]:
        """The keys that may have signed a token that names this one. KeysUnavailable if it is not known yet."""
        found = self._keys.get(key_id) if key_id else None
        if found is not None:
            return [found]
        if self._fetched_at is not None and self._clock.monotonic() - self._fetched_at < MIN_REFRESH_INTERVAL:
            return [] if key_id else list(self._keys.values())
        self._requested.set()
        if self._fetched_at is not None and not key_id:
            return list(self._keys.values())
        raise KeysUnavailable("the issuer's key that the token names is not known yet; it is being fetched")

    def renew(self) -> bool:
        """Fetch the keys once; return whether that succeeded. If not, the previous keys stay."""
        try:
            self._keys = keys_in(self._read(self._url))
        except (FetchError, ValueError) as error:
            log.warning("the issuer's keys could not be fetched", url=self._url, error=str(error)[:200])
            return False
        finally:
            self._requested.clear()
        self._fetched_at = self._clock.monotonic()
        return True

    def _run(self) -> None:
        while True:
            succeeded = self.renew()
            self._clock.sleep(MIN_REFRESH_INTERVAL)  # at least, whatever is requested meanwhile
            if succeeded:
                self._requested.wait(self._refresh_interval - MIN_REFRESH_INTERVAL)


def keys_in(document: bytes) -> dict[str, Key]:
    """The keys of a JWK set that tokens can be signed with. ValueError if it is none, or has none."""
    try:
        listed = orjson.loads(document)["keys"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ValueError("it is no JWK set") from None
    found: dict[str, Key] = {}
    for number, entry in enumerate(listed[:_MAX_KEYS] if isinstance(listed, list) else []):
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        key = _key_in(entry)
        if key is not None and key.algorithm and entry.get("alg", key.algorithm) == key.algorithm:
            found[str(entry.get("kid") or f"#{number}")] = key
    if not found:
        raise ValueError("it has no key of RS256, ES256 or EdDSA")
    return found


def _key_in(jwk: dict[str, Any]) -> Key | None:
    try:
        kind = _KINDS[jwk["kty"]]
        # The parts of import_key, which warns of a short key that is passed over here.
        kind.validate_dict_key(jwk)
        found = kind.binding.import_from_dict(jwk)
    except (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        return None
    return Key(found) if isinstance(found, Public) else None
