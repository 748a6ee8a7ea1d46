"""What came of it, for people: the goals held against the figures, tables, and the plot."""

# ruff: noqa: RUF001 - the times sign and the dash are what people are to read

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from html import escape

from scenarios import BY_NAME, CALLS, LOADS, OVERLOADED

Results = dict
Windows = Sequence[dict]
# A missing figure, and a goal that it leaves open.
NONE = "–"
OPEN = None
# Above this share of the machine's CPU, what others used or the host took, the figures are not to be trusted.
NOISE = 0.05
COLOURS = {
    "ours": "#c2410c",
    "fastapi_aiohttp": "#1d4ed8",
    "go": "#0e7490",
    "node": "#4d7c0f",
    "fastapi_httpx": "#7c3aed",
    "tutorial": "#a16207",
    "webhook": "#be185d",
    "floor": "#9ca3af",
}


def in_short(found: dict) -> str:
    """A window in one line."""
    latency = found["latency"]
    times = f"p50 {latency['p50']:.1f}  p99 {latency['p99']:.1f} ms" if latency else "no good answer"
    told = f"  refused {found['refused_as']}" if found["refused"] else ""
    errors = f"  errors {found['errors']}" if found["errors"] else ""
    return f"{found['rps']:>7.0f}/s  {times}  CPU {found['cpu_ms']:.2f} ms{told}{errors}"


# Figures of one window.
def rps(found: dict) -> float:
    return found["rps"]


def p50(found: dict) -> float:
    return found["latency"].get("p50", math.nan)


def p99(found: dict) -> float:
    return found["latency"].get("p99", math.nan)


def added_p50(found: dict) -> float:
    return p50(found) - found["held_ms"]


def added_p99(found: dict) -> float:
    return p99(found) - found["held_ms"]


def cpu(found: dict) -> float:
    return found["cpu_ms"]


def peak(found: dict) -> float:
    return found.get("peak_mb", math.nan)


def failed(found: dict) -> int:
    return sum(found["errors"].values())


def middle(windows: Windows, figure: Callable[[dict], float]) -> float:
    """The median over the rounds."""
    values = [value for found in windows if not math.isnan(value := figure(found))]
    return statistics.median(values) if values else math.nan


