"""More than can be served: does it keep its peak, and is the rest told at once to come back?"""

from typing import Any

from contenders import Contender

from scenarios.loads import OVERLOADED, OVERLOADS
from scenarios.window import Bench, window


def overload(bench: Bench, contender: Contender) -> dict[str, Any]:
    """From as many connections as can be served to far more."""
    with bench.running(contender) as service:
        idle = sum(service.memory("VmRSS"))
        windows = {load.name: window(bench, service, load, warm_up=2.0) for load in OVERLOADS}
    peak = max(found["rps"] for found in windows.values())
    return {"idle_mb": idle, "peak_rps": peak, "kept": windows[OVERLOADED]["rps"] / peak, "windows": windows}
