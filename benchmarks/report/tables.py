"""The whole report of a run, as Markdown: `results/latest.md`."""

import math
import statistics
from collections.abc import Iterator
from typing import Any

from scenarios.loads import LOADS

from report.circumstances import circumstances
from report.figures import (
    NONE,
    Found,
    Results,
    added_p50,
    added_p99,
    cell,
    cpu,
    failed,
    middle,
    number,
    p50,
    p99,
    peak,
    rps,
    share,
    table,
    unserved,
)
from report.goals import goals_table


def in_short(found: Found) -> str:
    """A window in one line."""
    latency = found["latency"]
    times = f"p50 {latency['p50']:.1f}  p99 {latency['p99']:.1f} ms" if latency else "no good answer"
    told = f"  refused {found['refused_as']}" if found["refused"] else ""
    errors = f"  errors {found['errors']}" if found["errors"] else ""
    return f"{found['rps']:>7.0f}/s  {times}  CPU {found['cpu_ms']:.2f} ms{told}{errors}"


def markdown(results: Results) -> str:
    """All of it."""
    return "\n".join(section for section in sections(results) if section)


def sections(results: Results) -> Iterator[str]:
    yield "# The service beside what people would use instead\n"
    yield circumstances(results)
    yield (
        "Service, upstream and load share the cores, the same for every contender. "
        "Figures are medians over the rounds, in brackets the least and the most.\n"
    )
    yield "## Goals\n\n" + goals_table(results)
    contenders = measured(results)
    if contenders:
        yield throughput(contenders)
        yield "## What it adds and costs\n\n" + cost(results)
    parts = results["parts"]
    ours = {name: put["ours"] for name, put in parts.items() if "ours" in put}
    if parts.get("overload"):
        yield overload(results)
    if "replay" in ours:
        yield repeats(ours["replay"])
    if "ledger" in ours:
        yield ledgers(ours["ledger"])
    if results["skipped"]:
        yield "## Not run\n\n" + "".join(f"- {name}: {reason}\n" for name, reason in results["skipped"].items())


def measured(results: Results) -> dict[str, Any]:
    """The contenders that any window was measured of."""
    return {name: entry for name, entry in results["contenders"].items() if entry["loads"]}


def throughput(contenders: dict[str, Any]) -> str:
    head = ("connections", "contender", "initiations/s", "of the limit", "p50 ms", "p99 ms", "errors", "peak memory MB")
    rows = [
        (
            f"{load.connections}",
            entry["title"],
            cell(windows, rps),
            share(middle(windows, rps) / load.limit),
            cell(windows, p50),
            cell(windows, p99),
            str(unserved(windows)),
            cell(windows, peak),
        )
        for load in LOADS
        if load.limit < math.inf and load.connections > 1
        for entry in contenders.values()
        if (windows := entry["loads"].get(load.name))
    ]
    return "## Throughput, 50 ms for each upstream call\n\n" + table(head, rows) if rows else ""


def cost(results: Results) -> str:
    """One connection, one core busy, and the start."""
    head = (
        "contender",
        "added p50 ms, 0 ms upstream",
        "added p99 ms",
        "added p50 ms, 50 ms upstream",
        "CPU ms, 16 connections, 0 ms",
        "initiations/s there",
        "calls each",
        "start s",
    )
    rows = []
    for name, entry in measured(results).items():
        loads = entry["loads"]
        alone, far, busy = (loads.get(key, ()) for key in ("1 at 0 ms", "1 at 50 ms", "16 at 0 ms"))
        some = next(iter(loads.values()))[-1]
        starts = results.get("starts_ms", {}).get(name)
        rows.append(
            (
                entry["title"],
                cell(alone, added_p50),
                cell(alone, added_p99),
                cell(far, added_p50),
                cell(busy, cpu),
                cell(busy, rps),
                f"{sum(some['calls'].values()):.2f}",
                f"{statistics.median(starts) / 1000:.2f}" if starts else NONE,
            )
        )
    return "Added: the time of one connection's request, less the upstream's own.\n\n" + table(head, rows)


def overload(results: Results) -> str:
    head = (
        "contender",
        "connections",
        "initiations/s",
        "p50 ms",
        "p99 ms",
        "refused, Retry-After",
        "refused in p99 ms",
        "errors",
        "peak memory MB",
    )
    rows = [
        overload_row(results["contenders"][name]["title"], window)
        for name, found in results["parts"]["overload"].items()
        for window in found["windows"].values()
    ]
    return "## Overload, 150 ms for each upstream call\n\n" + table(head, rows)


def overload_row(title: str, found: Found) -> tuple[str, ...]:
    return (
        title,
        str(found["connections"]),
        number(found["rps"]),
        number(p50(found)),
        number(p99(found)),
        str(found["refused"]),
        number(found["refusal"].get("p99")),
        ", ".join(f"{count} × {error}" for error, count in found["errors"].items()) if failed(found) else "0",  # noqa: RUF001
        number(found["peak_mb"]),
    )


def repeats(found: Found) -> str:
    head = ("with an Idempotency-Key", "answers/s", "p50 ms", "p99 ms", "CPU ms")
    rows = [
        (name, number(window["rps"]), number(p50(window)), number(p99(window)), number(window["cpu_ms"]))
        for name, window in (("first", found["keyed"]), ("repeat", found["replayed"]))
    ]
    return "## Repeats, 16 connections, 0 ms\n\n" + table(head, rows)


def ledgers(found: Found) -> str:
    head = ("ledger", "initiations/s", "p99 ms", "CPU ms")
    rows = [
        (name, cell(windows, rps), cell(windows, p99), cell(windows, cpu)) for name, windows in found["windows"].items()
    ]
    rows += [(name, reason, NONE, NONE) for name, reason in found["skipped"].items()]
    return "## The ledger, 128 connections, 50 ms\n\n" + table(head, rows)