def number(value: float | None) -> str:
    """With the digits that it is worth."""
    if value is None or math.isnan(value):
        return NONE
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(windows: Windows, figure: Callable[[dict], float]) -> str:
    """The median, and the least and the most where there was more than one round."""
    values = sorted(value for found in windows if not math.isnan(value := figure(found)))
    if not values:
        return NONE
    text = number(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({number(values[0])}–{number(values[-1])})"


def share(value: float) -> str:
    return NONE if math.isnan(value) else f"{value * 100:.0f} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


Goal = tuple[str, str, str, bool | None]


def taken(results: Results, name: str, load: str) -> Windows:
    return results["contenders"].get(name, {}).get("loads", {}).get(load, ())


def goals(results: Results) -> list[Goal]:
    """What ours has to reach: the work, the goal, what was measured, whether it is reached."""
    found = [*latency_goals(results), *throughput_goals(results), *part_goals(results)]
    starts = results.get("starts_ms", {}).get("ours", ())
    if starts:
        value = statistics.median(starts)
        found.append(("start to ready", "≤ 1.0 s", f"{value / 1000:.2f} s", value <= 1000))
    return found


def latency_goals(results: Results) -> Iterator[Goal]:
    alone = taken(results, "ours", "1 at 0 ms")
    if alone:
        half, most = middle(alone, added_p50), middle(alone, added_p99)
        text = f"{number(half)} / {number(most)} ms"
        yield "added latency, one connection", "p50 ≤ 2 ms, p99 ≤ 8 ms", text, half <= 2 and most <= 8
        tutorial = middle(taken(results, "tutorial", "1 at 0 ms"), added_p50)
        if not math.isnan(tutorial):
            times = tutorial / half
            yield (
                "the same, beside the tutorial's way",
                "≤ 1/30",
                f"1/{times:.0f} of {number(tutorial)} ms",
                times >= 30,
            )
    busy = taken(results, "ours", "16 at 0 ms")
    if busy:
        value = middle(busy, cpu)
        yield "CPU for each initiation, 16 connections, 0 ms", "≤ 1.2 ms", f"{number(value)} ms", value <= 1.2


def throughput_goals(results: Results) -> Iterator[Goal]:
    for name, least, slack, rival in (
        ("50 at 50 ms", 0.95, 1.15, False),
        ("128 at 50 ms", 0.9, 1.5, True),
        ("256 at 50 ms", 0.0, 2.5, True),
    ):
        windows = taken(results, "ours", name)
        if not windows:
            continue
        load = BY_NAME[name]
        rate, late = middle(windows, rps), middle(windows, p99)
        errors = sum(map(failed, windows)) + sum(found["refused"] for found in windows)
        calls_ms = CALLS * load.delay_ms
        wanted = [f"p99 ≤ {slack} × the three calls", "no errors"]
        good = late <= slack * calls_ms and not errors
        if least:
            wanted.insert(0, f"≥ {share(least)} of {load.limit:.0f}/s")
            good = good and rate >= least * load.limit
        text = f"{number(rate)}/s ({share(rate / load.limit)}), p99 {number(late)} ms ({late / calls_ms:.2f} ×)"
        text += f", {errors} errors" if errors else ""
        beside = middle(taken(results, "fastapi_aiohttp", name), rps)
        if rival and not math.isnan(beside):
            wanted.append("more than FastAPI + aiohttp")
            text += f"; FastAPI + aiohttp {number(beside)}/s"
            good = good and rate > beside
        yield f"{load.connections} connections, 50 ms", ", ".join(wanted), text, good


def part_goals(results: Results) -> Iterator[Goal]:
    parts = {name: put["ours"] for name, put in results["parts"].items() if "ours" in put}
    for name, goal in (
        ("ledger", ledger_goal),
        ("overload", overload_goal),
        ("slow", slow_goal),
        ("memory", memory_goal),
        ("growth", growth_goal),
    ):
        if name in parts:
            yield from goal(parts[name])
    yield from calls_goal(results, parts)


def ledger_goal(found: dict) -> Iterator[Goal]:
    for name, most in (("SQLite", 0.1), ("PostgreSQL", 0.25)):
        goal = f"the ledger's share of throughput, 128 connections: {name}", f"≤ {share(most)}"
        if name in found["share"]:
            value = found["share"][name]
            text = f"{share(value)} ({number(found['rps'][name])}/s, {number(found['rps']['none'])}/s without)"
            yield *goal, text, value <= most
        elif name in found["skipped"]:
            yield *goal, found["skipped"][name], OPEN


def overload_goal(found: dict) -> Iterator[Goal]:
    worst = found["windows"][OVERLOADED]
    errors = failed(worst)
    grown = worst["peak_mb"] / max(window["peak_mb"] for name, window in found["windows"].items() if name != OVERLOADED)
    refusal = f", refused in p99 {number(worst['refusal']['p99'])} ms" if worst["refusal"] else ""
    text = (
        f"{share(found['kept'])} of {number(found['peak_rps'])}/s; {worst['refused']} refused{refusal}, "
        f"{errors} other errors; p99 of the served {number(p99(worst))} ms; memory {grown:.2f} × that at 256"
    )
    wanted = "≥ 90 % of the peak, the rest refused at once with 503 and Retry-After, memory flat"
    good = found["kept"] >= 0.9 and not errors and grown <= 1.15
    yield "1,000 connections, 150 ms", wanted, text, good


def slow_goal(found: dict) -> Iterator[Goal]:
    for kind, seen in found.items():
        usual, between = seen["usual_ms"], seen["between_ms"]
        in_time = seen["slowest_ms"] is not None and usual is not None and seen["slowest_ms"] <= usual * 1.5 + 20
        all_ended = seen["slow_ended"] == seen["slow"] and seen["slow_ended_seconds"] <= 10.5
        told = kind == "header" or seen["slow_answers"] == ["408"]
        latest = f" by {seen['slow_ended_seconds']:.1f} s" if seen["slow_ended_seconds"] else ""
        text = (
            f"{seen['served']} of {seen['asked']} served, {number(between)} ms (slowest {number(seen['slowest_ms'])}, "
            f"usually {number(usual)}); {seen['slow_ended']} of {seen['slow']} ended{latest}: "
            f"{', '.join(seen['slow_answers'])}"
        )
        good = seen["served"] == seen["asked"] and in_time and all_ended and told
        wanted = "all served at their usual time; the slow ended within 10 s"
        yield f"64 that never finish their {kind}", wanted + ("" if kind == "header" else ", with 408"), text, good


def memory_goal(found: dict) -> Iterator[Goal]:
    growth = found["worker_mb"] - found["half_mb"]
    text = f"{number(found['worker_mb'])} MB, {growth:+.1f} MB over the second half"
    # A megabyte is what an allocator's own housekeeping moves.
    good = found["worker_mb"] <= 90 and growth <= 1.0
    yield f"memory of a worker after {found['initiations']:,} initiations", "≤ 90 MB, no growth", text, good


def growth_goal(found: dict) -> Iterator[Goal]:
    text = " → ".join(f"{value:.2f} ms" for value in found["cpu_ms"].values()) + f" ({found['grown']:+.0%})"
    yield "CPU for each initiation with 1,000 → 1,000,000 rows", "within 10 %", text, abs(found["grown"]) <= 0.1


def calls_goal(results: Results, parts: dict) -> Iterator[Goal]:
    windows = taken(results, "ours", "50 at 50 ms") or taken(results, "ours", "16 at 0 ms")
    if windows:
        each = {name: windows[-1]["calls"].get(name, 0.0) for name in ("create", "attach", "conversation", "token")}
        calls = sum(each.values()) - each["token"]
        text = f"{calls:.3f}, tokens {each['token']:.4f}, sessions {windows[-1]['sessions_each']:.3f}"
        good = abs(calls - 3) < 0.01 and each["token"] < 0.001
        yield "calls for each initiation, warm, media", "3, tokens < 1 in 1,000", text, good
    if "native" in parts:
        calls = sum(parts["native"]["calls"].values()) - parts["native"]["calls"].get("token", 0.0)
        yield "the same, native", "2", f"{calls:.3f}", abs(calls - 2) < 0.01
    if "replay" in parts:
        found = parts["replay"]["calls_by_replays"]
        yield "calls for a repeat", "0", f"{found} in {parts['replay']['replayed']['good']}", found <= 2


def noise(results: Results) -> str:
    windows = [
        found
        for contender in results["contenders"].values()
        for windows in contender["loads"].values()
        for found in windows
    ]
    if not windows:
        return ""
    figures = {}
    for name in ("others", "stolen"):
        values = [found[name] for found in windows]
        figures[name] = (statistics.median(values), max(values))
    (others, most_others), (stolen, most_stolen) = figures["others"], figures["stolen"]
    text = (
        f"During the windows other processes used {share(others)} of the machine's CPU (at most {share(most_others)}), "
        f"and its host took {share(stolen)} (at most {share(most_stolen)})."
    )
    if max(others, stolen) > NOISE:
        text += " **That is too much: take these figures for a trial, not for a result.**"
    return text


def markdown(results: Results) -> str:
    """The whole report."""
    return "\n".join(section for section in sections(results) if section)


def sections(results: Results) -> Iterator[str]:
    on, options = results["machine"], results["options"]
    yield "# The service beside what people would use instead\n"
    yield (
        f"{on['cpu']}, {on['cores']} cores, {on['memory_gb']} GB, {on['kernel']}, Python {on['python']}; "
        f"{on['date']}. Rounds: {options['rounds']}, windows of {options['seconds']} s"
        f"{', upstream over TLS' if options['tls'] else ''}; {results.get('minutes', 0):.1f} minutes in all. "
        "Service, upstream and load share the cores, the same for every contender. "
        "Figures are medians over the rounds, in brackets the least and the most."
    )
    yield noise(results) + "\n"
    reached = {True: "yes", False: "**no**", None: "not tried"}
    rows = [(work, goal, text, reached[met]) for work, goal, text, met in goals(results)]
    if rows:
        yield "## Goals\n\n" + table(("work", "goal", "measured", "reached"), rows)
    contenders = {name: entry for name, entry in results["contenders"].items() if entry["loads"]}
    if contenders:
        yield throughput(contenders)
        yield cost(contenders, results)
    yield from extras(results)
    if results["skipped"]:
        yield "## Not run\n\n" + "".join(f"- {name}: {reason}\n" for name, reason in results["skipped"].items())
    entries = results["contenders"].values()
    versions = "".join(f"- {entry['title']}: {entry['version']}\n" for entry in entries if entry["version"])
    if versions:
        yield "## Versions\n\n" + versions


def throughput(contenders: dict) -> str:
    rows = []
    loads = [load for load in LOADS if load.limit < math.inf and load.connections > 1]
    for load in loads:
        for entry in contenders.values():
            windows = entry["loads"].get(load.name)
            if windows:
                errors = sum(map(failed, windows)) + sum(found["refused"] for found in windows)
                rows.append(
                    (
                        f"{load.connections}",
                        entry["title"],
                        cell(windows, rps),
                        share(middle(windows, rps) / load.limit),
                        cell(windows, p50),
                        cell(windows, p99),
                        str(errors or 0),
                        cell(windows, peak),
                    )
                )
    head = ("connections", "contender", "initiations/s", "of the limit", "p50 ms", "p99 ms", "errors", "peak memory MB")
    return "## Throughput, 50 ms for each upstream call\n\n" + table(head, rows) if rows else ""


def cost(contenders: dict, results: Results) -> str:
    rows = []
    for name, entry in contenders.items():
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
    return "## What it adds and costs\n\nOne connection: its time less the upstream's own.\n\n" + table(head, rows)


def extras(results: Results) -> Iterator[str]:
    parts = results["parts"]
    if "overload" in parts:
        rows = [
            overload_row(results["contenders"][name]["title"], window)
            for name, found in parts["overload"].items()
            for window in found["windows"].values()
        ]
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
        yield "## Overload, 150 ms for each upstream call\n\n" + table(head, rows)
    ours = {name: put["ours"] for name, put in parts.items() if "ours" in put}
    if "replay" in ours:
        rows = [
            (name, number(window["rps"]), number(p50(window)), number(p99(window)), number(window["cpu_ms"]))
            for name, window in (("first", ours["replay"]["keyed"]), ("repeat", ours["replay"]["replayed"]))
        ]
        head = ("with an Idempotency-Key", "answers/s", "p50 ms", "p99 ms", "CPU ms")
        yield "## Repeats, 16 connections, 0 ms\n\n" + table(head, rows)
    if "ledger" in ours:
        rows = [
            (name, cell(windows, rps), cell(windows, p99), cell(windows, cpu))
            for name, windows in ours["ledger"]["windows"].items()
        ]
        rows += [(name, reason, NONE, NONE) for name, reason in ours["ledger"]["skipped"].items()]
        head = ("ledger", "initiations/s", "p99 ms", "CPU ms")
        yield "## The ledger, 128 connections, 50 ms\n\n" + table(head, rows)


def overload_row(title: str, found: dict) -> tuple[str, ...]:
    return (
        title,
        str(found["connections"]),
        number(found["rps"]),
        number(p50(found)),
        number(p99(found)),
        str(found["refused"]),
        number(found["refusal"].get("p99")),
        ", ".join(f"{count} × {error}" for error, count in found["errors"].items()) or "0",
        number(found["peak_mb"]),
    )


WIDTH, HEIGHT, TOP, BOTTOM = 960, 400, 64, 46
PANELS = ((56, 360), (540, 836))


def plot(results: Results) -> str:
    """Throughput and p99 over connections, side by side."""
    loads = [load for load in LOADS if load.delay_ms == 50]
    lines = {}
    for name, entry in results["contenders"].items():
        points = [(load.connections, entry["loads"][load.name]) for load in loads if load.name in entry["loads"]]
        if points:
            lines[name] = points
    about = "Throughput and p99 over connections, 50 ms for each upstream call"
    headline = "Initiations over connections: three upstream calls each, of 50 ms each"
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12"'
        f' font-family="system-ui, sans-serif"><title>{about}</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
        f'<text x="20" y="24" font-size="15" font-weight="600" fill="#111827">{headline}</text>'
    )
    parts = [start]
    for (left, right), title, figure, logarithmic in (
        (PANELS[0], "Initiations a second (more is better)", rps, False),
        (PANELS[1], "p99 in ms, logarithmic (less is better)", p99, True),
    ):
        parts += panel(results, lines, left, right, title, figure, loads, logarithmic)
    return "\n".join([*parts, "</svg>\n"])


