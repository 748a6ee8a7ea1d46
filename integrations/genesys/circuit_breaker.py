"""A circuit for each host: after many failures in a row calls are refused at once, until one call gets through again.

The breakers on PyPI hold a lock around the call itself, which would make every thread wait for every other; this one
only counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from cobrowse.clock import Clock
from cobrowse.errors import GenesysUnavailable

# Failures in a row, from any thread, after which a host is taken to be away.
FAILURES = 20
# Seconds in which it is left alone before one call is let through to see.
REST = 5.0


@dataclass(slots=True)
class _Line:
    """What is known of one host. `until`: when a call may see next, in the clock's monotonic seconds."""

    failures: int = 0
    until: float = 0.0


class Circuit:
    """Counts what became of the calls to each host. `on_change` is told the host and whether calls are refused now."""

    def __init__(
        self,
        clock: Clock,
        failures: int = FAILURES,
        rest: float = REST,
        on_change: Callable[[str, bool], None] = lambda _host, _open: None,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._most = failures
        self._rest = rest
        self._lines: dict[str, _Line] = {}
        self._lock = Lock()

    def enter(self, host: str) -> None:
        """Let a call through to this host, or raise GenesysUnavailable with the seconds it is still left alone for."""
        line = self._lines.get(host)
        if line is None or line.failures < self._most:
            return
        with self._lock:
            now = self._clock.monotonic()
            left = line.until - now
            if left <= 0:
                # One call may see; the next only after another rest, should this one never say what it saw.
                line.until = now + self._rest
                return
        message = f"{host} has failed {line.failures} times in a row and is left alone for a moment"
        raise GenesysUnavailable(message, retry_after=max(left, 1.0))

    def left(self, host: str, *, well: bool) -> None:
        """A call to this host has ended: with an answer of any sense, or with none."""
        line = self._lines.get(host)
        if well and line is None:
            return
        with self._lock:
            line = self._lines.setdefault(host, _Line())
            was_open = line.failures >= self._most
            line.failures = 0 if well else line.failures + 1
            if line.failures >= self._most:
                line.until = self._clock.monotonic() + self._rest
            is_open = line.failures >= self._most
        if is_open != was_open:
            self._on_change(host, is_open)

    def open_hosts(self) -> tuple[str, ...]:
        """The hosts that calls are refused for right now."""
        return tuple(host for host, line in self._lines.items() if line.failures >= self._most)
