"""What a part of the fuzz run has tried: so many inputs of a strategy, each judged, timed and ended if it hangs."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

# Seconds that one input may hold the service; and after which it is taken to hang.
SLOW, HANG = 1.0, 10.0
# Bytes by which a process may have grown between the first fifth of the inputs and the last.
GROWTH = 24_000_000
# Inputs that hypothesis is asked for at a time: it remembers all that it has tried.
BATCH = 500
# Faults that a part tells of.
MOST_TOLD = 50


@dataclass
class Tally:
    """What a part has tried, and what was wrong."""

    part: str
    inputs: int = 0
    slowest: float = 0.0
    growth: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, value: object, wrong: str, seconds: float) -> None:
        """One input more: what was wrong with it, if anything, and how long it took."""
        self.inputs += 1
        self.slowest = max(self.slowest, seconds)
        if not wrong and seconds > SLOW:
            wrong = f"took {seconds:.2f} s"
        if wrong and len(self.wrong) < MOST_TOLD:
            self.wrong.append(f"{wrong} ← {value!r}"[:1_000])


class Hang(BaseException):
    """An input did not come to an end."""


Try = Callable[[Any], str]


def drive(tally: Tally, count: int, ends: float, strategy: st.SearchStrategy[Any], attempt: Try, first: int) -> Tally:
    """Try so many inputs of a strategy, or until the time is over; `attempt` says what is wrong with each."""

    def alarm(*_: object) -> None:
        raise Hang

    def one(value: Any) -> None:
        if time.monotonic() > ends or tally.inputs >= count:
            return
        begun = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, HANG)
        try:
            wrong = attempt(value)
        except Hang:
            wrong = f"no end after {HANG:.0f} s"
        except Exception as fault:  # noqa: BLE001 - an app that raises is what is looked for
            wrong = f"{type(fault).__name__}: {fault}"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        tally.count(value, wrong, time.monotonic() - begun)

    signal.signal(signal.SIGALRM, alarm)
    quiet = settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    early, batch = 0, 0
    while tally.inputs < count and time.monotonic() < ends:
        seed(first + batch)(quiet(given(strategy)(one)))()
        batch += 1
        if not early and tally.inputs >= count / 5:
            early = memory()
    tally.growth = memory() - early if early else 0
    if tally.growth > GROWTH:
        tally.wrong.append(f"grew by {tally.growth / 1e6:.0f} MB")
    return tally


def memory() -> int:
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
