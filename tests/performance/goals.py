"""What ours is to reach, in one table; each is shown as met or missed, and nothing is asserted."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from tests.performance.figures import limit_per_second

MET, MISSED, NOT_MEASURED = "met", "**missed**", "not measured"


@dataclass(frozen=True)
class Goal:
    """One row: `read` takes the figure out of the results, `sense` is ≤ or ≥, `unit` as people read it."""

    what: str
    sense: str
    bound: float
    unit: str
    read: Callable[[dict], float]

    def told(self, results):
        """What was measured, wanted and reached, in words."""
        wanted = f"{self.sense} {written(self.bound, self.unit)}" if self.bound else "none"
        try:
            value = self.read(results)
        except (KeyError, TypeError, ZeroDivisionError):
            return self.what, wanted, "–", NOT_MEASURED
        met = value <= self.bound if self.sense == "≤" else value >= self.bound
        return self.what, wanted, written(value, self.unit), MET if met else MISSED


def written(value, unit):
    """A figure with the digits that it is worth."""
    if math.isinf(value):
        return "never"
    if unit == "%":
        return f"{100 * value:.1f} %".replace(".0 %", " %")
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{'' if unit == '/s' else ' '}{unit}".strip()


def load(results, connections, delay_ms, name="ours"):
    return results["contenders"][name]["loads"][f"{connections} at {delay_ms} ms"]


def part_of_limit(connections):
    return lambda results: load(results, connections, 50)["rate"] / limit_per_second(connections, 50)


def beside_rival(connections, delay_ms, figure):
    def ratio(results):
        theirs = load(results, connections, delay_ms, "fastapi_aiohttp")
        return load(results, connections, delay_ms)[figure] / theirs[figure]

    return ratio


def added(figure):
    return lambda results: load(results, 1, 0)[figure] - load(results, 1, 0)["held_ms"]


def of(scenario, *path):
    def read(results):
        found = results[scenario]
        for name in path:
            found = found[name]
        return found

    return read


def refusal_ms(results):
    refusal = results["overload"]["ours"]["refusal"]
    return refusal["p99_ms"] if refusal else 0.0


def memory_ratio(results):
    found = results["overload"]["ours"]
    return found["memory_mb"] / found["memory_at_256_mb"]


def memory_after_all(results):
    """Errors: KeyError if there was no time for all of them."""
    found = results["memory"]
    if found["all_initiations"] < 50_000:
        raise KeyError("all_initiations")
    return found["all_mb"]


def slowed(results):
    found = results["bad_clients"]
    return found["beside"]["p99_ms"] / found["without"]["p99_ms"]


def ended_seconds(results):
    return results["bad_clients"]["slowest_ended_seconds"] or math.inf


def inexact(results):
    loads = results["contenders"]["ours"]["loads"].values()
    return sum(not each["exact"] for each in loads)


def unserved(results):
    return sum(load(results, connections, 50)["bad"] for connections in (50, 128, 256))


GOALS = (
    Goal("16 connections, 0 ms: CPU an initiation", "≤", 1.1, "ms", lambda r: load(r, 16, 0)["cpu_ms"]),
    Goal("the same, beside FastAPI + aiohttp", "≤", 1.5, "×", beside_rival(16, 0, "cpu_ms")),
    Goal("one connection, 0 ms: added, p50", "≤", 1.6, "ms", added("p50_ms")),
    Goal("one connection, 0 ms: added, p99", "≤", 4, "ms", added("p99_ms")),
    Goal("50 connections, 50 ms: part of the limit", "≥", 0.98, "%", part_of_limit(50)),
    Goal("128 connections, 50 ms: part of the limit", "≥", 0.92, "%", part_of_limit(128)),
    Goal("128 connections, 50 ms: rate beside FastAPI + aiohttp", "≥", 1, "×", beside_rival(128, 50, "rate")),
    Goal(
        "128 connections, 50 ms: p99 of the three calls' time",
        "≤",
        1.3,
        "×",
        lambda r: load(r, 128, 50)["p99_ms"] / 150,
    ),
    Goal("256 connections, 50 ms: rate beside FastAPI + aiohttp", "≥", 0.95, "×", beside_rival(256, 50, "rate")),
    Goal("50, 128 and 256 connections: without a good answer", "≤", 0, "", unserved),
    Goal("loads in which a request did not make exactly its calls", "≤", 0, "", inexact),
    Goal("1,000 connections, 150 ms: initiations", "≥", 1000, "/s", of("overload", "ours", "rate")),
    Goal("1,000 connections, 150 ms: time to rejection, p99", "≤", 150, "ms", refusal_ms),
    Goal("1,000 connections, 150 ms: other failures", "≤", 0, "", of("overload", "ours", "failed")),
    Goal("1,000 connections, 150 ms: memory beside 256", "≤", 1.15, "×", memory_ratio),
    Goal("128 connections, 50 ms: the ledger's share, SQLite", "≤", 0.08, "%", of("ledgers", "share", "SQLite")),
    Goal(
        "128 connections, 50 ms: the ledger's share, PostgreSQL", "≤", 0.18, "%", of("ledgers", "share", "PostgreSQL")
    ),
    Goal("64 connections: repeats", "≥", 2500, "/s", of("deliveries", "repeat", "rate")),
    Goal("64 connections: ignored events", "≥", 2500, "/s", of("deliveries", "ignored", "rate")),
    Goal("calls to Genesys for repeats", "≤", 0, "", of("deliveries", "repeat", "calls")),
    Goal("calls to Genesys for ignored events", "≤", 0, "", of("deliveries", "ignored", "calls")),
    Goal("a worker's memory after 50,000", "≤", 75, "MB", memory_after_all),
    Goal("its growth over the last half", "≤", 1, "MB", lambda r: memory_after_all(r) - r["memory"]["half_mb"]),
    Goal("300 bad clients: a normal client's p99 beside without", "≤", 1.5, "×", slowed),
    Goal("300 bad clients: all ended after", "≤", 30, "s", ended_seconds),
    Goal("128 connections, 50 ms: the loop was held, p99.9", "≤", 20, "ms", of("loop_held", "p999_ms")),
)
