"""The fault matrix as values: which call is struck, by what, how often, and what must come of it.

What must come of it is a table of rules, not what the code was seen to do. In short: a call that can't have happened,
or that harms nobody twice, is sent again inside the deadline; an invitation whose answer was lost is looked for and
never made blindly again; an invitation that was made is no failure; everything else is told by the kind it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ALWAYS = "always"
TIMES: tuple[int | str, ...] = (1, 2, ALWAYS)
NAMES = {1: "once", 2: "twice", ALWAYS: "always"}
FLOWS = ("media", "native")

# HTTP status of each kind, and the two promises of a failure: whether asking again can help, and whether the same key
# may come again (a kind that a person can mend, or that passes) or gets the same failure for good.
KINDS: Mapping[str, tuple[int, bool, bool]] = {
    "conversation_not_found": (404, False, False),
    "conversation_not_active": (409, False, False),
    "cobrowse_not_supported": (422, False, False),
    "genesys_unauthorized": (502, False, True),
    "genesys_forbidden": (502, False, True),
    "genesys_rate_limited": (503, True, True),
    "genesys_unavailable": (503, True, True),
    "genesys_timeout": (504, True, True),
    "genesys_bad_response": (502, True, True),
}
GOOD = frozenset({"initiated", "unverified"})


@dataclass(frozen=True, slots=True)
class Role:
    """A call of a flow in its part. `rule` names the column of RULES that holds for it."""

    name: str
    operation: str
    rule: str
    flows: tuple[str, ...] = FLOWS


ROLES = (
    Role("token", "token", "call"),
    Role("list", "list", "call"),  # a request for the newest webchat
    Role("check", "conversation", "call"),  # a sender other than Architect: looked at before anything is created
    Role("create", "create", "call", ("media",)),
    Role("attach", "attach", "invite", ("media",)),
    Role("cobrowse", "cobrowse", "invite", ("native",)),
    Role("verify", "conversation", "seen"),
    Role("look (was done)", "conversation", "done"),  # after an invitation that was made and whose answer was lost
    Role("look (was not)", "conversation", "undone"),  # after one that broke before it was made
)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to fail. `fault` is the sandbox's, `detour` where the call is led instead; `date`: Retry-After in seconds.

    `kind` is what it stands for where it can't be made good; `wait` what retryAfterSeconds may then be.
    """

    name: str
    family: str
    nature: str
    kind: str = ""
    fault: Mapping[str, Any] = field(default_factory=dict)
    detour: str = ""
    date: float | None = None
    wait: tuple[int, int] = (2, 2)


def _status(status: int, nature: str, kind: str, family: str, **fault: Any) -> Way:  # noqa: ANN401 - a fault's fields
    after = fault.get("when") == "after"
    return Way(
        f"{status}{' after the effect' if after else ''}",
        family,
        nature,
        kind,
        {"kind": "status", "status": status, **fault},
    )


def _limit(says: str, nature: str, wait: tuple[int, int], *, date: float | None = None, status: int = 429) -> Way:
    kind = "genesys_rate_limited" if status == 429 else "genesys_unavailable"
    fault: dict[str, Any] = {"kind": "status", "status": status}
    if says and date is None:
        fault["retry_after"] = says
    told = f"{status}, Retry-After {says or 'absent'}"
    return Way(told, "429 and 503 with a wait", nature, kind, fault, date=date, wait=wait)


_LATE, _GONE, _BAD = "genesys_timeout", "genesys_unavailable", "genesys_bad_response"
_WRONG = "an answer that is none"
_WRONG_FIELDS = {"id": 7, "access_token": 7, "entities": 7}
DAY = 86_400

