"""A core for each worker, where there is one for each: its threads can use no more, and lose time on more.

Of a worker's threads one runs at a time, whoever has the interpreter's lock. Left to itself the system wakes the next
one on whichever core is idle, away from what the last one had in its caches, and waking another core costs most on a
virtual machine. Held to one core, a worker hands the lock on where it is.
"""

import os
from collections.abc import Collection
from contextlib import suppress


def usable() -> frozenset[int]:
    """The cores that this process may run on; none where the system does not let a process choose."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def least_taken(cores: Collection[int], taken: Collection[int | None], workers: int) -> int | None:
    """The core for one worker more: that which fewest have. `taken` are those of the workers there are.

    None where so many `workers` are fewer than the cores: there the others are somebody else's, and the system knows
    better which are free.
    """
    if workers < len(cores) or len(cores) < 2:
        return None
    held = list(taken)
    return min(sorted(cores), key=held.count)


def stay_on(core: int) -> None:
    """Hold this process, and the threads it has yet to start, to a core; where the system forbids it, it goes on."""
    with suppress(OSError):
        os.sched_setaffinity(0, {core})
