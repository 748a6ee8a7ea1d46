"""What ours has to reach. Every goal is always told: without a figure it is "not measured", never left out."""

# ruff: noqa: RUF001 - the times sign is what people are to read

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scenarios.loads import BY_NAME, OVERLOADED

from report.figures import (
    Found,
    Results,
    added_p50,
    added_p99,
    cpu,
    failed,
    middle,
    number,
    p99,
    rps,
    share,
    table,
    taken,
    unserved,
)

NOT_MEASURED = "not measured in this run"
# How far a count of calls may be from a whole number: one in a hundred repeated, say on a connection that was closed.
COUNTED = 0.01
# A refusal at once is told before one call of Genesys's would be over (milliseconds).
AT_ONCE_MS = 150
# Flat: an allocator needs some more for each connection's buffers, but not for each request that waits.
FLAT = 1.15
# What an ordinary request may take among slow clients: its usual time, with room for one that meets a busy core.
USUAL, ROOM_MS = 1.5, 20
# Ten seconds, and the half that a worker takes to look again.
SLOW_SECONDS = 10.5
# What memory is to be measured after, and the megabyte that an allocator's own housekeeping moves.
INITIATIONS = 50_000
HOUSEKEEPING_MB = 1.0


@dataclass(frozen=True)
class Goal:
    """One line: a figure and the bound that it has to keep.

    The figure is no number where it was not measured. `least`: the bound is a least, else a most. `exact`: the figure
    is how far off a count is, so there is nothing to spare. `measured` says it for people; "" if it was not.
    """

    what: str
    wanted: str
    value: float
    bound: float
    measured: str = ""
    least: bool = False
    exact: bool = False

    @property
    def reached(self) -> bool | None:
        """None: not measured."""
        if math.isnan(self.value):
            return None
        return self.value >= self.bound if self.least else self.value <= self.bound

    @property
    def verdict(self) -> str:
        """Whether it is reached, and by how much."""
        if self.reached is None:
            return NOT_MEASURED
        if self.exact or not self.bound or math.isinf(self.value) or self.value <= 0:
            return "yes" if self.reached else "**no**"
        ratio = self.value / self.bound
        if self.reached:
            return f"yes, {share(abs(ratio - 1))} {'above' if self.least else 'below'}"
        return f"**no**, {share(1 - ratio)} short" if self.least else f"**no**, {ratio:.2f} times that"

    @property
    def told(self) -> str:
        """The figure; what is known in its place if it was not measured."""
        return self.measured or NOT_MEASURED


def goals(results: Results) -> list[Goal]:
    """All of them, in the order to be read in."""
    parts = {name: put["ours"] for name, put in results["parts"].items() if "ours" in put}
    return [
        *latency_goals(results),
        *throughput_goals(results),
        *ledger_goals(parts.get("ledger")),
        *overload_goals(parts.get("overload")),
        *slow_goals(parts.get("slow")),
        *calls_goals(results, parts),
        *memory_goals(parts.get("memory")),
        growth_goal(parts.get("growth")),
        start_goal(results),
    ]


def goals_table(results: Results) -> str:
    rows = [(goal.what, goal.wanted, goal.told, goal.verdict) for goal in goals(results)]
    return table(("what", "goal", "measured", "reached"), rows)


def told(value: float, text: str) -> str:
    """The text, if there is a figure."""
    return "" if math.isnan(value) else text


def latency_goals(results: Results) -> Iterator[Goal]:
    alone = taken(results, "ours", "1 at 0 ms")
    half, most = middle(alone, added_p50), middle(alone, added_p99)
    tutorial = middle(taken(results, "tutorial", "1 at 0 ms"), added_p50)
    what = "one connection, 0 ms: added to the upstream's time"
    yield Goal(f"{what}, p50", "≤ 2 ms", half, 2, told(half, f"{number(half)} ms"))
    yield Goal(f"{what}, p99", "≤ 8 ms", most, 8, told(most, f"{number(most)} ms"))
    part = half / tutorial
    text = told(part, f"1/{1 / part:.0f} of {number(tutorial)} ms")
    yield Goal("the same, p50, beside the way of tutorials", "≤ 1/30", part, 1 / 30, text)
    value = middle(taken(results, "ours", "16 at 0 ms"), cpu)
    yield Goal("16 connections, 0 ms: CPU for each", "≤ 1.2 ms", value, 1.2, told(value, f"{number(value)} ms"))


