"""A core for each worker, where there is one for each: its threads can use no more, and lose time on more.

Of a worker's threads one runs at a time, whoever has the interpreter's lock. Left to itself the system wakes the next
one on whichever core is idle, away from what the last one had in its caches, and waking another core costs most on a
virtual machine. Held to one core, a worker hands the lock on where it is.
"""

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress


class Cores:
    """The server's own record of who has which; it forks one worker after the other. `cores` are their numbers."""

    def __init__(self, cores: Iterable[int]) -> None:
        self._cores = tuple(sorted(cores))
        self._taken: dict[int, int] = {}

    def give(self, worker: int, workers: int) -> int | None:
        """The core that fewest have, for a worker by its number; None where the workers are fewer than the cores.

        There the others are somebody else's, and the system knows better which are free.
        """
        if workers < len(self._cores) or len(self._cores) < 2:
            return None
        had_by = Counter(self._taken.values())
        self._taken[worker] = min(self._cores, key=lambda core: had_by[core])
        return self._taken[worker]

    def leave(self, worker: int) -> None:
        """This worker is no more."""
        self._taken.pop(worker, None)


def usable() -> frozenset[int]:
    """The cores that this process may run on; none where the system does not let a process choose."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def stay_on(core: int) -> None:
    """Hold this process, and the threads it has yet to start, to a core; where the system forbids it, it goes on."""
    with suppress(OSError):
        os.sched_setaffinity(0, {core})


CORES = Cores(usable())