WAYS = (
    Way("refused", "connection", "unsent", _GONE, detour="closed"),
    Way("TLS: untrusted certificate", "bad TLS", "unsent", _GONE, detour="untrusted"),
    Way("TLS: no TLS at all", "bad TLS", "unsent", _GONE, detour="plain"),
    Way("reset", "connection", "broken", _GONE, {"kind": "drop", "how": "rst", "when": "before"}),
    Way("reset after the effect", "connection", "broken", _GONE, {"kind": "drop", "how": "rst", "when": "after"}),
    Way("hung up", "connection", "broken", _GONE, {"kind": "drop", "how": "fin", "when": "before"}),
    Way("hung up after the effect", "connection", "broken", _GONE, {"kind": "drop", "how": "fin", "when": "after"}),
    Way("time-out", "too slow", "slow", _LATE, {"kind": "delay", "seconds": 30, "when": "before"}),
    Way("time-out after the effect", "too slow", "slow", _LATE, {"kind": "delay", "seconds": 30, "when": "after"}),
    Way("drips its body", "too slow", "slow", _LATE, {"kind": "drip", "seconds": 0.3}),
    Way("drips its head", "too slow", "slow", _LATE, {"kind": "drip", "seconds": 0.3, "part": "all"}),
    Way("truncated body", "connection", "broken", _GONE, {"kind": "truncate"}),
    Way("wrong JSON: a list", _WRONG, "garbled", _BAD, {"kind": "wrong_json", "body": []}),
    Way("wrong JSON: fields missing", _WRONG, "garbled", _BAD, {"kind": "wrong_json", "body": {"padding": 1}}),
    Way("wrong JSON: fields of a wrong type", _WRONG, "garbled", _BAD, {"kind": "wrong_json", "body": _WRONG_FIELDS}),
    Way("wrong JSON, no effect", _WRONG, "garbled", _BAD, {"kind": "wrong_json", "body": [], "when": "before"}),
    Way("HTML", _WRONG, "garbled", _BAD, {"kind": "not_json"}),
    Way("HTML, no effect", _WRONG, "garbled", _BAD, {"kind": "not_json", "when": "before"}),
    Way("empty", _WRONG, "garbled", _BAD, {"kind": "empty"}),
    Way("empty, no effect", _WRONG, "garbled", _BAD, {"kind": "empty", "when": "before"}),
    Way("huge body", _WRONG, "garbled", _BAD, {"kind": "huge", "megabytes": 2}),
    Way("huge body, no effect", _WRONG, "garbled", _BAD, {"kind": "huge", "megabytes": 2, "when": "before"}),
    Way("body without end", _WRONG, "garbled", _BAD, detour="endless"),
    Way("wrong Content-Type, right JSON", _WRONG, "fine", "", {"kind": "wrong_type"}),
    *(
        Way(
            f"{status} to another host{' after the effect' if when == 'after' else ''}",
            "redirect",
            "redirected",
            _BAD,
            {"kind": "redirect", "status": status, "location": "stranger", "when": when},
        )
        for status, when in ((301, "before"), (302, "before"), (307, "before"), (308, "before"), (303, "after"))
    ),
    _status(400, "refused", "", "4xx"),
    _status(401, "denied", "genesys_unauthorized", "4xx"),
    _status(403, "forbidden", "genesys_forbidden", "4xx"),
    _status(404, "refused", "", "4xx"),
    _status(408, "late", _LATE, "4xx"),
    _status(408, "late", _LATE, "4xx", when="after"),
    _status(409, "refused", "", "4xx"),
    _status(409, "refused", "", "4xx", when="after"),
    _status(413, "refused", "", "4xx"),
    _limit("", "limited", (2, 2)),
    _limit("0", "limited", (0, 0)),
    _limit("1", "limited, short", (1, 1)),
    _limit("42", "limited, long", (42, 42)),
    _limit("a date one second ahead", "limited", (0, 1), date=1),
    _limit("a date a minute ahead", "limited, long", (57, 61), date=60),
    _limit("a date in the past", "limited", (0, 0), date=-3600),
    _limit("-5", "limited", (0, 0)),
    _limit("99999999999", "limited, long", (43, DAY)),
    _limit("1e400", "limited, long", (43, DAY)),
    _limit("nan", "limited", (2, 2)),
    _limit("soon", "limited", (2, 2)),
    _status(500, "broken", _GONE, "5xx"),
    _status(500, "broken", _GONE, "5xx", when="after"),
    _status(502, "broken", _GONE, "5xx"),
    _status(502, "broken", _GONE, "5xx", when="after"),
    _status(503, "broken", _GONE, "5xx"),
    _status(503, "broken", _GONE, "5xx", when="after"),
    _limit("1", "broken, short", (1, 2), status=503),
    _limit("42", "broken, long", (42, 42), status=503),
    _status(504, "late", _LATE, "5xx"),
    _status(504, "late", _LATE, "5xx", when="after"),
    Way("token expires mid-way", "token", "stale", "genesys_unauthorized", {"kind": "expire_token"}),
    Way(
        "token expires right after",
        "token",
        "stale after",
        "genesys_unauthorized",
        {"kind": "expire_token", "when": "after"},
    ),
)

