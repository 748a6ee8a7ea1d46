"""What goes wrong in a run: each seed switches some kinds on, gives each a chance, and all together a budget."""

from random import Random

# What can happen to a call to Genesys.
UNREACHABLE = "unreachable"  # no connection, or none in time: no effect
SILENT = "silent"  # no answer until the time for it is up; with or without effect
CUT = "cut"  # the connection breaks; without effect, after it, or shortly before it
BUSY = "busy"  # 429, with or without Retry-After: no effect
FAULT = "fault"  # 5xx or 408; without effect, after it, or shortly before it
GARBLED = "garbled"  # 200 and a body that is not what it should be; mostly with effect, else it is a gateway's page
EXPIRED = "expired"  # 401: every token is revoked
FORBIDDEN = "forbidden"  # 403: a role was taken away for a moment
ON_CALLS = (UNREACHABLE, SILENT, CUT, BUSY, FAULT, GARBLED, EXPIRED, FORBIDDEN)

# What can happen to an operation of the ledger.
DOWN = "down"  # not applied, and the caller knows only that it can't be reached
UNSURE = "unsure"  # applied, its answer lost
ON_LEDGER = (DOWN, UNSURE)

# What can happen to a worker whenever it waits for anything.
CRASH = "crash"
FREEZE = "freeze"
ON_WORKERS = (CRASH, FREEZE)

_CHANCES = (0.03, 0.1, 0.3)
# Where it strikes at all: "" for anywhere, else what the operation's name begins with.
_CALLS = ("", "", "POST /api", "GET")
_OPERATIONS = ("", "", "claim", "begin", "settle", "read", "mark")


class Mischief:
    """Strikes when the dice say so, as long as the budget lasts: after that everything works, so a run can end."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.budget = random.choice((0, 1, 2, 2, 3, 4, 6, 10))
        self.calls = self._some(ON_CALLS) if self.budget else ()
        self.ledger = self._some(ON_LEDGER) if self.budget else ()
        self.workers = self._some(ON_WORKERS) if self.budget else ()
        self.calls_at = random.choice(_CALLS)
        self.ledger_at = random.choice(_OPERATIONS)
        self.on_calls = random.choice(_CHANCES) if self.calls else 0.0
        self.on_ledger = random.choice(_CHANCES) if self.ledger else 0.0
        self.on_workers = random.choice(_CHANCES) / 3 if self.workers else 0.0

    def _some(self, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if self._random.random() < 0.4:
            return ()
        return tuple(kind for kind in kinds if self._random.random() < 0.5)

    def call(self, name: str) -> str:
        """What goes wrong with this call; "" for nothing."""
        return self.strikes(self.on_calls, self.calls) if name.startswith(self.calls_at) else ""

    def operation(self, name: str) -> str:
        """What goes wrong with this operation of the ledger; "" for nothing."""
        return self.strikes(self.on_ledger, self.ledger) if name.startswith(self.ledger_at) else ""

    def strikes(self, chance: float, kinds: tuple[str, ...]) -> str:
        """The kind that strikes now; "" for none."""
        if self.budget <= 0 or not chance or self._random.random() >= chance:
            return ""
        self.budget -= 1
        return kinds[int(self._random.random() * len(kinds))]