def panel(results, lines, left, right, title, figure, loads, logarithmic) -> list[str]:  # noqa: ANN001
    """One of the two: axes, the limit, a line for each contender with its name at its end."""
    bottom = HEIGHT - BOTTOM
    points = {
        name: [(x, y) for x, windows in line if not math.isnan(y := middle(windows, figure))]
        for name, line in lines.items()
    }
    limit = [(load.connections, 3 * load.delay_ms if logarithmic else load.limit) for load in loads]
    highest = max([y for line in points.values() for _, y in line] + [y for _, y in limit])
    most = max(load.connections for load in loads)
    ticks = marks(highest, logarithmic)
    low, high = (math.log10(ticks[0]), math.log10(ticks[-1])) if logarithmic else (0.0, ticks[-1])

    def across(x: float) -> float:
        return left + (right - left) * x / most

    def up(y: float) -> float:
        value = math.log10(max(y, ticks[0])) if logarithmic else y
        return bottom - (bottom - TOP) * (value - low) / (high - low)

    parts = [f'<text x="{left}" y="48" font-weight="600" fill="#374151">{escape(title)}</text>']
    for tick in ticks:
        parts.append(f'<line x1="{left}" x2="{right}" y1="{up(tick):.1f}" y2="{up(tick):.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{left - 6}" y="{up(tick) + 4:.1f}" text-anchor="end" fill="#6b7280">{tick:,.0f}</text>')
    for load in loads:
        x = across(load.connections)
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#6b7280">{load.connections}</text>'
        )
    parts.append(
        f'<text x="{(left + right) / 2}" y="{bottom + 36}" text-anchor="middle" fill="#6b7280">connections</text>'
    )
    path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in limit)
    parts.append(f'<polyline points="{path}" fill="none" stroke="#111827" stroke-dasharray="2 4"/>')
    ends = {"three calls" if logarithmic else "limit": (up(limit[-1][1]), "#111827")}
    for name, line in points.items():
        if not line:
            continue
        colour, width = COLOURS.get(name, "#111827"), 3 if name == "ours" else 1.6
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        for x, y in line:
            about = f"{results['contenders'][name]['title']}: {x} connections, {number(y)}"
            parts.append(
                f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="{width + 1}" fill="{colour}">'
                f"<title>{escape(about)}</title></circle>"
            )
        if line[-1][0] == most:
            ends[name] = (up(line[-1][1]), colour)
        else:  # its line ends early, and so its name stands there
            x, y = across(line[-1][0]) + 8, up(line[-1][1]) - 4
            parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{escape(name)}</text>')
    for name, y, colour in apart(ends):
        weight = ' font-weight="700"' if name == "ours" else ""
        parts.append(f'<text x="{right + 10}" y="{y + 4:.1f}" fill="{colour}"{weight}>{escape(name)}</text>')
    return parts