# nature → what must come of it, struck once, twice, always, by the call's part:
#   call    a call that may be sent again, with nothing made for the customer yet
#   before  the call that invites, struck before its effect; after: struck once the customer had been invited
#   seen    the look that verifies: the customer has been invited, so it can't be a failure any more
#   done    the look for an invitation that was made; undone: for one that was not
# ok: initiated · un: initiated, but unverified · own: the way's kind · lost: the kind of the invitation's lost answer.
# Where time decides, both are named.
RULES: Mapping[str, Mapping[str, str]] = {
    "unsent": {
        "call": "ok ok own",
        "before": "ok ok own",
        "seen": "ok ok un",
        "done": "ok ok lost",
        "undone": "ok ok lost",
    },
    "broken": {
        "call": "ok ok own",
        "before": "ok ok own",
        "after": "ok ok ok",
        "seen": "ok ok un",
        "done": "ok ok lost",
        "undone": "ok ok lost",
    },
    # The patience that says "it isn't there" takes 0.7 s; what a time-out leaves of the deadline is less.
    "slow": {
        "call": "ok ok/own own",
        "before": "own own own",
        "after": "ok ok ok",
        "seen": "ok ok/un un",
        "done": "ok ok/un/lost lost",
        "undone": "ok/lost ok/lost lost",
    },
    # Asked again it may be as wrong; the caller is told, and the same key goes on.
    "garbled": {
        "call": "own own own",
        "before": "ok ok own",
        "after": "ok ok ok",
        "seen": "ok/un ok/un un",
        "done": "ok/lost ok/lost lost",
        "undone": "ok/lost ok/lost lost",
    },
    "limited": {
        "call": "ok ok own",
        "before": "ok ok own",
        "seen": "ok ok un",
        "done": "ok ok lost",
        "undone": "ok ok lost",
    },
    # One wait of a second fits into the deadline, two don't.
    "limited, short": {
        "call": "ok own own",
        "before": "ok own own",
        "seen": "ok un un",
        "done": "ok lost lost",
        "undone": "ok/lost lost lost",
    },
    "limited, long": {
        "call": "own own own",
        "before": "own own own",
        "seen": "ok/un ok/un un",
        "done": "lost lost lost",
        "undone": "lost lost lost",
    },
    "broken, short": {
        "call": "ok own own",
        "before": "ok/own own own",
        "seen": "ok un un",
        "done": "ok lost lost",
        "undone": "ok/lost lost lost",
    },
    "denied": {
        "call": "ok own own",
        "before": "ok own own",
        "seen": "ok un un",
        "done": "ok lost lost",
        "undone": "ok lost lost",
    },
    "forbidden": {
        "call": "own own own",
        "before": "own own own",
        "seen": "ok/un ok/un un",
        "done": "lost lost lost",
        "undone": "lost lost lost",
    },
    "refused": {
        "call": "own own own",
        "before": "own own own",
        "after": "ok ok ok",
        "seen": "ok/un ok/un un",
        "done": "own own own",
        "undone": "own own own",
    },
    "stale after": dict.fromkeys(("call", "before", "after", "seen", "done", "undone"), "ok ok ok"),
    "fine": dict.fromkeys(("call", "before", "after", "seen", "done", "undone"), "ok ok ok"),
}
# As another nature in every part.
_LIKE = {"late": "broken", "redirected": "garbled", "broken, long": "limited, long", "stale": "denied"}

