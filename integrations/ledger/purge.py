"""Deletes initiations and callbacks older than the retention, periodically and alongside requests."""

from threading import Lock, Thread

from cobrowse.clock import Clock
from cobrowse.errors import LedgerUnavailable
from integrations.ledger import queries
from integrations.ledger.database import Database

# It runs after so many claims of this process, or at the first one after so many seconds.
EVERY_CLAIMS = 1_000
EVERY_SECONDS = 600.0
# Rows a transaction, in which all others wait, and seconds between two, in which they go on.
BATCH = 50
PAUSE = 0.01
# Seconds for which an invitation may live: the row of one is how the next request for its conversation knows of it.
INVITED_SECONDS = 86_400.0
# Seconds that a callback which is due waits for a process that sends.
UNSENT_SECONDS = 7 * 86_400.0


class Purge:
    """Deletes what is over, in small transactions: call it, or let it see each claim."""

    def __init__(self, database: Database, retention_seconds: float, clock: Clock, invited_seconds: float) -> None:
        self._database = database
        self._params = {
            "retention": retention_seconds,
            "invited_retention": max(retention_seconds, invited_seconds),
            "untried": UNSENT_SECONDS,
            "batch": BATCH,
        }
        self._clock = clock
        self._running = Lock()
        self._claims = 0
        self._next = clock.monotonic() + EVERY_SECONDS
        self._thread: Thread | None = None
        self._closing = False

    def __call__(self) -> int:
        """How many initiations it has deleted."""
        total = self._delete(queries.PURGE)
        self._delete(queries.PURGE_CALLBACKS)
        return total

    def record_claim(self) -> None:
        """Note a claim. Threads may count one less when they meet here, which does no harm."""
        self._claims += 1
        if self._claims < EVERY_CLAIMS and self._clock.monotonic() < self._next:
            return
        if self._running.acquire(blocking=False):
            self._claims = 0
            self._next = self._clock.monotonic() + EVERY_SECONDS
            self._thread = Thread(target=self._run_in_background, name="ledger-purge", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Let a running purge end after its transaction."""
        self._closing = True
        if self._thread is not None:
            self._thread.join()
        self._closing = False

    def _delete(self, sql: str) -> int:
        total = 0
        while not self._closing:
            gone = len(self._database.execute(sql, self._params, durable=False))
            total += gone
            if gone < BATCH:
                break
            self._clock.sleep(PAUSE)
        return total

    def _run_in_background(self) -> None:
        try:
            self()
        except LedgerUnavailable:
            pass  # requests that need the ledger now report it; the purge runs again later
        finally:
            self._running.release()
