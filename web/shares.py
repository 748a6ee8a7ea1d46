"""How many connections each worker has, in memory that the workers of a server share, so that they come out even.

All workers wait at one socket, and whichever wakes first takes the connection. Of 128 kept-alive ones a worker may end
up with 100, and its threads with a queue, while the other's idle.
"""

import mmap

# Workers that are told apart: more than any server has at a time, for a new one takes the next place.
PLACES = 1024


class Shares:
    """Made before the workers are forked. A worker's place is its number; it writes there and reads the others."""

    def __init__(self) -> None:
        # 0 is an empty place, so one more than the connections stands there. One aligned word is written as a whole.
        self._places = memoryview(mmap.mmap(-1, 4 * PLACES)).cast("i")

    def put(self, worker: int, connections: int) -> None:
        """So many has this worker now."""
        self._places[worker % PLACES] = connections + 1

    def leave(self, worker: int) -> None:
        """This worker is no more."""
        self._places[worker % PLACES] = 0

    def fewest(self) -> int:
        """What the worker with the fewest has; 0 without any."""
        return min(filter(None, self._places), default=1) - 1
