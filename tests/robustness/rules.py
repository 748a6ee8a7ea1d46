"""What must come of a call that fails: tables of rules, and not what the code was seen to do.

In short: a call that can't have happened, or that harms nobody twice, is sent again inside the deadline; an invitation
whose answer was lost is looked for and never made blindly again; an invitation that was made is no failure; everything
else is reported as the kind it is.
"""

# HTTP status of each kind, and the two promises of a failure: whether asking again can help, and whether the same key
# may come again (a person can repair it, or it passes) or gets the same failure for good.
KINDS = {
    "conversation_not_found": (404, False, False),
    "conversation_not_active": (409, False, False),
    "cobrowse_not_supported": (422, False, False),
    "genesys_unauthorized": (502, False, True),
    "genesys_forbidden": (502, False, True),
    "genesys_rate_limited": (503, True, True),
    "genesys_unavailable": (503, True, True),
    "genesys_timeout": (504, True, True),
    "genesys_bad_response": (502, True, True),
    "session_not_identified": (502, False, False),
}
GOOD = frozenset({"initiated", "unverified"})
# The kinds that most of the ways stand for.
LATE, GONE, BAD = "genesys_timeout", "genesys_unavailable", "genesys_bad_response"

# nature → what must come of it, failing once, twice, always, by the call's part:
#   call    a call that may be sent again, with nothing made for the customer yet
#   before  the call that invites, failing before its effect; after: failing once the customer had been invited
#   seen    the look that verifies: the customer has been invited, so it can't be a failure any more
#   optional  the check that a start can do without; what fails after it is the look that verifies
#   done    the look for an invitation that was made; undone: for one that was not
# ok: initiated · un: initiated, but unverified · own: the way's kind · lost: the kind of the invitation's lost answer.
# Where time decides, both are named.
#
# nameless: a creation that succeeded and does not say what it created; it is never sent again.
#
# slow: to find that it isn't there takes looks for 0.7 s, and what a time-out leaves of the deadline is less.
# slow, unsent: a handshake that never ends has carried nothing, so the invitation may be sent again as any other call.
# garbled: asked again it may be as wrong; the caller gets the failure, and the same key goes on.
# limited, short: one wait of a second fits into the deadline, two don't.
# conflict: as refused, but to invite: it may have been done, so it is looked for and then tried again.
_TABLE = """
               |call          |before         |after    |seen           |done                 |undone              |optional
unsent         |ok ok own     |ok ok own      |-        |ok ok un       |ok ok lost           |ok ok lost          |ok ok un
broken         |ok ok own     |ok ok own      |ok ok ok |ok ok un       |ok ok lost           |ok ok lost          |ok ok un
slow           |ok ok/own own |own own own    |ok ok ok |ok ok/un un    |ok ok/un/lost lost   |ok/lost ok/lost lost|ok ok un
slow, unsent   |ok ok/own own |ok ok/own own  |-        |ok ok/un un    |ok ok/un/lost lost   |ok/lost ok/lost lost|ok ok un
garbled        |own own own   |ok ok own      |ok ok ok |ok/un ok/un un |ok/lost ok/lost lost |ok/lost ok/lost lost|ok un un
nameless       |own own own   |-              |-        |-              |-                    |-                   |-
limited        |ok ok own     |ok ok own      |-        |ok ok un       |ok ok lost           |ok ok lost          |ok ok un
limited, short |ok own own    |ok own own     |-        |ok un un       |ok lost lost         |ok/lost lost lost   |ok ok un
limited, long  |own own own   |own own own    |-        |ok/un ok/un un |lost lost lost       |lost lost lost      |ok un un
broken, short  |ok own own    |ok/own own own |-        |ok un un       |ok lost lost         |ok/lost lost lost   |ok ok un
denied         |ok own own    |ok own own     |-        |ok un un       |ok lost lost         |ok lost lost        |ok own own
forbidden      |own own own   |own own own    |-        |ok/un ok/un un |lost lost lost       |lost lost lost      |ok un un
refused        |own own own   |own own own    |ok ok ok |ok/un ok/un un |own own own          |own own own         |own own own
conflict       |own own own   |ok ok own      |ok ok ok |ok/un ok/un un |own own own          |own own own         |ok un un
stale after    |ok ok ok      |ok ok ok       |ok ok ok |ok ok ok       |ok ok ok             |ok ok ok            |ok ok ok
fine           |ok ok ok      |ok ok ok       |ok ok ok |ok ok ok       |ok ok ok             |ok ok ok            |ok ok ok
"""  # noqa: E501 - a row a line


def _rows(table):
    head, *lines = ([cell.strip() for cell in line.split("|")] for line in table.strip("\n").splitlines())
    for nature, *cells in lines:
        yield nature, {part: cell for part, cell in zip(head[1:], cells, strict=True) if cell != "-"}


RULES = dict(_rows(_TABLE))
# As another nature in every part.
LIKE = {"late": "broken", "redirected": "garbled", "broken, long": "limited, long", "stale": "denied"}

# What a refusal that is none of the kinds above stands for, by call and status. A status that has no meaning for the
# call is none of Genesys's documented answers.
REFUSALS = {
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
    "check (optional)": REFUSALS["check"],
    "cobrowse": REFUSALS["attach"],
    "look (was refused)": REFUSALS["check"],
    "look (conflict)": REFUSALS["look (was done)"],
    "look (was not)": REFUSALS["look (was done)"],
}
# The kind of the answer that the two looks follow: it broke.
LOST = GONE
