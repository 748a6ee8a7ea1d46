"""The ways in which an upstream call can fail: a table."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.robustness.rules import BAD, GONE, LATE

DAY = 86_400


@dataclass(frozen=True, slots=True)
class FailureMode:
    """A way to fail. `fault` is the sandbox's, `detour` where the call goes instead; `date`: Retry-After in seconds.

    `kind` is what it stands for where it can't be made good; `wait` what retryAfterSeconds may then be.
    """

    name: str
    family: str
    nature: str
    kind: str = ""
    fault: dict[str, object] = field(default_factory=dict)
    detour: str = ""
    date: float | None = None
    wait: tuple[int, int] = (2, 2)

    def fields(self, location):
        """The sandbox's fault as of now: a date is so many seconds ahead, and a redirect names this location."""
        fault = dict(self.fault)
        if self.date is not None:
            fault["retry_after"] = format_datetime(datetime.now(UTC) + timedelta(seconds=self.date), usegmt=True)
        if "location" in fault:
            fault["location"] = location
        return fault


def _tls(name, detour, nature="unsent", means=GONE):
    return FailureMode(f"TLS: {name}", "bad TLS", nature, means, detour=detour)


def _fault(name, family, nature, means, kind, **fields):
    """One of the sandbox's faults; its name says when it comes after the call's effect."""
    name += " after the effect" if fields.get("when") == "after" else ""
    return FailureMode(name, family, nature, means, {"kind": kind, **fields})


def _both(name, family, nature, means, kind, **fields):
    """The fault before the call's effect, and after it."""
    return [_fault(name, family, nature, means, kind, when=when, **fields) for when in ("before", "after")]


def _garbled(name, kind, **fields):
    return _fault(name, "an answer that is none", "garbled", BAD, kind, **fields)


def _status(status, nature, means, **fields):
    return _fault(str(status), f"{status // 100}xx", nature, means, "status", status=status, **fields)


# The kinds of the statuses that may say how long to wait.
_WAITING = {429: "genesys_rate_limited", 500: GONE, 502: GONE, 503: GONE, 504: LATE}


def _limit(says, nature, wait=(2, 2), *, date=None, status=429):
    fault = {"kind": "status", "status": status, **({"retry_after": says} if says and date is None else {})}
    name = f"{status}, Retry-After {says or 'absent'}"
    return FailureMode(name, "429 and 5xx with a wait", nature, _WAITING[status], fault, date=date, wait=wait)


# A number would pass for a text.
_WRONG_FIELDS = {"id": [7], "access_token": {"token": 7}, "entities": 7, "participants": 7}

WAYS = (
    FailureMode("refused", "connection", "unsent", GONE, detour="closed"),
    _tls("untrusted certificate", "untrusted"),
    _tls("no TLS at all", "plain"),
    _tls("hung up in the handshake", "hangs up"),
    _tls("a handshake without end", "silent", "slow, unsent", LATE),
    *_both("reset", "connection", "broken", GONE, "drop", how="rst"),
    *_both("hung up", "connection", "broken", GONE, "drop", how="fin"),
    *_both("time-out", "too slow", "slow", LATE, "delay", seconds=30),
    _fault("drips its body", "too slow", "slow", LATE, "drip", seconds=0.3),
    _fault("drips its head", "too slow", "slow", LATE, "drip", seconds=0.3, part="all"),
    _fault("truncated body", "connection", "broken", GONE, "truncate"),
    # A success whose body can't be read has happened: there is no such thing as one without effect.
    _garbled("wrong JSON: a list", "wrong_json", body=[]),
    _garbled("wrong JSON: fields missing", "wrong_json", body={"padding": 1}),
    _garbled("wrong JSON: fields of a wrong type", "wrong_json", body=_WRONG_FIELDS),
    _garbled("HTML", "not_json"),
    _garbled("empty", "empty"),
    _garbled("huge body", "huge", megabytes=9),
    FailureMode("body without end", "an answer that is none", "garbled", BAD, detour="endless"),
    _fault("wrong Content-Type, right JSON", "an answer that is none", "fine", "", "wrong_type"),
    *(
        way
        for status in (301, 302, 303, 307, 308)
        for way in _both(
            f"{status} to another host", "redirect", "redirected", BAD, "redirect", status=status, location="stranger"
        )
    ),
    _status(400, "refused", ""),
    _status(401, "denied", "genesys_unauthorized"),
    _status(403, "forbidden", "genesys_forbidden"),
    _status(404, "refused", ""),
    _status(408, "late", LATE),
    _status(408, "late", LATE, when="after"),
    _status(409, "conflict", ""),
    _status(409, "conflict", "", when="after"),
    _status(413, "refused", ""),
    _limit("", "limited"),
    _limit("0", "limited", (0, 0)),
    _limit("1", "limited, short", (1, 1)),
    _limit("42", "limited, long", (42, 42)),
    _limit("a date one second ahead", "limited", (0, 1), date=1),
    _limit("a date a minute ahead", "limited, long", (57, 61), date=60),
    _limit("a date in the past", "limited", (0, 0), date=-3600),
    _limit("-5", "limited"),
    _limit("99999999999", "limited, long", (43, DAY)),
    _limit("1e400", "limited, long", (43, DAY)),
    _limit("nan", "limited"),
    _limit("soon", "limited"),
    *(_status(status, "broken", GONE, **when) for status in (500, 502, 503) for when in ({}, {"when": "after"})),
    _limit("1", "broken, short", (1, 2), status=503),
    _limit("a date a minute ahead", "broken, long", (57, 61), date=60, status=503),
    _limit("-5", "broken", status=503),
    _limit("99999999999", "broken, long", (43, DAY), status=503),
    _limit("soon", "broken", status=503),
    *(_limit("42", "broken, long", (42, 42), status=status) for status in (500, 502, 503, 504)),
    _status(504, "late", LATE),
    _status(504, "late", LATE, when="after"),
    # Its message quotes the request: the watch over the tests finds what of it gets out.
    *_both("502 quoting the request", "5xx", "broken", GONE, "echo"),
    _fault("token expires mid-way", "token", "stale", "genesys_unauthorized", "expire_token"),
    FailureMode(
        "token expires right after",
        "token",
        "stale after",
        "genesys_unauthorized",
        {"kind": "expire_token", "when": "after"},
    ),
)
