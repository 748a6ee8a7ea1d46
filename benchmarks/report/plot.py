"""The plot: throughput and p99 over connections, side by side. An SVG that follows its reader's light or dark."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from scenarios.loads import LOADS, Load

from report.axes import Axis, apart
from report.figures import Figure, Results, middle, number, p99, rps

WIDTH, HEIGHT, TOP, BOTTOM = 960, 400, 64, 354
PLOTTED = [load for load in LOADS if load.delay_ms == 50]
# Each contender's colour on white and on black; each of the two reads at 4.5 to 1 or better.
COLOURS = {
    "ours": ("#c2410c", "#fb923c"),
    "fastapi_aiohttp": ("#1d4ed8", "#93c5fd"),
    "go": ("#0e7490", "#67e8f9"),
    "node": ("#4d7c0f", "#bef264"),
    "fastapi_httpx": ("#7c3aed", "#c4b5fd"),
    "tutorial": ("#a16207", "#fde047"),
    "webhook": ("#be185d", "#f9a8d4"),
    "floor": ("#6b7280", "#9ca3af"),
    "limit": ("#111827", "#f3f4f6"),
}
# Where each is used besides: paper, writing, lines of the grid.
PAGE = (("#ffffff", "#374151", "#e5e7eb"), ("#0d1117", "#d1d5db", "#30363d"))


@dataclass(frozen=True)
class Panel:
    """One of the two: where it stands, what it shows, and what nothing can do better than."""

    left: float
    right: float
    title: str
    figure: Figure
    best: str
    logarithmic: bool

    def limit(self, load: Load) -> float:
        return load.calls_ms if self.logarithmic else load.limit

    def across(self, connections: float) -> float:
        return self.left + (self.right - self.left) * connections / PLOTTED[-1].connections


PANELS = (
    Panel(56, 360, "Initiations a second (more is better)", rps, "limit", logarithmic=False),
    Panel(540, 836, "p99 in ms, logarithmic (less is better)", p99, "three calls", logarithmic=True),
)
Points = list[tuple[int, float]]


def plot(results: Results) -> str:
    """The whole picture."""
    about = "Throughput and p99 over connections, 50 ms for each upstream call"
    headline = "Initiations over connections: three upstream calls each, of 50 ms each"
    font = 'font-size="12" font-family="system-ui, sans-serif"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" {font}>',
        f"<title>{about}</title>",
        f"<style>\n{style()}\n</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="paper"/>',
        f'<text x="20" y="24" font-size="15" font-weight="600">{headline}</text>',
    ]
    for panel in PANELS:
        parts += drawn(panel, results)
    return "\n".join([*parts, "</svg>\n"])


def style() -> str:
    """Plain rules, once for light and once for dark."""
    light, dark = (list(rules(index)) for index in (0, 1))
    common = "polyline{fill:none;stroke-width:1.6}.line-ours{stroke-width:3}.line-limit{stroke-dasharray:2 4}"
    readable = "text{paint-order:stroke;stroke-width:3px}"  # where a line runs below a name
    return "\n".join([common, readable, *light, "@media (prefers-color-scheme: dark) {", *dark, "}"])


def rules(index: int) -> Iterator[str]:
    paper, writing, grid = PAGE[index]
    yield f".paper{{fill:{paper}}}text{{stroke:{paper}}}.grid{{stroke:{grid}}}"
    yield f"text,circle{{fill:{writing}}}polyline{{stroke:{writing}}}"
    for name, colours in COLOURS.items():
        yield f".line-{name}{{stroke:{colours[index]}}}.mark-{name}{{fill:{colours[index]}}}"


def points_of(results: Results, figure: Figure) -> dict[str, Points]:
    """A line for each contender that was measured under any of these loads."""
    found = {}
    for name, entry in results["contenders"].items():
        windows = [(load.connections, entry["loads"].get(load.name, ())) for load in PLOTTED]
        line = [(x, y) for x, taken in windows if not math.isnan(y := middle(taken, figure))]
        if line:
            found[name] = line
    return found


def drawn(panel: Panel, results: Results) -> Iterator[str]:
    """Axes, the limit, and the lines with their names at their ends."""
    lines = points_of(results, panel.figure)
    limit = [(load.connections, panel.limit(load)) for load in PLOTTED]
    highest = max(y for line in [*lines.values(), limit] for _, y in line)
    axis = Axis(TOP, BOTTOM, highest, logarithmic=panel.logarithmic)
    yield f'<text x="{panel.left}" y="48" font-weight="600">{escape(panel.title)}</text>'
    yield from grid(panel, axis)
    yield path(panel, axis, "limit", limit)
    ends = {limit[-1][0]: {panel.best: (axis.at(limit[-1][1]), "limit")}}
    for name, line in lines.items():
        short = results["contenders"][name]["short"]
        yield path(panel, axis, name, line)
        yield from marks(panel, axis, name, short, line)
        x, y = line[-1]
        ends.setdefault(x, {})[short] = (axis.at(y), name)
    for x, names in ends.items():
        for text, height, colour in apart(names, BOTTOM):
            yield label(text, panel.across(x) + 10, height + 4, colour)


def grid(panel: Panel, axis: Axis) -> Iterator[str]:
    for tick in axis.ticks:
        y = axis.at(tick)
        yield f'<line x1="{panel.left}" x2="{panel.right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield f'<text x="{panel.left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,.0f}</text>'
    for load in PLOTTED:
        x = panel.across(load.connections)
        yield f'<text x="{x:.1f}" y="{BOTTOM + 16}" text-anchor="middle">{load.connections}</text>'
    middle_x = (panel.left + panel.right) / 2
    yield f'<text x="{middle_x:.1f}" y="{BOTTOM + 36}" text-anchor="middle">connections</text>'


def path(panel: Panel, axis: Axis, name: str, line: Sequence[tuple[int, float]]) -> str:
    points = " ".join(f"{panel.across(x):.1f},{axis.at(y):.1f}" for x, y in line)
    return f'<polyline points="{points}" class="line-{name}"/>'


def marks(panel: Panel, axis: Axis, name: str, short: str, line: Points) -> Iterator[str]:
    """A dot for each figure, which a pointer on it is told."""
    for x, y in line:
        about = escape(f"{short}: {x} connections, {number(y)}")
        at = f'cx="{panel.across(x):.1f}" cy="{axis.at(y):.1f}" r="{4 if name == "ours" else 2.6}"'
        yield f'<circle {at} class="mark-{name}"><title>{about}</title></circle>'


def label(text: str, x: float, y: float, colour: str) -> str:
    weight = ' font-weight="700"' if colour == "ours" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="mark-{colour}"{weight}>{escape(text)}</text>'
