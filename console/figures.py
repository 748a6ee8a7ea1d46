"""A recent time range in five figures: initiations, success, duration, upstream calls and 429s."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cobrowse.ledger import State
from integrations.ledger.record_columns import InitiationSample
from schemas.console import RANGES, Range

HOUR = RANGES["1h"]
_FAILED = (State.FAILED_FINAL, State.FAILED_RETRYABLE)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure."""

    key: str
    name: str
    value: str
    unit: str
    detail: str


def figures(
    samples: Iterable[InitiationSample], now: datetime, within: Range = HOUR, max_samples: int = 0
) -> tuple[Figure, ...]:
    """The figures of the clock minutes of this range that end with the current one.

    `max_samples`: as many samples as that are the newest only, and the figures those of the time that they span.
    """
    current_minute, minutes = _minute(now), int(within.seconds // 60)
    recent = [sample for sample in samples if _minute(sample.created) > current_minute - minutes]
    range_text = f"in the last {within.words.removeprefix('1 ')}"
    if max_samples and len(recent) >= max_samples:
        minutes, range_text = current_minute - min(_minute(one.created) for one in recent) + 1, "only, the newest"
    rate_limited, calls = sum(one.rate_limited for one in recent), sum(one.upstream_calls for one in recent)
    share = (
        f"{100 * rate_limited / max(calls, 1):.1f} % of the calls" if rate_limited else "Genesys's limit was not met"
    )
    return (
        _rate(recent, minutes, range_text),
        _success(recent),
        _duration([one.seconds for one in recent if one.seconds is not None]),
        _calls(recent, calls, range_text),
        Figure("limited", "429s", f"{rate_limited:,}", "", share),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share (0 to 1) of all lies at or under."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def format_duration(seconds: float) -> str:
    """A duration as a person reads it."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _minute(when: datetime) -> int:
    return int(when.timestamp() // 60)


def _rate(recent: Sequence[InitiationSample], minutes: int, range_text: str) -> Figure:
    total = len(recent)
    rate, unit = total / minutes, "a minute"
    if 0 < rate < 0.1:
        rate, unit = rate * 60, "an hour"
    value = f"{rate:.1f}" if rate < 10 else f"{rate:.0f}"
    peak = max(Counter(_minute(one.created) for one in recent).values(), default=0)
    detail = f"{total:,} {range_text}, peak {peak:,}" if total else f"none {range_text}"
    return Figure("rate", "Initiations", value, unit, detail)


def _success(recent: Sequence[InitiationSample]) -> Figure:
    good, bad = sum(one.state is State.SUCCEEDED for one in recent), sum(one.state in _FAILED for one in recent)
    if not good + bad:
        return Figure("success", "Success", "—", "", "no completed initiations")
    # All of many minus one must not read as all.
    shown = f"{min(100 * good / (good + bad), 99.9):.1f}" if bad else "100"
    return Figure("success", "Success", shown, "%", f"{good:,} of {good + bad:,}, {bad:,} failed")


def _duration(seconds: Sequence[float]) -> Figure:
    if not seconds:
        return Figure("duration", "Duration", "—", "", "no completed initiations")
    median, p95 = format_duration(percentile(seconds, 0.5)), format_duration(percentile(seconds, 0.95))
    return Figure("duration", "Duration", median, "p50", f"p95 {p95}")


def _calls(recent: Sequence[InitiationSample], total: int, range_text: str) -> Figure:
    per_minute: Counter[int] = Counter()
    for one in recent:
        per_minute[_minute(one.created)] += one.upstream_calls
    detail = f"peak {max(per_minute.values()):,} a minute; limit 300/min per token" if total else f"none {range_text}"
    return Figure("calls", "Upstream calls", f"{total:,}", "", detail)
