"""Who runs next and what time it is: greenlets on one thread, a heap of events, and one integer that decides it all."""

from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush
from math import inf
from random import Random

from greenlet import GreenletExit, getcurrent, greenlet

from tests.simulation.mischief import CRASH, Mischief

# The date when a run begins, and how many seconds a machine's clock may be ahead of it.
START = datetime(2026, 1, 1, tzinfo=UTC)
WRONG = 1.0
# More events than any ordinary run needs by far: a run that reaches it turns in circles.
MOST_EVENTS = 20_000
# Seconds that a machine stands still: less than a deadline, about a lease, more than any.
FREEZES = (1.0, 4.0, 9.0, 16.0, 40.0)


class Process:
    """What dies as one: a worker with its threads. `frozen_until`: the machine gave it no time until then."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen_until = 0.0
        self.frozen_for = 0.0
        self.actors: list[Actor] = []
        self.on_the_way: list[Call] = []

    def crashed(self) -> None:
        """It has just died."""


class Actor(greenlet):
    """One thread of a process, or a caller outside (no process)."""

    name = ""
    process: Process | None = None
    troubled = False
    ticket = 0


class Call:
    """Bytes on the way to a server. What they do there happens whether or not the sender lives to hear of it."""

    def __init__(self, effect: Callable[[], object]) -> None:
        self.effect = effect
        self.arrived = False
        self.stopped = False
        self.answer: object = None


class Scheduler:
    """The simulated world's time. Everything random in a run comes from `random`, which the seed starts."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.mischief = Mischief(self.random)
        self.now = 0.0
        self.trace: list[tuple[object, ...]] = []
        self.events = 0
        self._hub = getcurrent()
        self._heap: list[tuple[float, float, int, object, int]] = []
        self._pushed = 0

    def note(self, *words: object) -> None:
        """Put a line into the trace: when, who, what."""
        self.trace.append((self.now, getattr(getcurrent(), "name", ""), *words))

    def troubled(self) -> None:
        """The ledger failed the current actor."""
        self.alive().troubled = True

    def between(self, low: float, high: float) -> float:
        """A random number of seconds."""
        return low + (high - low) * self.random.random()

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Do this so many seconds from now."""
        self._push(seconds, action, 0)

    def spawn(self, name: str, work: Callable[[], object], process: Process | None = None, after: float = 0.0) -> Actor:
        """A new thread that starts after so many seconds."""
        actor = Actor(work, self._hub)
        actor.name = name
        actor.process = process
        if process is not None:
            process.actors.append(actor)
        self._push(after, actor, 0)
        return actor

    def pause(self, seconds: float) -> None:
        """The current actor goes on after so many seconds, others meanwhile."""
        actor = self.alive()
        actor.ticket += 1
        self._push(seconds, actor, actor.ticket)
        self._hub.switch()

    def park(self, seconds: float | None = None) -> None:
        """The current actor goes on when it is woken, or after so many seconds."""
        actor = self.alive()
        actor.ticket += 1
        if seconds is not None:
            self._push(seconds, actor, actor.ticket)
        self._hub.switch()

    def wake(self, actor: Actor, after: float = 0.0) -> None:
        """Let a parked actor go on."""
        actor.ticket += 1
        self._push(after, actor, actor.ticket)

    def alive(self) -> Actor:
        """The current actor. One that has been killed has no more effects: it ends here."""
        actor = getcurrent()
        if actor.process is not None and actor.process.dead:
            raise GreenletExit
        return actor

    def send(self, call: Call, there: float, back: float | None) -> None:
        """Put a call on the way. With `back` the current actor is woken so many seconds after it took effect."""
        actor = self.alive()
        if actor.process is not None:
            actor.process.on_the_way.append(call)

        def arrive() -> None:
            if call.stopped:
                return
            call.arrived = True
            call.answer = call.effect()
            if back is not None and not actor.dead:
                self.wake(actor, back)

        self.at(there, arrive)

    def kill(self, process: Process) -> None:
        """kill -9: no actor of it ever runs again, and of what it was sending some has left and some has not."""
        process.dead = True
        for call in process.on_the_way:
            if not call.arrived and self.random.random() < 0.5:
                call.stopped = True
        for actor in process.actors:
            if not actor.dead:
                actor.throw(GreenletExit)
                assert actor.dead, f"{actor.name} lives on"
        process.crashed()

    def tempt(self, seconds: float) -> None:
        """The current actor is about to wait so long: a good moment for its process to die or to stand still."""
        process, mischief = self.alive().process, self.mischief
        if process is None:
            return
        fate = mischief.strikes(mischief.on_workers, mischief.workers)
        if fate:
            self.at(seconds * self.random.random(), lambda: self._befall(process, fate))

    def _befall(self, process: Process, fate: str) -> None:
        if process.dead:
            return
        self.note(fate, process.name)
        if fate == CRASH:
            self.kill(process)
        else:
            until = max(process.frozen_until, self.now + self.random.choice(FREEZES))
            process.frozen_for += until - max(process.frozen_until, self.now)
            process.frozen_until = until

    def run(self, seconds: float | None = None) -> bool:
        """Let everything happen. False if it did not come to rest: within so many seconds, or else MOST_EVENTS."""
        heap, latest = self._heap, inf if seconds is None else self.now + seconds
        while heap:
            self.events += 1
            if heap[0][0] > latest or (seconds is None and self.events > MOST_EVENTS):
                return False
            when, _, _, target, ticket = heappop(heap)
            self.now = max(self.now, when)
            if not isinstance(target, Actor):
                target()
            elif target.ticket == ticket and not target.dead:
                process = target.process
                if process is not None and process.frozen_until > self.now:
                    self._push(process.frozen_until - self.now, target, ticket)
                else:
                    target.switch()
        return True

    def _push(self, seconds: float, target: object, ticket: int) -> None:
        self._pushed += 1
        heappush(self._heap, (self.now + seconds, self.random.random(), self._pushed, target, ticket))