# A load, the least share of what is possible, the most that p99 may be of the three calls, whether a rival is in it.
THROUGHPUT = (("50 at 50 ms", 0.95, 1.15, False), ("128 at 50 ms", 0.9, 1.5, True), ("256 at 50 ms", None, 2.5, True))


def throughput_goals(results: Results) -> Iterator[Goal]:
    for name, least, slack, rival in THROUGHPUT:
        load, windows = BY_NAME[name], taken(results, "ours", name)
        what = f"{load.connections} connections, 50 ms"
        rate, late = middle(windows, rps), middle(windows, p99)
        if least:
            part = rate / load.limit
            wanted, text = f"≥ {share(least)} of {load.limit:.0f}/s", f"{number(rate)}/s, {share(part)}"
            yield Goal(f"{what}: rate", wanted, part, least, told(part, text), least=True)
        times = late / load.calls_ms
        wanted, text = f"≤ {slack:g} × {load.calls_ms:.0f} ms", f"{number(late)} ms, {times:.2f} ×"
        yield Goal(f"{what}: p99", wanted, times, slack, told(times, text))
        bad = unserved(windows) if windows else math.nan
        yield Goal(f"{what}: errors and refusals", "none", bad, 0, told(bad, f"{bad:.0f}"))
        if rival:
            beside = middle(taken(results, "fastapi_aiohttp", name), rps)
            text = told(beside, f"{number(rate)}/s beside {number(beside)}/s")
            yield Goal(f"{what}: beside FastAPI + aiohttp", "more", rate / beside, 1, text, least=True)


def ledger_goals(found: Found | None) -> Iterator[Goal]:
    for name, most in (("SQLite", 0.1), ("PostgreSQL", 0.25)):
        value = found["share"].get(name, math.nan) if found else math.nan
        text = found["skipped"].get(name, "") if found else ""
        if found and not math.isnan(value):
            text = f"{share(value)} ({number(found['rps'][name])}/s, {number(found['rps']['none'])}/s without)"
        what = f"128 connections, 50 ms: the ledger's share of throughput, {name}"
        yield Goal(what, f"≤ {share(most)}", value, most, text)


def overload_goals(found: Found | None) -> Iterator[Goal]:
    what = "1,000 connections, 150 ms"
    kept = grown = otherwise = late = math.nan
    worst: Found = {"refused": 0, "refusal": {}}
    if found:
        worst = found["windows"][OVERLOADED]
        kept = found["kept"]
        otherwise = failed(worst) + sum(n for told, n in worst["refused_as"].items() if not told.startswith("503"))
        late = worst["refusal"].get("p99", 0.0)
        before = max(window["peak_mb"] for name, window in found["windows"].items() if name != OVERLOADED)
        grown = worst["peak_mb"] / before
    text = told(kept, f"{share(kept)} of {number(found['peak_rps'] if found else None)}/s")
    yield Goal(f"{what}: rate", "≥ 90 % of its peak", kept, 0.9, text, least=True)
    wanted, text = "only 503 with Retry-After", f"{worst['refused']} refused so, {otherwise:.0f} otherwise"
    yield Goal(f"{what}: what is not served", wanted, otherwise, 0, told(otherwise, text))
    wanted, text = f"at once: p99 ≤ {AT_ONCE_MS} ms", f"{number(late)} ms" if worst["refused"] else "none refused"
    yield Goal(f"{what}: a refusal is told", wanted, late, AT_ONCE_MS, told(late, text))
    text = told(grown, f"{grown:.2f} ×")
    yield Goal(f"{what}: memory beside that at 256", f"flat: ≤ {FLAT:g} ×", grown, FLAT, text)


def slow_goals(found: Mapping[str, Found] | None) -> Iterator[Goal]:
    for kind in ("header", "body"):
        what = f"64 clients that never finish their {kind}"
        seen = found[kind] if found else None
        yield Goal(f"{what}: the others", f"all served, ≤ {USUAL:g} × as usual + {ROOM_MS} ms", *others_served(seen))
        wanted = f"all ended by {SLOW_SECONDS:g} s" + (", told 408" if kind == "body" else "")
        yield Goal(f"{what}: they", wanted, *slow_ended(seen, must_tell=kind == "body"))


