"""The ways in which an upstream call can fail: a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.robustness.rules import BAD, GONE, LATE


@dataclass(frozen=True, slots=True)
class FailureMode:
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


def _status(status: int, nature: str, kind: str, family: str, **fault: Any) -> FailureMode:
    after = fault.get("when") == "after"
    return FailureMode(
        f"{status}{' after the effect' if after else ''}",
        family,
        nature,
        kind,
        {"kind": "status", "status": status, **fault},
    )


# The kinds of the statuses that may say how long to wait.
_WAITING = {429: "genesys_rate_limited", 500: GONE, 502: GONE, 503: GONE, 504: LATE}


def _limit(
    says: str, nature: str, wait: tuple[int, int], *, date: float | None = None, status: int = 429
) -> FailureMode:
    fault: dict[str, Any] = {"kind": "status", "status": status}
    if says and date is None:
        fault["retry_after"] = says
    told = f"{status}, Retry-After {says or 'absent'}"
    return FailureMode(told, "429 and 5xx with a wait", nature, _WAITING[status], fault, date=date, wait=wait)


_WRONG = "an answer that is none"
# A number would pass for a text.
_WRONG_FIELDS = {"id": [7], "access_token": {"token": 7}, "entities": 7, "participants": 7}
DAY = 86_400

WAYS = (
    FailureMode("refused", "connection", "unsent", GONE, detour="closed"),
    FailureMode("TLS: untrusted certificate", "bad TLS", "unsent", GONE, detour="untrusted"),
    FailureMode("TLS: no TLS at all", "bad TLS", "unsent", GONE, detour="plain"),
    FailureMode("TLS: hung up in the handshake", "bad TLS", "unsent", GONE, detour="hangs up"),
    FailureMode("TLS: a handshake without end", "bad TLS", "slow, unsent", LATE, detour="silent"),
    FailureMode("reset", "connection", "broken", GONE, {"kind": "drop", "how": "rst", "when": "before"}),
    FailureMode(
        "reset after the effect", "connection", "broken", GONE, {"kind": "drop", "how": "rst", "when": "after"}
    ),
    FailureMode("hung up", "connection", "broken", GONE, {"kind": "drop", "how": "fin", "when": "before"}),
    FailureMode(
        "hung up after the effect", "connection", "broken", GONE, {"kind": "drop", "how": "fin", "when": "after"}
    ),
    FailureMode("time-out", "too slow", "slow", LATE, {"kind": "delay", "seconds": 30, "when": "before"}),
    FailureMode(
        "time-out after the effect", "too slow", "slow", LATE, {"kind": "delay", "seconds": 30, "when": "after"}
    ),
    FailureMode("drips its body", "too slow", "slow", LATE, {"kind": "drip", "seconds": 0.3}),
    FailureMode("drips its head", "too slow", "slow", LATE, {"kind": "drip", "seconds": 0.3, "part": "all"}),
    FailureMode("truncated body", "connection", "broken", GONE, {"kind": "truncate"}),
    # A success whose body can't be read has happened: there is no such thing as one without effect.
    FailureMode("wrong JSON: a list", _WRONG, "garbled", BAD, {"kind": "wrong_json", "body": []}),
    FailureMode("wrong JSON: fields missing", _WRONG, "garbled", BAD, {"kind": "wrong_json", "body": {"padding": 1}}),
    FailureMode(
        "wrong JSON: fields of a wrong type", _WRONG, "garbled", BAD, {"kind": "wrong_json", "body": _WRONG_FIELDS}
    ),
    FailureMode("HTML", _WRONG, "garbled", BAD, {"kind": "not_json"}),
    FailureMode("empty", _WRONG, "garbled", BAD, {"kind": "empty"}),
    FailureMode("huge body", _WRONG, "garbled", BAD, {"kind": "huge", "megabytes": 9}),
    FailureMode("body without end", _WRONG, "garbled", BAD, detour="endless"),
    FailureMode("wrong Content-Type, right JSON", _WRONG, "fine", "", {"kind": "wrong_type"}),
    *(
        FailureMode(
            f"{status} to another host{' after the effect' if when == 'after' else ''}",
            "redirect",
            "redirected",
            BAD,
            {"kind": "redirect", "status": status, "location": "stranger", "when": when},
        )
        for status in (301, 302, 303, 307, 308)
        for when in ("before", "after")
    ),
    _status(400, "refused", "", "4xx"),
    _status(401, "denied", "genesys_unauthorized", "4xx"),
    _status(403, "forbidden", "genesys_forbidden", "4xx"),
    _status(404, "refused", "", "4xx"),
    _status(408, "late", LATE, "4xx"),
    _status(408, "late", LATE, "4xx", when="after"),
    _status(409, "conflict", "", "4xx"),
    _status(409, "conflict", "", "4xx", when="after"),
    _status(413, "refused", "", "4xx"),
    _limit("", "limited", (2, 2)),
    _limit("0", "limited", (0, 0)),
    _limit("1", "limited, short", (1, 1)),
    _limit("42", "limited, long", (42, 42)),
    _limit("a date one second ahead", "limited", (0, 1), date=1),
    _limit("a date a minute ahead", "limited, long", (57, 61), date=60),
    _limit("a date in the past", "limited", (0, 0), date=-3600),
    _limit("-5", "limited", (2, 2)),
    _limit("99999999999", "limited, long", (43, DAY)),
    _limit("1e400", "limited, long", (43, DAY)),
    _limit("nan", "limited", (2, 2)),
    _limit("soon", "limited", (2, 2)),
    _status(500, "broken", GONE, "5xx"),
    _status(500, "broken", GONE, "5xx", when="after"),
    _status(502, "broken", GONE, "5xx"),
    _status(502, "broken", GONE, "5xx", when="after"),
    _status(503, "broken", GONE, "5xx"),
    _status(503, "broken", GONE, "5xx", when="after"),
    _limit("1", "broken, short", (1, 2), status=503),
    _limit("a date a minute ahead", "broken, long", (57, 61), date=60, status=503),
    _limit("-5", "broken", (2, 2), status=503),
    _limit("99999999999", "broken, long", (43, DAY), status=503),
    _limit("soon", "broken", (2, 2), status=503),
    *(_limit("42", "broken, long", (42, 42), status=status) for status in (500, 502, 503, 504)),
    _status(504, "late", LATE, "5xx"),
    # Its message quotes the request: the watch over the tests finds what of it gets out.
    FailureMode("502 quoting the request", "5xx", "broken", GONE, {"kind": "echo", "when": "before"}),
    FailureMode("502 quoting the request after the effect", "5xx", "broken", GONE, {"kind": "echo", "when": "after"}),
    _status(504, "late", LATE, "5xx", when="after"),
    FailureMode("token expires mid-way", "token", "stale", "genesys_unauthorized", {"kind": "expire_token"}),
    FailureMode(
        "token expires right after",
        "token",
        "stale after",
        "genesys_unauthorized",
        {"kind": "expire_token", "when": "after"},
    ),
)
