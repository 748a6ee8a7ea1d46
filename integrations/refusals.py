"""Refused requests on record: counted by minute in memory, and written to the ledger behind the responses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock, Thread

from cobrowse.clock import Clock
from cobrowse.errors import LedgerUnavailable

# Seconds that refusals are gathered before they are written.
FLUSH_INTERVAL = 1.0
# Rows that a process holds meanwhile. What exceeds them is counted under its code only, so that a flood of invented
# names and addresses takes neither memory nor the ledger's time.
MAX_PENDING = 100
OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Requests of one sender and address that were refused alike within a minute; the last one's message is kept.

    Neither the message nor the hint holds a secret or a body. `correlation_id` is the last one's.
    """

    first: datetime
    last: datetime
    sender: str
    code: str
    status: int
    address: str
    message: str
    hint: str
    correlation_id: str
    count: int = 1

    @property
    def minute(self) -> int:
        """The minute it belongs to, since 1970."""
        return int(self.first.timestamp() // 60)


class RefusalRecorder:
    """Gathers refusals and hands them to `write`, which may fail: the record is all that is lost then."""

    def __init__(self, write: Callable[[Sequence[Refusal]], None], clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._lock = Lock()
        self._pending: dict[tuple[int, str, str, str], Refusal] = {}
        self._writer: Thread | None = None

    def add(self, refusal: Refusal) -> None:
        """Note a refusal. It takes no time and raises nothing."""
        with self._lock:
            key = (refusal.minute, refusal.sender, refusal.code, refusal.address)
            if key not in self._pending and len(self._pending) >= MAX_PENDING:
                refusal = replace(refusal, sender=OTHERS, address="")
                key = (refusal.minute, OTHERS, refusal.code, "")
            earlier = self._pending.get(key)
            self._pending[key] = replace(refusal, first=earlier.first, count=earlier.count + 1) if earlier else refusal
            if self._writer is None:
                self._writer = Thread(target=self._flush_later, name="refusals", daemon=True)
                self._writer.start()

    def flush(self) -> None:
        """Write what is held. What the ledger doesn't take is given up."""
        with self._lock:
            batch, self._pending = tuple(self._pending.values()), {}
        try:
            if batch:
                self._write(batch)
        except LedgerUnavailable:
            pass  # requests that need the ledger report it

    def _flush_later(self) -> None:
        self._clock.sleep(FLUSH_INTERVAL)
        with self._lock:
            # From here on the next refusal starts a writer of its own.
            self._writer = None
        self.flush()