def others_served(seen: Found | None) -> tuple[float, float, str]:
    """The slowest of the others (milliseconds; endless if one was not served), what it may be, and both in words."""
    if not seen:
        return math.nan, 0, ""
    usual, slowest = seen["usual_ms"], seen["slowest_ms"]
    text = f"{seen['served']} of {seen['asked']} served, slowest {number(slowest)} ms, usually {number(usual)}"
    all_served = seen["served"] == seen["asked"] and usual is not None
    return (slowest, usual * USUAL + ROOM_MS, text) if all_served else (math.inf, 1, text)


def slow_ended(seen: Found | None, *, must_tell: bool) -> tuple[float, float, str]:
    """After how many seconds all the slow ones were ended (endless if one was not, or not told why), and in words."""
    if not seen:
        return math.nan, SLOW_SECONDS, ""
    ended, answers = seen["slow_ended_seconds"], seen["slow_answers"]
    latest = f" by {ended:.1f} s" if ended is not None else ""
    text = f"{seen['slow_ended']} of {seen['slow']} ended{latest}: {', '.join(answers)}"
    good = seen["slow_ended"] == seen["slow"] and (answers == ["408"] or not must_tell)
    return ended if good else math.inf, SLOW_SECONDS, text


def calls_goals(results: Results, parts: Mapping[str, Found]) -> Iterator[Goal]:
    what = "calls for each initiation, warm"
    # In the windows before these, each worker has met its first request and fetched its token.
    warm = [window for name, *_ in THROUGHPUT for window in taken(results, "ours", name)]
    yield calls_goal(f"{what}: media", 3, [without_token(window["calls"]) for window in warm])
    yield calls_goal(f"{what}: sessions", 1, [window["sessions_each"] for window in warm])
    good = sum(window["good"] for window in warm)
    tokens = sum(window["calls"].get("token", 0.0) * window["good"] for window in warm)
    value = tokens / good if good else math.nan
    text = told(value, f"{tokens:.0f} in {good:,}")
    yield Goal(f"{what}: tokens", "< 1 in 1,000", value, 1 / 1000, text, exact=True)
    yield calls_goal(f"{what}: native", 2, [without_token(parts["native"]["calls"])] if "native" in parts else [])
    replay = parts.get("replay")
    made = replay["calls_by_replays"] if replay else math.nan
    text = f"{made} in {replay['replayed']['good']:,}" if replay else ""
    yield Goal("calls for a repeat", "0", made, 0, text)


def without_token(calls: Mapping[str, float]) -> float:
    return sum(count for name, count in calls.items() if name != "token")


def calls_goal(what: str, wanted: int, counts: Sequence[float]) -> Goal:
    """That which is farthest off, of several windows."""
    worst = max(counts, key=lambda count: abs(count - wanted), default=math.nan)
    text = told(worst, f"{worst:.3f}")
    return Goal(what, str(wanted), abs(worst - wanted), COUNTED, text, exact=True)


def memory_goals(found: Found | None) -> Iterator[Goal]:
    what = f"a worker's memory after {INITIATIONS:,} initiations"
    size = grown = math.nan
    text = more = ""
    if found and found["initiations"] >= INITIATIONS:
        size, grown = found["worker_mb"], found["worker_mb"] - found["half_mb"]
        bad = unserved(found["windows"])
        text, more = f"{number(size)} MB" + (f", {bad:,} of them refused" if bad else ""), f"{grown:+.1f} MB"
    elif found:
        text = f"{NOT_MEASURED}; {number(found['worker_mb'])} MB after {found['initiations']:,}"
    yield Goal(what, "≤ 90 MB", size, 90, text)
    wanted = f"none: ≤ {HOUSEKEEPING_MB:g} MB"
    yield Goal("its growth over the last half of them", wanted, grown, HOUSEKEEPING_MB, more, exact=True)


def growth_goal(found: Found | None) -> Goal:
    grown, text = math.nan, ""
    if found:
        grown = float(found["grown"])
        text = " → ".join(f"{value:.2f} ms" for value in found["cpu_ms"].values()) + f", {grown * 100:+.0f} %"
    return Goal("CPU for each with 1,000 → 1,000,000 rows", "within 10 %", abs(grown), 0.1, text, exact=True)


def start_goal(results: Results) -> Goal:
    starts = results.get("starts_ms", {}).get("ours", ())
    value = statistics.median(starts) / 1000 if starts else math.nan
    return Goal("start to ready", "≤ 1.0 s", value, 1.0, told(value, f"{value:.2f} s"))
