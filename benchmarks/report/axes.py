"""An axis: which figures stand on it, and where on the paper a value is; and names moved apart."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# Between two names one below the other.
LINE = 14


@dataclass
class Axis:
    """From the top of the paper's part to its bottom; the ticks are round, the last is above every value."""

    top: float
    bottom: float
    highest: float
    logarithmic: bool
    ticks: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.ticks = decades(self.highest) if self.logarithmic else rounds(self.highest)

    def at(self, value: float) -> float:
        """Where on the paper the value is."""
        return self.bottom - (self.bottom - self.top) * self.part(value)

    def part(self, value: float) -> float:
        """How far up the axis, from 0 to 1."""
        least, most = self.ticks[0], self.ticks[-1]
        if not self.logarithmic:
            return value / most
        return math.log(max(value, least) / least) / math.log(most / least)


def decades(highest: float) -> list[float]:
    steps = [base * 10.0**power for power in range(1, 6) for base in (1, 2, 5)]
    upto = next(step for step in steps if step >= highest)
    return [step for step in steps if 100 <= step <= upto]


def rounds(highest: float) -> list[float]:
    step: float = 10 ** math.floor(math.log10(max(highest, 1)))
    while highest / step < 4:
        step /= 2
    return [step * count for count in range(math.ceil(highest / step) + 1)]


def apart(ends: Mapping[str, tuple[float, str]], bottom: float) -> Iterator[tuple[str, float, str]]:
    """The names at the lines' ends, moved down where they would cover one another, up again past the bottom."""
    placed = sorted((y, name, colour) for name, (y, colour) in ends.items())
    ys: list[float] = []
    for y, _, _ in placed:
        ys.append(max(y, ys[-1] + LINE) if ys else y)
    beyond = bottom - ys[-1]
    for index in range(len(ys) - 1, -1, -1):
        ceiling = ys[index + 1] - LINE if index + 1 < len(ys) else ys[index] + min(0, beyond)
        ys[index] = min(ys[index], ceiling)
    for y, (_, name, colour) in zip(ys, placed, strict=True):
        yield name, y, colour
