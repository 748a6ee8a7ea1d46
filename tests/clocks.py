"""A clock that a test moves: sleeping takes no time but the clock's own."""

from datetime import UTC, datetime, timedelta


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