# What a refusal that is none of the kinds above stands for, by the struck call and the status. A status that the call
# has no meaning for is none of Genesys's documented answers.
REFUSALS: Mapping[str, Mapping[int, str]] = {
    "token": {400: "genesys_unauthorized"},
    "list": {},
    "check": {400: "conversation_not_found", 404: "conversation_not_found"},
    "create": dict.fromkeys((400, 404, 409, 413), "cobrowse_not_supported"),
    # Why, the conversation itself is asked, and it is live and of a kind that can carry cobrowse. A conflict passes.
    "attach": {**dict.fromkeys((400, 404, 413), "cobrowse_not_supported"), 409: _GONE},
    "look (was done)": {400: "conversation_not_found", 404: "conversation_not_found", 409: "lost", 413: "lost"},
}
REFUSALS = {
    **REFUSALS,
    "cobrowse": REFUSALS["attach"],
    "look (was not)": REFUSALS["look (was done)"],
}
# The kind of the answer that the two looks follow: it broke.
LOST = _GONE


@dataclass(frozen=True, slots=True)
class Cell:
    """One case of the matrix."""

    flow: str
    role: Role
    way: Way
    times: int | str

    def __str__(self) -> str:
        return f"{self.flow}: {self.role.name}: {self.way.name}, {NAMES[self.times]}"

    @property
    def slow(self) -> bool:
        """Whether it takes its whole deadline."""
        return self.way.nature == "slow"

    @property
    def kind(self) -> str:
        """What the way stands for at this call."""
        if self.way.kind:
            return self.way.kind
        return REFUSALS.get(self.role.name, {}).get(self.way.fault.get("status", 0), _BAD)

    @property
    def allowed(self) -> frozenset[str]:
        """What may come of it: a status of a success, or an error's code."""
        words = {"ok": "initiated", "un": "unverified", "lost": LOST, "own": self.kind}
        found = (words[word] for word in self._rule()[TIMES.index(self.times)].split("/"))
        return frozenset(LOST if word == "lost" else word for word in found)

    @property
    def invited_anyway(self) -> bool:
        """Whether the customer has an invitation whatever the answer says."""
        return self.role.rule in ("seen", "done") or (self.role.rule == "invite" and self._column() == "after")

    def _column(self) -> str:
        if self.role.rule != "invite":
            return self.role.rule
        fault = self.way.fault
        always_after = fault.get("kind") in ("truncate", "drip", "wrong_type")
        first_after = fault.get("kind") in ("wrong_json", "not_json", "empty", "huge") and "when" not in fault
        return "after" if fault.get("when") == "after" or always_after or first_after else "before"

    def _rule(self) -> list[str]:
        nature = self.way.nature
        if self.role.name == "token":
            # A client that is refused stays refused; a token that is dead on arrival is one that expired.
            nature = {"denied": "forbidden", "stale after": "stale"}.get(nature, nature)
        return RULES[_LIKE.get(nature, nature)][self._column()].split()


def cells() -> Iterator[Cell]:
    """Every case."""
    for flow in FLOWS:
        for role in ROLES:
            for way in WAYS:
                if flow not in role.flows or (way.nature == "stale" and role.name == "token"):
                    continue  # the token's own call presents no token that could have expired
                for times in TIMES:
                    yield Cell(flow, role, way, times)


def some(every: int = 17) -> Iterator[Cell]:
    """A slice that meets each way, each role, each number of times and both flows."""
    chosen = {number: cell for number, cell in enumerate(cells()) if number % every == 0 and not cell.slow}
    ways = {cell.way.name for cell in chosen.values()}
    for number, cell in enumerate(cells()):
        if cell.way.name not in ways:
            ways.add(cell.way.name)
            chosen[number] = cell
    yield from chosen.values()
