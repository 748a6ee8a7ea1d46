"""The windows: how many connections, and how long the upstream takes for a call."""

from dataclasses import dataclass

# Calls that a warm initiation makes in the media flow: create, attach, verify.
CALLS = 3


@dataclass(frozen=True)
class Load:
    """A window: so many connections, an upstream that takes so long for a call, a share of the usual seconds."""

    name: str
    connections: int
    delay_ms: int
    share: float = 1.0

    @property
    def calls_ms(self) -> float:
        """What the upstream takes for the calls of one initiation."""
        return CALLS * self.delay_ms

    @property
    def limit(self) -> float:
        """Initiations a second that nothing can exceed, since each connection waits for its three calls."""
        return self.connections / (self.calls_ms / 1000) if self.delay_ms else float("inf")


LOADS = (
    Load("1 at 0 ms", 1, 0, 0.5),
    Load("1 at 50 ms", 1, 50, 0.7),
    Load("16 at 0 ms", 16, 0, 0.6),
    Load("50 at 50 ms", 50, 50),
    Load("128 at 50 ms", 128, 50),
    Load("256 at 50 ms", 256, 50),
)
BY_NAME = {load.name: load for load in LOADS}
OVERLOADED = "1000 at 150 ms"
# Long enough that it hardly counts how much of the first and the last turn, of half a second each, falls into them.
OVERLOADS = (Load("128 at 150 ms", 128, 150, 3), Load("256 at 150 ms", 256, 150, 3), Load(OVERLOADED, 1000, 150, 3))
