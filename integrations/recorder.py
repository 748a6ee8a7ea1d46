"""Counts what is for operators in memory, and writes it to the ledger, for all workers, behind the responses."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Protocol, Self

from cobrowse.clock import Clock
from cobrowse.errors import LedgerUnavailable

# Seconds that entries are gathered before they are written.
FLUSH_INTERVAL = 1.0
# Entries that a process holds meanwhile. What exceeds them is reduced, so that a flood of invented names and addresses
# takes neither memory nor the ledger's time.
MAX_PENDING = 100


class Entry(Protocol):
    """What is counted. Entries with the same key become one."""

    @property
    def key(self) -> Hashable:
        """What makes it the same as another of its class."""

    def added_to(self, earlier: Self) -> Self:
        """Both as one."""

    def reduced(self) -> Self:
        """The entry without the fields that an unauthenticated caller can choose."""


class Recorder:
    """Gathers entries and hands them to what `writes` those of their class, which may fail: the record is lost then."""

    def __init__(self, writes: Mapping[type, Callable[[Sequence[Any]], None]], clock: Clock) -> None:
        self._writes = writes
        self._clock = clock
        self._lock = Lock()
        self._pending: dict[tuple[type, Hashable], Any] = {}
        self._writer: Thread | None = None

    def add(self, entry: Entry) -> None:
        """Record an entry. It takes no time and raises nothing."""
        with self._lock:
            key = (type(entry), entry.key)
            if key not in self._pending and len(self._pending) >= MAX_PENDING:
                entry = entry.reduced()
                key = (type(entry), entry.key)
            earlier = self._pending.get(key)
            self._pending[key] = entry if earlier is None else entry.added_to(earlier)
            if self._writer is None:
                self._writer = Thread(target=self._flush_later, name="recorder", daemon=True)
                self._writer.start()

    def flush(self) -> None:
        """Write what is held. What the ledger doesn't take is given up."""
        with self._lock:
            pending, self._pending = self._pending, {}
        with suppress(LedgerUnavailable):  # requests that need the ledger report it
            for kind, write in self._writes.items():
                if batch := [entry for (its_kind, _), entry in pending.items() if its_kind is kind]:
                    write(batch)

    def _flush_later(self) -> None:
        self._clock.sleep(FLUSH_INTERVAL)
        with self._lock:
            # From here on the next entry starts a writer of its own.
            self._writer = None
        self.flush()
