"""What the documentation shows of the results: the section of docs/performance.md and the README's one table."""

from collections.abc import Sequence

from scenarios.loads import BY_NAME, Load

from report.circumstances import circumstances, item
from report.figures import NONE, Results, Windows, cpu, middle, number, p99, rps, share, table, taken, unserved
from report.goals import goals_table
from report.tables import cost, measured

OVER_CONNECTIONS = [BY_NAME[name] for name in ("50 at 50 ms", "128 at 50 ms", "256 at 50 ms")]


def performance(results: Results) -> str:
    """The figures' section."""
    limits = ", ".join(f"{load.limit:,.0f}" for load in OVER_CONNECTIONS)
    return "\n".join(
        [
            f"### Measured on\n\n{circumstances(results)}{skipped(results)}",
            "### Over connections, 50 ms for each of the three calls\n",
            f"Initiations a second, their share of what is possible ({limits}), p99; medians over the rounds.\n",
            over_connections(results),
            "![Initiations a second and p99 over connections, for each contender](performance.svg)\n",
            f"### What one initiation costs\n\n{cost(results)}",
            f"### Goals\n\n{goals_table(results)}",
        ]
    )


def skipped(results: Results) -> str:
    return "".join(item(f"not run: {name}, {reason}") for name, reason in results["skipped"].items())


def over_connections(results: Results) -> str:
    head = ("contender", *(f"{load.connections} connections" for load in OVER_CONNECTIONS))
    rows = [
        (entry["title"], *(in_a_cell(load, taken(results, name, load.name)) for load in OVER_CONNECTIONS))
        for name, entry in measured(results).items()
    ]
    return table(head, rows)


def in_a_cell(load: Load, windows: Windows) -> str:
    if not windows:
        return NONE
    rate, bad = middle(windows, rps), unserved(windows)
    text = f"{number(rate)}/s, {share(rate / load.limit)}, {number(middle(windows, p99))} ms"
    return f"{text}; {bad:,} not served" if bad else text


def readme(results: Results) -> str:
    """The README's table: the services only, one figure in a cell."""
    head = ("50 ms for each of three calls", "128 connections: a second", "p99 ms", "CPU ms each")
    rows = [readme_row(name, entry["short"], results) for name, entry in measured(results).items() if name != "floor"]
    return table(head, rows)


def readme_row(name: str, short: str, results: Results) -> Sequence[str]:
    many, busy = taken(results, name, "128 at 50 ms"), taken(results, name, "16 at 0 ms")
    return (short, number(middle(many, rps)), number(middle(many, p99)), number(middle(busy, cpu)))
