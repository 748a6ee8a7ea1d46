"""Wakes this process's requests that wait for an initiation when another of its requests completes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock


class CompletionNotifier:
    """One event for each request that waits, by the initiation's id."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._events: dict[str, list[Event]] = {}

    @contextmanager
    def subscribe(self, initiation_id: str) -> Iterator[Event]:
        """An event that is set once this process has completed the initiation."""
        event = Event()
        with self._lock:
            self._events.setdefault(initiation_id, []).append(event)
        try:
            yield event
        finally:
            with self._lock:
                self._events[initiation_id].remove(event)
                if not self._events[initiation_id]:
                    del self._events[initiation_id]

    def notify(self, initiation_id: str) -> None:
        """Set the events of those that wait for it."""
        if initiation_id not in self._events:
            return
        with self._lock:
            for event in self._events.get(initiation_id, ()):
                event.set()