def marks(highest: float, logarithmic: bool) -> list[float]:
    """Round numbers to put on an axis, the last above everything."""
    if logarithmic:
        steps = [base * 10**power for power in range(1, 6) for base in (1, 2, 5)]
        upto = next(step for step in steps if step >= highest)
        return [step for step in steps if 100 <= step <= upto]
    step = 10 ** math.floor(math.log10(max(highest, 1)))
    while highest / step < 4:
        step /= 2
    return [step * count for count in range(math.ceil(highest / step) + 1)]


def apart(ends: dict[str, tuple[float, str]]) -> Iterator[tuple[str, float, str]]:
    """The names at the lines' ends, moved down where they would cover one another, up again past the bottom."""
    placed = sorted(((y, name, colour) for name, (y, colour) in ends.items()))
    ys: list[float] = []
    for y, _, _ in placed:
        ys.append(max(y, ys[-1] + 14) if ys else y)
    beyond = HEIGHT - BOTTOM - ys[-1]
    for index in range(len(ys) - 1, -1, -1):
        ceiling = ys[index + 1] - 14 if index + 1 < len(ys) else ys[index] + min(0, beyond)
        ys[index] = min(ys[index], ceiling)
    for y, (_, name, colour) in zip(ys, placed, strict=True):
        yield name, y, colour
