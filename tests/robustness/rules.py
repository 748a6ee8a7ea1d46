"""What must come of a struck call: tables of rules, and not what the code was seen to do.

In short: a call that can't have happened, or that harms nobody twice, is sent again inside the deadline; an invitation
whose answer was lost is looked for and never made blindly again; an invitation that was made is no failure; everything
else is told by the kind it is.
"""

from collections.abc import Mapping

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
# The kinds that most of the ways stand for.
LATE, GONE, BAD = "genesys_timeout", "genesys_unavailable", "genesys_bad_response"

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
    # A handshake that never ends has carried nothing, so the invitation may be sent again as any other call.
    "slow, unsent": {
        "call": "ok ok/own own",
        "before": "ok ok/own own",
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
    # As refused, but to invite: it may have been done, so it is looked for and then tried again.
    "conflict": {
        "call": "own own own",
        "before": "ok ok own",
        "after": "ok ok ok",
        "seen": "ok/un ok/un un",
        "done": "own own own",
        "undone": "own own own",
    },
    "stale after": dict.fromkeys(("call", "before", "after", "seen", "done", "undone"), "ok ok ok"),
    "fine": dict.fromkeys(("call", "before", "after", "seen", "done", "undone"), "ok ok ok"),
}
# As another nature in every part.
LIKE = {"late": "broken", "redirected": "garbled", "broken, long": "limited, long", "stale": "denied"}

# What a refusal that is none of the kinds above stands for, by the struck call and the status. A status that the call
# has no meaning for is none of Genesys's documented answers.
REFUSALS: Mapping[str, Mapping[int, str]] = {
    "token": {400: "genesys_unauthorized"},
    # An org without this list has none next time either.
    "list": dict.fromkeys((400, 404), "cobrowse_not_supported"),
    "check": {400: "conversation_not_found", 404: "conversation_not_found"},
    "create": dict.fromkeys((400, 404, 409, 413), "cobrowse_not_supported"),
    # Why, the conversation itself is asked, and it is live and of a kind that can carry cobrowse. A conflict passes.
    "attach": {**dict.fromkeys((400, 404, 413), "cobrowse_not_supported"), 409: GONE},
    "look (was done)": {400: "conversation_not_found", 404: "conversation_not_found", 409: "lost", 413: "lost"},
}
REFUSALS = {
    **REFUSALS,
    "token (renewed)": REFUSALS["token"],
    "cobrowse": REFUSALS["attach"],
    "look (was refused)": REFUSALS["check"],
    "look (conflict)": REFUSALS["look (was done)"],
    "look (was not)": REFUSALS["look (was done)"],
}
# The kind of the answer that the two looks follow: it broke.
LOST = GONE
