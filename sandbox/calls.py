"""The calls that the sandbox has received: the newest one by one, and a count of each operation."""

import re
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.responses import stamp

MAX_CALLS = 10_000  # calls kept one by one: enough for any test, and a load test doesn't fill the memory


@dataclass
class Call:
    """One request; `status` is None until it is answered, and stays so if it never is."""

    n: int
    operation: str
    method: str
    path: str
    correlation_id: str
    time: float
    conversation_id: str | None
    has_body: bool
    content_type: str | None
    authorization: str | None
    status: int | None = None
    fault: str | None = None

    def document(self) -> dict[str, object]:
        """The call as the control endpoint shows it."""
        names = {name: re.sub("_(.)", lambda found: found[1].upper(), name) for name in vars(self)}
        return {shown: getattr(self, name) for name, shown in names.items()} | {"time": stamp(self.time)}


class Calls:
    """The record of calls: a total for ever, the calls themselves up to a bound."""

    def __init__(self, clock: Callable[[], float], kept: int = MAX_CALLS) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._newest: deque[Call] = deque(maxlen=kept)
        self._total: Counter[str] = Counter()

    def clear(self) -> None:
        """Forget every call."""
        with self._lock:
            self._newest.clear()
            self._total.clear()

    def begin(self, operation: str, *, authorization: str | None, **fields: Any) -> Call:  # noqa: ANN401 - Call's fields
        """Record a call as it comes in; of its Authorization header only the scheme is kept."""
        scheme = (authorization or "").partition(" ")[0]
        scheme = scheme.title() if scheme.lower() in {"basic", "bearer"} else "other" if scheme else ""
        with self._lock:
            self._total[operation] += 1
            n, time = self._total.total(), self._clock()
            call = Call(n=n, operation=operation, time=time, authorization=scheme or None, **fields)
            self._newest.append(call)
            return call

    def newest(self, operation: str | None = None) -> list[Call]:
        """The calls kept, oldest first, of one operation or of all."""
        with self._lock:
            return [one for one in self._newest if operation in {None, one.operation}]

    def total(self) -> dict[str, int]:
        """How often each operation was called, of the calls no longer kept too."""
        with self._lock:
            return dict(self._total)
