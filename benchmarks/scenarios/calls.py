"""What is asked of Genesys: by a repeat, which must make no call, and by the other flow."""

from dataclasses import replace
from typing import Any

from contenders import OURS, Contender

from scenarios.loads import BY_NAME, CALLS
from scenarios.window import Bench, difference, window

# Requests that are known before their repeats are measured.
KNOWN = 200


def replay(bench: Bench, _: Contender) -> dict[str, Any]:
    """What a request costs with a key, and what its repeat costs."""
    load = replace(BY_NAME["16 at 0 ms"], share=0.8)
    with bench.running(OURS) as service:
        window(bench, service, load, seconds=0.5)
        keyed = window(bench, service, load, "--keys")
        before = bench.counts()["calls"]
        repeats = window(bench, service, load, "--replay", str(KNOWN))
        made = difference(before, bench.counts()["calls"])
    made.pop("token", None)  # a worker's that has been idle until now is no call of a repeat's
    return {"keyed": keyed, "replayed": repeats, "calls_by_replays": max(0, sum(made.values()) - CALLS * KNOWN)}


def native(bench: Bench, _: Contender) -> dict[str, Any]:
    """The other flow: one call and the look."""
    contender = replace(OURS, settings={"COBROWSE_FLOW": "native"})
    with bench.running(contender, "ours, native") as service:
        return window(bench, service, BY_NAME["16 at 0 ms"])
