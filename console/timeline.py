"""The timeline of an attempt: its steps with their calls and waits, drawn to scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cobrowse.model import Span

Tone = Literal["good", "bad", "throttled", "wait", "commit"]

# About how many ticks the scale has.
MARKS = 4
# Percent of the width below which a bar could not be seen.
MIN_WIDTH = 0.4
# Share of the whole time from which a commit is worth a row.
MIN_COMMIT_SHARE = 0.005
# Seconds by which a step's own times and those of what it holds may differ by rounding.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick on the scale; `at` is percent of the width."""

    at: float
    ms: str


@dataclass(frozen=True, slots=True)
class Line:
    """One row. `x` and `width` are percent of the total time, `within` those of the step that contains it."""

    kind: Literal["step", "call", "wait", "commit"]
    name: str
    result: str
    tone: Tone
    begins_ms: float
    took_ms: float
    x: float
    width: float
    within: tuple[float, float] | None = None

    @property
    def ends(self) -> float:
        """Where the bar ends, in percent."""
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Timeline:
    """An attempt's rows and scale."""

    total_ms: float
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]


def build_timeline(spans: Sequence[Span], seconds: float) -> Timeline:
    """The rows of these spans, each step followed by what happened in it, on a scale that holds them all."""
    total = max([seconds, *(span.start + span.seconds for span in spans)], default=0.0)
    total = total or 1e-3
    lines: list[Line] = []
    # A commit too short to be drawn explains nothing, and most are.
    spans = [span for span in spans if span.kind != "commit" or span.seconds >= total * MIN_COMMIT_SHARE]
    for span, inner in _group_by_step(spans):
        lines.append(_line(span, total, None, None))
        previous: Span | None = None
        for each in inner:
            lines.append(_line(each, total, span, previous))
            previous = each
    return Timeline(total * 1000, tuple(lines), scale(total * 1000))


def scale(total_ms: float) -> tuple[Mark, ...]:
    """Ticks at round values on a scale of `total_ms`: 1, 2 or 5 times a power of ten apart."""
    least = total_ms / MARKS
    power = 10.0 ** math.floor(math.log10(least))
    interval = next(step * power for step in (1, 2, 5, 10) if step * power >= least)
    decimals = max(0, -math.floor(math.log10(interval)))
    count = int(total_ms / interval + 1e-9)
    return tuple(Mark(100 * n * interval / total_ms, f"{n * interval:,.{decimals}f}") for n in range(count + 1))


def _group_by_step(spans: Sequence[Span]) -> list[tuple[Span, list[Span]]]:
    """Each step with its calls and waits in the order of time; a span outside of any step is a group of its own."""
    steps = [span for span in spans if span.kind == "step"]
    found: dict[int, list[Span]] = {n: [] for n in range(len(steps))}
    without_step: list[Span] = []
    for span in spans:
        if span.kind == "step":
            continue
        step_number = next((n for n, step in enumerate(steps) if _holds(step, span)), None)
        (without_step if step_number is None else found[step_number]).append(span)
    groups = [(step, sorted(found[n], key=lambda span: span.start)) for n, step in enumerate(steps)] + [
        (span, []) for span in without_step
    ]
    return sorted(groups, key=lambda pair: pair[0].start)


def _holds(step: Span, span: Span) -> bool:
    ends = step.start + step.seconds
    return step.start - ROUNDING <= span.start and span.start + span.seconds <= ends + ROUNDING


def _line(span: Span, total: float, step: Span | None, previous: Span | None) -> Line:
    x, width = _place(span, total)
    name, result = span.name, span.result
    if span.kind == "commit":
        name = f"ledger {name}"
    if span.kind == "wait":
        name = f"wait {name}"
        # The failed call that the wait follows; a poll that found nothing is no failure.
        if previous is not None and previous.kind == "call" and _tone(previous) != "good":
            result = f"after {previous.result}"
    return Line(
        span.kind,
        name,
        result,
        _tone(span),
        span.start * 1000,
        span.seconds * 1000,
        x,
        width,
        _place(step, total) if step is not None else None,
    )


def _place(span: Span, total: float) -> tuple[float, float]:
    width = max(MIN_WIDTH, 100 * span.seconds / total)
    return min(100 * span.start / total, 100 - width), width


def _tone(span: Span) -> Tone:
    if span.kind in ("wait", "commit"):
        return span.kind
    if span.result == "429":
        return "throttled"
    return "good" if span.result == "done" or span.result.startswith("2") else "bad"
