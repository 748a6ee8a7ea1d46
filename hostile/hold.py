"""`python -m hostile.hold [--minutes 10] [--postgresql]`: the most initiations a second that are held, none lost.

Requests come at a fixed rate whatever the answers do, each timed from the moment it was due. The rate goes up by half
as long as every request succeeds in time and none waits longer and longer, then halves the gap a few times;
the best is held, and lowered by a tenth where it can't be. At the end every request has one invitation and one row.
"""

import argparse
import gc
import itertools
import json
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from hostile.callers import Line, Request
from hostile.genesys import Genesys
from hostile.soak import house

DEADLINE = 10.0
# Seconds that a step on the way up lasts, and the rate it begins with.
STEP, FIRST = 15.0, 20.0
HALVINGS, ATTEMPTS = 3, 10
# Callers at once: more than can wait inside the deadline at any rate that two cores reach.
CALLERS = 256


@dataclass(frozen=True, slots=True)
class Held:
    """What a rate came to. Times are seconds; `failures` counts what was said instead of success."""

    rate: float
    times: tuple[float, ...]
    failures: Mapping[str, int]

    @property
    def p99(self) -> float:
        """The time within which 99 of 100 were answered."""
        return sorted(self.times)[int(len(self.times) * 0.99)] if self.times else float("inf")

    @property
    def good(self) -> bool:
        """Whether nothing was lost, and in time."""
        return not self.failures and self.p99 < DEADLINE

    @property
    def steady(self) -> bool:
        """Whether it could go on like this: the last third waited hardly longer than the first."""
        third = max(1, len(self.times) // 3)
        return fmean(self.times[-third:]) < 1.5 * fmean(self.times[:third]) + 0.2

    def __str__(self) -> str:
        ordered = sorted(self.times)
        told = ", ".join(f"{count} {name}" for name, count in self.failures.items()) or "all started"
        return (
            f"{self.rate:6.1f}/s: {len(ordered)} in {len(ordered) / self.rate:.0f} s, "
            f"p50 {ordered[len(ordered) // 2]:.3f} s, p99 {self.p99:.3f} s, {told}"
        )


class Load:
    """Data actions with a key each, at a rate."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.sent: list[Request] = []
        self.refused = 0
        self._lock = threading.Lock()

    def at(self, rate: float, seconds: float, *, to_the_end: bool = True) -> Held:
        """So many a second for so long; if not `to_the_end`, no longer than all goes well."""
        times: list[float] = []
        failures: Counter[str] = Counter()
        numbers = itertools.count()
        begun = time.monotonic() + 0.2

        def call() -> None:
            while True:
                due = begun + next(numbers) / rate
                if due >= begun + seconds or (failures and not to_the_end):
                    break
                time.sleep(max(0.0, due - time.monotonic()))
                request = _request()
                reply = self._line.send(request)
                took = time.monotonic() - due
                with self._lock:
                    self.sent.append(request)
                    times.append(took)
                    if not reply.success:
                        self.refused += 1
                        failures[str(reply.told.get("errorCode") or reply.status)] += 1
            self._line.hang_up()

        threads = [threading.Thread(target=call, daemon=True) for _ in range(min(CALLERS, int(rate * DEADLINE) + 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Held(rate, tuple(times), failures)


def _request() -> Request:
    conversation, key = str(uuid.uuid4()), uuid.uuid4().hex
    body = json.dumps({"conversationId": conversation}).encode()
    return Request("architect", key, conversation, body, {"Content-Type": "application/json", "Idempotency-Key": key})


def search(load: Load) -> float:
    """The best rate of short steps."""
    rate, best, worst = FIRST, 0.0, float("inf")
    halvings = 0
    while halvings < HALVINGS:
        held = load.at(rate, STEP)
        print(f"  {held}", flush=True)
        good = held.good and held.steady
        best, worst = (rate, worst) if good else (best, rate)
        time.sleep(0 if good else 3)  # what piled up is worked off
        if worst == float("inf"):
            rate *= 1.5
        else:
            halvings += 1
            rate = (best + worst) / 2
    return best


def main() -> int:
    """Find it, hold it and print it; 1 if nothing was held or anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--postgresql", action="store_true", help="two services on one PostgreSQL")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that Genesys takes for each call (0.05)")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services end too
    gc.disable()  # its rounds through a million requests would be seconds in which none is sent, and a burst after
    more = {"DEADLINE_SECONDS": str(DEADLINE)}
    with (
        tempfile.TemporaryDirectory() as place,
        Genesys() as genesys,
        house(Path(place), genesys, postgresql=given.postgresql, **more) as (services, ledger, _),
    ):
        if given.latency:
            genesys.fault(operation="any", kind="delay", seconds=given.latency, times="always")
        load = Load(Line([service.port for service in services]))
        print(f"{len(services)} service(s), 2 workers each, {given.latency * 1000:.0f} ms for each call to Genesys")
        rate, held = search(load), None
        for _ in range(ATTEMPTS):
            held = load.at(rate, given.minutes * 60, to_the_end=False) if rate else None
            if held is None or held.good:
                break
            print(f"  not held: {held}", flush=True)
            rate *= 0.9
        wrong = _accounts(load, genesys.invitations(), sum(ledger.counts(86_400).values()))
    if held is None or not held.good:
        wrong.append("no rate was held")
    else:
        print(f"held for {given.minutes:g} minutes: {held}")
    for fault in wrong[:20]:
        print(f"✗ {fault}")
    return 1 if wrong else 0


def _accounts(load: Load, invitations: Mapping[str, int], rows: int) -> list[str]:
    """What was lost or doubled, on the way up too, where some requests were refused and told so."""
    counted = Counter(invitations.get(request.conversation, 0) for request in load.sent)
    print(
        f"{len(load.sent)} requests in all, {load.refused} of them refused on the way up; {rows} rows; "
        f"invited once: {counted[1]}, never: {counted[0]}"
    )
    wrong = [f"{number} invitations for {count} requests" for number, count in counted.items() if number > 1]
    if counted[0] > load.refused:
        wrong.append(f"{counted[0]} requests without an invitation, and {load.refused} were told so")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
