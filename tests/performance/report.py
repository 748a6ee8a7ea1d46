"""The results in Markdown: tables of figures, then the goals, each with what was reached."""

import platform
import textwrap

from tests.performance.contenders import CONTENDERS
from tests.performance.figures import differ, limit_per_second
from tests.performance.goals import GOALS, written

NONE = "–"
# Above this median share of the machine's CPU, what others used makes the figures worthless.
NOISE = 0.05
TRIAL = "A trial on a busy machine: these figures show that it runs, and nothing else"
COLUMNS = ((50, 50), (128, 50), (256, 50))


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def section(title, *parts):
    return f"### {title}\n\n" + "\n".join(parts)


def cell(found, figure, unit):
    return written(found[figure], unit) if found and found.get(figure) is not None else NONE


def report(results):
    """Everything, for docs/performance.md; a scenario that was not run is left out."""
    sections = [circumstances(results), throughput(results), costs(results), questions(results), generators(results)]
    goals = table(("what", "goal", "measured", ""), [goal.told(results) for goal in GOALS])
    return "\n".join([*filter(None, sections), section("Goals", goals)])


def readme(results):
    """The short table, and a warning if its figures are no result."""
    warning = f"**{TRIAL}.**\n\n" if results["others"] > NOISE else ""
    rows = []
    for each in results["contenders"].values():
        busy, cheap = each["loads"].get("128 at 50 ms"), each["loads"].get("16 at 0 ms")
        rows.append((each["title"], cell(busy, "rate", ""), cell(busy, "p99_ms", ""), cell(cheap, "cpu_ms", "")))
    return warning + table(
        ("50 ms for each of three calls", "128 connections: a second", "p99 ms", "CPU ms each"), rows
    )


def circumstances(results):
    on, others = results["machine"], results["others"]
    lines = [
        f"{on['cpu']}, {on['cores']} cores, {on['memory_gb']} GB, Linux {on['kernel']}, Python {results['python']}",
        f"{on['date']}: rounds: {results['rounds']}, windows of {results['seconds']:g} s, {results['minutes']} minutes",
        f"other processes used {written(others, '%')} of the machine (median of all windows)"
        + (f". **{TRIAL}**" if others > NOISE else ""),
        *(f"{each['title']}: {each['versions']}" for each in results["contenders"].values() if each["versions"]),
        *(f"skipped: {name}: {reason}" for name, reason in results["skipped"].items()),
    ]
    return section("Measured on", "".join(map(item, lines)))


def item(line):
    """One of a list, in lines of a readable width."""
    return textwrap.fill(f"- {line}", 120, subsequent_indent="  ", break_on_hyphens=False) + "\n"


def throughput(results):
    rows = []
    for each in results["contenders"].values():
        cells = [each["title"]]
        for connections, delay in COLUMNS:
            found = each["loads"].get(f"{connections} at {delay} ms")
            part = found and written(found["rate"] / limit_per_second(connections, delay), "%")
            p99 = found and written(found["p99_ms"] / (3 * delay), "×")
            cells.append(f"{cell(found, 'rate', '/s')}, {part}, {p99}" if found and found["rate"] else NONE)
        rows.append(cells)
    head = ["contender", *(f"{connections} connections" for connections, _ in COLUMNS)]
    text = "Initiations a second, their part of what is possible (333, 853, 1,707), p99 as a multiple of 150 ms.\n"
    return rows and section("Three calls of 50 ms", text, table(head, rows))


def costs(results):
    rows = []
    for each in results["contenders"].values():
        one, cheap = each["loads"].get("1 at 0 ms"), each["loads"].get("16 at 0 ms")
        added = [written(one[figure] - one["held_ms"], "") if one else NONE for figure in ("p50_ms", "p99_ms")]
        exact = "yes" if all(found["exact"] for found in each["loads"].values()) else "no"
        figures = (cell(cheap, "cpu_ms", ""), cell(cheap, "rate", ""), exact, written(each["start_seconds"], ""))
        rows.append((each["title"], *added, *figures))
    head = ("contender", "added p50 ms", "added p99 ms", "CPU ms each", "initiations/s", "calls as wanted", "start s")
    text = (
        "Added: one connection's time less what the upstream took. CPU and initiations: 16 connections, 0 ms a call.\n"
    )
    return rows and section("What one initiation costs", text, table(head, rows))


