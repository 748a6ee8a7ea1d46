"""The time of late in five figures: initiations, success, duration, upstream calls and 429s."""

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
    """One figure. `alert`: a person should look at it."""

    key: str
    name: str
    value: str
    unit: str
    detail: str
    alert: bool = False


def figures(
    samples: Iterable[InitiationSample], now: datetime, within: Range = HOUR, most: int = 0
) -> tuple[Figure, ...]:
    """The figures of the clock minutes of this range that end with the current one.

    `most`: as many samples as that are the newest only, and the figures those of the time that they span.
    """
    this, minutes = _minute(now), int(within.seconds // 60)
    recent = [sample for sample in samples if _minute(sample.created) > this - minutes]
    words = f"in the last {within.words.removeprefix('1 ')}"
    if most and len(recent) >= most:
        minutes, words = this - min(_minute(one.created) for one in recent) + 1, "only, the newest"
    limited, calls = sum(one.rate_limited for one in recent), sum(one.upstream_calls for one in recent)
    share = f"{100 * limited / max(calls, 1):.1f} % of the calls" if limited else "Genesys's limit was not met"
    return (
        _rate(recent, minutes, words),
        _success(recent),
        _duration([one.seconds for one in recent if one.seconds is not None]),
        _calls(recent, calls, words),
        Figure("limited", "429s", f"{limited:,}", "", share, alert=limited > 0),
    )


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


def _minute(when: datetime) -> int:
    return int(when.timestamp() // 60)


def _rate(recent: Sequence[InitiationSample], minutes: int, words: str) -> Figure:
    total = len(recent)
    each, unit = total / minutes, "a minute"
    if 0 < each < 0.1:
        each, unit = each * 60, "an hour"
    value = f"{each:.1f}" if each < 10 else f"{each:.0f}"
    peak = max(Counter(_minute(one.created) for one in recent).values(), default=0)
    detail = f"{total:,} {words}, peak {peak:,}" if total else f"none {words}"
    return Figure("rate", "Initiations", value, unit, detail)


def _success(recent: Sequence[InitiationSample]) -> Figure:
    good, bad = sum(one.state is State.SUCCEEDED for one in recent), sum(one.state in _FAILED for one in recent)
    if not good + bad:
        return Figure("success", "Success", "—", "", "no completed initiations")
    # All of many minus one must not read as all.
    shown = f"{min(100 * good / (good + bad), 99.9):.1f}" if bad else "100"
    return Figure("success", "Success", shown, "%", f"{good:,} of {good + bad:,}, {bad:,} failed", alert=bad > 0)


def _duration(seconds: Sequence[float]) -> Figure:
    if not seconds:
        return Figure("duration", "Duration", "—", "", "no completed initiations")
    middle, most = in_words(percentile(seconds, 0.5)), in_words(percentile(seconds, 0.95))
    return Figure("duration", "Duration", middle, "p50", f"p95 {most}")


def _calls(recent: Sequence[InitiationSample], total: int, words: str) -> Figure:
    each: Counter[int] = Counter()
    for one in recent:
        each[_minute(one.created)] += one.upstream_calls
    detail = f"peak {max(each.values()):,} a minute; limit 300/min per token" if total else f"none {words}"
    return Figure("calls", "Upstream calls", f"{total:,}", "", detail)
