"""The fault matrix as values: which call fails, in which way, how often, and what must come of it."""

from dataclasses import dataclass, field

from tests.robustness.failure_modes import WAYS, FailureMode
from tests.robustness.rules import BAD, LIKE, LOST, REFUSALS, RULES

ALWAYS = "always"
TIMES = (1, 2, ALWAYS)
NAMES = {1: "once", 2: "twice", ALWAYS: "always"}
FLOWS = ("media", "native")


@dataclass(frozen=True, slots=True)
class Role:
    """A call of a flow in its part. `rule` names the column of RULES that holds for it.

    `invite` is the fault of the invitation before it, so that the call is made at all; `good` what comes of it where
    the call itself does not fail.
    """

    name: str
    operation: str
    rule: str
    flows: tuple[str, ...] = FLOWS
    invite: dict[str, object] = field(default_factory=dict, hash=False)
    good: str = "initiated"


REFUSED = {"kind": "status", "status": 400}
ROLES = (
    Role("token", "token", "call"),
    Role("token (renewed)", "token", "call"),  # in the middle of a request, once the one in hand has expired
    Role("list", "list", "call"),  # a request for the newest webchat
    Role("check", "conversation", "call"),  # a sender other than Architect: looked at before anything is created
    # A data action that does not name its channel: the session can be started without this check as well.
    Role("check (optional)", "conversation", "optional", ("media",)),
    Role("create", "create", "call", ("media",)),
    Role("attach", "attach", "invite", ("media",)),
    Role("cobrowse", "cobrowse", "invite", ("native",)),
    Role("verify", "conversation", "seen"),
    # After an invitation that was made and whose answer was lost, and after one that broke before it was made.
    Role("look (was done)", "conversation", "done", invite={"kind": "drop", "how": "rst", "when": "after"}),
    Role("look (was not)", "conversation", "undone", invite={"kind": "drop", "how": "rst", "when": "before"}),
    # Why an invitation is refused, the conversation itself says.
    Role("look (was refused)", "conversation", "call", invite=REFUSED, good="cobrowse_not_supported"),
    # After a conflict it may show the session we want.
    Role("look (conflict)", "conversation", "done", invite={"kind": "status", "status": 409, "when": "after"}),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One case of the matrix."""

    flow: str
    role: Role
    way: FailureMode
    times: int | str

    def __str__(self):
        return f"{self.flow}: {self.role.name}: {self.way.name}, {NAMES[self.times]}"

    @property
    def slow(self):
        """Whether it takes its whole deadline."""
        return self.way.nature.startswith("slow")

    @property
    def kind(self):
        """What the way stands for at this call."""
        if self._is_nameless():
            return "session_not_identified"
        if self.way.kind:
            return self.way.kind
        return REFUSALS.get(self.role.name, {}).get(self.way.fault.get("status", 0), BAD)

    @property
    def allowed(self):
        """What may come of it: a status of a success, or an error's code."""
        words = {"ok": self.role.good, "un": "unverified", "lost": LOST, "own": self.kind}
        found = (words[word] for word in self._rule()[TIMES.index(self.times)].split("/"))
        return frozenset(LOST if word == "lost" else word for word in found)

    @property
    def invited_anyway(self):
        """Whether the customer has an invitation whatever the answer says."""
        made_before = self.role.rule == "seen" or self.role.invite.get("when") == "after"
        return made_before or (self.role.rule == "invite" and self._column() == "after")

    def _is_nameless(self):
        """Whether the head of a creation's success comes, and not the session's id."""
        fault = self.way.fault
        cut = fault.get("kind") in ("truncate", "drip") and fault.get("part") != "all"
        return self.role.operation == "create" and (self.way.nature == "garbled" or cut)

    def _column(self):
        if self.role.rule != "invite":
            return self.role.rule
        fault = self.way.fault
        always_after = fault.get("kind") in ("truncate", "drip", "wrong_type")
        first_after = fault.get("kind") in ("wrong_json", "not_json", "empty", "huge") and "when" not in fault
        return "after" if fault.get("when") == "after" or always_after or first_after else "before"

    def _rule(self):
        nature = "nameless" if self._is_nameless() else self.way.nature
        if self.role.operation == "token":
            # A client that is refused stays refused; a token that is dead on arrival is one that expired, which is
            # made good once.
            dead = "forbidden" if self.role.name == "token (renewed)" else "stale"
            nature = {"denied": "forbidden", "stale after": dead}.get(nature, nature)
        if self.role.rule == "optional" and nature == "refused" and self.kind == BAD:
            nature = "garbled"  # a refusal that says nothing of the conversation
        return RULES[LIKE.get(nature, nature)][self._column()].split()


def cells():
    """Every case."""
    for flow in FLOWS:
        for role in ROLES:
            for way in WAYS:
                # A success of the call that invites has its effect: a stranger's 200 is none of Genesys's answers.
                untrue = way.detour == "endless" and role.rule == "invite"
                if flow not in role.flows or untrue or (way.nature == "stale" and role.operation == "token"):
                    continue  # the token's own call presents no token that could have expired
                for times in TIMES:
                    yield Cell(flow, role, way, times)


def some(every=101):
    """A slice that meets each way, each role, each number of times and both flows."""
    chosen = {number: cell for number, cell in enumerate(cells()) if number % every == 0 and not cell.slow}
    ways = {cell.way.name for cell in chosen.values()}
    for number, cell in enumerate(cells()):
        if cell.way.name not in ways:
            ways.add(cell.way.name)
            chosen[number] = cell
    yield from chosen.values()
