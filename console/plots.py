"""The last hour in small plots: what came in each minute, as numbers to read and bars to see."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from cobrowse.ledger import State

MINUTES = 60
# The drawing's own units: each minute is SLOT wide, its bar a little less.
SLOT, BAR, HEIGHT = 4.0, 3.0, 40.0
WIDTH = SLOT * MINUTES
# A bar of something is never lower than this, so that one among a thousand still shows.
MIN_BAR = 1.5
# Seconds at the foot of the durations' logarithmic scale: an answer of Genesys takes longer.
LOG_MIN = 0.01

Tone = Literal["plain", "pale", "good", "bad", "mend"]
_FAILED = (State.FAILED_FINAL, State.FAILED_RETRYABLE)


class Sample(Protocol):
    """One initiation, as far as the plots count it. `seconds` is None until it has ended."""

    @property
    def created(self) -> datetime:
        """When it came."""

    @property
    def state(self) -> State:
        """Where it stands."""

    @property
    def seconds(self) -> float | None:
        """How long its last attempt took."""

    @property
    def upstream_calls(self) -> int:
        """Calls made to Genesys."""

    @property
    def rate_limited(self) -> int:
        """How many of its last attempt's calls were answered 429."""


@dataclass(slots=True)
class Minute:
    """What came in one minute of the clock. What is ignored on purpose is not counted."""

    starts: datetime
    came: int = 0
    succeeded: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    calls: int = 0
    limited: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle in the drawing's units; y grows downwards."""

    x: float
    y: float
    height: float
    tone: Tone
    width: float = BAR


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot with all it says in words. `alert`: it shows something that a person should look at."""

    key: str
    name: str
    value: str
    unit: str
    detail: str
    description: str
    bars: tuple[Bar, ...]
    alert: bool = False


def by_minute(glances: Iterable[Sample], now: datetime) -> list[Minute]:
    """The last hour's minutes, the oldest first; the last one is still going on."""
    this = int(now.timestamp() // 60)
    minutes = [Minute(datetime.fromtimestamp((this - MINUTES + 1 + n) * 60, UTC)) for n in range(MINUTES)]
    for glance in glances:
        # The ledger's clock may be a moment ahead of ours.
        place = MINUTES - 1 - max(0, this - int(glance.created.timestamp() // 60))
        if place < 0:
            continue
        minute = minutes[place]
        minute.came += 1
        minute.succeeded += glance.state is State.SUCCEEDED
        minute.failed += glance.state in _FAILED
        minute.calls += glance.upstream_calls
        minute.limited += glance.rate_limited
        if glance.seconds is not None:
            minute.seconds.append(glance.seconds)
    return minutes


def plots(minutes: Sequence[Minute]) -> tuple[Plot, ...]:
    """The strip: initiations, success, duration, upstream calls, 429s."""
    return (_rate(minutes), _success(minutes), _duration(minutes), _calls(minutes), _limited(minutes))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share (0 to 1) of all lies at or under."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def in_words(seconds: float) -> str:
    """A duration as a person reads it."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _rate(minutes: Sequence[Minute]) -> Plot:
    counts = [minute.came for minute in minutes]
    total, most = sum(counts), max(counts)
    each = total / MINUTES
    value = f"{each:.1f}" if each < 10 else f"{each:.0f}"
    detail = f"{total:,} in the last hour, peak {most:,}" if total else "none in the last hour"
    return Plot("rate", "Initiations", value, "a minute", detail, _described(minutes, counts), _columns(counts))


def _success(minutes: Sequence[Minute]) -> Plot:
    good, bad = sum(minute.succeeded for minute in minutes), sum(minute.failed for minute in minutes)
    bars: list[Bar] = []
    for place, minute in enumerate(minutes):
        ended = minute.succeeded + minute.failed
        if ended:
            lost = HEIGHT * minute.failed / ended
            bars += [Bar(place * SLOT, 0, lost, "bad"), Bar(place * SLOT, lost, HEIGHT - lost, "good")]
    worst = [f"{minute.starts:%H:%M}" for minute in minutes if minute.failed]
    failures = f"Failures in the minutes {', '.join(worst[-8:])}." if worst else "No failures."
    description = f"Each minute's share of successes below, of failures above. {failures}"
    if not good + bad:
        return Plot("success", "Success", "—", "", "no completed initiations", description, ())
    share = 100 * good / (good + bad)
    # All of many minus one must not read as all.
    shown = "100" if not bad else f"{min(share, 99.9):.1f}"
    drawn = tuple(bar for bar in bars if bar.height)
    detail = f"{good:,} of {good + bad:,}, {bad:,} failed"
    return Plot("success", "Success", shown, "%", detail, description, drawn, alert=bad > 0)


def _duration(minutes: Sequence[Minute]) -> Plot:
    everything = [seconds for minute in minutes for seconds in minute.seconds]
    if not everything:
        return Plot("duration", "Duration", "—", "", "no completed initiations", "No durations in the last hour.", ())
    highest = max(*everything, 10 * LOG_MIN)

    def height(seconds: float) -> float:
        share = math.log(max(seconds, LOG_MIN) / LOG_MIN) / math.log(highest / LOG_MIN)
        return max(MIN_BAR, HEIGHT * share)

    bars: list[Bar] = []
    for place, minute in enumerate(minutes):
        if minute.seconds:
            low, high = height(percentile(minute.seconds, 0.5)), height(percentile(minute.seconds, 0.95))
            bars += [
                Bar(place * SLOT, HEIGHT - high, high - low, "pale"),
                Bar(place * SLOT, HEIGHT - low, low, "plain"),
            ]
    middle, most = in_words(percentile(everything, 0.5)), in_words(percentile(everything, 0.95))
    description = (
        "Each minute's p50 as a bar, with what p95 adds to it in a paler tone, on a logarithmic scale from 10 ms to "
        f"{in_words(highest)}."
    )
    drawn = tuple(bar for bar in bars if bar.height)
    return Plot("duration", "Duration", middle, "p50", f"p95 {most}", description, drawn)


def _calls(minutes: Sequence[Minute]) -> Plot:
    counts = [minute.calls for minute in minutes]
    most = max(counts)
    detail = f"peak {most:,} a minute; limit 300/min per token" if most else "none in the last hour"
    description = _described(minutes, counts)
    return Plot("calls", "Upstream calls", f"{sum(counts):,}", "", detail, description, _columns(counts))


def _limited(minutes: Sequence[Minute]) -> Plot:
    counts = [minute.limited for minute in minutes]
    total, calls = sum(counts), sum(minute.calls for minute in minutes)
    detail = f"{100 * total / max(calls, 1):.1f} % of the calls" if total else "Genesys's limit was not met"
    description = _described(minutes, counts)
    bars = _columns(counts, "mend")
    return Plot("limited", "429s", f"{total:,}", "", detail, description, bars, alert=total > 0)


def _columns(counts: Sequence[int], tone: Tone = "plain") -> tuple[Bar, ...]:
    most = max(counts)
    heights = [max(MIN_BAR, HEIGHT * count / most) if count else 0.0 for count in counts]
    return tuple(Bar(place * SLOT, HEIGHT - height, height, tone) for place, height in enumerate(heights) if height)


def _described(minutes: Sequence[Minute], counts: Sequence[int]) -> str:
    first, last = minutes[0].starts, minutes[-1].starts
    span = f"A bar for each minute from {first:%H:%M} to {last:%H:%M} UTC."
    most = max(counts)
    if not most:
        return f"{span} All are 0."
    return f"{span} The highest is {most:,}, at {minutes[counts.index(most)].starts:%H:%M}."