def questions(results):
    """Each scenario's rows, in words."""
    rows = [row for name, tell in TOLD.items() if name in results for row in tell(results[name])]
    return rows and section("Other questions", table(("what", "measured"), rows))


def tell_overload(found):
    for name, one in found.items():
        refusal = one["refusal"]
        told = f"{refusal['count']} of a steady 20/s, p99 {written(refusal['p99_ms'], 'ms')}" if refusal else "none"
        memory = f"{written(one['memory_mb'], 'MB')} ({written(one['memory_at_256_mb'], 'MB')} at 256)"
        yield (
            f"1,000 connections, 150 ms: {title_of(name)}",
            f"{written(one['rate'], '/s')}; refusals: {told}; {memory}",
        )


def tell_ledgers(found):
    for name, rate in found["rate"].items():
        yield f"128 connections, 50 ms, ledger: {name}", written(rate, "/s")


def tell_deliveries(found):
    for mode, what in (("repeat", "repeats"), ("ignored", "ignored events")):
        one = found[mode]
        p99, cpu = written(one["p99_ms"], "ms"), written(one["cpu_ms"], "ms")
        yield f"64 connections: {what}", f"{written(one['rate'], '/s')}, p99 {p99}, {cpu} of CPU each"


def tell_memory(found):
    sizes = (f"{written(found[f'{name}_mb'], 'MB')} after {found[f'{name}_initiations']:,}" for name in ("half", "all"))
    yield "the largest worker's memory", ", ".join(sizes)


def tell_bad_clients(found):
    for name in ("without", "beside"):
        one = found[name]
        text = f"{written(one['rate'], '/s')} served, p99 {written(one['p99_ms'], 'ms')}"
        yield f"a steady 40/s, 50 ms, {name} 300 bad clients", text
    ended = found["slowest_ended_seconds"]
    text = f"the last after {written(ended, 's')}" if ended else f"{found['not_ended']} still there at the end"
    answers = "; ".join(
        f"{kind}: {', '.join(f'{count} × {status}' for status, count in seen.items())}"
        for kind, seen in found["answers"].items()
    )
    yield "bad clients ended", f"{text}; answers to a slow {answers}"


def tell_loop_held(found):
    names = (("p99", "p99_ms"), ("p99.9", "p999_ms"), ("longest", "longest_ms"))
    text = ", ".join(f"{name} {found[key]} ms" for name, key in names)
    text += f"; the worker's own code in that time: p99.9 {found['own_code_p999_ms']} ms"
    yield "the loop was held under 128 connections, 50 ms", text


TOLD = {
    "overload": tell_overload,
    "ledgers": tell_ledgers,
    "deliveries": tell_deliveries,
    "memory": tell_memory,
    "bad_clients": tell_bad_clients,
    "loop_held": tell_loop_held,
}


def title_of(name):
    return next(each.title for each in CONTENDERS if each.name == name)


def generators(results):
    """The same load by wrk and by the second client."""
    rows = []
    for name, found in results.get("cross_check", {}).items():
        pairs = [(found["wrk"][figure], found["client"][figure]) for figure in ("rate", "p50_ms", "p99_ms")]
        cells = [
            f"{written(one, '')}, {written(two, '')}" + (" **differ**" if differ(one, two) else "")
            for one, two in pairs
        ]
        cpu = ", ".join(written(found[load]["load_cpu_ms"], "") for load in ("wrk", "client"))
        rows.append((title_of(name), *cells, cpu))
    head = ("128 connections, 50 ms", "rate: wrk, client", "p50 ms", "p99 ms", "the load's own CPU ms a request")
    return rows and section("By two generators", table(head, rows))


def python_version():
    return platform.python_version()
