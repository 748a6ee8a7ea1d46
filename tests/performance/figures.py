"""What follows from the readings: plain functions of values, so that a test can hold them."""

import math
import statistics

# Calls that an initiation makes: create, attach, look.
CALLS = ("create", "attach", "conversation")
# A window's figures that are published.
KEPT = ("rate", "rate_by_wrk", "p50_ms", "p99_ms", "held_ms", "cpu_ms", "worker_mb")


def limit_per_second(connections, delay_ms):
    """Initiations a second that nothing can exceed, since each connection waits for its calls; infinite at 0 ms."""
    return connections * 1000 / (len(CALLS) * delay_ms) if delay_ms else math.inf


def share_taken(without, with_it):
    """The part of a rate that something takes away."""
    return 1 - with_it / without


def calls_are_exact(made, good, connections):
    """Whether `good` answers made their calls once each; as many as there are connections may be cut off at the end."""
    created = made["create"]
    same = all(made[name] == created for name in CALLS)
    return same and not made["refused"] and 0 <= created - good <= connections


def held_ms(first, last):
    """Milliseconds that the upstream itself took for one initiation's calls, between two of its counts."""
    total = 0.0
    for name in CALLS:
        calls = last["calls"].get(name, 0) - first["calls"].get(name, 0)
        total += (last["held_ms"].get(name, 0) - first["held_ms"].get(name, 0)) / max(1, calls)
    return total


def quantile(counts, share):
    """The least value up to which so much of what was counted lies; None of nothing."""
    left = sum(counts.values()) * share
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return None


def spread_late(late_ms):
    """A hold's lateness as all who would have arrived in it met it: 3 counts as 3, 2 and 1 (milliseconds)."""
    return range(late_ms, 0, -1) if late_ms > 0 else (0,)


def differ(one, other, by=0.1):
    """Whether two figures are farther apart than the part `by` of the larger."""
    return abs(one - other) > by * max(one, other)


def medians(windows):
    """The rounds of one load as one: medians of numbers, `exact` if all were, and the first sample there is."""
    found = {name: round(statistics.median(window[name] for window in windows), 3) for name in KEPT}
    found["bad"] = sum(window["failed"] + window["broken"] + window["refused"] for window in windows)
    found["exact"] = all(window["exact"] for window in windows)
    return found | {"sample": next((window["sample"] for window in windows if window["sample"]), "")}
