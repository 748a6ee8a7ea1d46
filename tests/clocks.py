"""Clocks on which sleeping takes no time but the clock's own, and a wait for what other threads and processes do."""

import time
from datetime import UTC, datetime, timedelta

from cobrowse.clock import SystemClock

# Seconds that only a hang can take, however busy the machine is.
HANGS = 60.0


class ManualClock:
    def __init__(self, start=1_000.0):
        self.time = start
        self.slept = []

    def monotonic(self):
        return self.time

    def now(self):
        return datetime(2026, 11, 25, 9, 0, tzinfo=UTC) + timedelta(seconds=self.time - 1_000)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds


class LeapingClock(SystemClock):
    """The machine's own clock, which leaps ahead where it is asked to sleep: for a service that calls over sockets."""

    def __init__(self):
        self.slept = []

    def monotonic(self):
        return super().monotonic() + sum(self.slept)

    def now(self):
        return super().now() + timedelta(seconds=sum(self.slept))

    def sleep(self, seconds):
        self.slept.append(seconds)


class BusyClock(SystemClock):
    """Counts the CPU seconds of this process only: what other processes do meanwhile takes no time."""

    def monotonic(self):
        return time.process_time()


def wait_until(true, what="what was waited for did not happen"):
    """Return what `true` returns once it is true; fail when that takes as long as only a hang can."""
    ends = time.monotonic() + HANGS
    while not (found := true()):
        assert time.monotonic() < ends, what
        time.sleep(0.01)
    return found
