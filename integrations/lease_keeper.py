"""Renews a lease of the ledger in a thread of its own, so that no slow call lets it expire."""

from threading import Event, Thread

import structlog

from cobrowse.clock import Clock
from cobrowse.errors import LedgerUnavailable
from integrations.ledger.leases import LeaseTable

log = structlog.stdlib.get_logger()

# Seconds the lease is good for, and between renewals. Together with a connection they stay below 15.
LEASE_SECONDS, RENEW_INTERVAL = 9.0, 2.0


class LeaseKeeper:
    """One owner's lease. `is_held` is true only while no other can have it, by this process's monotonic clock."""

    def __init__(self, leases: LeaseTable, name: str, owner: str, clock: Clock) -> None:
        self._leases = leases
        self._name = name
        self._owner = owner
        self._clock = clock
        self._held_until = 0.0
        self._stopping = Event()
        self._thread: Thread | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has the lease."""
        return self._clock.monotonic() < self._held_until

    def start(self) -> None:
        """Acquire and renew the lease in a thread of its own until `stop`."""
        self._thread = Thread(target=self._keep, name=f"{self._name}-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing the lease and release it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        was_held, self._held_until = self.is_held, 0.0
        if was_held:
            try:
                self._leases.release(self._name, self._owner)
            except LedgerUnavailable as error:
                log.warning("a lease runs out by itself", lease=self._name, message=error.message)

    def renew(self) -> None:
        """Acquire or renew the lease once."""
        start = self._clock.monotonic()  # before the question: what was waited for the answer is gone from the lease
        try:
            acquired = self._leases.acquire(self._name, self._owner, LEASE_SECONDS, seconds=RENEW_INTERVAL)
        except LedgerUnavailable as error:
            # The lease is held until it expires; the ledger may be reachable again before that.
            log.warning("a lease can't be taken: the ledger is unreachable", lease=self._name, message=error.message)
            return
        self._held_until = start + LEASE_SECONDS if acquired else 0.0

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                self.renew()
            except Exception:  # without this thread the process would never do the work again
                log.exception("lease: internal error", lease=self._name)
            self._stopping.wait(RENEW_INTERVAL)
