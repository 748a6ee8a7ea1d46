"""The figures of windows, and how they are written."""

# ruff: noqa: RUF001 - the dash is what people are to read

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

# What bench.py writes, read from its JSON: `machine`, `options`, `contenders`, `parts`, `skipped`, `starts_ms`.
Results = dict[str, Any]
Found = Mapping[str, Any]
Windows = Sequence[Found]
Figure = Callable[[Found], float]
# A missing figure.
NONE = "–"


# Figures of one window.
def rps(found: Found) -> float:
    return float(found["rps"])


def p50(found: Found) -> float:
    return float(found["latency"].get("p50", math.nan))


def p99(found: Found) -> float:
    return float(found["latency"].get("p99", math.nan))


def added_p50(found: Found) -> float:
    return p50(found) - float(found["held_ms"])


def added_p99(found: Found) -> float:
    return p99(found) - float(found["held_ms"])


def cpu(found: Found) -> float:
    return float(found["cpu_ms"])


def peak(found: Found) -> float:
    return float(found.get("peak_mb", math.nan))


def failed(found: Found) -> int:
    return sum(found["errors"].values())


def unserved(windows: Windows) -> int:
    """Requests without a good answer: errors, and what was told to come back."""
    return sum(failed(found) + int(found["refused"]) for found in windows)


# Figures of several.
def taken(results: Results, name: str, load: str) -> Windows:
    """A contender's windows of one load, a round each."""
    windows: Windows = results["contenders"].get(name, {}).get("loads", {}).get(load, ())
    return windows


def middle(windows: Windows, figure: Figure) -> float:
    """The median over the rounds; not a number without any."""
    values = [value for found in windows if not math.isnan(value := figure(found))]
    return statistics.median(values) if values else math.nan


def all_windows(results: object) -> Iterator[Found]:
    """Every window there is, wherever in the results."""
    if isinstance(results, Mapping):
        if "others" in results:
            yield results
        results = list(results.values())
    if isinstance(results, list):
        for each in results:
            yield from all_windows(each)


# How they are written.
def number(value: float | None) -> str:
    """With the digits that it is worth."""
    if value is None or math.isnan(value):
        return NONE
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(windows: Windows, figure: Figure) -> str:
    """The median, and the least and the most where there was more than one round."""
    values = sorted(value for found in windows if not math.isnan(value := figure(found)))
    if not values:
        return NONE
    text = number(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({number(values[0])}–{number(values[-1])})"


def share(value: float) -> str:
    return NONE if math.isnan(value) else f"{round(value * 100)} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
